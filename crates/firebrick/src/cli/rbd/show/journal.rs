//! `journal info`, `status`.

use std::fmt::Write as _;

use firebrick_vocabulary::Bytes;

use crate::cli::rbd::args::Common;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::size::human;
use crate::printer::Printer;

/// What is kept of a journal.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) struct Journal {
    /// Its id, which is that of its image.
    pub(in crate::cli::rbd) id: String,
    /// With what the names of the objects begin that have its entries.
    pub(in crate::cli::rbd) prefix: String,
    /// The binary logarithm of the size of these.
    pub(in crate::cli::rbd) order: u8,
    /// Over how many of these entries are spread.
    pub(in crate::cli::rbd) splay_width: u64,
    /// The pool of these, where that is another one.
    pub(in crate::cli::rbd) pool: Option<String>,
}

/// From where to where it reaches, and who reads it.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) struct Status {
    pub(in crate::cli::rbd) minimum_set: u64,
    pub(in crate::cli::rbd) active_set: u64,
    pub(in crate::cli::rbd) clients: Vec<Client>,
}

/// Somebody who reads a journal.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) struct Client {
    /// Empty for the image itself.
    pub(in crate::cli::rbd) id: String,
    /// What they keep there.
    pub(in crate::cli::rbd) data: Vec<u8>,
    /// What they have: an object, a tag and an entry of it each.
    pub(in crate::cli::rbd) positions: Vec<[u64; 3]>,
    pub(in crate::cli::rbd) connected: bool,
}

impl Client {
    const fn state(&self) -> &'static str {
        if self.connected {
            "connected"
        } else {
            "disconnected"
        }
    }
}

/// `rbd journal info`
pub(in crate::cli::rbd) fn info(common: &Common, journal: &Journal) {
    let Journal { id, prefix, .. } = journal;
    let header = format!("journal.{id}");
    let order = u64::from(journal.order);
    if common.structured() {
        let mut doc = Doc::map([
            ("journal_id", id.into()),
            ("header_oid", header.into()),
            ("object_oid_prefix", prefix.into()),
            ("order", order.into()),
            ("splay_width", journal.splay_width.into()),
        ]);
        if let Some(pool) = &journal.pool {
            doc.put("object_pool", pool);
        }
        common.print("journal", &doc);
        return;
    }
    let size = human(Bytes(1_u64.checked_shl(order as u32).unwrap_or(0)));
    Printer::line(&format!("rbd journal '{id}':"));
    Printer::line(&format!("\theader_oid: {header}"));
    Printer::line(&format!("\tobject_oid_prefix: {prefix}"));
    Printer::line(&format!("\torder: {order} ({size} objects)"));
    Printer::line(&format!("\tsplay_width: {}", journal.splay_width));
    if let Some(pool) = &journal.pool {
        Printer::line(&format!("\tobject_pool: {pool}"));
    }
}

/// `rbd journal status`
pub(in crate::cli::rbd) fn status(common: &Common, status: &Status) {
    if common.structured() {
        common.print("status", &doc(status));
    } else {
        Printer::text(&text(status));
    }
}

fn doc(status: &Status) -> Doc {
    let clients = status.clients.iter().map(|client| {
        let positions = client.positions.iter().map(|[object, tag, entry]| {
            Doc::map([
                ("object_number", (*object).into()),
                ("tag_tid", (*tag).into()),
                ("entry_tid", (*entry).into()),
            ])
        });
        let positions = Doc::list("object_position", positions);
        Doc::map([
            ("id", (&client.id).into()),
            ("data", dump(&client.data).into()),
            (
                "commit_position",
                Doc::map([("object_positions", positions)]),
            ),
            ("state", client.state().into()),
        ])
    });
    Doc::map([
        ("minimum_set", status.minimum_set.into()),
        ("active_set", status.active_set.into()),
        ("registered_clients", Doc::list("client", clients)),
    ])
}

fn text(status: &Status) -> String {
    let mut text = format!(
        "minimum_set: {}\nactive_set: {}\nregistered clients: \n",
        status.minimum_set, status.active_set
    );
    for client in &status.clients {
        let position = |[object, tag, entry]: &[u64; 3]| {
            format!("[object_number={object}, tag_tid={tag}, entry_tid={entry}]")
        };
        let positions: Vec<String> = client.positions.iter().map(position).collect();
        _ = writeln!(
            text,
            "\t[id={}, commit_position=[positions=[{}]], state={}]",
            client.id,
            positions.join(", "),
            client.state()
        );
    }
    text
}

/// Bytes as the `rbd` tool dumps them.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (i, line) in bytes.chunks(16).enumerate() {
        let hex = |half: &[u8]| {
            half.iter().fold(String::new(), |mut hex, byte| {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02x} ");
                hex
            })
        };
        let (left, right) = line.split_at(line.len().min(8));
        let shown = |byte: &u8| {
            if byte.is_ascii_graphic() || *byte == b' ' {
                char::from(*byte)
            } else {
                '.'
            }
        };
        let shown: String = line.iter().map(shown).collect();
        _ = writeln!(
            text,
            "{:08x}  {:<24} {:<24} |{shown}|",
            i * 16,
            hex(left),
            hex(right)
        );
    }
    // Of nothing, there is nothing to say.
    if !bytes.is_empty() {
        _ = writeln!(text, "{:08x}", bytes.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_dumped_as_rbd_dumps_them() {
        let bytes = [2, 1, 0x0d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let golden = "00000000  02 01 0d 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n\
                      00000010  00 00 00                                          |...|\n00000013\n";
        assert_eq!(dump(&bytes), golden);
        assert_eq!(dump(&[]), "");
    }

    #[test]
    fn clients_are_printed_as_rbd_prints_them() {
        let client = |id: &str, positions: &[[u64; 3]], connected| Client {
            id: id.to_owned(),
            data: b"site-b".to_vec(),
            positions: positions.to_vec(),
            connected,
        };
        let status = Status {
            minimum_set: 1,
            active_set: 3,
            clients: vec![
                client("", &[[3, 2, 257], [2, 2, 256]], true),
                client("bef8fa3b", &[], false),
            ],
        };
        let golden = "minimum_set: 1\nactive_set: 3\nregistered clients: \n\
             \t[id=, commit_position=[positions=[[object_number=3, tag_tid=2, entry_tid=257], \
             [object_number=2, tag_tid=2, entry_tid=256]]], state=connected]\n\
             \t[id=bef8fa3b, commit_position=[positions=[]], state=disconnected]\n";
        assert_eq!(text(&status), golden);
        let programs = serde_json::to_value(doc(&status)).unwrap();
        let first = &programs["registered_clients"][0];
        let golden = serde_json::json!({"object_positions": [
            {"object_number": 3, "tag_tid": 2, "entry_tid": 257},
            {"object_number": 2, "tag_tid": 2, "entry_tid": 256}]});
        assert_eq!(first["commit_position"], golden);
    }
}
