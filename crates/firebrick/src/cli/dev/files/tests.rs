//! What is written is what the processes read.

use clap::Parser as _;
use firebrick_config::ConfigFile;
use firebrick_site::SiteConf;

use super::*;
use crate::cli::args::{Cli, Command};
use crate::cli::dev::plan;
use crate::config::ServeConf;

fn manifest(dir: &Path) -> Manifest {
    let words = [
        "firebrick",
        "dev",
        "--listen",
        "127.0.0.1:0",
        "--nbd-port",
        "0",
    ];
    match Cli::try_parse_from(words).unwrap().command {
        Command::Dev(args) => plan::decide(dir, &args).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_sites_know_each_other_and_the_control_plane_knows_both() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path());
    write(dir.path(), &manifest).unwrap();
    for (site, other) in [(0, 1), (1, 0)] {
        let (conf, unknown) = SiteConf::read(&manifest.sites[site].conf).unwrap();
        assert!(unknown.is_empty(), "{unknown:?}");
        let peer = &manifest.sites[other];
        assert_eq!(conf.peers[0].name, peer.name);
        assert_eq!(
            conf.peers[0].address,
            format!("127.0.0.1:{}", peer.mirror_port)
        );
        let print = firebrick_site::serve::fingerprint_in(&peer.dir).unwrap();
        assert_eq!(conf.peers[0].fingerprint, print);
    }
    let file = ConfigFile::read(&manifest.conf).unwrap();
    let conf = ServeConf::from_file(&file).unwrap();
    assert!(file.unknown().is_empty(), "{:?}", file.unknown());
    assert_eq!(conf.listen, manifest.listen);
    assert_eq!(conf.control.backends[0].primary.name(), "site-a");
    assert_eq!(conf.control.backends[0].targets[0].0, "site-b");
}

#[test]
fn what_a_person_changed_stays() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(dir.path());
    write(dir.path(), &manifest).unwrap();
    let mut text = fs::read_to_string(&manifest.conf).unwrap();
    text.push_str("reserved_percentage = 5\n");
    fs::write(&manifest.conf, &text).unwrap();
    write(dir.path(), &manifest).unwrap();
    assert_eq!(fs::read_to_string(&manifest.conf).unwrap(), text);
}
