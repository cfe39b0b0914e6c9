//! A start that is asked for in the moment of a loss.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use tokio::sync::oneshot::error::TryRecvError;

use super::*;
use crate::cli::dev::manifest::SiteEntry;

fn manifest(dir: &Path) -> Manifest {
    let site = SiteEntry {
        name: "site-a".to_owned(),
        pid: None,
        dir: dir.to_owned(),
        conf: dir.join("site.conf"),
        admin: dir.join("admin.sock"),
        nbd_socket: dir.join("nbd.sock"),
        nbd_port: 0,
        mirror_port: 0,
        log: dir.join("site-a.log"),
    };
    Manifest {
        api: String::new(),
        pid: None,
        supervisor: None,
        backend: "blocks".to_owned(),
        host: "here@blocks".to_owned(),
        conf: dir.join("cinder.conf"),
        listen: ([127, 0, 0, 1], 0).into(),
        control: dir.join("dev.sock"),
        sockets: None,
        sites: vec![site],
    }
}

fn start(sites: &mut Sites, manifest: &mut Manifest) -> oneshot::Receiver<OrderAnswer> {
    let (reply, answer) = oneshot::channel();
    let site = "site-a".to_owned();
    sites.order(Order::Start { site }, reply, manifest);
    answer
}

#[tokio::test]
async fn who_asks_before_the_loss_is_known_gets_a_new_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = manifest(dir.path());
    let (events, _happens) = mpsc::unbounded_channel();
    let mut sites = Sites::new(1, events);
    sites.start(0, &mut manifest).unwrap();
    let former = manifest.sites[0].pid;

    let mut answer = start(&mut sites, &mut manifest);
    assert_eq!(answer.try_recv().unwrap_err(), TryRecvError::Empty);
    sites.ended(0, ExitStatus::from_raw(9), &mut manifest);
    assert_eq!(answer.try_recv().unwrap_err(), TryRecvError::Empty);
    let pid = manifest.sites[0].pid;
    assert!(pid.is_some() && pid != former, "{former:?}, then {pid:?}");

    sites.answers(0, true, &manifest);
    assert_eq!(answer.try_recv().unwrap().unwrap()[0].pid, pid);
}

#[tokio::test]
async fn who_asks_while_a_site_is_being_stopped_gets_a_new_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = manifest(dir.path());
    let (events, _happens) = mpsc::unbounded_channel();
    let mut sites = Sites::new(1, events);
    sites.start(0, &mut manifest).unwrap();

    let (reply, mut stopped) = oneshot::channel();
    let site = "site-a".to_owned();
    sites.order(Order::Stop { site }, reply, &mut manifest);
    let mut answer = start(&mut sites, &mut manifest);
    sites.ended(0, ExitStatus::from_raw(0), &mut manifest);
    assert!(!stopped.try_recv().unwrap().unwrap()[0].running);
    sites.answers(0, true, &manifest);
    assert!(answer.try_recv().unwrap().unwrap()[0].running);
}

#[tokio::test]
async fn nothing_is_started_once_all_is_ending() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = manifest(dir.path());
    let (events, _happens) = mpsc::unbounded_channel();
    let mut sites = Sites::new(1, events);
    sites.start(0, &mut manifest).unwrap();

    let mut answer = start(&mut sites, &mut manifest);
    sites.expect_the_end();
    sites.ended(0, ExitStatus::from_raw(0), &mut manifest);
    assert_eq!(answer.try_recv().unwrap().unwrap_err(), "the dev is ending");
    assert!(!sites.any_runs());
}
