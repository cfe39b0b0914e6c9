//! What `info` prints, in the form of the `rbd` tool.

use std::collections::BTreeMap;

use firebrick_site::admin::{JournalSettings, Locks};
use firebrick_vocabulary::{Epoch, Features, ImageMirrorMode, ImageName, SnapshotName, SyncState};
use uuid::Uuid;

use super::*;

/// An image as a site describes it.
fn image() -> ToolImage {
    ToolImage {
        id: ImageId(Uuid::from_u128(0x102c_9d6f_5ed8_4abc_8def_0123_4567_89ab)),
        name: ImageName::new("tenant/j1").unwrap(),
        size: Bytes(1 << 30),
        role: Role::Primary,
        epoch: Epoch(1),
        mirrored: false,
        mode: ImageMirrorMode::Journal,
        sync: SyncState::Consistent,
        snapshots: 1,
        created: 1_795_206_780_000_000_000,
        parent: None,
        watchers: Vec::new(),
        features: Features::default(),
        journal: JournalSettings::default(),
        snapshot_limit: None,
        group: None,
        locks: Locks::default(),
        metadata: BTreeMap::new(),
    }
}

const PLAIN: &str = "rbd image 'j1':\n\
    \tsize 1 GiB in 256 objects\n\
    \torder 22 (4 MiB objects)\n\
    \tsnapshot_count: 1\n\
    \tid: 102c9d6f5ed8\n\
    \tblock_name_prefix: rbd_data.102c9d6f5ed8\n\
    \tformat: 2\n\
    \tfeatures: layering, exclusive-lock, object-map, fast-diff, deep-flatten\n\
    \top_features: \n\
    \tflags: \n\
    \tcreate_timestamp: Fri Nov 20 20:33:00 2026\n\
    \taccess_timestamp: Fri Nov 20 20:33:00 2026\n\
    \tmodify_timestamp: Fri Nov 20 20:33:00 2026\n";

const JSON: &str = r#"{"name":"j1","id":"102c9d6f5ed8","size":1073741824,"objects":256,"order":22,"object_size":4194304,"snapshot_count":1,"block_name_prefix":"rbd_data.102c9d6f5ed8","format":2,"features":["layering","exclusive-lock","object-map","fast-diff","deep-flatten"],"op_features":[],"flags":[],"create_timestamp":"Fri Nov 20 20:33:00 2026","access_timestamp":"Fri Nov 20 20:33:00 2026","modify_timestamp":"Fri Nov 20 20:33:00 2026"}"#;

fn json(image: &ToolImage, protected: Option<bool>) -> String {
    serde_json::to_string(&info_of(image, protected).doc()).unwrap()
}

#[test]
fn an_image_is_shown_as_rbd_shows_it() {
    assert_eq!(info_of(&image(), None).text(), PLAIN);
    assert_eq!(json(&image(), None), JSON);
    let xml = info_of(&image(), None).doc().xml("image", false);
    assert!(
        xml.starts_with("<image><name>j1</name><id>102c9d6f5ed8</id>"),
        "{xml}"
    );
    let lists = "<features><feature>layering</feature><feature>exclusive-lock</feature>";
    assert!(
        xml.contains(lists) && xml.contains("<flags></flags>"),
        "{xml}"
    );
}

#[test]
fn what_an_image_is_beyond_that_stands_where_rbd_has_it() {
    type Change = fn(&mut ToolImage);
    let cases: &[(Change, Option<bool>, &str, &str)] = &[
        (
            |_| (),
            Some(true),
            "\tprotected: True\n",
            r#","protected":"true"}"#,
        ),
        (
            |image| image.snapshot_limit = Some(1),
            None,
            "\tsnapshot_limit: 1\n",
            r#","snapshot_limit":1}"#,
        ),
        (
            |image| {
                image.parent = Some(ToolParent {
                    id: image.id,
                    image: ImageName::new("a").unwrap(),
                    snapshot: Some(SnapshotName::new("s1").unwrap()),
                });
            },
            None,
            "\tparent: volumes/a@s1\n\toverlap: 1 GiB\n",
            r#","parent":{"pool":"volumes","pool_namespace":"","image":"a","id":"102c9d6f5ed8","snapshot":"s1","trash":false,"overlap":1073741824}}"#,
        ),
        (
            |image| image.features.set(Feature::Journaling, true),
            None,
            "\tjournal: 102c9d6f5ed8\n\tmirroring state: disabled\n",
            r#","journal":"102c9d6f5ed8","mirroring":{"mode":"journal","state":"disabled"}}"#,
        ),
        (
            |image| {
                image.features.set(Feature::Journaling, true);
                image.mirrored = true;
                image.role = Role::Secondary;
            },
            None,
            "\tjournal: 102c9d6f5ed8\n\tmirroring state: enabled\n\tmirroring mode: journal\n\
             \tmirroring global id: 102c9d6f-5ed8-4abc-8def-0123456789ab\n\tmirroring primary: false\n",
            r#","journal":"102c9d6f5ed8","mirroring":{"mode":"journal","state":"enabled","global_id":"102c9d6f-5ed8-4abc-8def-0123456789ab","primary":false}}"#,
        ),
    ];
    for (change, protected, plain, structured) in cases {
        let mut image = image();
        change(&mut image);
        let text = info_of(&image, *protected).text();
        assert!(text.ends_with(plain), "{plain:?} in {text}");
        let text = json(&image, *protected);
        assert!(text.ends_with(structured), "{structured} in {text}");
    }
    let mut member = image();
    member.group = Some(ImageName::new("g1").unwrap());
    let text = info_of(&member, None).text();
    let lines = "deep-flatten, operations\n\top_features: group\n\tflags: \n\tgroup: volumes/g1\n";
    assert!(text.contains(lines), "{text}");
    let text = json(&member, None);
    let keys = r#""op_features":["group"],"flags":[],"group":"volumes/g1","create_timestamp""#;
    assert!(text.contains(keys), "{text}");
}
