//! The dialect, by example.

use std::path::Path;

use super::*;

fn file(text: &str) -> ConfigFile {
    ConfigFile::parse(Path::new("cinder.conf"), text).unwrap()
}

fn refusal(text: &str) -> String {
    ConfigFile::parse(Path::new("cinder.conf"), text)
        .unwrap_err()
        .to_string()
}

#[test]
fn a_replication_device_may_spread_over_lines() {
    let file = file(
        "[ceph]\nreplication_device = backend_id:secondary,\n                     conf:/etc/s.conf,\n# why\n   user:cinder\n",
    );
    let dicts = file
        .section("ceph")
        .unwrap()
        .dicts("replication_device")
        .unwrap();
    assert_eq!(dicts.len(), 1);
    assert_eq!(dicts[0]["backend_id"], "secondary");
    assert_eq!(dicts[0]["conf"], "/etc/s.conf");
    assert_eq!(dicts[0]["user"], "cinder");
}

#[test]
fn colon_and_quotes_are_taken_as_oslo_takes_them() {
    let file = file("[DEFAULT]\nhost: node1\nname = \"a b\"\nhost = node2\n");
    let section = file.section("default").unwrap();
    assert_eq!(section.text("host").unwrap().as_deref(), Some("node2"));
    assert_eq!(section.text("name").unwrap().as_deref(), Some("a b"));
}

#[test]
fn a_dollar_refers_to_another_option() {
    let file = file("[DEFAULT]\nroot = /srv\n[s]\ndir = $root/${leaf}$$\nleaf = x\nbad = $none\n");
    let section = file.section("s").unwrap();
    assert_eq!(section.text("dir").unwrap().as_deref(), Some("/srv/x$"));
    let error = section.text("bad").unwrap_err().to_string();
    assert_eq!(
        error,
        "cinder.conf:6: [s] bad: $none stands for an option that is not given"
    );
}

#[test]
fn a_circle_of_dollars_is_refused() {
    let file = file("[s]\na = $b\nb = $a\n");
    let error = file
        .section("s")
        .unwrap()
        .text("a")
        .unwrap_err()
        .to_string();
    assert_eq!(error, "cinder.conf:2: [s] a: $name leads in a circle");
}

#[test]
fn wrong_lines_are_refused_with_their_number() {
    let cases = [
        (
            "host = a\n",
            "cinder.conf:1: host: an option stands before the first [section]",
        ),
        (
            "[DEFAULT]\nhost\n",
            "cinder.conf:2: host: an option is written name = value",
        ),
        (
            "[DEFAULT\n",
            "cinder.conf:1: [DEFAULT: a section is written [name]",
        ),
        (
            "[DEFAULT]\n  host = a\n",
            "cinder.conf:2: host: the line begins with a blank, but there is no option above it to continue",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(refusal(text), expected);
    }
}

#[test]
fn wrong_values_are_refused_with_option_and_reason() {
    let file = file("[s]\nport = abc\nflag = maybe\nd = a\ne = a:1, a:2\nempty =\n");
    let section = file.section("s").unwrap();
    let text = |error: ConfigError| error.to_string();
    let cases = [
        (
            text(section.value::<u16>("port", "a port number").unwrap_err()),
            "cinder.conf:2: [s] port: \"abc\" is not a port number",
        ),
        (
            text(section.flag("flag", true).unwrap_err()),
            "cinder.conf:3: [s] flag: \"maybe\" is neither true nor false",
        ),
        (
            text(section.dicts("d").unwrap_err()),
            "cinder.conf:4: [s] d: \"a\" is not written name:value",
        ),
        (
            text(section.dicts("e").unwrap_err()),
            "cinder.conf:5: [s] e: a is given twice",
        ),
        (
            text(section.require("empty").unwrap_err()),
            "cinder.conf:6: [s] empty: must not be empty",
        ),
        (
            text(section.require("none").unwrap_err()),
            "cinder.conf:1: [s] none: is missing",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn what_nobody_asks_for_is_named() {
    let file = file("[s]\na = 1\nb = 2\n[t]\nc = 3\n");
    assert!(file.section("s").unwrap().text("a").unwrap().is_some());
    let unknown: Vec<String> = file.unknown().iter().map(ToString::to_string).collect();
    assert_eq!(
        unknown,
        [
            "cinder.conf:3: [s] b is not an option and is ignored",
            "cinder.conf:4: [t] is not a section in use and is ignored",
        ]
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = ConfigFile::read(Path::new("/nonexistent/cinder.conf")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/nonexistent/cinder.conf: there is no such file"
    );
}
