//! The document says of every route what the table says.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::routes;

fn entries() -> Vec<Entry> {
    (routes::all().into_iter())
        .map(|route| route.entry)
        .collect()
}

fn at(version: Microversion) -> Value {
    document(&entries(), version, "http://127.0.0.1:8776")
}

#[test]
fn every_route_is_there_with_and_without_its_project() {
    let document = at(Microversion::MAX);
    for entry in entries() {
        let method = verb(&entry.method);
        for path in [
            format!("/v3{}", entry.path),
            format!("/v3/{{project_id}}{}", entry.path),
        ] {
            let found = &document["paths"][&path][method];
            let status = match entry.takes {
                crate::route::Takes::Action(actions) => actions[0].ok,
                crate::route::Takes::Body(_) | crate::route::Takes::Nothing => entry.ok,
            };
            let answered = found["responses"].get(status.to_string());
            assert!(answered.is_some(), "{method} {path}");
            assert!(found["responses"].get("4XX").is_some(), "{method} {path}");
        }
    }
}

#[test]
fn older_versions_know_less() {
    let old = at(Microversion::MIN);
    assert!(old["paths"].get("/v3/volumes").is_some());
    assert!(old["paths"].get("/v3/attachments").is_none());
    let new = at(Microversion::ATTACHMENTS);
    assert!(new["paths"].get("/v3/attachments").is_some());
    let history = &new["info"]["x-openstack-microversions"];
    assert_eq!(history.as_object().map(serde_json::Map::len), Some(27));
}

#[test]
fn operations_have_names_of_their_own() {
    let document = at(Microversion::MAX);
    let paths = document["paths"].as_object().expect("paths");
    let ids: Vec<&str> = (paths.values())
        .flat_map(|methods| methods.as_object().expect("methods").values())
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    let different: BTreeSet<&&str> = ids.iter().collect();
    assert_eq!(different.len(), ids.len());
}

#[test]
fn actions_are_alternatives() {
    let document = at(Microversion::MAX);
    let action = &document["paths"]["/v3/volumes/{id}/action"]["post"];
    let choices = &action["requestBody"]["content"]["application/json"]["schema"]["oneOf"];
    let extend = (choices.as_array().expect("choices").iter())
        .find(|choice| choice["required"][0] == "os-extend");
    assert!(extend.is_some(), "{choices}");
    assert_eq!(action["parameters"][1]["name"], "id");
}

#[test]
fn no_form_of_keys_is_empty() {
    // Some validators take an empty expression for none.
    assert!(!at(Microversion::MAX).to_string().contains("\"\":"));
}
