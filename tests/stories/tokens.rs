//! Tokens of a real Keystone: whose servers keep their disks, which tokens still count, and which
//! projects there are.

use firebrick_tests::{Api, Clients, Deployment, Openstack, fields, rows, until};
use serde_json::json;

/// A project that no Keystone has.
const NOBODY: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn tokens_of_a_keystone_decide() {
    let mut volumes = Deployment::new(&["alpha"]);
    let mut cloud = Openstack::keystone(&volumes.url());
    cloud.catalogue(&json!({ "users": [["alice", "demo", "member"]] }));
    let section = format!("[keystone_authtoken]\n{}", cloud.authtoken());
    volumes.start("auth_strategy = keystone\n", &section);
    let api = volumes.api();
    let alice = api.with_token(&cloud.token("alice", "demo"));
    let admin = api.with_token(&cloud.token("admin", "admin"));
    let service = cloud.token("cinder", "service");
    disks_stay_with_their_servers(&alice, &admin, &service);

    let brief = cloud.brief_token("alice", "demo");
    let alices = cloud.token("alice", "demo");
    ended_tokens_count_with_those_of_services(&api.with_token(&brief), &service, &alices);

    let clients = cloud.clients("admin", "admin");
    let demo = clients.openstack_json(&["project", "show", "demo"]);
    let demo = demo["id"].as_str().unwrap();
    default_types_are_for_projects(&clients, &alice, demo);
    quotas_and_access_are_for_any(&clients, &admin, demo);
}

/// CVE-2023-2088: nobody but the service that runs a server takes a disk from it.
fn disks_stay_with_their_servers(alice: &Api, admin: &Api, service: &str) {
    let volume = alice.make_volume(&json!({ "size": 1 }));
    let (attachment, _) = alice.attach(&volume);
    let path = format!("/attachments/{attachment}");
    let action = format!("/volumes/{volume}/action");
    for caller in [alice, admin] {
        let refused = caller.delete(&path).expect(409).body;
        let message = refused["conflictingRequest"]["message"].as_str().unwrap();
        assert!(message.contains("using the Compute API"), "{message}");
        for body in [
            json!({ "os-detach": { "attachment_id": attachment } }),
            json!({ "os-terminate_connection": { "connector": { "host": "guest" } } }),
        ] {
            let _ = caller.post(&action, &body).expect(409);
        }
    }
    assert_eq!(alice.volume(&volume)["status"], "in-use");
    let nova = alice.with_service_token(service);
    let _ = nova.delete(&path).expect(200);
    alice.wait_status(&volume, "available");

    // What no server has is let go by its owner.
    let body = json!({ "attachment": { "volume_uuid": volume } });
    let reserved = alice.post("/attachments", &body).expect(200).body;
    let id = reserved["attachment"]["id"].as_str().unwrap();
    let _ = alice.delete(&format!("/attachments/{id}")).expect(200);
    let _ = alice.delete(&format!("/volumes/{volume}")).expect(202);
}

fn ended_tokens_count_with_those_of_services(brief: &Api, service: &str, alices: &str) {
    until("the token has ended", 30, || {
        brief.get("/volumes").status == 401
    });
    let nova = brief.with_service_token(service);
    let _ = nova.get("/volumes").expect(200);
    // Without the role, and without being a token at all.
    for other in [alices, "nonsense"] {
        let _ = brief.with_service_token(other).get("/volumes").expect(401);
    }
    let _ = brief.get("/volumes").expect(401);
}

fn default_types_are_for_projects(clients: &Clients, alice: &Api, demo: &str) {
    let cinder = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        clients.cinder(&words)
    };
    let set = cinder(&format!("default-type-set __DEFAULT__ {demo}")).ok();
    assert_eq!(fields(&set.stdout)["project_id"], demo);
    let listed = cinder("default-type-list").ok();
    assert_eq!(rows(&listed.stdout)[0]["Project ID"], demo);
    for line in ["set __DEFAULT__", "list --project-id"] {
        let refused = cinder(&format!("default-type-{line} {NOBODY}"));
        assert_ne!(refused.status, 0, "{refused:?}");
        let expected = format!("Project with id {NOBODY} not found.");
        assert!(refused.stderr.contains(&expected), "{refused:?}");
    }
    let body = json!({ "default_type": { "volume_type": "__DEFAULT__" } });
    for project in [demo, NOBODY] {
        let path = format!("/default-types/{project}");
        let _ = alice.put(&path, &body).expect(403);
    }
    let _ = cinder(&format!("default-type-unset {demo} {NOBODY}")).ok();
    assert!(rows(&cinder("default-type-list").ok().stdout).is_empty());
}

/// As Cinder, which keeps both for projects of any name.
fn quotas_and_access_are_for_any(clients: &Clients, admin: &Api, demo: &str) {
    let openstack = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        clients.openstack(&words).ok().stdout
    };
    openstack("quota set --volumes 7 --gigabytes 70 demo");
    let quota = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let shown = clients.openstack_json(&words);
        let rows = shown.as_array().unwrap();
        let ours = rows.iter().find(|row| row["Resource"] == "volumes");
        ours.unwrap_or_else(|| panic!("{shown}"))["Limit"].clone()
    };
    assert_eq!(quota("quota show --volume demo"), 7);
    assert_eq!(quota("quota show --volume --default demo"), 10);
    openstack("quota delete --volume demo");
    assert_eq!(quota("quota show --volume demo"), 10);
    let path = format!("/os-quota-sets/{NOBODY}");
    let body = json!({ "quota_set": { "volumes": 3 } });
    let set = admin.put(&path, &body).expect(200).body;
    assert_eq!(set["quota_set"]["volumes"], 3);

    openstack("volume type create --private --project demo secret");
    let shown = clients.openstack_json(&["volume", "type", "show", "secret"]);
    assert_eq!(shown["access_project_ids"], json!([demo]));
    openstack("volume type unset --project demo secret");
    let words = format!("type-access-add --volume-type secret --project-id {NOBODY}");
    let words: Vec<&str> = words.split(' ').collect();
    let _ = clients.cinder(&words).ok();
    let shown = clients.openstack_json(&["volume", "type", "show", "secret"]);
    assert_eq!(shown["access_project_ids"], json!([NOBODY]));
}
