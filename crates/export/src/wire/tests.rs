//! Headers, byte by byte.

use super::*;

const STYLES: [ReplyStyle; 3] = [
    ReplyStyle::Simple,
    ReplyStyle::Structured,
    ReplyStyle::Extended,
];

const TAG: Tag = Tag {
    cookie: 9,
    offset: 16,
};

fn request(command: Command, flags: u16, len: u64) -> Request {
    Request {
        flags,
        command,
        cookie: 9,
        offset: 16,
        len,
    }
}

#[test]
fn requests_are_read_as_the_protocol_writes_them() {
    for style in STYLES {
        let mut bytes = style.request_magic().to_be_bytes().to_vec();
        bytes.extend([0, 1, 0, 6]);
        bytes.extend(9_u64.to_be_bytes());
        bytes.extend(16_u64.to_be_bytes());
        match style {
            ReplyStyle::Extended => bytes.extend(32_u64.to_be_bytes()),
            ReplyStyle::Simple | ReplyStyle::Structured => bytes.extend(32_u32.to_be_bytes()),
        }
        assert_eq!(bytes.len(), style.request_len());
        let decoded = Request::decode(style, &bytes).unwrap();
        assert_eq!(decoded, request(Command::WriteZeroes, 1, 32));
        assert!(decoded.fits(48) && !decoded.fits(47));
        bytes[0] = 0;
        assert_eq!(Request::decode(style, &bytes), None);
    }
}

#[test]
fn a_range_that_wraps_does_not_fit() {
    let mut wraps = request(Command::Read, 0, 1);
    wraps.offset = u64::MAX;
    assert!(!wraps.fits(u64::MAX));
    wraps.len = u64::MAX;
    assert!(!wraps.fits(u64::MAX));
}

#[test]
fn what_follows_a_header_depends_on_style_and_flag() {
    use command_flag::PAYLOAD;
    for style in [ReplyStyle::Simple, ReplyStyle::Structured] {
        assert_eq!(request(Command::Write, 0, 5).payload(style), 5);
        assert_eq!(request(Command::Trim, PAYLOAD, 5).payload(style), 0);
    }
    let style = ReplyStyle::Extended;
    assert_eq!(request(Command::Write, 0, 5).payload(style), 5);
    assert_eq!(request(Command::Trim, 0, 5).payload(style), 0);
    assert_eq!(request(Command::Write, PAYLOAD, 5).payload(style), 5);
    assert_eq!(request(Command::Other, PAYLOAD, 5).payload(style), 5);
}

#[test]
fn flags_belong_to_commands() {
    use command_flag::{DF, FAST_ZERO, FUA, NO_HOLE, PAYLOAD, REQ_ONE};
    let fits = |command, flags, style| request(command, flags, 1).has_fit_flags(style);
    for style in STYLES {
        let extended = style == ReplyStyle::Extended;
        assert_eq!(fits(Command::Read, DF, style), style.has_chunks());
        assert!(fits(Command::Read, FUA, style));
        assert!(fits(Command::Write, FUA, style));
        assert_eq!(fits(Command::Write, FUA | PAYLOAD, style), extended);
        assert_eq!(fits(Command::BlockStatus, PAYLOAD, style), extended);
        assert!(fits(Command::BlockStatus, REQ_ONE, style));
        assert!(fits(Command::WriteZeroes, FUA | NO_HOLE | FAST_ZERO, style));
        assert!(!fits(Command::Trim, NO_HOLE, style));
        assert!(!fits(Command::Trim, PAYLOAD, style));
        assert!(!fits(Command::Cache, 1 << 9, style));
        assert!(!fits(Command::Flush, DF, style));
    }
}

#[test]
fn replies_have_the_lengths_they_claim() {
    for style in STYLES {
        let done = Head::done(style, TAG);
        let (fixed, chunk) = match style {
            ReplyStyle::Simple | ReplyStyle::Structured => (16, 20),
            ReplyStyle::Extended => (32, 32),
        };
        assert_eq!(done.bytes().len(), fixed);
        assert_eq!(done.bytes()[8..16], TAG.cookie.to_be_bytes());
        if style == ReplyStyle::Simple {
            let failed = Head::failed(style, TAG, Errno::NoSpace);
            assert_eq!(failed.bytes()[4..8], 28_u32.to_be_bytes());
            assert_eq!(Head::read(style, TAG, 5).bytes(), done.bytes());
            continue;
        }
        let claimed = |head: &Head| {
            let length = &head.bytes()[chunk - 4..chunk];
            u32::from_be_bytes(length.try_into().unwrap()) as usize
        };
        let failed = Head::failed(style, TAG, Errno::Io);
        assert_eq!(failed.bytes().len(), chunk + claimed(&failed));
        let hole = Head::hole(style, TAG, 3);
        assert_eq!(hole.bytes().len(), chunk + claimed(&hole));
        let read = Head::read(style, TAG, 3);
        assert_eq!(read.bytes().len() + 3, chunk + claimed(&read));
        assert_eq!(claimed(&Head::read(style, TAG, 0)), 0);
        let status = Head::status(style, TAG, 2);
        let expected = chunk + claimed(&status);
        assert_eq!(status.bytes().len() + 2 * extent_len(style), expected);
    }
    let extended = Head::hole(ReplyStyle::Extended, TAG, 3);
    assert_eq!(extended.bytes()[16..24], TAG.offset.to_be_bytes());
}
