//! Heads of files that would do, and of those that name others.

use super::*;

fn allowed() -> Vec<String> {
    vec!["streamOptimized".to_owned(), "monolithicSparse".to_owned()]
}

fn seen(format: DiskFormat, head: &[u8]) -> Result<(), String> {
    inspect(format, head, head, &allowed())
}

fn qcow2_head(version: u32, backing: u64, features: u64) -> Vec<u8> {
    let mut head = b"QFI\xfb".to_vec();
    head.extend(version.to_be_bytes());
    head.extend(backing.to_be_bytes());
    head.resize(72, 0);
    head.extend(features.to_be_bytes());
    head.resize(512, 0);
    head
}

#[test]
fn a_qcow2_that_names_other_files_is_refused() {
    let see = |head: Vec<u8>| seen(DiskFormat::Qcow2, &head);
    see(qcow2_head(2, 0, 0)).unwrap();
    see(qcow2_head(3, 0, 0b11011)).unwrap();
    // Version 2 has no features.
    see(qcow2_head(2, 0, 4)).unwrap();
    assert!(see(qcow2_head(3, 104, 0)).unwrap_err().contains("backing"));
    assert!(see(qcow2_head(2, 104, 0)).unwrap_err().contains("backing"));
    assert!(see(qcow2_head(3, 0, 4)).unwrap_err().contains("data file"));
    assert!(see(qcow2_head(3, 0, 32)).unwrap_err().contains("not known"));
    assert!(see(qcow2_head(1, 0, 0)).is_err());
    assert!(see(b"QFI\xfb\0\0\0\x03".to_vec()).is_err());
    assert!(see(vec![0; 512]).is_err());
}

fn vmdk_head(capacity: u64, description: &str) -> Vec<u8> {
    let mut head = b"KDMV".to_vec();
    head.resize(12, 0);
    head.extend(capacity.to_le_bytes());
    head.resize(28, 0);
    head.extend(1_u64.to_le_bytes());
    head.extend(20_u64.to_le_bytes());
    head.resize(512, 0);
    head.extend(description.as_bytes());
    head.resize(512 + 20 * 512, 0);
    head
}

#[test]
fn a_vmdk_is_one_file_of_an_allowed_type() {
    let see = |head: &[u8]| seen(DiskFormat::Vmdk, head);
    let good = "# Disk DescriptorFile\ncreateType=\"monolithicSparse\"\n";
    see(&vmdk_head(8, good)).unwrap();
    see(&vmdk_head(8, "createType = \"streamOptimized\"\n")).unwrap();
    let flat =
        "# Disk DescriptorFile\ncreateType=\"monolithicFlat\"\nRW 1 FLAT \"/etc/shadow\" 0\n";
    assert!(see(flat.as_bytes()).is_err());
    assert!(see(format!("\n \t{flat}").as_bytes()).is_err());
    assert!(see(&vmdk_head(8, flat)).unwrap_err().contains("createType"));
    // Such a head makes programs follow the description.
    assert!(see(&vmdk_head(0, good)).is_err());
    assert!(see(&vmdk_head(8, "")).is_err());
    let twice = format!("{good}createType=\"monolithicFlat\"\n");
    assert!(see(&vmdk_head(8, &twice)).is_err());
    let child = format!("{good}parentFileNameHint=\"/etc/shadow\"\n");
    assert!(see(&vmdk_head(8, &child)).unwrap_err().contains("backing"));
    assert!(see(b"COWD").is_err());
    assert!(see(&vmdk_head(8, good)[..540]).is_err());
    let none = inspect(DiskFormat::Vmdk, &vmdk_head(8, good), &[], &[]);
    assert!(none.is_err());
}

#[test]
fn disks_that_differ_from_others_are_refused() {
    let mut vdi = vec![0; 512];
    vdi[0x40..0x44].copy_from_slice(&[0x7f, 0x10, 0xda, 0xbe]);
    for (kind, good) in [(1, true), (2, true), (4, false), (0, false)] {
        vdi[0x4c] = kind;
        assert_eq!(seen(DiskFormat::Vdi, &vdi).is_ok(), good, "{kind}");
    }
    let mut vhd = vec![0; 1024];
    for front in [0, 512] {
        vhd.fill(0);
        vhd[front..front + 8].copy_from_slice(b"conectix");
        for (kind, good) in [(2, true), (3, true), (4, false)] {
            vhd[front + 63] = kind;
            assert_eq!(seen(DiskFormat::Vhd, &vhd).is_ok(), good, "{front} {kind}");
        }
    }
    assert!(seen(DiskFormat::Vhd, b"").is_err());
    assert!(seen(DiskFormat::Vhdx, b"vhdxfile....").is_ok());
    assert!(seen(DiskFormat::Vhdx, b"QFI\xfb").is_err());
    assert!(seen(DiskFormat::Raw, b"QFI\xfb").is_ok());
}

#[test]
fn formats_are_known_by_the_names_of_the_image_service() {
    for name in ["raw", "iso", "ami", "aki", "ari"] {
        assert_eq!(DiskFormat::of_image(name), Some(DiskFormat::Raw));
    }
    assert_eq!(DiskFormat::of_image("vhd").unwrap().qemu(), "vpc");
    for name in ["ploop", "vpc", "host_device", "nbd", "", "QCOW2"] {
        assert_eq!(DiskFormat::of_image(name), None, "{name}");
    }
}
