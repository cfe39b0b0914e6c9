//! Every call of gophercloud's Block Storage v3, which refuses all statuses but those that it expects
//! and all answers that do not fit its structures. Terraform and cluster drivers stand on it.

mod calls;
mod shape;

use std::sync::Arc;

use axum::http::StatusCode;
use firebrick_api::{ApiOptions, AuthStrategy};
use firebrick_cloud::Glance;
use firebrick_control::{BackupOptions, ControlOptions, ImageOptions, Posix};
use firebrick_edge::RealDisk;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Api, Reply, keystone};
use crate::glance::{FakeGlance, impatient};
use crate::policy::{HERE, Things, endless};
use calls::{CALLS, Call};
use shape::complaints;

/// The newest version; each call is made at it and at the oldest that knows the call.
const NEWEST: &str = "3.71";

/// The API with an image service and a folder for backups, and things to be asked about.
struct Cloud {
    api: Api,
    things: Things,
    image: String,
    _dir: TempDir,
}

impl Cloud {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let glance = FakeGlance::default();
        let image = glance.add("raw", vec![1; 4096], &json!({})).to_string();
        let client = Glance::new(impatient(glance.serve().await)).unwrap();
        let mut images = ImageOptions::new(client, dir.path().join("conversion"));
        let disk = RealDisk::new(dir.path().join("backups")).unwrap();
        let backup = BackupOptions {
            repository: Arc::new(Posix::new(Arc::new(disk))),
            container: "volumebackups".parse().unwrap(),
            object_bytes: 1 << 20,
        };
        let keystone = keystone::start().await;
        images.seal = keystone.seal().map(Arc::new);
        let options = ApiOptions {
            auth: AuthStrategy::Keystone(keystone),
            ..ApiOptions::default()
        };
        let change = |control: &mut ControlOptions| {
            endless(control);
            control.images = Some(images);
            control.backup = Some(backup);
        };
        let api = Api::made(change, options).await;
        let things = Things::new(&api).await;
        Self {
            api,
            things,
            image,
            _dir: dir,
        }
    }

    async fn make(&self, call: &Call, version: &str) -> Reply {
        let path = self.filled(call.path).await;
        let body = self.filled(call.body).await;
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&body).unwrap()
        };
        let token = format!("admin@{HERE}");
        let tokens = [("x-auth-token", token.as_str())];
        let path = format!("/v3/{HERE}{path}");
        self.api
            .ask_at(version, &tokens, call.method, &path, body)
            .await
    }

    async fn filled(&self, text: &str) -> String {
        let text = text.replace("{image}", &self.image);
        self.things.filled(&self.api, &text).await
    }
}

/// What gophercloud would make of the answer.
fn refusals(call: &Call, reply: &Reply) -> Vec<String> {
    let status = reply.status.as_u16();
    if !call.codes.contains(&status) {
        return vec![format!(
            "{status} is none of {:?}: {}",
            call.codes, reply.body
        )];
    }
    if call.shape.is_empty() {
        return Vec::new();
    }
    let found = match call.below {
        "" => Some(&reply.body),
        below => reply.body.get(below),
    };
    match found {
        None => vec![format!("no {} in {}", call.below, reply.body)],
        Some(Value::Array(list)) if list.is_empty() => vec![format!("nothing in {}", call.below)],
        Some(Value::Array(list)) => {
            let all = list.iter().flat_map(|one| complaints(call.shape, one));
            all.collect()
        }
        Some(one) => complaints(call.shape, one),
    }
}

#[tokio::test]
async fn gophercloud_takes_every_answer() {
    let cloud = Cloud::new().await;
    let mut wrong = Vec::new();
    for call in CALLS {
        for version in [call.since, NEWEST] {
            let reply = cloud.make(call, version).await;
            let named = |why| format!("{} at {version}: {why}", call.name);
            wrong.extend(refusals(call, &reply).into_iter().map(named));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lists are read page by page, by the links under these names.
#[tokio::test]
async fn gophercloud_finds_the_next_page() {
    let cloud = Cloud::new().await;
    for (thing, path, list, links) in [
        ("volume", "/volumes/detail", "volumes", "volumes_links"),
        (
            "snapshot",
            "/snapshots/detail",
            "snapshots",
            "snapshots_links",
        ),
        ("backup", "/backups/detail", "backups", "backups_links"),
        (
            "transfer",
            "/os-volume-transfer/detail",
            "transfers",
            "transfers_links",
        ),
        ("qos", "/qos-specs", "qos_specs", "qos_specs_links"),
        ("type", "/types", "volume_types", "volume_type_links"),
    ] {
        for _ in 0..2 {
            cloud.filled(&format!("{{{thing}}}")).await;
        }
        let token = format!("admin@{HERE}");
        let tokens = [("x-auth-token", token.as_str())];
        let mut next = format!("/v3/{HERE}{path}?limit=1");
        let mut seen = Vec::new();
        for _ in 0..2 {
            let page = cloud.api.ask(&tokens, "GET", &next, Value::Null).await;
            assert_eq!(page.status, StatusCode::OK, "{next}: {}", page.body);
            assert_eq!(page.body[list].as_array().unwrap().len(), 1, "{list}");
            seen.push(page.body[list][0]["id"].clone());
            let link = (page.body[links].as_array().into_iter().flatten())
                .find(|link| link["rel"] == "next");
            let link = link.unwrap_or_else(|| panic!("no {links} in {}", page.body));
            let href = link["href"].as_str().unwrap();
            next = href[href.find("/v3/").unwrap()..].to_owned();
        }
        assert_ne!(seen[0], seen[1], "{list}");
    }
}
