//! Availability zones: those of the services.

use std::collections::BTreeMap;

use crate::control::{Control, VOLUME};
use crate::error::Result;
use crate::request::{Context, Zone};

impl Control {
    /// `GET /os-availability-zone`.
    pub async fn zones(&self, context: &Context) -> Result<Vec<Zone>> {
        let mut zones: BTreeMap<String, bool> = BTreeMap::new();
        for detail in self.all_services(context).await? {
            let service = detail.service;
            if service.binary == VOLUME {
                *zones.entry(service.availability_zone).or_default() |= !service.disabled;
            }
        }
        Ok(zones
            .into_iter()
            .map(|(name, available)| Zone { name, available })
            .collect())
    }
}
