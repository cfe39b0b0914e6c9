//! The scenario of the README, word for word, with the stock `cinder` client.

use firebrick_tests::{Dev, until};
use serde_json::json;

#[test]
fn the_article_works_word_for_word() {
    let dev = Dev::start();
    let clients = dev.clients();
    let cinder = |line: &[&str]| clients.cinder(line).ok().stdout;

    cinder(&["type-create", "replicated"]);
    cinder(&[
        "type-key",
        "replicated",
        "set",
        "volume_backend_name=blocks",
        "replication_enabled=<is> True",
    ]);
    let specs = cinder(&["extra-specs-list"]);
    assert!(
        specs.contains("replicated") && specs.contains("<is> True"),
        "{specs}"
    );
    cinder(&[
        "create",
        "--volume-type",
        "replicated",
        "--name",
        "fingers-crossed",
        "1",
    ]);
    until("the volume is available", 60, || {
        cinder(&["list"])
            .lines()
            .any(|line| line.contains("fingers-crossed") && line.contains(" available "))
    });
    let show = cinder(&["show", "fingers-crossed"]);
    assert!(
        field(&show, "replication_status") == Some("enabled"),
        "{show}"
    );

    let services = cinder(&["service-list", "--withreplication"]);
    assert!(services.contains("Replication Status"), "{services}");
    let host = dev.json()["host"].as_str().unwrap().to_owned();
    cinder(&["failover-host", &host]);
    dev.api().wait_replication("failed-over");
    let services = cinder(&["service-list", "--withreplication"]);
    let line = services.lines().find(|line| line.contains(&host)).unwrap();
    assert!(
        line.contains("failed-over") && line.contains("site-b"),
        "{services}"
    );
    let show = cinder(&["show", "fingers-crossed"]);
    assert_eq!(
        field(&show, "replication_status"),
        Some("failed-over"),
        "{show}"
    );

    cinder(&["failover-host", &host, "--backend_id", "default"]);
    dev.api().wait_replication("enabled");
    let show = cinder(&["show", "fingers-crossed"]);
    assert_eq!(
        field(&show, "replication_status"),
        Some("enabled"),
        "{show}"
    );
    let service = dev.api().volume_service();
    assert_eq!(service["status"], json!("enabled"), "{service}");
    assert!(
        service["active_backend_id"]
            .as_str()
            .unwrap_or_default()
            .is_empty(),
        "{service}"
    );
}

/// The value of a field in one of the client's tables.
fn field<'a>(table: &'a str, name: &str) -> Option<&'a str> {
    table.lines().find_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        (cells.next()? == name).then(|| cells.next())?
    })
}
