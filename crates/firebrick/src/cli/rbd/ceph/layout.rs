//! What `create`, `clone` and `import` say of an image that is made.

use firebrick_ceph::tool::NewImage;

use super::names::feature;
use crate::cli::rbd::args::LayoutArgs;
use crate::cli::rbd::error::{EINVAL, refuse};
use crate::exit::Failure;

impl LayoutArgs {
    /// What is said, as librbd takes it.
    pub(super) fn of_image(&self) -> Result<NewImage, Failure> {
        let mut features = None;
        for name in &self.image_feature {
            let bit = feature(name).ok_or_else(|| {
                refuse(
                    1,
                    format!("rbd: the argument for option '--image-feature' is invalid: unknown feature '{name}'"),
                )
            })?;
            features = Some(features.unwrap_or(0) | bit);
        }
        let order = match (self.order, self.object_size) {
            (Some(order), _) => Some(order),
            (None, Some(size)) => Some(order_of(size.0.0)?),
            (None, None) => None,
        };
        let striping = match (self.stripe_unit, self.stripe_count) {
            (Some(unit), Some(count)) => Some((unit.0.0, count)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                let text = "rbd: must specify both (or neither) of stripe-unit and stripe-count";
                return Err(refuse(EINVAL, text));
            }
        };
        Ok(NewImage {
            order,
            features,
            striping,
            data_pool: self.data_pool.clone(),
            ..NewImage::default()
        })
    }

    /// Refuses it for a site, where nothing of it has a meaning.
    pub(in crate::cli::rbd) fn refuse(&self) -> Result<(), Failure> {
        let said = [
            ("--object-size", self.object_size.is_some()),
            ("--order", self.order.is_some()),
            ("--image-feature", !self.image_feature.is_empty()),
            ("--stripe-unit", self.stripe_unit.is_some()),
            ("--stripe-count", self.stripe_count.is_some()),
            ("--data-pool", self.data_pool.is_some()),
        ];
        match said.iter().find(|(_, said)| *said) {
            None => Ok(()),
            Some((option, _)) => {
                let text = format!(
                    "rbd: {option} is for images on a Ceph cluster; a site has blocks of 4 KiB"
                );
                Err(refuse(EINVAL, text))
            }
        }
    }
}

fn order_of(bytes: u64) -> Result<u64, Failure> {
    let order = bytes
        .checked_ilog2()
        .filter(|order| (12..=25).contains(order));
    let order = order.map(u64::from);
    order.ok_or_else(|| {
        refuse(
            1,
            "rbd: the argument for option '--object-size' is invalid: it is 4K to 32M",
        )
    })
}
