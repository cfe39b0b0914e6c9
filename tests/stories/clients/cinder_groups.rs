//! `cinder`: types of groups, groups, their snapshots, and consistency groups.

use serde_json::json;

use super::{Cinder, everything, text};

#[test]
fn cinder_drives_groups() {
    let deployment = everything();
    let cinder = Cinder::of(&deployment);
    group_types(&cinder);
    groups(&cinder);
    consistency_groups(&cinder);
}

fn group_types(cinder: &Cinder) {
    assert!(cinder.refused("group-type-default").contains("HTTP 404"));
    let made = cinder.rows("group-type-create usual --description d");
    let id = text(&made[0]["ID"]);
    assert_eq!(cinder.rows("group-type-default")[0]["ID"], id);
    cinder.run("group-type-key usual set a=b c=d");
    cinder.run("group-type-key usual unset c");
    let shown = cinder.fields("group-type-show usual");
    assert_eq!(
        (&shown["group_specs"], &shown["is_public"]),
        (&json!("a : b"), &json!("True"))
    );
    let specs = cinder.rows("group-specs-list");
    let ours = specs.iter().find(|row| row["ID"] == id).unwrap();
    assert_eq!(ours["group_specs"], "{'a': 'b'}");
    cinder.run("group-type-key usual unset a");
    cinder.run(&format!(
        "group-type-update --name sets --is-public False {id}"
    ));
    let listed = cinder.rows("group-type-list");
    assert!(listed.iter().any(|row| row["Name"] == "sets"), "{listed:?}");
    cinder.run("group-type-create short");
    cinder.run("group-type-delete short");
    assert!(
        cinder
            .rows("group-type-list")
            .iter()
            .all(|row| row["Name"] != "short")
    );
}

fn groups(cinder: &Cinder) {
    let made = cinder.fields("group-create --name g --description d sets __DEFAULT__");
    let id = text(&made["id"]);
    cinder.wait("group-list", "g", "available");
    cinder.run(&format!("create --group-id {id} --name member 1"));
    cinder.wait("list", "member", "available");
    cinder.volume("joins");
    let joins = text(&cinder.fields("show joins")["id"]);
    cinder.run(&format!("group-update g --name gg --add-volumes {joins}"));
    cinder.wait("group-list", "gg", "available");
    let shown = cinder.fields("group-show --list-volume True gg");
    assert!(text(&shown["volumes"]).contains(&joins), "{shown}");
    let rows = cinder.rows(&format!("list --group_id {id}"));
    assert_eq!(rows.len(), 2);
    cinder.run("reset-state --type group --state error gg");
    cinder.wait("group-list", "gg", "error");
    cinder.run("reset-state --type group --state available gg");

    cinder.run("group-snapshot-create --name s --description d gg");
    cinder.wait("group-snapshot-list", "s", "available");
    let shown = cinder.fields("group-snapshot-show s");
    assert_eq!(shown["group_id"], id);
    assert_eq!(cinder.rows("snapshot-list").len(), 2);
    cinder.run("reset-state --type group-snapshot --state error s");
    cinder.wait("group-snapshot-list", "s", "error");
    cinder.run("reset-state --type group-snapshot --state available s");
    for (from, name) in [
        ("--group-snapshot s", "of-it"),
        ("--source-group gg", "alike"),
    ] {
        cinder.run(&format!("group-create-from-src --name {name} {from}"));
        cinder.wait("group-list", name, "available");
        cinder.run(&format!("group-delete --delete-volumes {name}"));
        cinder.gone("group-list", name);
    }
    cinder.run("group-snapshot-delete s");
    cinder.gone("group-snapshot-list", "s");
    assert!(
        cinder
            .refused("group-delete gg")
            .contains("Unable to delete any")
    );
    cinder.run("group-delete --delete-volumes gg");
    cinder.gone("group-list", "gg");
    assert!(cinder.rows("list").is_empty());
    cinder.run("group-type-delete sets");
}

fn consistency_groups(cinder: &Cinder) {
    let made = cinder.fields("consisgroup-create --name old __DEFAULT__");
    let id = text(&made["id"]);
    cinder.wait("consisgroup-list", "old", "available");
    cinder.run(&format!("create --consisgroup-id {id} --name inside 1"));
    cinder.wait("list", "inside", "available");
    cinder.run("consisgroup-update old --name older");
    assert_eq!(cinder.fields("consisgroup-show older")["id"], id);
    cinder.run("cgsnapshot-create --name moment older");
    cinder.wait("cgsnapshot-list", "moment", "available");
    assert_eq!(
        cinder.fields("cgsnapshot-show moment")["consistencygroup_id"],
        id
    );
    cinder.run("consisgroup-create-from-src --name copy --cgsnapshot moment");
    cinder.wait("consisgroup-list", "copy", "available");
    cinder.run("consisgroup-delete --force copy");
    cinder.gone("consisgroup-list", "copy");
    cinder.run("cgsnapshot-delete moment");
    cinder.gone("cgsnapshot-list", "moment");
    cinder.run("consisgroup-delete --force older");
    cinder.gone("consisgroup-list", "older");
}
