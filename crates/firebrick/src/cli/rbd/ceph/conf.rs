//! Which cluster a command is about, and whether a file describes one.

use std::path::PathBuf;

/// A cluster, as the command line names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli::rbd) struct Cluster {
    /// Its configuration.
    pub(in crate::cli::rbd) conf: PathBuf,
    /// Its name, for what `$cluster` stands for.
    pub(in crate::cli::rbd) name: String,
}

/// Whether a configuration is that of a cluster: its `[global]` names the cluster or its monitors.
pub(in crate::cli::rbd) fn is_of_cluster(text: &str) -> bool {
    let mut in_global = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.split(']').next().unwrap_or_default().trim();
            if section == "site" {
                return false;
            }
            in_global = section == "global";
            continue;
        }
        let Some((key, _)) = line.split_once('=') else {
            continue;
        };
        // Words of an option are parted by blanks, dashes or underscores.
        let key = key.trim().replace([' ', '\t', '-'], "_");
        if in_global && matches!(key.as_str(), "fsid" | "mon_host" | "mon_initial_members") {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contents_say_what_a_file_is_for() {
        for text in [
            "[global]\nfsid = 1\n",
            "# made by hand\n[client]\nrbd cache = true\n[ global ]\n  mon host = 10.0.0.1\n",
            "[global]\nmon-host=10.0.0.1",
        ] {
            assert!(is_of_cluster(text), "{text}");
        }
        for text in [
            "",
            "[site]\nname = a\n",
            "[site]\nname = a\n[global]\nfsid = 1\n",
            "[global]\nlog_file = a\n",
            "[client]\nmon_host = 10.0.0.1\n",
            "fsid = 1\n",
        ] {
            assert!(!is_of_cluster(text), "{text}");
        }
    }
}
