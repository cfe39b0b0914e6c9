//! A volume returns to its newest snapshot, and clients read of what failed, by the stock client.

use firebrick_tests::{Dev, Guest, until};
use serde_json::json;

/// What the volume has at its begin, by way of an attachment of its own.
fn first_byte(dev: &Dev, id: &str, written: Option<u8>) -> u8 {
    let (attachment, uri) = dev.api().attach(id);
    let mut guest = Guest::open(&uri).unwrap();
    if let Some(byte) = written {
        guest.write(0, &[byte; 4096]).unwrap();
        guest.flush().unwrap();
    }
    let byte = guest.read(0, 1).unwrap()[0];
    guest.close();
    dev.api().detach(&attachment);
    dev.api().wait_status(id, "available");
    byte
}

#[test]
fn the_cinder_client_reverts_a_volume_and_reads_messages() {
    let dev = Dev::start();
    let (clients, api) = (dev.clients(), dev.api());
    let cinder = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        clients.cinder(&words).ok().stdout
    };
    let id = api.make_volume(&json!({ "size": 1, "name": "one" }));
    assert_eq!(first_byte(&dev, &id, Some(1)), 1);
    cinder("snapshot-create --name moment one");
    until("the snapshot is available", 60, || {
        cinder("snapshot-list").contains("available")
    });
    assert_eq!(first_byte(&dev, &id, Some(2)), 2);
    cinder("revert-to-snapshot moment");
    api.wait_status(&id, "available");
    assert_eq!(first_byte(&dev, &id, None), 1);

    cinder("image-metadata one set image_name=cirros min_disk=1");
    assert!(cinder("image-metadata-show one").contains("cirros"));
    cinder("image-metadata one unset min_disk");
    let shown = api.volume(&id);
    assert_eq!(
        shown["volume_image_metadata"],
        json!({ "image_name": "cirros" })
    );

    api.make_type("nowhere", &json!({ "volume_backend_name": "none" }));
    cinder("create --name lost --volume-type nowhere 1");
    until("the message is there", 60, || {
        cinder("message-list --level ERROR").contains("VOLUME_VOLUME_001_003")
    });
    // The client asks for another project than this test does.
    let path = format!("/activities?all_tenants=true&resource_id={id}");
    let about = api.get(&path).expect(200).body;
    let kinds = about["activities"].as_array().unwrap().iter();
    let kinds: Vec<_> = kinds.map(|it| it["action"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"revert_volume"), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&"create_volume"));
}
