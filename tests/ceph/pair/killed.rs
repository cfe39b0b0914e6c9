//! `firebrick serve` is killed in the middle of failovers of several volumes: the next one ends them, and all that was
//! confirmed to guests is there.

use firebrick_tests::{Ceph, CephPair, until};
use serde_json::json;

use super::{Story, all_are, is_primary};

const VOLUMES: usize = 3;

/// When it is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// While the other cluster is waited for.
    Waiting,
    /// Once a cluster has given way, and the other one cannot read that yet.
    Demoted,
    /// Once the other cluster is primary of one of them at least.
    Promoted,
    /// As it is written down, or just before or behind that.
    Writing,
}

/// One failover with all its volumes from `from` to `to`, which begins right behind a write.
fn killed_at(story: &mut Story<'_>, images: &[String], moment: Moment, round: u8) {
    let home = round % 2 == 1;
    let (pair, byte) = (story.pair, 0x10 + round);
    let (from, to, target, status) = if home {
        (&pair.b, &pair.a, "default", "enabled")
    } else {
        (&pair.a, &pair.b, "site-b", "failed-over")
    };
    for image in images {
        from.write(image, byte, 1);
    }
    story.ask_failover(&["--backend_id", target]);
    wait_for(story, images, moment, (from, to));
    story.deployment.kill_serve();
    to.go_on_mirror();
    story.deployment.start_serve();
    // A cluster that is too slow is not failed over to: then nothing has changed, and it is asked for once more.
    if story.ended() != status {
        let failed = story.last_failover();
        let why = failed["error"].as_str().unwrap_or_default();
        assert!(why.contains("does not catch up"), "{moment:?}: {failed}");
        for image in images {
            let roles = (is_primary(from, image), is_primary(to, image));
            assert_eq!(roles, (true, false), "{moment:?}: {image}");
        }
        story.ask_failover(&["--backend_id", target]);
    }
    let report = story.switched(status);
    assert_eq!(report["mode"], "planned", "{moment:?}: {report}");
    for image in images {
        let roles = (is_primary(from, image), is_primary(to, image));
        assert_eq!(roles, (false, true), "{moment:?}: {image}");
        let there = to.read(image, 1);
        assert!(all_are(&there, byte), "{moment:?}: {image} lacks something");
        let volume = story.api.volume(image.trim_start_matches("volume-"));
        assert_eq!(
            (&volume["status"], &volume["replication_status"]),
            (&json!("available"), &json!(status)),
            "{moment:?}"
        );
    }
    assert_eq!(story.running_failover(), json!(null), "{moment:?}");
}

fn wait_for(story: &Story<'_>, images: &[String], moment: Moment, (from, to): (&Ceph, &Ceph)) {
    let what = format!("{moment:?}");
    let phase = || story.running_failover()["phase"].clone();
    match moment {
        Moment::Waiting => until(&what, 120, || phase() == "handing over"),
        Moment::Demoted => {
            until(&what, 120, || phase() == "handing over");
            until(&what, 120, || {
                images.iter().any(|image| !is_primary(from, image))
            });
            to.stop_mirror();
        }
        Moment::Promoted => until(&what, 120, || {
            images.iter().any(|image| is_primary(to, image))
        }),
        Moment::Writing => until(&what, 120, || {
            phase() != "handing over" && phase() != "looking at both sites"
        }),
    }
}

fn several(pair: &CephPair) {
    let mut story = Story::begin(pair, "");
    let made: Vec<_> = (0..VOLUMES).map(|_| story.replicated()).collect();
    let (volumes, images): (Vec<String>, Vec<String>) = made.into_iter().unzip();
    let moments = [
        Moment::Waiting,
        Moment::Demoted,
        Moment::Promoted,
        Moment::Writing,
        Moment::Demoted,
        Moment::Promoted,
    ];
    for (round, moment) in moments.into_iter().enumerate() {
        killed_at(&mut story, &images, moment, round as u8);
    }
    for volume in &volumes {
        story.cinder(&["delete", volume]);
    }
    for volume in &volumes {
        story.gone(volume);
    }
}

#[test]
fn a_failover_of_several_volumes_is_ended_by_the_next_serve() {
    CephPair::with(several);
}
