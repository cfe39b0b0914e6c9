//! `rbd journal info`, `status`.

use std::fmt::Write as _;

use firebrick_site::admin::{
    JournalClient, JournalReply, JournalRequest, JournalStatus, ToolReply,
};
use firebrick_vocabulary::Bytes;

use super::args::JournalArgs;
use super::target::Target;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::error::fault;
use crate::cli::rbd::site::{Rbd, confused};
use crate::exit::Failure;
use crate::printer::Printer;

/// `rbd journal info`
pub(super) async fn info(mut rbd: Rbd, args: &JournalArgs) -> Result<(), Failure> {
    let Target { id, settings, .. } = Target::of(&mut rbd, args).await?;
    let header = format!("journal.{id}");
    let prefix = format!("journal_data.1.{id}.");
    if rbd.structured() {
        let mut doc = Doc::map([
            ("journal_id", (&id).into()),
            ("header_oid", header.into()),
            ("object_oid_prefix", prefix.into()),
            ("order", u64::from(settings.order).into()),
            ("splay_width", settings.splay_width.into()),
        ]);
        if let Some(pool) = &settings.pool {
            doc.put("object_pool", pool);
        }
        rbd.print("journal", &doc);
        return Ok(());
    }
    let size = Bytes(1 << settings.order);
    Printer::line(&format!("rbd journal '{id}':"));
    Printer::line(&format!("\theader_oid: {header}"));
    Printer::line(&format!("\tobject_oid_prefix: {prefix}"));
    Printer::line(&format!("\torder: {} ({size} objects)", settings.order));
    Printer::line(&format!("\tsplay_width: {}", settings.splay_width));
    if let Some(pool) = &settings.pool {
        Printer::line(&format!("\tobject_pool: {pool}"));
    }
    Ok(())
}

/// `rbd journal status`
pub(super) async fn status(mut rbd: Rbd, args: &JournalArgs) -> Result<(), Failure> {
    const DOING: &str = "journal status";
    let images = Target::of(&mut rbd, args).await?.ids();
    let status = match rbd
        .journal(JournalRequest::Status { images }, DOING)
        .await?
    {
        JournalReply::Status(status) => status,
        other => return Err(fault(DOING, &confused(&ToolReply::Journal(other)))),
    };
    if rbd.structured() {
        rbd.print("status", &doc(&status));
    } else {
        Printer::line(text(&status).trim_end());
    }
    Ok(())
}

const fn state(client: &JournalClient) -> &'static str {
    if client.connected {
        "connected"
    } else {
        "disconnected"
    }
}

fn doc(status: &JournalStatus) -> Doc {
    let clients = status.clients.iter().map(|client| {
        let positions = client.position.iter().map(|(position, segment)| {
            Doc::map([
                ("object_number", u64::from(*segment).into()),
                ("tag_tid", position.epoch.0.into()),
                ("entry_tid", position.sequence.0.into()),
            ])
        });
        let positions = Doc::list("object_position", positions);
        Doc::map([
            ("id", (&client.id).into()),
            ("data", dump(client.name.as_bytes()).into()),
            (
                "commit_position",
                Doc::map([("object_positions", positions)]),
            ),
            ("state", state(client).into()),
        ])
    });
    Doc::map([
        ("minimum_set", u64::from(status.minimum_set).into()),
        ("active_set", u64::from(status.active_set).into()),
        ("registered_clients", Doc::list("client", clients)),
    ])
}

fn text(status: &JournalStatus) -> String {
    let mut text = format!(
        "minimum_set: {}\nactive_set: {}\nregistered clients: \n",
        status.minimum_set, status.active_set
    );
    for client in &status.clients {
        let position = client.position.map(|(position, segment)| {
            format!(
                "[object_number={segment}, tag_tid={}, entry_tid={}]",
                position.epoch.0, position.sequence.0
            )
        });
        _ = writeln!(
            text,
            "\t[id={}, commit_position=[positions=[{}]], state={}]",
            client.id,
            position.unwrap_or_default(),
            state(client)
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
    _ = writeln!(text, "{:08x}", bytes.len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use firebrick_vocabulary::{Epoch, Position, Sequence};

    #[test]
    fn bytes_are_dumped_as_rbd_dumps_them() {
        let bytes = [2, 1, 0x0d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let golden = "00000000  02 01 0d 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n\
                      00000010  00 00 00                                          |...|\n00000013\n";
        assert_eq!(dump(&bytes), golden);
    }

    #[test]
    fn clients_are_printed_as_rbd_prints_them() {
        let position = Position {
            epoch: Epoch(2),
            sequence: Sequence(257),
        };
        let client = |id: &str, position, connected| JournalClient {
            id: id.to_owned(),
            name: "site-b".to_owned(),
            position,
            connected,
        };
        let status = JournalStatus {
            minimum_set: 1,
            active_set: 3,
            clients: vec![
                client("", Some((position, 3)), true),
                client("bef8fa3b", None, false),
            ],
        };
        let golden = "minimum_set: 1\nactive_set: 3\nregistered clients: \n\
             \t[id=, commit_position=[positions=[[object_number=3, tag_tid=2, entry_tid=257]]], state=connected]\n\
             \t[id=bef8fa3b, commit_position=[positions=[]], state=disconnected]\n";
        assert_eq!(text(&status), golden);
        let programs = serde_json::to_value(doc(&status)).unwrap();
        let first = &programs["registered_clients"][0];
        let golden = serde_json::json!({"object_positions":
            [{"object_number": 3, "tag_tid": 2, "entry_tid": 257}]});
        assert_eq!(first["commit_position"], golden);
    }
}
