//! What `site.conf` may say, by example.

use firebrick_export::TlsMode;

use super::*;

const GOOD: &str = "[site]\nname = site-a\ndir = store\nadmin = unix:///run/a.admin\nnbd_socket = a.nbd\nnbd_port = 10809\nmirror_listen = 127.0.0.1:0\nsegment_size = 16MiB\n[peer site-b]\naddress = 127.0.0.1:10909\nfingerprint = FP\n";

fn conf(text: &str) -> Result<SiteConf, String> {
    let text = text.replace("FP", &"ab".repeat(32));
    let file = ConfigFile::parse(Path::new("/srv/site.conf"), &text).unwrap();
    SiteConf::from_file(&file).map_err(|error| error.to_string())
}

#[test]
fn a_small_capacity_has_small_segments() {
    let default = |capacity: u64| store::segment_size(Some(Bytes(capacity)));
    assert_eq!(store::segment_size(None), 64 * MIB);
    assert_eq!(default(16 * MIB), MIB);
    assert_eq!(default(GIB), 8 * MIB);
    assert_eq!(default(5 * GIB), 32 * MIB);
    assert_eq!(default(1024 * GIB), 64 * MIB);
}

#[test]
fn a_whole_file_is_understood() {
    let conf = conf(GOOD).unwrap();
    assert_eq!(conf.name, "site-a");
    assert_eq!(conf.dir, Path::new("/srv/store"));
    assert_eq!(conf.admin, Path::new("/run/a.admin"));
    assert_eq!(conf.nbd_socket, Path::new("/srv/a.nbd"));
    assert_eq!(conf.nbd_listen.unwrap().port(), 10809);
    assert_eq!(conf.segment_size, Bytes(16 * MIB));
    assert_eq!(conf.peers.len(), 1);
    assert_eq!(conf.peers[0].name, "site-b");
}

#[test]
fn how_much_may_go_to_a_peer_is_any_amount_unless_it_says_so() {
    assert_eq!(conf(GOOD).unwrap().peers[0].traffic, Traffic::default());
    let text = format!(
        "{GOOD}bandwidth = 10MiB\nquiet_hours = 22:00-06:00\nquiet_bandwidth = unlimited\ncompression = lz4\n"
    );
    let traffic = conf(&text).unwrap().peers.remove(0).traffic;
    assert_eq!(traffic.bandwidth.bytes(), Some(10 * MIB));
    assert_eq!(traffic.quiet_hours.to_string(), "22:00-06:00");
    assert_eq!(traffic.quiet_bandwidth.bytes(), None);
    assert_eq!(traffic.compression, firebrick_mirror::Compression::Lz4);
}

#[test]
fn wrong_values_name_line_option_and_reason() {
    let cases = [
        (
            "nbd_port = 10809",
            "nbd_port = x",
            "/srv/site.conf:6: [site] nbd_port: \"x\" is not a port number",
        ),
        (
            "nbd_port = 10809",
            "nbd_listen = 0.0.0.0:1",
            "/srv/site.conf:6: [site] nbd_listen: 0.0.0.0 is not a loopback address; set nbd_tls = required, or nbd_insecure = true to serve in clear text",
        ),
        (
            "segment_size = 16MiB",
            "segment_size = 16 bricks",
            "/srv/site.conf:8: [site] segment_size: \"16 bricks\" is not a size such as 64MiB",
        ),
        (
            "segment_size = 16MiB",
            "segment_size = 1",
            "/srv/site.conf:8: [site] segment_size: 1 is not between 1 MiB and 1 GiB",
        ),
        (
            "fingerprint = FP",
            "fingerprint = 12",
            "/srv/site.conf:11: [peer site-b] fingerprint: must be the 64 hexadecimal digits that `firebrick site fingerprint` prints",
        ),
        (
            "fingerprint = FP",
            "fingerprint = FP\nbandwidth = 100",
            "/srv/site.conf:12: [peer site-b] bandwidth: 100 must be at least 1 KiB a second, 0 for nothing, or unlimited",
        ),
        (
            "fingerprint = FP",
            "fingerprint = FP\nquiet_hours = 22-06",
            "/srv/site.conf:12: [peer site-b] quiet_hours: \"22-06\" must be times of the day in UTC such as 22:00-06:00, 12:00-13:00",
        ),
        (
            "fingerprint = FP",
            "fingerprint = FP\ncompression = gzip",
            "/srv/site.conf:12: [peer site-b] compression: \"gzip\" must be none or lz4",
        ),
        (
            "name = site-a",
            "",
            "/srv/site.conf:1: [site] name: is missing",
        ),
        (
            "nbd_port = 10809",
            "export_address = smoke",
            "/srv/site.conf:6: [site] export_address: \"smoke\" is neither unix nor tcp",
        ),
    ];
    for (from, to, expected) in cases {
        assert_eq!(conf(&GOOD.replace(from, to)).unwrap_err(), expected);
    }
}

#[test]
fn a_socket_path_that_no_socket_can_have_is_refused() {
    let text = GOOD.replace("a.nbd", &"x".repeat(120));
    assert!(
        conf(&text)
            .unwrap_err()
            .contains("a Unix socket allows 107")
    );
}

const CERTIFIED: &str = "nbd_certificate = c.pem\nnbd_key = /etc/k.pem\n";

/// What becomes of `GOOD` with these lines for TCP.
fn tcp(lines: &str) -> Result<SiteConf, String> {
    conf(&GOOD.replace("nbd_port = 10809\n", lines))
}

#[test]
fn tls_is_off_allowed_or_required() {
    assert_eq!(tcp("").unwrap().nbd_security, NbdSecurity::default());
    let required = tcp(&format!(
        "nbd_tls = required\n{CERTIFIED}nbd_client_ca = ca.pem\nnbd_listen = 0.0.0.0:1\n\
         nbd_advertise = a.example\nexport_address = tcp\n"
    ))
    .unwrap();
    assert_eq!(required.nbd_security.mode, TlsMode::Required);
    let files = required.nbd_security.files.unwrap();
    assert_eq!(files.certificate, Path::new("/srv/c.pem"));
    assert_eq!(files.key, Path::new("/etc/k.pem"));
    assert_eq!(files.client_ca.as_deref(), Some(Path::new("/srv/ca.pem")));
    let insecure = tcp("nbd_listen = 0.0.0.0:1\nnbd_insecure = true\n").unwrap();
    assert!(insecure.nbd_security.insecure);
}

#[test]
fn what_does_not_protect_is_refused() {
    let cases = [
        (
            "nbd_tls = maybe\n",
            "nbd_tls: \"maybe\" is neither off, allowed nor required",
        ),
        ("nbd_tls = required\n", "nbd_tls: needs nbd_certificate"),
        (
            "nbd_tls = allowed\nnbd_certificate = c\n",
            "nbd_tls: needs nbd_key",
        ),
        (
            "nbd_client_ca = ca\n",
            "nbd_client_ca: nbd_tls is off; set it to allowed or required",
        ),
        (
            &format!("nbd_tls = allowed\n{CERTIFIED}nbd_listen = 192.0.2.1:1\n"),
            "nbd_listen: 192.0.2.1 is not a loopback address; set nbd_tls = required, or \
             nbd_insecure = true to serve in clear text",
        ),
        (
            &format!("nbd_tls = required\n{CERTIFIED}nbd_listen = [::]:1\nexport_address = tcp\n"),
            "export_address: nobody can connect to ::; set nbd_advertise",
        ),
        (
            "export_address = tcp\n",
            "export_address: tcp needs nbd_listen or nbd_port",
        ),
        (
            "nbd_advertise = a/b\n",
            "nbd_advertise: \"a/b\" is not a host, or a host and port, such as \
             blocks.example.org:10809",
        ),
    ];
    for (lines, expected) in cases {
        let refused = tcp(lines).unwrap_err();
        assert!(refused.ends_with(expected), "{refused}");
    }
}
