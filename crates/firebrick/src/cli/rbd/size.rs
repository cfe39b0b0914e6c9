//! Sizes as the `rbd` tool takes them.

use std::str::FromStr;

use firebrick_vocabulary::{BLOCK_SIZE, Bytes};

/// A size: a number of MiB, or a number with a unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Size(pub(crate) Bytes);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        bytes(text).map(|bytes| Self(Bytes(bytes)))
    }
}

/// What a text means: a number of MiB, or a number with a unit.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match &text[digits.len()..] {
        "" | "M" | "MB" | "MiB" => 20,
        "B" => 0,
        "K" | "KB" | "KiB" => 10,
        "G" | "GB" | "GiB" => 30,
        "T" | "TB" | "TiB" => 40,
        "P" | "PB" | "PiB" => 50,
        _ => {
            return Err("a size is a number of MiB, or a number with B, K, M, G or T".to_owned());
        }
    };
    let number: u64 = digits.parse().map_err(|_| "not a number".to_owned())?;
    let bytes = number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes <= 1 << 60);
    bytes.ok_or_else(|| "the largest size is 1 EiB".to_owned())
}

/// The size in whole blocks.
pub(super) fn whole_blocks(bytes: u64) -> Bytes {
    Bytes(bytes.div_ceil(BLOCK_SIZE) * BLOCK_SIZE)
}

/// A size for people as the `rbd` tool prints it: exact, or in as many digits as make no more than seven signs.
pub(super) fn human(bytes: Bytes) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut whole, mut unit) = (bytes.0, 0);
    while whole >= 1024 && unit + 1 < UNITS.len() {
        whole /= 1024;
        unit += 1;
    }
    let of_unit = 1_u64 << (10 * unit);
    if bytes.0.is_multiple_of(of_unit) {
        return format!("{whole} {}", UNITS[unit]);
    }
    let value = bytes.0 as f64 / of_unit as f64;
    let mut text = String::new();
    for digits in [2, 1, 0] {
        text = format!("{value:.digits$} {}", UNITS[unit]);
        if text.len() <= 7 {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_mebibytes_or_say_what_they_are() {
        for (text, bytes) in [
            ("1", 1 << 20),
            ("1B", 1),
            ("8K", 8192),
            ("2G", 2 << 30),
            ("1TiB", 1 << 40),
        ] {
            assert_eq!(text.parse(), Ok(Size(Bytes(bytes))), "{text}");
        }
        for text in ["", "G", "-1", "1X", "9999999999T"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_printed_as_rbd_prints_them() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1 << 20, "1 MiB"),
            (1536, "1.5 KiB"),
            (12_345_678, "12 MiB"),
            (1_140_376_220, "1.1 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(human(Bytes(bytes)), text);
        }
    }
}
