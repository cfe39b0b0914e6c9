//! What gophercloud asks that needs a site which answers, in its words; the rest of its calls is in
//! `crates/api/tests/router/gophercloud`.

use serde_json::{Value, json};

use super::{HOST, everything, text};

/// Its default for the members of a connector.
fn connector() -> Value {
    json!({ "ip": "127.0.0.1", "host": "stack", "multipath": false,
            "initiator": "iqn.1994-05.com.redhat:17cf566367d2", "platform": "x86_64",
            "os_type": "linux2" })
}

#[test]
fn gophercloud_attaches_and_manages() {
    let deployment = everything();
    let api = deployment.api();
    let volume = api.make_volume(&json!({ "size": 1 }));
    let action = format!("/volumes/{volume}/action");
    let act = |key: &str, body: Value, codes: &[u16]| {
        let answer = api.post(&action, &json!({ key: body }));
        assert!(
            codes.contains(&answer.status),
            "{key}: {} {}",
            answer.status,
            answer.body
        );
        answer.body
    };

    // volumes.Reserve, InitializeConnection, Attach, BeginDetaching, TerminateConnection, Detach.
    act("os-reserve", json!({}), &[200, 201, 202]);
    let connector = json!({ "connector": connector() });
    let told = act(
        "os-initialize_connection",
        connector.clone(),
        &[200, 201, 202],
    );
    assert!(told["connection_info"].is_object(), "{told}");
    let server = "50902f4f-a974-46a0-85e9-7efc5e22dfdd";
    let attach = json!({ "mountpoint": "/dev/vdc", "instance_uuid": server, "mode": "rw" });
    act("os-attach", attach, &[202]);
    api.wait_status(&volume, "in-use");
    act("os-begin_detaching", json!({}), &[202]);
    act("os-terminate_connection", connector.clone(), &[202]);
    let attached = &api.volume(&volume)["attachments"][0]["attachment_id"];
    act("os-detach", json!({ "attachment_id": attached }), &[202]);
    api.wait_status(&volume, "available");

    // attachments.Create, Update, Complete, Delete.
    let body = json!({ "volume_uuid": volume, "instance_uuid": server });
    let made = api.post("/attachments", &json!({ "attachment": body }));
    assert!([200, 202].contains(&made.status), "{}", made.body);
    let path = format!("/attachments/{}", text(&made.body["attachment"]["id"]));
    let updated = api
        .put(&path, &json!({ "attachment": connector }))
        .expect(200);
    let attachment = &updated.body["attachment"];
    assert!(attachment["connection_info"].is_object(), "{attachment}");
    assert_eq!(attachment["attach_mode"], "rw");
    let complete = json!({ "os-complete": {} });
    let _ = api.post(&format!("{path}/action"), &complete).expect(204);
    let _ = api.delete(&path).expect(200);
    api.wait_status(&volume, "available");

    // volumes.Unmanage, manageablevolumes.ManageExisting, schedulerstats.List.
    act("os-unmanage", json!({}), &[202]);
    firebrick_tests::until("it is given up", 60, || api.volume(&volume).is_null());
    let reference = json!({ "source-name": format!("volume-{volume}") });
    let body = json!({ "host": HOST, "ref": reference, "name": "New Volume",
                       "availability_zone": "nova", "description": "Volume imported",
                       "volume_type": "__DEFAULT__", "bootable": true,
                       "metadata": { "key1": "value1" } });
    let taken = api
        .post("/manageable_volumes", &json!({ "volume": body }))
        .expect(202);
    let taken = text(&taken.body["volume"]["id"]);
    api.wait_status(&taken, "available");
    assert_eq!(api.volume(&taken)["bootable"], "true");
    let pools = api
        .get("/scheduler-stats/get_pools?detail=true")
        .expect(200)
        .body;
    let capabilities = &pools["pools"][0]["capabilities"];
    for text in [
        "driver_version",
        "storage_protocol",
        "vendor_name",
        "volume_backend_name",
    ] {
        assert!(capabilities[text].is_string(), "{text}: {capabilities}");
    }
    for number in ["reserved_percentage", "total_volumes"] {
        assert!(capabilities[number].is_i64(), "{number}: {capabilities}");
    }
    for flag in ["QoS_support", "thin_provisioning_support", "multiattach"] {
        assert!(capabilities[flag].is_boolean(), "{flag}: {capabilities}");
    }
    for null_or_text in ["location_info", "filter_function", "goodness_function"] {
        let found = &capabilities[null_or_text];
        assert!(
            found.is_null() || found.is_string(),
            "{null_or_text}: {capabilities}"
        );
    }
}
