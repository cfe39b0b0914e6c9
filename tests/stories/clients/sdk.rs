//! openstacksdk.

use super::{CLUSTER, HOST, everything};

const SCRIPT: &str = include_str!("sdk.py");

#[test]
fn the_sdk_drives_every_resource() {
    let deployment = everything();
    let clients = deployment.clients();
    let ran = clients
        .python(SCRIPT, &[&deployment.url(), HOST, CLUSTER])
        .ok();
    assert!(ran.stdout.ends_with("services\ntold\n"), "{}", ran.stdout);
}
