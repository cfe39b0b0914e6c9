//! Groups of images: snapshots and rollbacks of all of them at one position, and what is refused.

use firebrick_tests::{Dev, Guest, Rbd, until};
use serde_json::json;

/// The first byte of an image.
fn first(rbd: &Rbd, image: &str) -> u8 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exported");
    rbd.ok(&["export", image, path.to_str().unwrap()]);
    std::fs::read(path).unwrap()[0]
}

fn fill(rbd: &Rbd, image: &str, byte: u8) {
    let uri = rbd.ok(&["map", image]).trim().to_owned();
    let mut guest = Guest::open(&uri).unwrap();
    guest.write(0, &[byte; 4096]).unwrap();
    guest.close();
    rbd.ok(&["unmap", image]);
}

#[test]
fn a_group_is_snapshotted_and_rolled_back_at_one_position() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    for image in ["gi1", "gi2", "other"] {
        rbd.ok(&["create", "--size", "16M", image]);
    }
    rbd.ok(&["group", "create", "volumes/g1"]);
    rbd.refused(17, &["group", "create", "g1"]);
    assert_eq!(rbd.ok(&["group", "ls", "volumes"]), "g1\n");
    assert_eq!(rbd.json(&["group", "list"]), json!(["g1"]));
    assert_eq!(rbd.ok(&["ls"]), "gi1\ngi2\nother\n");
    rbd.ok(&["group", "image", "add", "volumes/g1", "volumes/gi1"]);
    rbd.ok(&["group", "image", "add", "g1", "gi1"]);
    rbd.ok(&["group", "image", "add", "--group", "g1", "--image", "gi2"]);
    rbd.refused(2, &["group", "image", "add", "g1", "none"]);
    rbd.refused(2, &["group", "image", "add", "none", "gi1"]);
    rbd.ok(&["group", "create", "g2"]);
    rbd.refused(17, &["group", "image", "add", "g2", "gi1"]);
    let members = rbd.ok(&["group", "image", "list", "g1"]);
    assert_eq!(members, "volumes/gi1 \nvolumes/gi2 \n");
    let members = rbd.json(&["group", "image", "ls", "g1"]);
    let golden = json!({"image": "gi1", "pool": "volumes", "namespace": "", "state": 0});
    assert_eq!(members[0], golden);
    let info = rbd.ok(&["info", "gi1"]);
    assert!(
        info.contains("deep-flatten, operations\n\top_features: group\n"),
        "{info}"
    );
    assert!(info.contains("\tgroup: volumes/g1\n"), "{info}");
    rbd.refused(31, &["rm", "gi1"]);
    rbd.refused(31, &["trash", "mv", "gi1"]);
    rbd.refused(39, &["group", "rm", "g1"]);

    fill(&rbd, "gi1", 1);
    fill(&rbd, "gi2", 1);
    rbd.ok(&["group", "snap", "create", "volumes/g1@s1"]);
    rbd.refused(17, &["group", "snap", "create", "volumes/g1@s1"]);
    fill(&rbd, "gi1", 2);
    fill(&rbd, "gi2", 2);
    assert_eq!(
        rbd.ok(&["group", "snap", "list", "g1"]),
        "NAME  STATUS\ns1        ok\n"
    );
    let taken = json!([{"snapshot": "s1", "state": "ok"}]);
    assert_eq!(rbd.json(&["group", "snap", "ls", "g1"]), taken);
    assert_eq!(rbd.ok(&["snap", "ls", "gi1"]), "");
    let all = rbd.json(&["snap", "ls", "--all", "gi1"]);
    let of = json!({"type": "group", "pool": "volumes", "group": "g1", "group snap": "s1"});
    assert_eq!(all[0]["namespace"], of, "{all}");
    let printed = rbd.ok(&["snap", "ls", "--all", "gi1"]);
    assert!(printed.contains("group (volumes/g1@s1)"), "{printed}");

    // Nobody may write meanwhile; then both return together.
    rbd.ok(&["map", "gi2"]);
    rbd.refused(16, &["group", "snap", "rollback", "g1@s1"]);
    assert_eq!(first(&rbd, "gi1"), 2);
    rbd.ok(&["unmap", "gi2"]);
    rbd.refused(2, &["group", "snap", "rollback", "g1@none"]);
    rbd.ok(&["group", "snap", "rollback", "g1@s1"]);
    assert_eq!((first(&rbd, "gi1"), first(&rbd, "gi2")), (1, 1));
    rbd.ok(&["group", "image", "add", "g1", "other"]);
    rbd.refused(2, &["group", "snap", "rollback", "g1@s1"]);

    rbd.ok(&["group", "snap", "rename", "g1@s1", "s2"]);
    let printed = rbd.ok(&["group", "snap", "info", "g1@s2"]);
    assert!(
        printed.ends_with("\timages:\n\t\tvolumes/gi1\n\t\tvolumes/gi2\n"),
        "{printed}"
    );
    rbd.refused(17, &["group", "rename", "g1", "g2"]);
    rbd.ok(&["group", "rename", "g1", "g3"]);
    // All of it survives the site.
    dev.stop_site("site-a");
    dev.start_site("site-a");
    assert_eq!(
        rbd.ok(&["group", "snap", "list", "g3"]),
        "NAME  STATUS\ns2        ok\n"
    );
    rbd.ok(&["group", "snap", "rm", "g3@s2"]);
    rbd.refused(2, &["group", "snap", "rm", "g3@s2"]);
    assert_eq!(rbd.json(&["snap", "ls", "--all", "gi1"]), json!([]));
    for image in ["gi1", "gi2", "other"] {
        rbd.ok(&["group", "image", "rm", "g3", image]);
    }
    rbd.refused(2, &["group", "image", "rm", "g3", "gi1"]);
    rbd.ok(&["group", "rm", "g3"]);
    assert_eq!(rbd.json(&["group", "ls"]), json!(["g2"]));
}

#[test]
fn consistency_groups_are_as_they_were_proposed() {
    let dev = Dev::start();
    let rbd = dev.rbd("site-a");
    for image in ["one", "two"] {
        rbd.ok(&["create", "--size", "4M", image]);
    }
    let create = ["consistency-group", "create", "cg"];
    let options = [
        "--object-pool",
        "volumes",
        "--splay-width",
        "8",
        "--object-size",
        "1M",
    ];
    rbd.ok(&[&create[..], &options[..]].concat());
    rbd.refused(17, &create);
    rbd.ok(&["feature", "enable", "two", "journaling"]);
    rbd.ok(&["consistency-group", "attach", "one", "cg"]);
    let said = rbd.refused(22, &["consistency-group", "attach", "two", "cg"]);
    assert!(said.contains("two has a journal of its own"), "{said}");
    rbd.ok(&["feature", "disable", "two", "journaling"]);
    rbd.ok(&["consistency-group", "attach", "two", "cg"]);
    let info = rbd.ok(&["consistency-group", "info", "cg"]);
    for line in [
        "\torder: 20 (1 MiB objects)\n",
        "\tsplay_width: 8\n",
        "\tobject_pool: volumes\n",
        "\timages: 2\n\t\tvolumes/one\n\t\tvolumes/two\n",
    ] {
        assert!(info.contains(line), "{line:?} in {info}");
    }
    let info = rbd.json(&["consistency-group", "info", "cg"]);
    assert_eq!(info["journal"]["splay_width"], 8, "{info}");
    rbd.refused(39, &["consistency-group", "rm", "cg"]);
    rbd.ok(&["consistency-group", "rename", "cg", "shop"]);
    assert_eq!(rbd.ok(&["consistency-group", "ls"]), "shop\n");
    rbd.ok(&["consistency-group", "detach", "one"]);
    rbd.refused(22, &["consistency-group", "detach", "one"]);
    rbd.ok(&["consistency-group", "detach", "two"]);
    rbd.ok(&["consistency-group", "rm", "shop"]);
    assert_eq!(rbd.ok(&["consistency-group", "ls"]), "");
}

#[test]
fn a_group_goes_with_its_images_to_the_other_site() {
    let dev = Dev::start();
    let (here, there) = (dev.rbd("site-a"), dev.rbd("site-b"));
    for image in ["one", "two"] {
        here.ok(&["create", "--size", "4M", image]);
        here.ok(&["feature", "enable", image, "mirroring"]);
    }
    here.ok(&["group", "create", "g"]);
    here.ok(&["group", "image", "add", "g", "one"]);
    here.ok(&["group", "image", "add", "g", "two"]);
    fill(&here, "one", 1);
    fill(&here, "two", 1);
    here.ok(&["group", "snap", "create", "g@s"]);
    here.ok(&["snap", "create", "one@monday"]);
    here.ok(&["snap", "rename", "one@monday", "one@tuesday"]);
    here.ok(&["snap", "protect", "one@tuesday"]);
    until("the other site has the group and its snapshot", 30, || {
        let taken = there.run(&["group", "snap", "ls", "g", "--format", "json"]);
        let kept = there.run(&["snap", "ls", "one"]);
        taken.stdout.contains(r#""state":"ok""#)
            && kept.stdout.contains("tuesday")
            && kept.stdout.contains("yes")
    });
    assert_eq!(
        there.ok(&["group", "image", "ls", "g"]),
        "volumes/one \nvolumes/two \n"
    );
    // It follows: nothing is changed there.
    there.refused(30, &["group", "snap", "create", "g@there"]);
    there.refused(30, &["group", "rename", "g", "h"]);
    there.refused(30, &["snap", "create", "one@there"]);
    here.ok(&["group", "snap", "rename", "g@s", "renamed"]);
    until("the other site calls it so, too", 30, || {
        there.ok(&["group", "snap", "ls", "g"]).contains("renamed")
    });
}
