//! What `rbd` prints, byte for byte but for what a Ceph cluster has in its place.

use firebrick_site::admin::{NewPeer, PoolPeer};
use firebrick_site::{Direction, Rate, Traffic};
use firebrick_vocabulary::{Bytes, StoreId};

use super::*;

const TEXT: &str = "\
Mode: image
Site Name: site-a

Peer Sites: 

UUID: 76a5d755-3885-4197-82f2-03e06c8e60e5
Name: site-b
Mirror UUID: 9c3d6b2a-6e13-41b4-b2fe-ba93251fe031
Direction: rx-tx
Client: client.rbd-mirror-peer";

const JSON: &str = r#"{"mode":"image","site_name":"site-a","peers":[{"uuid":"76a5d755-3885-4197-82f2-03e06c8e60e5","direction":"rx-tx","site_name":"site-b","mirror_uuid":"9c3d6b2a-6e13-41b4-b2fe-ba93251fe031","client_name":"client.rbd-mirror-peer","key":"KEY","mon_host":"127.0.0.1:46799"}]}"#;

fn sample() -> PoolInfo {
    let store: StoreId = "9c3d6b2a-6e13-41b4-b2fe-ba93251fe031".parse().unwrap();
    PoolInfo {
        mode: MirrorMode::Image,
        site_name: "site-a".to_owned(),
        store,
        peers: vec![PoolPeer {
            uuid: "76a5d755-3885-4197-82f2-03e06c8e60e5".parse().unwrap(),
            peer: NewPeer {
                name: "site-b".to_owned(),
                address: "127.0.0.1:46799".to_owned(),
                fingerprint: "KEY".to_owned(),
                direction: Direction::RxTx,
                client: "client.rbd-mirror-peer".to_owned(),
                traffic: Traffic::default(),
                log_limit: None,
            },
            store: Some(store),
        }],
    }
}

#[test]
fn it_is_printed_as_rbd_prints_it() {
    assert_eq!(text(&sample(), false), TEXT);
    let all = format!("{TEXT}\nMon Host: 127.0.0.1:46799\nKey: KEY");
    assert_eq!(text(&sample(), true), all);
    let json = |all| serde_json::to_string(&document(&sample(), all)).unwrap();
    assert_eq!(json(true), JSON);
    let without = r#","key":"KEY","mon_host":"127.0.0.1:46799""#;
    assert_eq!(json(false), JSON.replace(without, ""));
}

#[test]
fn a_pool_that_is_not_mirrored_has_a_mode_alone() {
    let info = PoolInfo {
        mode: MirrorMode::Disabled,
        ..sample()
    };
    assert_eq!(text(&info, true), "Mode: disabled");
    let json = serde_json::to_string(&document(&info, true)).unwrap();
    assert_eq!(json, r#"{"mode":"disabled"}"#);
}

#[test]
fn what_may_go_to_a_peer_is_printed_where_that_is_not_all() {
    let mut info = sample();
    info.peers[0].peer.traffic = Traffic {
        bandwidth: Rate::of(10 << 20).unwrap(),
        quiet_hours: "22:00-06:00".parse().unwrap(),
        quiet_bandwidth: Rate::NOTHING,
        compression: Compression::Lz4,
    };
    info.peers[0].peer.log_limit = Some(Bytes(2 << 30));
    let printed = text(&info, true);
    let all = "\nKey: KEY\nBandwidth: 10 MiB a second\nQuiet Hours: 22:00-06:00 UTC\nQuiet Bandwidth: nothing\nCompression: lz4\nLog Limit: 2 GiB";
    assert!(printed.ends_with(all), "{printed}");
    assert_eq!(text(&info, false), TEXT);
    let json = serde_json::to_string(&document(&info, true)).unwrap();
    let all = r#""bandwidth":10485760,"quiet_hours":"22:00-06:00","quiet_bandwidth":0,"compression":"lz4","log_limit":2147483648}]}"#;
    assert!(json.ends_with(all), "{json}");
}
