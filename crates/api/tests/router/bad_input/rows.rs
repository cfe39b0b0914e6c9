//! All rows of all tables, to see whether anything changed.

use firebrick_db::Db;
use sqlx::{Column as _, Row as _};

/// The tables that only the control plane's own clock changes.
const CLOCKS: [&str; 1] = ["reported_at"];

/// Every row as a text.
pub(super) async fn rows(db: &Db) -> Vec<String> {
    let connection = &mut *db.read().await.unwrap();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
    let tables = sqlx::query(tables)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    let mut found = Vec::new();
    for table in tables {
        let table: String = table.try_get(0).unwrap();
        // What is read as a text is read whatever its type.
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns = sqlx::query(&columns)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        let columns: Vec<String> = columns.iter().map(|row| row.try_get(0).unwrap()).collect();
        let columns: Vec<String> = columns
            .into_iter()
            .filter(|name| !CLOCKS.contains(&name.as_str()))
            .map(|name| format!("CAST({name} AS TEXT)"))
            .collect();
        let all = format!("SELECT {} FROM {table}", columns.join(", "));
        for row in sqlx::query(&all).fetch_all(&mut *connection).await.unwrap() {
            let cells = row.columns().iter().map(|column| {
                let cell: Option<String> = row.try_get(column.ordinal()).unwrap();
                cell.unwrap_or_default()
            });
            let cells: Vec<String> = cells.collect();
            found.push(format!("{table}: {}", cells.join(" | ")));
        }
    }
    assert!(found.len() > 3);
    found.sort();
    found
}

/// Whether activities run.
pub(super) async fn is_at_work(db: &Db) -> bool {
    let connection = &mut *db.read().await.unwrap();
    let running = sqlx::query("SELECT 1 FROM activities WHERE status = 'running'");
    running.fetch_optional(connection).await.unwrap().is_some()
}
