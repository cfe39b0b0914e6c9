//! The handshake with clients of every kind.

use std::io::Cursor;

use firebrick_vocabulary::{ByteRange, Bytes};
use proptest::prelude::*;

use super::*;
use crate::device::{Device, DeviceError, DeviceWrite, Extent};

/// A device that is only described.
struct Blank(u64);

impl Device for Blank {
    fn size(&self) -> Bytes {
        Bytes(self.0)
    }
    fn is_writable(&self) -> bool {
        true
    }
    fn read(&self, _: u64, _: &mut [u8]) -> Result<(), DeviceError> {
        Err(DeviceError::Io)
    }
    fn read_cached(&self, _: u64, _: &mut [u8]) -> Result<usize, DeviceError> {
        Err(DeviceError::Io)
    }
    fn write(&self, _: &[DeviceWrite<'_>]) -> Result<(), DeviceError> {
        Err(DeviceError::Io)
    }
    fn discard(&self, _: ByteRange) -> Result<(), DeviceError> {
        Err(DeviceError::Io)
    }
    fn write_zeroes(&self, _: ByteRange) -> Result<(), DeviceError> {
        Err(DeviceError::Io)
    }
    fn flush(&self) -> Result<(), DeviceError> {
        Err(DeviceError::Io)
    }
    fn extents(&self, _: ByteRange, _: usize) -> Result<Vec<Extent>, DeviceError> {
        Err(DeviceError::Io)
    }
}

/// A client that has said everything before it listens.
struct Script {
    says: Cursor<Vec<u8>>,
    hears: Vec<u8>,
    /// How often the server turned to TLS.
    handshakes: usize,
}

impl Script {
    fn new(says: Vec<u8>) -> Self {
        Self {
            says: Cursor::new(says),
            hears: Vec::new(),
            handshakes: 0,
        }
    }
}

impl Stream for Script {
    fn start_tls(&mut self) -> io::Result<()> {
        self.handshakes += 1;
        Ok(())
    }
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.says.read(buffer)
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hears.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn registry(names: &[&str]) -> Registry {
    let registry = Registry::default();
    for (nth, name) in names.iter().enumerate() {
        registry.add(name, Export::new(Arc::new(Blank(nth as u64 + 1)), false));
    }
    registry
}

fn option(number: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"IHAVEOPT".to_vec();
    bytes.extend(number.to_be_bytes());
    bytes.extend((data.len() as u32).to_be_bytes());
    bytes.extend(data);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_text(&mut bytes, text);
    bytes
}

fn go(number: u32, name: &str, wanted: &[u16]) -> Vec<u8> {
    let mut data = text(name);
    data.extend((wanted.len() as u16).to_be_bytes());
    data.extend(wanted.iter().flat_map(|wanted| wanted.to_be_bytes()));
    option(number, &data)
}

fn meta(number: u32, name: &str, queries: &[&str]) -> Vec<u8> {
    let mut data = text(name);
    data.extend((queries.len() as u32).to_be_bytes());
    data.extend(queries.iter().flat_map(|query| text(query)));
    option(number, &data)
}

/// The kind of an answer, and its data.
type Heard = (u32, Vec<u8>);

/// What comes of `options`, and what is answered.
fn haggle(registry: &Registry, options: &[Vec<u8>]) -> (Result<Agreed, Refusal>, Vec<Heard>) {
    haggle_with(registry, options, TlsMode::Off)
}

fn haggle_with(
    registry: &Registry,
    options: &[Vec<u8>],
    mode: TlsMode,
) -> (Result<Agreed, Refusal>, Vec<Heard>) {
    let mut says = 3_u32.to_be_bytes().to_vec();
    says.extend(options.concat());
    let mut script = Script::new(says);
    let result = negotiate(&mut script, registry, mode);
    assert!(script.handshakes <= 1);
    let mut answers = Vec::new();
    let mut rest = &script.hears[18..];
    while let Some((header, more)) = rest.split_first_chunk::<20>() {
        let kind = u32::from_be_bytes(header[12..16].try_into().unwrap());
        let len = u32::from_be_bytes(header[16..].try_into().unwrap()) as usize;
        answers.push((kind, more[..len].to_vec()));
        rest = &more[len..];
    }
    (result, answers)
}

fn kinds(answers: &[Heard]) -> Vec<u32> {
    answers.iter().map(|(kind, _)| *kind).collect()
}

const ACK: u32 = Answer::Ack as u32;
const INFO: u32 = Answer::Info as u32;
const META: u32 = Answer::MetaContext as u32;
const POLICY: u32 = Answer::Policy as u32;
const TLS_REQUIRED: u32 = Answer::TlsRequired as u32;
const EXT_HEADERS: u32 = Answer::ExtendedHeaders as u32;
const UNSUPPORTED: u32 = Answer::Unsupported as u32;
const INVALID: u32 = Answer::Invalid as u32;
const UNKNOWN: u32 = Answer::Unknown as u32;
const TOO_BIG: u32 = Answer::TooBig as u32;

#[test]
fn go_describes_and_agrees() {
    let registry = registry(&["a", "b"]);
    let (agreed, answers) = haggle(&registry, &[go(7, "b", &[3, 1, 77])]);
    assert_eq!(agreed.unwrap().terms.style, ReplyStyle::Simple);
    assert_eq!(kinds(&answers), [INFO, INFO, INFO, ACK]);
    assert_eq!(answers[0].1[..10], [0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    assert_eq!(answers[1].1, b"\0\x01b");
    assert_eq!(answers[2].1, [0, 3, 0, 0, 0, 1, 0, 0, 16, 0, 4, 0, 0, 0]);
}

#[test]
fn info_agrees_to_nothing() {
    let (agreed, answers) = haggle(&registry(&["a"]), &[go(6, "a", &[])]);
    assert!(matches!(agreed, Err(Refusal::Lost(_))), "{agreed:?}");
    assert_eq!(kinds(&answers), [INFO, ACK]);
}

#[test]
fn the_empty_name_means_the_only_export() {
    let (agreed, _) = haggle(&registry(&["a"]), &[go(7, "", &[])]);
    assert!(agreed.is_ok());
    for names in [&["a", "b"][..], &[]] {
        let (agreed, answers) = haggle(&registry(names), &[go(7, "", &[]), option(2, &[])]);
        assert!(matches!(agreed, Err(Refusal::Left)), "{agreed:?}");
        assert_eq!(kinds(&answers), [UNKNOWN, ACK]);
    }
}

#[test]
fn the_old_way_has_no_answer_but_the_export() {
    let (agreed, answers) = haggle(&registry(&["a"]), &[option(1, b"a")]);
    assert!(agreed.is_ok());
    assert_eq!(answers, []);
    let (agreed, _) = haggle(&registry(&["a"]), &[option(1, b"b")]);
    assert!(matches!(agreed, Err(Refusal::Unknown)), "{agreed:?}");
    let mut script = Script::new([&1_u32.to_be_bytes()[..], &option(1, b"a")].concat());
    negotiate(&mut script, &registry(&["a"]), TlsMode::Off).unwrap();
    assert_eq!(script.hears.len(), 18 + 10 + 124);
}

#[test]
fn exports_are_listed() {
    let (_, answers) = haggle(&registry(&["a", "bc"]), &[option(3, &[]), option(3, &[0])]);
    assert_eq!(answers[0], (2, text("a")));
    assert_eq!(answers[1], (2, text("bc")));
    assert_eq!(kinds(&answers[2..]), [ACK, INVALID]);
}

#[test]
fn a_context_counts_for_the_export_it_was_chosen_for() {
    let registry = registry(&["a", "b"]);
    let structured = option(8, &[]);
    let chosen = meta(10, "a", &["x:y", "base:allocation"]);
    let (agreed, answers) = haggle(
        &registry,
        &[structured.clone(), chosen.clone(), go(7, "a", &[])],
    );
    assert!(agreed.unwrap().terms.allocation);
    assert_eq!(kinds(&answers), [ACK, META, ACK, INFO, ACK]);
    let (agreed, _) = haggle(
        &registry,
        &[structured.clone(), chosen.clone(), go(7, "b", &[])],
    );
    assert!(!agreed.unwrap().terms.allocation);
    let (agreed, answers) = haggle(
        &registry,
        &[
            structured,
            chosen.clone(),
            meta(10, "a", &["base:"]),
            go(7, "a", &[]),
        ],
    );
    assert!(!agreed.unwrap().terms.allocation);
    assert_eq!(kinds(&answers), [ACK, META, ACK, ACK, INFO, ACK]);
    let (_, answers) = haggle(&registry, &[chosen]);
    assert_eq!(kinds(&answers), [INVALID], "it needs structured replies");
}

#[test]
fn a_context_is_forgotten_when_the_next_choice_fails() {
    let chosen = meta(10, "a", &["base:allocation"]);
    let failures = [
        meta(10, "none", &["base:allocation"]),
        option(10, &vec![0; 70_000]),
        option(10, b"cut"),
        meta(10, "a", &[]),
        meta(10, "a", &["base:"]),
    ];
    for failure in failures {
        let options = [option(8, &[]), chosen.clone(), failure, go(7, "a", &[])];
        let (agreed, _) = haggle(&registry(&["a"]), &options);
        assert!(!agreed.unwrap().terms.allocation);
    }
}

#[test]
fn extended_headers_are_chosen_for_good() {
    let flags = |answers: &[Heard]| {
        let (_, info) = answers.iter().find(|(kind, _)| *kind == INFO).unwrap();
        u16::from_be_bytes(info[10..12].try_into().unwrap())
    };
    let chosen = meta(10, "a", &["base:allocation"]);
    let (agreed, answers) = haggle(
        &registry(&["a"]),
        &[
            option(11, &[0]),
            option(11, &[]),
            option(11, &[]),
            option(8, &[]),
            chosen.clone(),
            go(7, "a", &[]),
        ],
    );
    let terms = agreed.unwrap().terms;
    assert_eq!(terms.style, ReplyStyle::Extended);
    assert!(terms.allocation);
    assert_eq!(
        kinds(&answers),
        [INVALID, ACK, INVALID, EXT_HEADERS, META, ACK, INFO, ACK]
    );
    let payload = export_flag::STATUS_PAYLOAD;
    assert_ne!(flags(&answers) & payload, 0);
    for options in [
        [option(11, &[]), option(11, &[]), go(7, "a", &[])],
        [option(8, &[]), chosen, go(7, "a", &[])],
    ] {
        let (_, answers) = haggle(&registry(&["a"]), &options);
        assert_eq!(flags(&answers) & payload, 0);
        assert_ne!(flags(&answers) & export_flag::SEND_DF, 0);
    }
    let (agreed, _) = haggle(&registry(&["a"]), &[option(11, &[]), option(1, b"a")]);
    assert!(matches!(agreed, Err(Refusal::Misbehaved(_))), "{agreed:?}");
}

#[test]
fn tls_starts_once_and_forgets_what_was_agreed_before() {
    let (agreed, answers) = haggle_with(
        &registry(&["a"]),
        &[
            option(8, &[]),
            meta(10, "a", &["base:allocation"]),
            option(5, &[1]),
            option(5, &[]),
            option(5, &[]),
            go(7, "a", &[]),
        ],
        TlsMode::Allowed,
    );
    let terms = agreed.unwrap().terms;
    assert_eq!(terms.style, ReplyStyle::Simple);
    assert!(!terms.allocation);
    assert_eq!(
        kinds(&answers),
        [ACK, META, ACK, INVALID, ACK, INVALID, INFO, ACK]
    );
    let (agreed, _) = haggle_with(&registry(&["a"]), &[go(7, "a", &[])], TlsMode::Allowed);
    assert!(agreed.is_ok());
}

#[test]
fn where_tls_is_required_nothing_comes_before_it() {
    let registry = registry(&["a"]);
    let before = [
        go(6, "a", &[]),
        go(7, "a", &[]),
        go(7, "none", &[]),
        option(3, &[]),
        option(8, &[]),
        option(9, b"cut"),
        option(11, &[]),
        option(99, &[]),
        option(99, &vec![0; 70_000]),
    ];
    let mut options = before.to_vec();
    options.extend([option(5, &[]), option(99, &[]), go(7, "a", &[])]);
    let (agreed, answers) = haggle_with(&registry, &options, TlsMode::Required);
    assert!(agreed.is_ok());
    let mut expected = vec![TLS_REQUIRED; before.len()];
    expected.extend([ACK, UNSUPPORTED, INFO, ACK]);
    assert_eq!(kinds(&answers), expected);
    let (agreed, answers) = haggle_with(&registry, &[option(2, &[])], TlsMode::Required);
    assert!(matches!(agreed, Err(Refusal::Left)), "{agreed:?}");
    assert_eq!(kinds(&answers), [ACK]);
    let (agreed, _) = haggle_with(&registry, &[option(1, b"a")], TlsMode::Required);
    assert!(matches!(agreed, Err(Refusal::Plain)), "{agreed:?}");
    let options = [option(5, &[]), option(1, b"a")];
    let (agreed, _) = haggle_with(&registry, &options, TlsMode::Required);
    assert!(agreed.is_ok());
}

#[test]
fn a_client_that_knows_no_answers_may_only_choose() {
    let says = |option: &[u8]| Script::new([&0_u32.to_be_bytes()[..], option].concat());
    for mode in [TlsMode::Off, TlsMode::Allowed] {
        let registry = registry(&["a"]);
        negotiate(&mut says(&option(1, b"a")), &registry, mode).unwrap();
        for other in [go(7, "a", &[]), option(5, &[]), option(3, &[])] {
            let mut script = says(&other);
            let refused = negotiate(&mut script, &registry, mode);
            assert!(matches!(refused, Err(Refusal::Misbehaved(_))));
            assert_eq!(script.hears.len(), 18);
        }
    }
}

#[test]
fn contexts_are_listed() {
    let queries: [&[&str]; 4] = [&[], &["base:"], &["base:allocation"], &["qemu:"]];
    let mut options = vec![option(8, &[])];
    options.extend(queries.iter().map(|queries| meta(9, "a", queries)));
    options.push(meta(9, "none", &[]));
    let (_, answers) = haggle(&registry(&["a"]), &options);
    assert_eq!(
        kinds(&answers),
        [ACK, META, ACK, META, ACK, META, ACK, ACK, UNKNOWN]
    );
    assert_eq!(answers[1].1, b"\0\0\0\0base:allocation");
}

#[test]
fn what_is_not_offered_or_too_long_is_refused() {
    let (agreed, answers) = haggle(
        &registry(&["a"]),
        &[
            option(5, &[]),
            option(4, &[]),
            option(99, &[1, 2, 3]),
            option(6, &vec![0; 70_000]),
            go(6, &"x".repeat(4097), &[]),
            go(6, &"x".repeat(4096), &[]),
            option(6, &[0xff; 6]),
            option(8, &[0]),
            go(7, "a", &[]),
        ],
    );
    assert!(agreed.is_ok());
    assert_eq!(
        kinds(&answers),
        [
            POLICY,
            UNSUPPORTED,
            UNSUPPORTED,
            TOO_BIG,
            TOO_BIG,
            UNKNOWN,
            INVALID,
            INVALID,
            INFO,
            ACK
        ]
    );
}

#[test]
fn clients_that_cannot_be_understood_are_dropped() {
    let registry = registry(&["a"]);
    let mut huge = option(99, &[]);
    huge[12..16].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut bad_magic = option(3, &[]);
    bad_magic[0] = 0;
    let too_many = vec![option(99, &[]); OPTIONS_MAX + 1].concat();
    for options in [huge, bad_magic, too_many, option(1, &[0xff])] {
        let (agreed, _) = haggle(&registry, &[options]);
        assert!(matches!(agreed, Err(Refusal::Misbehaved(_))), "{agreed:?}");
    }
    let mut script = Script::new(vec![0xff; 4]);
    let agreed = negotiate(&mut script, &registry, TlsMode::Off);
    assert!(matches!(agreed, Err(Refusal::Misbehaved(_))), "{agreed:?}");
}

proptest! {
    #[test]
    fn garbage_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = negotiate(&mut Script::new(bytes), &registry(&["a"]), TlsMode::Allowed);
    }

    #[test]
    fn garbage_in_options_does_no_harm(
        options in prop::collection::vec((0_u32..13, prop::collection::vec(any::<u8>(), 0..40)), 0..20),
    ) {
        let options: Vec<_> = options.iter().map(|(number, data)| option(*number, data)).collect();
        let _ = haggle_or_export_name(&options);
    }

    #[test]
    fn options_cut_short_do_no_harm(cut in 0_usize..200, flip in 0_usize..200, to in any::<u8>()) {
        let mut bytes = [
            option(8, &[]),
            meta(10, "a", &["base:allocation", "base:"]),
            go(6, "a", &[1, 2, 3]),
            go(7, "a", &[3]),
        ]
        .concat();
        if let Some(byte) = bytes.get_mut(flip) {
            *byte = to;
        }
        bytes.truncate(cut);
        let _ = haggle_or_export_name(&[bytes]);
    }
}

fn haggle_or_export_name(options: &[Vec<u8>]) -> Result<Agreed, Refusal> {
    let mut says = 3_u32.to_be_bytes().to_vec();
    says.extend(options.concat());
    negotiate(&mut Script::new(says), &registry(&["a"]), TlsMode::Allowed)
}
