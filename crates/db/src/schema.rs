//! The tables, and how an older database becomes a newer one.

use sqlx::{Executor as _, Row as _};

use crate::error::{Error, ErrorKind};
use crate::open::Connection;

const DOING: &str = "bring the schema up to date";

/// Each entry takes the schema one version further. What has been released never changes.
const VERSIONS: &[&[&str]] = &[&[
    "CREATE TABLE volumes (
        id TEXT PRIMARY KEY, project TEXT NOT NULL, user_id TEXT NOT NULL,
        name TEXT, description TEXT, size BIGINT NOT NULL,
        status TEXT NOT NULL, previous_status TEXT, attach_status TEXT NOT NULL,
        migration_status TEXT, host TEXT, availability_zone TEXT NOT NULL,
        volume_type TEXT NOT NULL, snapshot TEXT, source TEXT,
        bootable BIGINT NOT NULL, readonly BIGINT, multiattach BIGINT NOT NULL,
        replication_status TEXT, service TEXT,
        created_at BIGINT NOT NULL, updated_at BIGINT, launched_at BIGINT)",
    "CREATE INDEX volumes_by_project ON volumes (project, created_at, id)",
    "CREATE INDEX volumes_by_time ON volumes (created_at, id)",
    "CREATE INDEX volumes_by_host ON volumes (host)",
    "CREATE INDEX volumes_by_type ON volumes (volume_type)",
    "CREATE TABLE snapshots (
        id TEXT PRIMARY KEY, volume TEXT NOT NULL REFERENCES volumes (id),
        project TEXT NOT NULL, user_id TEXT NOT NULL,
        name TEXT, description TEXT, size BIGINT NOT NULL, status TEXT NOT NULL,
        previous_status TEXT, progress TEXT NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT)",
    "CREATE INDEX snapshots_by_volume ON snapshots (volume)",
    "CREATE INDEX snapshots_by_project ON snapshots (project, created_at, id)",
    "CREATE TABLE attachments (
        id TEXT PRIMARY KEY, volume TEXT NOT NULL REFERENCES volumes (id),
        project TEXT NOT NULL, instance TEXT, host TEXT, mountpoint TEXT, mode TEXT NOT NULL, status TEXT NOT NULL,
        connector TEXT, connection_info TEXT, legacy BIGINT NOT NULL,
        created_at BIGINT NOT NULL, attached_at BIGINT)",
    "CREATE INDEX attachments_by_volume ON attachments (volume)",
    "CREATE TABLE types (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT,
        is_public BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT)",
    "CREATE TABLE properties (
        owner TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (owner, name))",
    "CREATE INDEX properties_by_name ON properties (name, value)",
    "CREATE TABLE services (
        id TEXT PRIMARY KEY, program TEXT NOT NULL, host TEXT NOT NULL,
        availability_zone TEXT NOT NULL, disabled BIGINT NOT NULL, disabled_reason TEXT,
        frozen BIGINT NOT NULL, replication_status TEXT NOT NULL, active_backend_id TEXT,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, reported_at BIGINT NOT NULL,
        UNIQUE (program, host))",
    "CREATE TABLE activities (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, resource TEXT NOT NULL, project TEXT NOT NULL,
        request_id TEXT NOT NULL, input TEXT NOT NULL, state TEXT NOT NULL, status TEXT NOT NULL,
        attempts BIGINT NOT NULL, owner TEXT, lease_until BIGINT NOT NULL,
        run_after BIGINT NOT NULL, error TEXT,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, finished_at BIGINT)",
    "CREATE INDEX activities_to_run ON activities (status, run_after)",
    "CREATE INDEX activities_by_resource ON activities (resource)",
], &[
    "CREATE TABLE qos_specs (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, consumer TEXT NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT)",
    "ALTER TABLE types ADD COLUMN qos_specs TEXT REFERENCES qos_specs (id)",
    "CREATE INDEX types_by_qos_specs ON types (qos_specs)",
]];

/// Takes the schema to the newest version.
pub(crate) async fn migrate(connection: &mut Connection) -> Result<(), Error> {
    take_to(connection, VERSIONS).await
}

async fn take_to(connection: &mut Connection, versions: &[&[&str]]) -> Result<(), Error> {
    let table = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";
    connection.execute(table).await.map_err(Error::sql(DOING))?;
    let row = sqlx::query("SELECT MAX(version) AS version FROM schema_version")
        .fetch_one(&mut *connection)
        .await
        .map_err(Error::sql(DOING))?;
    let found: Option<i64> = row.try_get("version").map_err(Error::sql(DOING))?;
    let found = found.unwrap_or(0).max(0) as usize;
    if found > versions.len() {
        let why = format!(
            "it has version {found}, this release knows {}",
            versions.len()
        );
        return Err(Error::new(ErrorKind::NewerSchema, DOING, why));
    }
    for (i, statements) in versions.iter().enumerate().skip(found) {
        for statement in *statements {
            connection
                .execute(*statement)
                .await
                .map_err(Error::sql(DOING))?;
        }
        sqlx::query("INSERT INTO schema_version (version) VALUES ($1)")
            .bind(i as i64 + 1)
            .execute(&mut *connection)
            .await
            .map_err(Error::sql(DOING))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use firebrick_state::QosConsumer;
    use firebrick_vocabulary::{QosId, TypeId};
    use sqlx::Connection as _;

    use super::*;
    use crate::table::qos::{self, QosSpec};
    use crate::table::types;
    use crate::time::now;

    #[tokio::test]
    async fn what_an_older_version_wrote_stays() {
        sqlx::any::install_default_drivers();
        let mut connection = Connection::connect("sqlite::memory:").await.unwrap();
        take_to(&mut connection, &VERSIONS[..1]).await.unwrap();
        let id = TypeId::random();
        let sql = "INSERT INTO types (id, name, is_public, created_at) VALUES ($1, 'old', 1, 7)";
        let insert = sqlx::query(sql).bind(id.to_string());
        insert.execute(&mut connection).await.unwrap();
        for _ in 0..2 {
            migrate(&mut connection).await.unwrap();
        }
        let mut kind = types::get(&mut connection, id).await.unwrap().unwrap();
        assert_eq!((kind.name.as_str(), kind.qos_specs), ("old", None));
        let spec = QosSpec {
            id: QosId::random(),
            name: "slow".to_owned(),
            consumer: QosConsumer::Both,
            specs: [("total_iops_sec".to_owned(), "5".to_owned())].into(),
            created_at: now(),
            updated_at: None,
        };
        qos::insert(&mut connection, &spec).await.unwrap();
        kind.qos_specs = Some(spec.id);
        types::update(&mut connection, &kind).await.unwrap();
        let of = types::of_qos(&mut connection, spec.id).await.unwrap();
        assert_eq!(of.iter().map(|kind| kind.id).collect::<Vec<_>>(), [id]);
        let found = qos::get(&mut connection, spec.id).await.unwrap().unwrap();
        assert_eq!((found.specs, found.consumer), (spec.specs, spec.consumer));
        let older = take_to(&mut connection, &VERSIONS[..1]).await.unwrap_err();
        assert_eq!(older.kind, ErrorKind::NewerSchema);
    }
}
