//! `feature enable`, `disable`.

use super::names::feature;
use super::site::{Ceph, Doing as _};
use super::spec::Spec;
use crate::cli::rbd::args::SpecArgs;
use crate::cli::rbd::error::{EINVAL, refuse};
use crate::cli::rbd::spec::Words;
use crate::exit::Failure;

/// `rbd feature enable`, `disable`
pub(super) fn set(ceph: &Ceph, args: &SpecArgs, on: bool) -> Result<(), Failure> {
    let mut words = Words::new(&args.words);
    let spec = Spec::first(&ceph.common, args, &mut words)?;
    spec.only_image()?;
    let mut features = 0;
    for name in words.rest().flat_map(|word| word.split(',')) {
        if name == "mirroring" {
            let text =
                "rbd: on Ceph an image is mirrored by `mirror image enable`, not by a feature";
            return Err(refuse(EINVAL, text));
        }
        let bit = feature(name);
        features |= bit.ok_or_else(|| refuse(1, "rbd: the argument for option is invalid"))?;
    }
    if features == 0 {
        let text = "rbd: at least one feature name must be specified";
        return Err(refuse(EINVAL, text));
    }
    let image = ceph.change(&spec)?;
    image
        .set_features(features, on)
        .doing("failed to update image features")
}
