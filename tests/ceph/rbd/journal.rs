//! `journal …` and `bench` do, print and refuse what the real `rbd` tool does.

use std::fs;

use firebrick_tests::{Ceph, Rbd};

use super::{Tool, both_do, both_see, outcome};

const JOURNALED: &[&str] = &[
    "create --size 8M --image-feature layering,exclusive-lock,journaling volumes/%a",
    "create --size 8M volumes/%plain",
    "snap create --no-progress volumes/%a@one",
    "image-meta set volumes/%a color blue",
    "resize --no-progress --size 12M volumes/%a",
    "snap rename volumes/%a@one volumes/%a@two",
    "bench --io-type write --io-size 4K --io-threads 1 --io-total 20K volumes/%none",
    "bench --io-type write --io-size 16M volumes/%a",
    "journal info",
    "journal info --image volumes/%plain",
    "journal status --image volumes/%none",
    "journal info --journal volumes/none",
    "journal status --journal volumes/none",
    "journal client disconnect --image volumes/%a",
    "journal client disconnect --image volumes/%a --client-id nobody",
];

const SEEN: &[&str] = &[
    "journal info --image volumes/%a",
    "journal info --image %a --pool volumes",
    "journal status --image volumes/%a",
];

fn id(tool: Tool<'_>, image: &str) -> String {
    let info = tool.json(&format!("info volumes/{image}"));
    info["id"].as_str().unwrap().to_owned()
}

/// Without the figures that are those of one run, and the lines that each second brings.
fn figures_aside(printed: &str) -> Vec<String> {
    let part = |part: &str| match part.split_once(": ") {
        Some(("ops", count)) => format!("ops: {count}"),
        Some((what, figure)) => format!(
            "{what}: N{}",
            if figure.ends_with("/s") { "/s" } else { "" }
        ),
        None => part.to_owned(),
    };
    let line = |line: &str| match line.strip_prefix("elapsed: ") {
        Some(rest) => rest
            .split("   ")
            .skip(1)
            .map(part)
            .collect::<Vec<_>>()
            .join("   "),
        None => line.to_owned(),
    };
    let is_tick = |line: &&str| line.trim_start().starts_with(|c: char| c.is_ascii_digit());
    printed
        .lines()
        .filter(|line| !is_tick(line))
        .map(line)
        .collect()
}

#[test]
fn journals_of_images() {
    let real = Ceph::start();
    let here = Rbd::new(&real.conf());
    both_do(&here, &real, JOURNALED);
    for image in ["minea", "reala"] {
        real.write(image, 0x5a, 4);
    }
    both_see(&here, &real, SEEN);
    for (image, seen) in [("minea", "reala"), ("reala", "minea")] {
        let (image_id, dir) = (id(Tool::Real(&real), image), real.dir());
        // What was committed already is kept for somebody who has read nothing.
        real.register_reader(&image_id);
        let bench = format!(
            "bench --io-type write --io-size 4K --io-threads 1 --io-total 40K volumes/{image}"
        );
        Tool::Real(&real).ok(&bench);
        both_see(
            &here,
            &real,
            &[&format!("journal status volumes/{image_id}")],
        );
        for line in [
            format!("journal inspect --image volumes/{image}"),
            format!("journal inspect --verbose --journal volumes/{image_id}"),
        ] {
            let ours = outcome(&Tool::Here(&here).run(&line));
            let theirs = outcome(&Tool::Real(&real).run(&line));
            assert_eq!(ours, theirs, "rbd {line}");
        }
        let files = ["ours", "theirs"].map(|who| dir.join(format!("{who}-{image}")));
        for (tool, file) in [Tool::Here(&here), Tool::Real(&real)]
            .into_iter()
            .zip(&files)
        {
            let line = format!(
                "journal export --image volumes/{image} --path {}",
                file.display()
            );
            let done = tool.ok(&line);
            assert!(done.ends_with(" entries processed, 0 errors\n"), "{done}");
            assert!(tool.run(&line).status == 17, "it is there already");
        }
        let [ours, theirs] = files.map(|file| fs::read_to_string(file).unwrap());
        assert!(
            ours == theirs && ours.lines().count() > 10,
            "{ours}\n{theirs}"
        );
        let line = format!("journal client disconnect --image volumes/{image} --client-id lag");
        let done = Tool::Here(&here).ok(&line);
        assert_eq!(done, "client lag disconnected\n");
        both_see(
            &here,
            &real,
            &[&format!("journal status volumes/{image_id}")],
        );
        assert_ne!(image, seen);
    }
    both_do(&here, &real, &["journal reset --image volumes/%a"]);
    both_see(&here, &real, SEEN);
}

#[test]
fn a_damaged_entry_is_named() {
    let real = Ceph::start();
    let here = Rbd::new(&real.conf());
    both_do(&here, &real, &JOURNALED[..1]);
    let id = id(Tool::Real(&real), "minea");
    real.register_reader(&id);
    here.ok(&[
        "bench",
        "--io-type",
        "write",
        "--io-total",
        "80K",
        "volumes/minea",
    ]);
    let whole = here.ok(&["journal", "inspect", "--image", "volumes/minea"]);
    assert!(whole.ends_with(" entries inspected, 0 errors\n"), "{whole}");
    let object = real.damage_journal(&id);
    let ran = here.run(&["journal", "inspect", "--image", "volumes/minea"]);
    assert_eq!(ran.status, 74, "{}", ran.stderr);
    let named = ran
        .stderr
        .contains(&format!("{object} is damaged at byte "));
    assert!(
        ran.stderr.starts_with("first bad entry: ") && named,
        "{}",
        ran.stderr
    );
}

#[test]
fn bench_is_said_as_the_real_tool_says_it() {
    let real = Ceph::start();
    let here = Rbd::new(&real.conf());
    both_do(&here, &real, &["create --size 8M volumes/%a"]);
    for more in [
        "--io-type write --io-size 4K --io-threads 4 --io-total 64K",
        "--io-type write --io-size 64K --io-total 1M --io-pattern rand",
        "--io-type read --io-size 1M --io-threads 2 --io-total 4M --io-pattern full-seq",
        "--io-type write --io-size 1000000B --io-threads 3 --io-total 9000000B",
    ] {
        let said = |tool: Tool<'_>| figures_aside(&tool.ok(&format!("bench {more} volumes/minea")));
        assert_eq!(said(Tool::Here(&here)), said(Tool::Real(&real)), "{more}");
    }
    let mixed = here.ok(&[
        "bench",
        "--io-type",
        "rw",
        "--rw-mix-read",
        "70",
        "--io-total",
        "1M",
        "volumes/minea",
    ]);
    let line = |begin: &str| mixed.lines().find(|line| line.starts_with(begin)).unwrap();
    let ops = |line: &str| -> u64 { line.split(' ').nth(1).unwrap().parse().unwrap() };
    assert_eq!(
        ops(line("read_ops: ")) + ops(line("write_ops: ")),
        256,
        "{mixed}"
    );
    // What is written is there, and as much as was asked for.
    real.write("minea", 0, 8);
    here.ok(&[
        "bench",
        "--io-type",
        "write",
        "--io-size",
        "1M",
        "--io-total",
        "8M",
        "volumes/minea",
    ]);
    let bytes = real.read("minea", 8);
    assert!(bytes.len() == 8 << 20 && bytes.iter().all(|byte| *byte == bytes[0]));
    assert_ne!(bytes[0], 0);
}
