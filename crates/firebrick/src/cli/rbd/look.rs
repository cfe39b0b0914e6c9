//! `rbd ls`, `info`, `status`, `window`.

use firebrick_site::admin::{ToolImage, ToolReply, ToolRequest};
use firebrick_vocabulary::{Bytes, MIB, Role};
use serde_json::{Map, Value, json};

use super::args::{LsArgs, SpecArgs};
use super::at::{ctime, rfc3339};
use super::error::{ENOENT, failed, fault};
use super::site::{Rbd, confused};
use super::spec::{POOL, Spec, check_pool};
use super::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::Printer;

/// The unit in which the `rbd` tool thinks, in bytes.
pub(super) const OBJECT: u64 = 4 * MIB;

/// What stands for an image's id where RBD has a short one.
pub(super) fn short_id(image: &ToolImage) -> String {
    image.id.0.simple().to_string().chars().take(12).collect()
}

/// `rbd ls`
pub(super) async fn list(mut rbd: Rbd, args: &LsArgs) -> Result<(), Failure> {
    let pool = args.spec.as_deref().or(rbd.common.pool.as_deref());
    check_pool(pool.map(|pool| pool.trim_end_matches('/')))?;
    let images = rbd.images().await?;
    if !args.long {
        let names: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
        if rbd.json() {
            rbd.print_json(&names);
        } else {
            names.into_iter().for_each(Printer::line);
        }
        return Ok(());
    }
    let mut rows = Vec::new();
    let mut table = Table::new(&[
        ("NAME", Lean::Left),
        ("SIZE", Lean::Right),
        ("PARENT", Lean::Left),
        ("FMT", Lean::Right),
        ("PROT", Lean::Left),
        ("LOCK", Lean::Left),
    ]);
    for image in images {
        let parent = parent_name(&image).unwrap_or_default();
        let lock = if image.clients > 0 { "excl" } else { "" };
        let name = image.name.to_string();
        let id = short_id(&image);
        let cells = |name: String, size: Bytes, lock: &str| {
            [
                name,
                size.to_string(),
                parent.clone(),
                "2".to_owned(),
                String::new(),
                lock.to_owned(),
            ]
        };
        table.row(cells(name.clone(), image.size, lock));
        let mut row = json!({"image": name, "id": id, "size": image.size, "format": 2});
        if let Some(parent) = parent_json(&image) {
            row["parent"] = parent;
        }
        if image.clients > 0 {
            row["lock_type"] = json!("exclusive");
        }
        rows.push(row);
        if image.snapshots == 0 {
            continue;
        }
        let taken = rbd.snapshots(image.id).await;
        for taken in taken.map_err(|error| fault("list snapshots", &error))? {
            table.row(cells(format!("{name}@{}", taken.name), taken.size, ""));
            rows.push(json!({
                "image": name, "id": id, "snapshot": taken.name, "snapshot_id": taken.id,
                "size": taken.size, "format": 2, "protected": "false",
            }));
        }
    }
    if rbd.json() {
        rbd.print_json(&rows);
    } else if !table.is_empty() {
        Printer::line(&table.text());
    }
    Ok(())
}

impl Rbd {
    /// All images, by name.
    pub(super) async fn images(&mut self) -> Result<Vec<ToolImage>, Failure> {
        match self.call(ToolRequest::Images).await {
            Ok(ToolReply::Images(images)) => Ok(images),
            Ok(other) => Err(fault("listing images failed", &confused(&other))),
            Err(error) => Err(fault("listing images failed", &error)),
        }
    }
}

fn parent_name(image: &ToolImage) -> Option<String> {
    image
        .parent
        .as_ref()
        .map(|(parent, snapshot)| match snapshot {
            Some(snapshot) => format!("{POOL}/{parent}@{snapshot}"),
            None => format!("{POOL}/{parent}"),
        })
}

fn parent_json(image: &ToolImage) -> Option<Value> {
    let (parent, snapshot) = image.parent.as_ref()?;
    let snapshot = snapshot.as_ref().map_or("", |snapshot| snapshot.as_str());
    Some(json!({"pool": POOL, "image": parent, "snapshot": snapshot}))
}

/// What an image can do, in RBD's words.
fn features(image: &ToolImage) -> Vec<&'static str> {
    let mut features = vec![
        "layering",
        "exclusive-lock",
        "object-map",
        "fast-diff",
        "deep-flatten",
    ];
    if image.mirrored {
        features.push("journaling");
    }
    features
}

/// `rbd info`
pub(super) async fn info(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, args)?;
    let mut image = rbd.open(spec.image()?).await?;
    if let Some(name) = &spec.snapshot {
        let doing = format!("error setting snapshot context: {name}");
        let taken = rbd.snapshot(image.id, name).await;
        let taken = taken.map_err(|error| fault(&doing, &error))?;
        image.size = taken.ok_or_else(|| failed(&doing, ENOENT))?.size;
    }
    let protected = spec.snapshot.is_some();
    if rbd.json() {
        rbd.print_json(&info_json(&image, protected));
    } else {
        Printer::line(info_text(&image, protected).trim_end());
    }
    Ok(())
}

fn info_json(image: &ToolImage, protected: bool) -> Value {
    let id = short_id(image);
    let mut info = Map::new();
    let mut put = |key: &str, value: Value| info.insert(key.to_owned(), value);
    put("name", json!(image.name));
    put("id", json!(id));
    put("size", json!(image.size));
    put("objects", json!(image.size.0.div_ceil(OBJECT)));
    put("order", json!(22));
    put("object_size", json!(OBJECT));
    put("snapshot_count", json!(image.snapshots));
    put("block_name_prefix", json!(format!("rbd_data.{id}")));
    put("format", json!(2));
    put("features", json!(features(image)));
    put("op_features", json!([]));
    put("flags", json!([]));
    for key in ["create_timestamp", "access_timestamp", "modify_timestamp"] {
        put(key, json!(ctime(image.created)));
    }
    if protected {
        put("protected", json!("false"));
    }
    if let Some(parent) = parent_json(image) {
        put("parent", parent);
    }
    if image.mirrored {
        put("journal", json!(id));
        let mirroring = json!({
            "mode": "journal", "state": "enabled", "global_id": image.id,
            "primary": image.role == Role::Primary,
        });
        put("mirroring", mirroring);
    }
    Value::Object(info)
}

fn info_text(image: &ToolImage, protected: bool) -> String {
    let id = short_id(image);
    let mut text = format!("rbd image '{}':\n", image.name);
    let mut line = |line: String| text.extend(["\t", &line, "\n"]);
    line(format!(
        "size {} in {} objects",
        image.size,
        image.size.0.div_ceil(OBJECT)
    ));
    line("order 22 (4 MiB objects)".to_owned());
    line(format!("snapshot_count: {}", image.snapshots));
    line(format!("id: {id}"));
    line(format!("block_name_prefix: rbd_data.{id}"));
    line("format: 2".to_owned());
    line(format!("features: {}", features(image).join(", ")));
    line("op_features: ".to_owned());
    line("flags: ".to_owned());
    for key in ["create_timestamp", "access_timestamp", "modify_timestamp"] {
        line(format!("{key}: {}", ctime(image.created)));
    }
    if protected {
        line("protected: False".to_owned());
    }
    if let Some(parent) = parent_name(image) {
        line(format!("parent: {parent}"));
    }
    if image.mirrored {
        line(format!("journal: {id}"));
        line("mirroring state: enabled".to_owned());
        line("mirroring mode: journal".to_owned());
        line(format!("mirroring global id: {}", image.id));
        line(format!(
            "mirroring primary: {}",
            image.role == Role::Primary
        ));
    }
    text
}

/// `rbd status`
pub(super) async fn status(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, args)?;
    let image = rbd.open(spec.only_image()?).await?;
    let clients = 1..=u64::from(image.clients);
    if rbd.json() {
        let watcher = |client: u64| json!({"address": "nbd", "client": client, "cookie": client});
        let watchers: Vec<Value> = clients.map(watcher).collect();
        rbd.print_json(&json!({"watchers": watchers}));
    } else if image.clients == 0 {
        Printer::line("Watchers: none");
    } else {
        Printer::line("Watchers:");
        for client in clients {
            Printer::line(&format!("\twatcher=nbd client.{client} cookie={client}"));
        }
    }
    Ok(())
}

/// `firebrick rbd window`
pub(super) async fn window(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, args)?;
    let image = rbd.open(spec.only_image()?).await?;
    let window = match rbd.call(ToolRequest::Window { image: image.id }).await {
        Ok(ToolReply::Window(window)) => window,
        Ok(other) => return Err(fault("window", &confused(&other))),
        Err(error) => return Err(fault("window", &error)),
    };
    let bounds = window.map(|[oldest, newest]| [("oldest", oldest), ("newest", newest)]);
    if rbd.json() {
        let mut value = json!({"image": image.name, "oldest": null, "newest": null});
        for (bound, moment) in bounds.iter().flatten() {
            value[*bound] = json!({"position": moment.sequence, "time": rfc3339(moment.time)});
        }
        rbd.print_json(&value);
        return Ok(());
    }
    let Some(bounds) = bounds else {
        Printer::line("nothing is retained; set `retention` in site.conf");
        return Ok(());
    };
    let mut table = Table::new(&[
        ("BOUND", Lean::Left),
        ("POSITION", Lean::Right),
        ("TIME", Lean::Left),
    ]);
    for (bound, moment) in bounds {
        table.row([
            bound.to_owned(),
            moment.sequence.to_string(),
            rfc3339(moment.time),
        ]);
    }
    Printer::line(&table.text());
    Ok(())
}
