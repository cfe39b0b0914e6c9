//! Bad input gets a clear answer and changes nothing.

use std::fs;
use std::process::Command;

use firebrick_tests::{Dev, binary, run};
use serde_json::{Value, json};

/// Whether the body is a fault in Cinder's form that says something.
fn is_clear(body: &Value, status: u16) -> bool {
    body.as_object().is_some_and(|fault| {
        fault.len() == 1
            && fault.values().all(|inner| {
                inner["code"] == status
                    && inner["message"].as_str().is_some_and(|text| text.len() > 8)
            })
    })
}

#[test]
fn bad_bodies_get_a_clear_4xx_and_change_nothing() {
    let dev = Dev::start();
    let api = dev.api();
    let id = api.make_volume(&json!({"size": 2}));
    let long = "x".repeat(256);
    let volumes = [
        json!({"size": 0}),
        json!({"size": -1}),
        json!({"size": "lots"}),
        json!({"size": 1.5}),
        json!({"size": true}),
        json!({"size": 99_999_999_999_u64}),
        json!({"size": null}),
        json!({}),
        json!({"size": 1, "name": long}),
        json!({"size": 1, "description": long}),
        json!({"size": 1, "volume_type": "no-such-type"}),
        json!({"size": 1, "volume_type": "7a0a5b5e-0000-4000-8000-000000000000"}),
        json!({"size": 1, "snapshot_id": "7a0a5b5e-0000-4000-8000-000000000000"}),
        json!({"size": 1, "source_volid": "not-an-id"}),
        json!({"size": 1, "source_volid": id}),
        json!({"size": 1, "metadata": {"key": "v".repeat(256)}}),
        json!({"size": 1, "metadata": "text"}),
        json!({"size": 1, "availability_zone": "atlantis"}),
        json!({"size": 1, "unknown_key": 1}),
    ];
    let before = api.get("/volumes/detail").expect(200).body;
    for volume in volumes {
        let answer = api.post("/volumes", &json!({ "volume": volume }));
        assert!(
            (400..500).contains(&answer.status) && is_clear(&answer.body, answer.status),
            "{volume} got {answer:?}"
        );
    }
    for text in [
        "{",
        "[]",
        "null",
        "\"volume\"",
        "{\"volume\": 1}",
        "{\"volume\": []}",
        "\u{0}",
    ] {
        let answer = api
            .try_send_text("POST", "/v3/volumes", Some(text), "3.71")
            .unwrap();
        assert!(
            (400..500).contains(&answer.status),
            "{text:?} got {answer:?}"
        );
    }
    let actions = [
        json!({"os-extend": {"new_size": 1}}),
        json!({"os-extend": {"new_size": 2}}),
        json!({"os-extend": {"new_size": "x"}}),
        json!({"os-extend": {}}),
        json!({"os-extend": null}),
        json!({"os-reset_status": {"status": "wonderful"}}),
        json!({"os-detach": {"attachment_id": "7a0a5b5e-0000-4000-8000-000000000000"}}),
        json!({"os-no-such-action": {}}),
        json!({}),
    ];
    for action in actions {
        let answer = api.post(&format!("/volumes/{id}/action"), &action);
        assert!(
            (400..500).contains(&answer.status),
            "{action} got {answer:?}"
        );
    }
    for path in [
        "/volumes/nonsense",
        "/snapshots/nonsense",
        "/attachments/nonsense",
        "/types/none",
    ] {
        let answer = api.get(path).expect(404);
        assert!(is_clear(&answer.body, 404), "{path}: {}", answer.body);
    }
    for (version, status) in [("3.72", 406), ("2.0", 406), ("three", 400)] {
        let answer = api
            .try_send_text("GET", "/v3/volumes", None, version)
            .unwrap();
        assert_eq!(answer.status, status, "{version}: {answer:?}");
    }
    assert_eq!(api.get("/volumes/detail").expect(200).body, before);
}

#[test]
fn a_wrong_cinder_conf_stops_the_start_with_file_line_and_option() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cinder.conf");
    let wrong = [
        (
            "[DEFAULT]\nauth_strategy = noauth\nenabled_backends = blocks\nquota_volumes = many\n\
             [blocks]\nsite_admin = a.sock\n",
            "quota_volumes",
            4,
        ),
        (
            "[DEFAULT]\nauth_strategy = noauth\nosapi_volume_listen_port = 99999\n",
            "osapi_volume_listen_port",
            3,
        ),
        (
            "[DEFAULT]\nauth_strategy = noauth\nenabled_backends = nothing\n",
            "nothing",
            3,
        ),
        ("[DEFAULT]\nauth_strategy = kerberos\n", "auth_strategy", 2),
        (
            "[DEFAULT]\nauth_strategy = noauth\nenabled_backends = b\n[b]\n\
             site_admin = a.sock\n[database]\nconnection = sqlite:////nonexistent/x.sqlite\n",
            "connection",
            7,
        ),
        ("[DEFAULT]\nenabled_backends\n", "enabled_backends", 2),
        ("[DEFAULT\nenabled_backends = blocks\n", "[DEFAULT", 1),
    ];
    for (text, option, line) in wrong {
        fs::write(&file, text).unwrap();
        let ran = run(Command::new(binary()).arg("serve").arg("--conf").arg(&file));
        assert_ne!(ran.status, 0, "{text:?} was taken");
        let place = format!("{}:{line}", file.display());
        assert!(
            ran.stderr.contains(&place) && ran.stderr.contains(option),
            "{text:?} wants {place} and {option}: {}",
            ran.stderr
        );
    }
    let ran = run(Command::new(binary()).args(["serve", "--conf", "/nonexistent/cinder.conf"]));
    assert_ne!(ran.status, 0);
    assert!(
        ran.stderr.contains("/nonexistent/cinder.conf"),
        "{}",
        ran.stderr
    );
}
