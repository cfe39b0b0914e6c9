//! Storage protocols under their several names.

/// Names that mean the same protocol.
///
/// Source: `cinder.common.constants`, `*_VARIANTS`.
const SAME: [&[&str]; 4] = [
    &["iSCSI", "iscsi"],
    &["FC", "fibre_channel", "fc"],
    &["NFS", "nfs"],
    &["NVMe-oF", "NVMeOF", "nvmeof"],
];

/// All names of `protocol`, itself first: types that operators wrote for one name go on to fit.
pub fn variants(protocol: &str) -> Vec<String> {
    let mut names = vec![protocol.to_owned()];
    if let Some(same) = SAME.iter().find(|names| names.contains(&protocol)) {
        let others = same.iter().filter(|name| **name != protocol);
        names.extend(others.map(|name| (*name).to_owned()));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_protocol_has_several_names_and_most_have_one() {
        assert_eq!(variants("nvmeof"), ["nvmeof", "NVMe-oF", "NVMeOF"]);
        assert_eq!(variants("iSCSI"), ["iSCSI", "iscsi"]);
        assert_eq!(variants("nbd"), ["nbd"]);
    }
}
