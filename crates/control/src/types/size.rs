//! How large the volumes of a type may be.

use firebrick_db::VolumeType;

use crate::error::{Error, Result};

/// Refuses sizes (GiB) that the type does not take: `provisioning:min_vol_size` and
/// `provisioning:max_vol_size` of its extra specs.
pub(crate) fn check_size(kind: &VolumeType, size: u32) -> Result<()> {
    let limit = |key: &str| kind.extra_specs.get(key)?.trim().parse::<u32>().ok();
    if let Some(least) = limit("provisioning:min_vol_size").filter(|least| size < *least) {
        return Err(Error::invalid_input(format_args!(
            "Specified volume size of '{size}' is less than the minimum required size of \
             '{least}' for volume type '{}'.",
            kind.name
        )));
    }
    if let Some(most) = limit("provisioning:max_vol_size").filter(|most| size > *most) {
        return Err(Error::invalid_input(format_args!(
            "Specified volume size of '{size}' is greater than the maximum allowable size of \
             '{most}' for volume type '{}'.",
            kind.name
        )));
    }
    Ok(())
}
