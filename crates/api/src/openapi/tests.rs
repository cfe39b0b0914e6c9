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
    document(&entries(), version)
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

#[test]
fn a_document_is_made_once_and_names_who_is_asked() {
    let documents = Documents::new(entries());
    let read = |version, base| -> Value {
        serde_json::from_slice(&documents.text(version, base)).expect("JSON")
    };
    let here = read(Microversion::MAX, "http://here:1");
    let there = read(Microversion::MAX, "http://there:2");
    assert_eq!(here["servers"][0]["url"], "http://here:1");
    assert_eq!(there["servers"][0]["url"], "http://there:2");
    assert_eq!(here["paths"], there["paths"]);
    assert_eq!(documents.made.lock().len(), 1);
    for (version, _) in crate::microversion::HISTORY {
        assert_eq!(read(*version, "x")["info"]["version"], version.to_string());
        assert!(documents.made.lock().len() <= KEPT);
    }
}
