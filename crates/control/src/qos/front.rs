//! What the host of an attachment is told.

use firebrick_db::{Connection, QosSpec, Volume, qos, types};
use serde_json::{Map, Value};

use crate::error::Result;

/// The limits that Cinder scales by the size of a volume.
const SCALED: [&str; 6] = [
    "read_iops_sec",
    "read_bytes_sec",
    "write_iops_sec",
    "write_bytes_sec",
    "total_iops_sec",
    "total_bytes_sec",
];

/// The QoS spec of the volume's type.
pub(crate) async fn spec_of(
    connection: &mut Connection,
    volume: &Volume,
) -> Result<Option<QosSpec>> {
    let kind = types::get(connection, volume.volume_type).await?;
    let Some(id) = kind.and_then(|kind| kind.qos_specs) else {
        return Ok(None);
    };
    Ok(qos::get(connection, id).await?)
}

/// `qos_specs` in `connection_info`: null where hosts have nothing to do.
pub(crate) async fn for_host(connection: &mut Connection, volume: &Volume) -> Result<Value> {
    let spec = spec_of(connection, volume).await?;
    let spec = spec.filter(|spec| spec.consumer.has_front_end());
    Ok(spec.map_or(Value::Null, |spec| expanded(&spec, volume.size)))
}

/// The keys and values, with what is said for each GiB worked out.
fn expanded(spec: &QosSpec, size: u32) -> Value {
    let mut specs: Map<String, Value> = spec
        .specs
        .iter()
        .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
        .collect();
    for key in SCALED {
        let [each_key, least_key, most_key] =
            ["per_gb", "per_gb_min", "max"].map(|end| format!("{key}_{end}"));
        let number = |key: &str| spec.specs.get(key)?.trim().parse::<u64>().ok();
        // What is no number is for somebody else to understand.
        let Some(each) = number(&each_key) else {
            continue;
        };
        let least = number(&least_key).unwrap_or(0);
        let most = number(&most_key).unwrap_or(u64::MAX);
        let whole = each.saturating_mul(u64::from(size)).max(least).min(most);
        for used in [each_key, least_key, most_key] {
            specs.remove(&used);
        }
        specs.insert(key.to_owned(), Value::from(whole));
    }
    Value::Object(specs)
}

#[cfg(test)]
mod tests {
    use firebrick_db::now;
    use firebrick_state::QosConsumer;
    use firebrick_vocabulary::QosId;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_for_each_gib_is_worked_out() {
        let specs = [
            ("read_iops_sec_per_gb", "10"),
            ("read_iops_sec_per_gb_min", "50"),
            ("read_iops_sec_max", "100"),
            ("write_bytes_sec_per_gb", "x"),
            ("total_iops_sec", "7"),
            ("total_iops_sec_max", "9"),
        ];
        let spec = QosSpec {
            id: QosId::random(),
            name: "q".to_owned(),
            consumer: QosConsumer::FrontEnd,
            specs: specs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            created_at: now(),
            updated_at: None,
        };
        for (size, expected) in [(1, 50), (7, 70), (20, 100)] {
            assert_eq!(
                expanded(&spec, size),
                json!({
                    "read_iops_sec": expected,
                    "write_bytes_sec_per_gb": "x",
                    "total_iops_sec": "7",
                    "total_iops_sec_max": "9",
                })
            );
        }
    }
}
