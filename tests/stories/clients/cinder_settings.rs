//! `cinder`: what operators set, and what the service tells about itself.

use serde_json::json;

use super::{CLUSTER, Cinder, HOST, everything, text};

#[test]
fn cinder_drives_settings() {
    let deployment = everything();
    let cinder = Cinder::of(&deployment);
    types(&cinder);
    default_types(&cinder);
    quotas(&cinder);
    services(&cinder);
    clusters(&cinder);
    told(&cinder);
}

fn types(cinder: &Cinder) {
    let made = cinder.rows("type-create fast --description quick --is-public False");
    let id = text(&made[0]["ID"]);
    cinder.run("type-key fast set a=b c=d");
    cinder.run("type-key fast unset c");
    let shown = cinder.fields("type-show fast");
    assert_eq!(shown["extra_specs"], "a : b");
    assert_eq!(shown["is_public"], "False");
    let specs = cinder.rows("extra-specs-list");
    let ours = specs.iter().find(|row| row["ID"] == id).unwrap();
    assert_eq!(ours["extra_specs"], "{'a': 'b'}");
    let changed = cinder.rows(&format!("type-update --name faster --description d {id}"));
    assert_eq!(changed[0]["Name"], "faster");

    cinder.run("type-access-add --volume-type faster --project-id friends");
    let listed = cinder.rows("type-access-list --volume-type faster");
    assert_eq!(
        listed,
        [json!({ "Volume_type_ID": id, "Project_ID": "friends" })]
    );
    cinder.run("type-access-remove --volume-type faster --project-id friends");
    assert!(
        cinder
            .rows("type-access-list --volume-type faster")
            .is_empty()
    );

    let how = "--cipher aes-xts-plain64 --key-size 256 --control-location front-end";
    cinder.run(&format!("encryption-type-create {how} faster luks"));
    cinder.run("encryption-type-update --key-size 512 faster");
    let expected = [json!({
        "Volume Type ID": id, "Provider": "luks", "Cipher": "aes-xts-plain64", "Key Size": "512",
        "Control Location": "front-end",
    })];
    assert_eq!(cinder.rows("encryption-type-show faster"), expected);
    assert_eq!(cinder.rows("encryption-type-list"), expected);
    // No pool says anything about it.
    cinder.run("type-key faster unset a");
    let made = cinder.fields("create --name sealed --volume-type faster 1");
    assert_eq!(made["encrypted"], "True");
    cinder.wait("list", "sealed", "available");
    let used = cinder.refused("encryption-type-delete faster");
    assert!(used.contains("HTTP 400"), "{used}");
    cinder.run("delete sealed");
    cinder.gone("list", "sealed");
    cinder.run("encryption-type-delete faster");
    assert!(cinder.rows("encryption-type-list").is_empty());
    cinder.run("type-delete faster");
    assert!(cinder.refused("type-show faster").contains("faster"));
}

fn default_types(cinder: &Cinder) {
    assert_eq!(cinder.rows("type-default")[0]["Name"], "__DEFAULT__");
    let made = cinder.rows("type-create usual");
    let id = text(&made[0]["ID"]);
    let set = cinder.fields("default-type-set usual dev");
    let expected = json!({ "project_id": "dev", "volume_type_id": id });
    assert_eq!(set, expected);
    assert_eq!(
        cinder.fields("default-type-list --project-id dev"),
        expected
    );
    let listed = cinder.rows("default-type-list");
    assert_eq!(
        listed,
        [json!({ "Volume Type ID": id, "Project ID": "dev" })]
    );
    let made = cinder.fields("create --name plain 1");
    assert_eq!(made["volume_type"], "usual");
    cinder.wait("list", "plain", "available");
    assert!(
        cinder
            .refused("type-delete usual")
            .contains("Unable to delete any")
    );
    cinder.run("default-type-unset dev");
    assert!(cinder.rows("default-type-list").is_empty());
    assert_eq!(cinder.rows("type-default")[0]["Name"], "__DEFAULT__");
    cinder.run("delete plain");
    cinder.gone("list", "plain");
    cinder.run("type-delete usual");
}

fn quotas(cinder: &Cinder) {
    let usual = cinder.fields("quota-show dev");
    assert_eq!(usual["volumes"], "10");
    assert_eq!(cinder.fields("quota-defaults dev"), usual);
    let set = cinder.fields("quota-update --volumes 1 --groups 4 dev");
    assert_eq!(
        (&set["volumes"], &set["groups"]),
        (&json!("1"), &json!("4"))
    );
    cinder.volume("only");
    let used = cinder.rows("quota-usage dev");
    let volumes = used.iter().find(|row| row["Type"] == "volumes").unwrap();
    assert_eq!(
        (&volumes["In_use"], &volumes["Limit"]),
        (&json!("1"), &json!("1"))
    );
    let refused = cinder.refused("create --name more 1");
    assert!(refused.contains("HTTP 413"), "{refused}");
    let told = cinder.rows("absolute-limits");
    let told: Vec<_> = (told.iter())
        .filter(|row| text(&row["Name"]).ends_with("TotalVolumes"))
        .collect();
    assert_eq!(told, [&json!({ "Name": "maxTotalVolumes", "Value": "1" })]);
    let class = cinder.fields("quota-class-update --volumes 7 --volume-type __DEFAULT__ default");
    assert_eq!(class["volumes___DEFAULT__"], "7");
    assert_eq!(cinder.fields("quota-class-show default"), class);
    cinder.run("quota-class-update --volumes -1 --volume-type __DEFAULT__ default");
    cinder.run("quota-class-update --volumes 9 default");
    assert_eq!(cinder.fields("quota-defaults dev")["volumes"], "9");
    assert_eq!(cinder.fields("quota-show dev")["volumes"], "1");
    cinder.run("quota-delete dev");
    assert_eq!(cinder.fields("quota-show dev")["volumes"], "9");
    cinder.run("delete only");
    cinder.gone("list", "only");
}

fn services(cinder: &Cinder) {
    let state = |binary: &str| {
        let rows = cinder.rows("service-list --withreplication");
        let row = rows.iter().find(|row| row["Binary"] == binary);
        row.unwrap_or_else(|| panic!("no {binary}: {rows:?}"))
            .clone()
    };
    assert_eq!(state("cinder-backup")["State"], "up");
    assert_eq!(state("cinder-scheduler")["Status"], "enabled");
    let volume = state("cinder-volume");
    assert_eq!(
        (&volume["Host"], &volume["Cluster"]),
        (&json!(HOST), &json!(CLUSTER))
    );
    cinder.run(&format!(
        "service-disable {HOST} cinder-volume --reason maintenance"
    ));
    let volume = state("cinder-volume");
    assert_eq!(volume["Status"], "disabled");
    assert_eq!(volume["Disabled Reason"], "maintenance");
    cinder.run(&format!("service-enable {HOST} cinder-volume"));
    assert_eq!(state("cinder-volume")["Status"], "enabled");
    cinder.run(&format!("freeze-host {HOST}"));
    assert_eq!(state("cinder-volume")["Frozen"], "True");
    cinder.run("create --name stuck 1");
    cinder.wait("list", "stuck", "error");
    cinder.run("delete stuck");
    cinder.gone("list", "stuck");
    cinder.run(&format!("thaw-host {HOST}"));
    assert_eq!(state("cinder-volume")["Frozen"], "False");

    let level = || cinder.rows("service-get-log --binary cinder-volume --prefix firebrick_db");
    assert_eq!(level()[0]["Level"], "INFO");
    cinder.run("service-set-log --binary cinder-volume --prefix firebrick_db debug");
    assert_eq!(level()[0]["Level"], "DEBUG");
    cinder.run("service-set-log --prefix firebrick_db info");
    assert_eq!(level()[0]["Level"], "INFO");
    let told = cinder.run("work-cleanup --binary cinder-volume");
    assert!(!told.trim().is_empty());
}

fn clusters(cinder: &Cinder) {
    let listed = cinder.rows("cluster-list --detailed");
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0]["Name"], &listed[0]["Num Hosts"]),
        (&json!(CLUSTER), &json!("1"))
    );
    assert_eq!(
        cinder.fields(&format!("cluster-show {CLUSTER}"))["state"],
        "up"
    );
    let disabled = cinder.fields(&format!("cluster-disable {CLUSTER} --reason holidays"));
    assert_eq!(disabled["status"], "disabled");
    assert_eq!(disabled["disabled_reason"], "holidays");
    assert!(cinder.rows("cluster-list --disabled false").is_empty());
    let enabled = cinder.fields(&format!("cluster-enable {CLUSTER}"));
    assert_eq!(enabled["status"], "enabled");
    assert_eq!(cinder.rows("cluster-list --disabled false").len(), 1);
}

fn told(cinder: &Cinder) {
    let zones = cinder.rows("availability-zone-list");
    assert_eq!(zones, [json!({ "Name": "nova", "Status": "available" })]);
    let pool = cinder.fields("get-pools --detail");
    assert_eq!(pool["name"], format!("{CLUSTER}#volumes"));
    assert_eq!(pool["backend_state"], "up");
    let told = cinder.run(&format!("get-capabilities {HOST}"));
    assert!(
        told.contains("Firebrick") && told.contains("replication"),
        "{told}"
    );
    let filters = cinder.rows("list-filters --resource backup");
    assert_eq!(
        filters,
        [json!({ "Resource": "backup", "Filters": "name, status, volume_id" })]
    );
    assert!(cinder.rows("list-filters").len() > 5);
    let extensions = cinder.rows("list-extensions");
    assert!(
        extensions
            .iter()
            .any(|row| row["Alias"] == "os-volume-transfer")
    );
    assert!(cinder.rows("rate-limits").is_empty());
    let version = cinder.rows("api-version");
    assert_eq!(version[0]["Version"], "3.71");
    assert!(cinder.run("version-list").contains("3.71"));
}
