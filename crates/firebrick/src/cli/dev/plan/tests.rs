//! Where everything goes, by example.

use clap::Parser as _;

use super::*;
use crate::cli::args::{Cli, Command};

fn args(line: &str) -> DevArgs {
    let words = ["firebrick", "dev"]
        .into_iter()
        .chain(line.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Dev(args) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_next_start_finds_the_same_ports_and_the_command_line_goes_before() {
    let dir = tempfile::tempdir().unwrap();
    let first = decide(dir.path(), &args("--listen 127.0.0.1:0 --nbd-port 0")).unwrap();
    first.write(dir.path()).unwrap();
    let second = decide(dir.path(), &args("")).unwrap();
    assert_eq!(second.listen, first.listen);
    assert_eq!(second.sites[0].nbd_port, first.sites[0].nbd_port);
    assert_eq!(second.sites[1].mirror_port, first.sites[1].mirror_port);
    let third = decide(dir.path(), &args("--nbd-port 20809")).unwrap();
    assert_eq!(third.listen, first.listen);
    assert_eq!(
        (third.sites[0].nbd_port, third.sites[1].nbd_port),
        (20809, 20810)
    );
}

#[test]
fn no_port_is_given_twice() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = decide(dir.path(), &args("--listen 127.0.0.1:0 --nbd-port 0")).unwrap();
    let mut ports = vec![manifest.listen.port()];
    ports.extend(
        manifest
            .sites
            .iter()
            .flat_map(|site| [site.nbd_port, site.mirror_port]),
    );
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 5);
}

#[test]
fn other_addresses_than_loopback_and_ports_beyond_the_last_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refusal = |line| decide(dir.path(), &args(line)).unwrap_err().to_string();
    let open = refusal("--listen 0.0.0.0:8776");
    assert!(
        open.contains("noauth") && open.contains("loopback"),
        "{open}"
    );
    assert!(refusal("--nbd-port 65535").contains("65535"));
}

#[test]
fn a_deep_folder_gets_its_sockets_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("d".repeat(120));
    fs::create_dir(&deep).unwrap();
    let manifest = decide(&deep, &args("--listen 127.0.0.1:0 --nbd-port 0")).unwrap();
    let sockets = manifest.sockets.clone().unwrap();
    for site in &manifest.sites {
        assert!(site.admin.starts_with(&sockets));
        assert!(site.nbd_socket.as_os_str().len() <= SOCKET_PATH_MAX);
    }
    fs::remove_dir(sockets).unwrap();
}
