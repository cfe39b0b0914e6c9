//! `openstack`: what operators set, groups, and what the service tells about itself.

use firebrick_tests::until;
use serde_json::json;

use super::openstack::Openstack;
use super::{CLUSTER, HOST, everything, text};

#[test]
fn openstack_drives_settings_and_groups() {
    let deployment = everything();
    let openstack = Openstack {
        clients: deployment.clients(),
        api: deployment.api(),
    };
    types(&openstack);
    qos(&openstack);
    services(&openstack);
    clusters(&openstack);
    told(&openstack);
    group_types(&openstack);
    groups(&openstack);
    consistency_groups(&openstack);
}

fn types(openstack: &Openstack) {
    let made = openstack.json(
        "volume type create --private --property a=b --encryption-provider luks \
         --encryption-cipher aes-xts-plain64 --encryption-key-size 256 \
         --encryption-control-location front-end fast",
    );
    assert_eq!(made["encryption"]["provider"], "luks", "{made}");
    openstack.run(
        "volume type set --name faster --description d --property c=d --encryption-key-size 512 fast",
    );
    openstack.run("volume type unset --property a faster");
    let shown = openstack.json("volume type show --encryption-type faster");
    assert_eq!(
        (&shown["id"], &shown["properties"]),
        (&made["id"], &json!({ "c": "d" }))
    );
    assert_eq!(
        (&shown["is_public"], &shown["description"]),
        (&json!(false), &json!("d"))
    );
    assert_eq!(shown["encryption"]["key_size"], 512, "{shown}");
    openstack.run("volume type unset --encryption-type faster");
    let listed = openstack.json("volume type list --long --encryption-type");
    let ours = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["Name"] == "faster");
    let ours = ours.unwrap_or_else(|| panic!("{listed}"));
    assert_eq!(
        (&ours["Properties"], &ours["Encryption"]),
        (&json!({ "c": "d" }), &json!({}))
    );
    let public = openstack.json("volume type list --public");
    assert!(!public.to_string().contains("faster"), "{public}");
    assert_eq!(
        openstack.json("volume type list --default")[0]["Name"],
        "__DEFAULT__"
    );
    openstack.run("volume type delete faster");
    assert!(
        openstack
            .refused("volume type show faster")
            .contains("faster")
    );
}

fn qos(openstack: &Openstack) {
    openstack.run("volume type create limited");
    openstack.run("volume qos create --consumer front-end --property read_iops_sec=9 slow");
    openstack.run("volume qos set --property write_iops_sec=8 slow");
    openstack.run("volume qos unset --property read_iops_sec slow");
    openstack.run("volume qos associate slow limited");
    let shown = openstack.json("volume qos show slow");
    assert_eq!(shown["properties"], json!({ "write_iops_sec": "8" }));
    assert_eq!(
        (&shown["associations"], &shown["consumer"]),
        (&json!(["limited"]), &json!("front-end"))
    );
    assert_eq!(
        openstack.json("volume qos list")[0]["Associations"],
        json!(["limited"])
    );
    openstack.run("volume qos disassociate --volume-type limited slow");
    openstack.run("volume qos associate slow limited");
    openstack.run("volume qos disassociate --all slow");
    assert_eq!(
        openstack.json("volume qos show slow").get("associations"),
        None
    );
    openstack.run("volume qos delete slow");
    assert_eq!(openstack.json("volume qos list"), json!([]));
    openstack.run("volume type delete limited");
}

fn services(openstack: &Openstack) {
    let volume = || {
        let rows = openstack.json("volume service list --long --service cinder-volume");
        assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
        rows[0].clone()
    };
    let seen = volume();
    assert_eq!(
        (&seen["Host"], &seen["State"]),
        (&json!(HOST), &json!("up"))
    );
    assert_eq!(seen["Cluster"], CLUSTER);
    openstack.run(&format!(
        "volume service set --disable --disable-reason maintenance {HOST} cinder-volume"
    ));
    let seen = volume();
    assert_eq!(
        (&seen["Status"], &seen["Disabled Reason"]),
        (&json!("disabled"), &json!("maintenance"))
    );
    openstack.run(&format!("volume service set --enable {HOST} cinder-volume"));
    assert_eq!(volume()["Status"], "enabled");
    openstack.run(&format!("volume host set --disable {HOST}"));
    assert_eq!(openstack.api.volume_service()["frozen"], true);
    openstack.run(&format!("volume host set --enable {HOST}"));
    assert_eq!(openstack.api.volume_service()["frozen"], false);

    let level = || {
        let rows = openstack.json("block storage log level list --log-prefix firebrick_db");
        rows[0]["Level"].clone()
    };
    assert_eq!(level(), "INFO");
    openstack.run("block storage log level set --log-prefix firebrick_db DEBUG");
    assert_eq!(level(), "DEBUG");
    openstack.run("block storage log level set --log-prefix firebrick_db INFO");
}

fn clusters(openstack: &Openstack) {
    let listed = openstack.json("block storage cluster list --long");
    assert_eq!(
        (&listed[0]["Name"], &listed[0]["Num Hosts"]),
        (&json!(CLUSTER), &json!(1))
    );
    let shown = || openstack.json(&format!("block storage cluster show {CLUSTER}"));
    assert_eq!(
        (&shown()["State"], &shown()["Status"]),
        (&json!("up"), &json!("enabled"))
    );
    // The client ends with 1 whatever it is answered: it takes what it would show for its status.
    let set = |how: &str| {
        let line = format!("--os-volume-api-version 3.7 block storage cluster set {how} {CLUSTER}");
        let words: Vec<&str> = line.split(' ').collect();
        let ran = openstack.clients.openstack(&words);
        assert!(ran.stderr.contains(CLUSTER), "{ran:?}");
    };
    set("--disable --disable-reason holidays");
    let seen = shown();
    assert_eq!(
        (&seen["Status"], &seen["Disabled Reason"]),
        (&json!("disabled"), &json!("holidays"))
    );
    set("--enable");
    assert_eq!(shown()["Status"], "enabled");
}

fn told(openstack: &Openstack) {
    let zones = openstack.json("availability zone list --volume");
    assert_eq!(
        zones,
        json!([{ "Zone Name": "nova", "Zone Status": "available" }])
    );
    let pools = openstack.json("volume backend pool list --long");
    assert_eq!(pools[0]["Name"], format!("{CLUSTER}#volumes"));
    assert_eq!(pools[0]["Capabilities"]["vendor_name"], "Firebrick");
    let told = openstack.json(&format!("volume backend capability show {HOST}"));
    let keys: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["Key"].clone())
        .collect();
    assert!(keys.contains(&json!("replication_enabled")), "{told}");
    let filter = openstack.json("block storage resource filter show backup");
    let expected = json!({ "Resource": "backup", "Filters": ["name", "status", "volume_id"] });
    assert_eq!(filter, expected);
    let filters = openstack.json("block storage resource filter list");
    assert!(filters.as_array().unwrap().contains(&expected), "{filters}");
    let extensions = openstack.json("extension list --volume -c Alias");
    assert!(
        extensions
            .as_array()
            .unwrap()
            .contains(&json!({ "Alias": "os-volume-transfer" }))
    );
    let limits = openstack.json("limits show --absolute");
    let volumes = json!({ "Name": "max_total_volumes", "Value": 10 });
    assert!(limits.as_array().unwrap().contains(&volumes), "{limits}");
}

fn group_types(openstack: &Openstack) {
    let made = openstack.json("volume group type create sets");
    openstack.json("volume group type set --description d --property a=b sets");
    let shown = openstack.json("volume group type show sets");
    assert_eq!(
        (&shown["ID"], &shown["Properties"]),
        (&made["ID"], &json!({ "a": "b" }))
    );
    assert_eq!(shown["Description"], "d");
    openstack.json("volume group type set --no-property sets");
    let listed = openstack.json("volume group type list");
    let ours = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["Name"] == "sets");
    assert_eq!(ours.unwrap()["Group Specs"], json!({}), "{listed}");
    assert!(
        openstack
            .refused("volume group type list --default")
            .contains("can not be found")
    );
}

fn groups(openstack: &Openstack) {
    let made = openstack
        .json("volume group create --volume-group-type sets --volume-type __DEFAULT__ --name g");
    openstack.wait("volume group show g", "available");
    let volume = openstack.volume("member");
    openstack.run("volume group add volume g member");
    openstack.wait("volume group show g", "available");
    let set = openstack.json("volume group set --name gg --description d g");
    assert_eq!(
        (&set["ID"], &set["Description"]),
        (&made["ID"], &json!("d"))
    );
    let shown = openstack.json("volume group show --volumes gg");
    assert_eq!(shown["Volumes"], json!([volume]));
    assert_eq!(openstack.json("volume group list")[0]["Name"], "gg");
    let taken = openstack.json("volume group snapshot create --name s gg");
    openstack.wait("volume group snapshot show s", "available");
    assert_eq!(
        openstack.json("volume group snapshot list")[0]["ID"],
        taken["ID"]
    );
    openstack.run("volume group snapshot delete s");
    openstack.gone("volume group snapshot list", "s");
    openstack.run("volume group remove volume gg member");
    openstack.wait("volume group show gg", "available");
    openstack.run("volume group delete gg");
    openstack.gone("volume group list", "gg");
    openstack.drop_volume("member");
    openstack.run("volume group type delete sets");
}

fn consistency_groups(openstack: &Openstack) {
    let made = openstack.json("consistency group create --volume-type __DEFAULT__ old");
    let id = text(&made["id"]);
    openstack.wait("consistency group show old", "available");
    let volume = openstack.volume("inside");
    openstack.run("consistency group add volume old inside");
    openstack.wait("consistency group show old", "available");
    assert_eq!(openstack.api.volume(&volume)["consistencygroup_id"], id);
    openstack.run("consistency group set --name older old");
    assert_eq!(openstack.json("consistency group list")[0]["Name"], "older");
    // `list` compares what it is shown with the filters that it was not given, and shows nothing.
    openstack.run("consistency group snapshot create --consistency-group older m");
    openstack.wait("consistency group snapshot show m", "available");
    let copy = openstack.json("consistency group create --consistency-group-snapshot m copy");
    openstack.wait("consistency group show copy", "available");
    assert_ne!(copy["id"], id);
    // The client puts `--force` where Cinder does not read it.
    let path = format!("/consistencygroups/{}/delete", text(&copy["id"]));
    let forced = json!({ "consistencygroup": { "force": true } });
    let _ = openstack.api.post(&path, &forced).expect(202);
    openstack.gone("consistency group list", "copy");
    openstack.run("consistency group snapshot delete m");
    until("the snapshot is gone", 60, || {
        let ran = openstack
            .clients
            .openstack(&["consistency", "group", "snapshot", "show", "m"]);
        ran.status != 0
    });
    openstack.run("consistency group remove volume older inside");
    openstack.wait("consistency group show older", "available");
    openstack.run("consistency group delete older");
    openstack.gone("consistency group list", "older");
    openstack.drop_volume("inside");
}
