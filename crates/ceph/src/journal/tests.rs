//! Keys as Ceph 16.2 writes them.

use super::*;

/// A mirror UUID.
const PEER: &str = "2f017b8e-df27-4dc5-b8fd-75e60b5630ff";

fn structure(inner: &[u8]) -> Vec<u8> {
    [&[1, 1], &(inner.len() as u32).to_le_bytes()[..], inner].concat()
}

fn text(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes()[..], text].concat()
}

/// A tag whose predecessor nobody looks at.
fn tag_of(number: u64, owner: &str) -> (String, Vec<u8>) {
    tag_behind(number, owner, "")
}

fn tag_behind(number: u64, owner: &str, before: &str) -> (String, Vec<u8>) {
    let predecessor = [text(before.as_bytes()), vec![1], vec![0; 16]].concat();
    let data = text(&[text(owner.as_bytes()), predecessor].concat());
    let inner = [number.to_le_bytes().to_vec(), vec![0; 8], data].concat();
    (format!("tag_{number:016x}"), structure(&inner))
}

fn client_of(id: &str, tags: &[u64], state: u8) -> (String, Vec<u8>) {
    let position = |tag: &u64| structure(&[[0; 8], tag.to_le_bytes(), [0; 8]].concat());
    let positions: Vec<u8> = tags.iter().flat_map(position).collect();
    let positions = [&(tags.len() as u32).to_le_bytes()[..], &positions].concat();
    let inner = [
        text(id.as_bytes()),
        text(b"data"),
        structure(&positions),
        vec![state],
    ];
    (format!("client_{id}"), structure(&inner.concat()))
}

fn journal(clients: &[(String, Vec<u8>)], tags: &[(String, Vec<u8>)]) -> Journal {
    let clients = clients.iter().cloned().collect();
    Journal::read(&clients, &tags.iter().cloned().collect()).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[test]
fn what_a_cluster_wrote_is_read() {
    let registered = "0101a00000002400000032663031376238652d646632372d346463352d623866642d3735653630623536333066 \
        662d000000020127000000010000000b0000003130316332643764396236010000000000000000000000000000 \
        000000000001014000000002000000010118000000010000000000000006000000000000000100000000000000 \
        01011800000000000000000000000600000000000000000000000000000000"
        .replace(' ', "");
    assert_eq!(reader(&hex(&registered)), Some((true, Some(6))));
    let orphan = "0101590000000400000000000000000000000000000045000000080000003c6f727068616e3e2400000\
        032663031376238652d646632372d346463352d623866642d3735653630623536333066660103000000000000000100\
        000000000000"
        .replace(' ', "");
    let read = tag(&hex(&orphan)).unwrap();
    assert_eq!(
        (read.number, read.owner, read.first),
        (4, Owner::Nobody, false)
    );
    let followed = "01017500000003000000000000000000000000000000610000002400000032663031376238652d6466\
        32372d346463352d623866642d3735653630623536333066662400000032663031376238652d646632372d346463352\
        d623866642d3735653630623536333066660102000000000000004100000000000000"
        .replace(' ', "");
    let read = tag(&hex(&followed)).unwrap();
    assert_eq!((read.number, read.owner), (3, Owner::Peer(PEER.to_owned())));
}

#[test]
fn a_reader_has_read_of_a_promotion_once_it_has_committed_that_tag() {
    let tags = [
        tag_of(3, PEER),
        tag_of(4, NOBODY),
        tag_of(5, ""),
        tag_of(16, ""),
    ];
    let at = |committed: &[u64]| {
        journal(
            &[client_of("", &[16], 0), client_of(PEER, committed, 0)],
            &tags,
        )
    };
    let early = at(&[]);
    assert_eq!(early.owner(), &Owner::Own);
    assert_eq!(early.unregistered(&[PEER.to_owned()]), None);
    assert!(early.has_stragglers());
    assert!(at(&[4, 3]).has_stragglers());
    assert!(!at(&[5]).has_stragglers());
    assert!(!at(&[16, 5]).has_stragglers());
    // It was never anything else.
    let own = journal(&[client_of(PEER, &[], 0)], &tags[2..]);
    assert!(!own.has_stragglers());
    assert!(!journal(&[client_of(PEER, &[], 0)], &tags[..2]).has_stragglers());
}

#[test]
fn a_copy_that_has_replayed_nothing_is_fresh() {
    let made = tag_of(0, PEER);
    let replayed = tag_behind(1, PEER, PEER);
    assert!(journal(&[], std::slice::from_ref(&made)).is_fresh());
    assert!(!journal(&[], &[made.clone(), replayed]).is_fresh());
    assert!(!journal(&[], &[made, tag_behind(1, NOBODY, PEER)]).is_fresh());
    assert!(!journal(&[], &[tag_of(0, "")]).is_fresh());
}

#[test]
fn who_is_shut_out_is_not_registered() {
    let tags = [tag_of(1, PEER), tag_of(2, NOBODY)];
    let peers = [PEER.to_owned()];
    let clients = [client_of("", &[], 0), client_of(PEER, &[1], 1)];
    let journal_of_demoted = journal(&clients, &tags);
    assert_eq!(journal_of_demoted.owner(), &Owner::Nobody);
    assert_eq!(journal_of_demoted.unregistered(&peers), Some(&peers[0]));
    assert_eq!(
        journal(&clients[..1], &tags).unregistered(&peers),
        Some(&peers[0])
    );
}

#[test]
fn bytes_that_end_early_are_no_journal() {
    let whole = tag_of(7, PEER).1;
    for len in 0..whole.len() - 20 {
        assert_eq!(tag(&whole[..len]), None, "{len}");
    }
    let whole = client_of(PEER, &[1, 2], 0).1;
    for len in 0..whole.len() {
        assert_eq!(reader(&whole[..len]), None, "{len}");
    }
    assert_eq!(Journal::read(&BTreeMap::new(), &BTreeMap::new()), None);
}
