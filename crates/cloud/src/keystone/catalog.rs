//! The catalogue that comes with a token: which services there are, and where.

use serde::Deserialize;

/// The services that a token can be used for.
#[derive(Default)]
pub(super) struct Catalog(Vec<Service>);

#[derive(Deserialize)]
struct Document {
    token: Described,
}

#[derive(Deserialize)]
struct Described {
    #[serde(default)]
    catalog: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    interface: String,
    region: Option<String>,
    region_id: Option<String>,
    url: String,
}

impl Catalog {
    /// The catalogue in the description of a token.
    pub(super) fn read(body: &[u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let Document { token } = serde_json::from_slice(body)?;
        Ok(Self(token.catalog))
    }

    /// The address of a service of `kind`.
    pub(super) fn endpoint(
        &self,
        kind: &str,
        interface: &str,
        region: Option<&str>,
    ) -> Option<String> {
        let fits = |endpoint: &&Endpoint| {
            let in_region = region.is_none_or(|region| {
                endpoint.region_id.as_deref() == Some(region)
                    || endpoint.region.as_deref() == Some(region)
            });
            endpoint.interface == interface && in_region
        };
        let services = self.0.iter().filter(|service| service.kind == kind);
        let mut endpoints = services.flat_map(|service| &service.endpoints);
        endpoints.find(fits).map(|endpoint| endpoint.url.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_found_by_kind_interface_and_region() {
        let body = r#"{"token": {"catalog": [
            {"type": "compute", "endpoints": [
                {"interface": "public", "region_id": "A", "url": "http://nova"}]},
            {"type": "image", "endpoints": [
                {"interface": "admin", "region_id": "A", "url": "http://admin"},
                {"interface": "public", "region_id": "A", "url": "http://a"},
                {"interface": "public", "region": "B", "region_id": null, "url": "http://b"}]}]}}"#;
        let catalog = Catalog::read(body.as_bytes()).unwrap();
        let find = |interface, region| catalog.endpoint("image", interface, region);
        assert_eq!(find("public", None).as_deref(), Some("http://a"));
        assert_eq!(find("public", Some("B")).as_deref(), Some("http://b"));
        assert_eq!(find("internal", None), None);
        assert_eq!(find("admin", Some("B")), None);
        let none = Catalog::read(br#"{"token": {}}"#).unwrap();
        assert_eq!(none.endpoint("image", "public", None), None);
    }
}
