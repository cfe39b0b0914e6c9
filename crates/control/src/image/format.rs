//! The formats of images, and what in the head of a file makes it dangerous to open.

use std::fmt;

/// So many bytes of the head, and of the tail, of a file are looked at.
pub(super) const LOOK: usize = 64 << 10;

/// A format that is read, and (but for two) written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DiskFormat {
    /// The bytes of a disk. ISO images and Amazon's are just that, too.
    Raw,
    Qcow2,
    Vmdk,
    Vdi,
    /// Called `vpc` by qemu.
    Vhd,
    Vhdx,
}

impl DiskFormat {
    /// The one that the image service calls so.
    pub(crate) fn of_image(name: &str) -> Option<Self> {
        Some(match name {
            "raw" | "iso" | "ami" | "aki" | "ari" => Self::Raw,
            "qcow2" => Self::Qcow2,
            "vmdk" => Self::Vmdk,
            "vdi" => Self::Vdi,
            "vhd" => Self::Vhd,
            "vhdx" => Self::Vhdx,
            _ => return None,
        })
    }

    /// Its name in the arguments and answers of qemu.
    pub(super) const fn qemu(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::Vdi => "vdi",
            Self::Vhd => "vpc",
            Self::Vhdx => "vhdx",
        }
    }
}

impl fmt::Display for DiskFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.qemu())
    }
}

/// Whether a file that begins and ends so may be opened as `format` by a program that follows what the
/// file says of other files.
pub(super) fn inspect(
    format: DiskFormat,
    head: &[u8],
    tail: &[u8],
    vmdk_types: &[String],
) -> Result<(), String> {
    match format {
        DiskFormat::Raw => Ok(()),
        DiskFormat::Qcow2 => qcow2(head),
        DiskFormat::Vmdk => vmdk(head, vmdk_types),
        DiskFormat::Vdi => vdi(head),
        DiskFormat::Vhd => vhd(head, tail),
        DiskFormat::Vhdx => expect(head, 0, b"vhdxfile", DiskFormat::Vhdx),
    }
}

fn at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk::<N>().copied()
}

fn expect(bytes: &[u8], offset: usize, magic: &[u8], format: DiskFormat) -> Result<(), String> {
    let there = bytes
        .get(offset..)
        .is_some_and(|rest| rest.starts_with(magic));
    if there {
        Ok(())
    } else {
        Err(format!("it is not {format}, as the image service says"))
    }
}

fn short() -> String {
    "it is too short".to_owned()
}

fn qcow2(head: &[u8]) -> Result<(), String> {
    expect(head, 0, b"QFI\xfb", DiskFormat::Qcow2)?;
    let version = u32::from_be_bytes(at(head, 4).ok_or_else(short)?);
    let backing = u64::from_be_bytes(at(head, 8).ok_or_else(short)?);
    if backing != 0 {
        return Err("it has a backing file".to_owned());
    }
    match version {
        2 => Ok(()),
        3 => {
            let incompatible = u64::from_be_bytes(at(head, 72).ok_or_else(short)?);
            if incompatible & 4 != 0 {
                return Err("it has a data file".to_owned());
            }
            // Dirty and corrupt ones qemu repairs or refuses; compression is known; of others nobody knows
            // what they refer to.
            if incompatible & !0b11011 != 0 {
                return Err("it has features that are not known".to_owned());
            }
            Ok(())
        }
        other => Err(format!("it is qcow2 of version {other}")),
    }
}

/// A sparse extent with a descriptor of an allowed type inside. A descriptor alone names other files; so does
/// one in an extent that says it has no sectors, for which programs read on in the descriptor.
fn vmdk(head: &[u8], allowed: &[String]) -> Result<(), String> {
    if head.trim_ascii_start().starts_with(b"#") {
        return Err("it is a description of other files".to_owned());
    }
    expect(head, 0, b"KDMV", DiskFormat::Vmdk)?;
    let number = |offset| Some(u64::from_le_bytes(at(head, offset)?));
    let (capacity, sector, sectors) = (number(12), number(28), number(36));
    let none = || "it has no description".to_owned();
    let (capacity, sector, sectors) = (
        capacity.ok_or_else(short)?,
        sector.ok_or_else(short)?,
        sectors.ok_or_else(short)?,
    );
    if capacity == 0 || sector == 0 || sectors == 0 {
        return Err(none());
    }
    let from = usize::try_from(sector.saturating_mul(512)).map_err(|_| none())?;
    let len = usize::try_from(sectors.saturating_mul(512)).map_err(|_| none())?;
    let end = from.saturating_add(len);
    let text = head.get(from..end.min(head.len())).ok_or_else(none)?;
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if end > head.len() && text.len() == head.len() - from {
        return Err("its description is too long".to_owned());
    }
    let text = String::from_utf8_lossy(text);
    let mut kinds = text.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        let named = key.trim().eq_ignore_ascii_case("createType");
        named.then(|| value.trim().trim_matches('"').to_owned())
    });
    let kind = kinds.next().ok_or_else(none)?;
    if kinds.next().is_some() || !allowed.contains(&kind) {
        return Err(format!("createType {kind:?} is not allowed"));
    }
    let parent = text.lines().any(|line| {
        let line = line.trim_start().to_ascii_lowercase();
        line.starts_with("parentfilenamehint")
    });
    if parent {
        return Err("it has a backing file".to_owned());
    }
    Ok(())
}

fn vdi(head: &[u8]) -> Result<(), String> {
    expect(head, 0x40, &[0x7f, 0x10, 0xda, 0xbe], DiskFormat::Vdi)?;
    // Dynamic, or static; a differencing one has a parent.
    match u32::from_le_bytes(at(head, 0x4c).ok_or_else(short)?) {
        1 | 2 => Ok(()),
        _ => Err("it has a backing file".to_owned()),
    }
}

fn vhd(head: &[u8], tail: &[u8]) -> Result<(), String> {
    // A dynamic one has a copy of its footer in front, a fixed one has none.
    let tail = tail
        .get(tail.len().saturating_sub(512)..)
        .unwrap_or_default();
    let footer = if head.starts_with(b"conectix") {
        head
    } else {
        tail
    };
    expect(footer, 0, b"conectix", DiskFormat::Vhd)?;
    match u32::from_be_bytes(at(footer, 60).ok_or_else(short)?) {
        2 | 3 => Ok(()),
        _ => Err("it has a backing file".to_owned()),
    }
}

#[cfg(test)]
#[path = "tests/format.rs"]
mod tests;
