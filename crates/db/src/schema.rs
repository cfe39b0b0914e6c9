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
], &[
    "ALTER TABLE volumes ADD COLUMN image TEXT",
    "ALTER TABLE volumes ADD COLUMN shown TEXT",
    "ALTER TABLE volumes ADD COLUMN group_id TEXT",
    "ALTER TABLE volumes ADD COLUMN encryption_key TEXT",
    "ALTER TABLE volumes ADD COLUMN consumes_quota BIGINT NOT NULL DEFAULT 1",
    "ALTER TABLE volumes ADD COLUMN metadata TEXT",
    "ALTER TABLE volumes ADD COLUMN provider_id TEXT",
    "ALTER TABLE volumes ADD COLUMN cluster TEXT",
    "ALTER TABLE volumes ADD COLUMN is_migration_target BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX volumes_by_project_and_type ON volumes (project, volume_type)",
    "CREATE INDEX volumes_by_group ON volumes (group_id)",
    "ALTER TABLE snapshots ADD COLUMN group_snapshot TEXT",
    "ALTER TABLE snapshots ADD COLUMN backend_name TEXT",
    "ALTER TABLE snapshots ADD COLUMN consumes_quota BIGINT NOT NULL DEFAULT 1",
    "ALTER TABLE snapshots ADD COLUMN encryption_key TEXT",
    "CREATE INDEX snapshots_by_group_snapshot ON snapshots (group_snapshot)",
    "CREATE INDEX snapshots_by_time ON snapshots (created_at, id)",
    "ALTER TABLE services ADD COLUMN cluster TEXT",
    "ALTER TABLE attachments ADD COLUMN detached_at BIGINT",
    "ALTER TABLE attachments ADD COLUMN updated_at BIGINT",
    "CREATE INDEX attachments_by_project ON attachments (project, created_at, id)",
    "CREATE INDEX attachments_by_time ON attachments (created_at, id)",
    "ALTER TABLE activities ADD COLUMN phase TEXT",
    "ALTER TABLE activities ADD COLUMN done BIGINT",
    "ALTER TABLE activities ADD COLUMN total BIGINT",
    "ALTER TABLE activities ADD COLUMN cancel BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE activities ADD COLUMN node TEXT",
    "ALTER TABLE activities ADD COLUMN volume TEXT",
    "ALTER TABLE activities ADD COLUMN user_id TEXT",
    "ALTER TABLE activities ADD COLUMN parent TEXT",
    "CREATE INDEX activities_by_project ON activities (project, created_at, id)",
    "CREATE INDEX activities_by_volume ON activities (volume)",
    "CREATE INDEX activities_by_parent ON activities (parent)",
    "CREATE TABLE group_types (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT,
        is_public BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT)",
    "CREATE TABLE volume_groups (
        id TEXT PRIMARY KEY, project TEXT NOT NULL, user_id TEXT NOT NULL,
        name TEXT, description TEXT, status TEXT NOT NULL, replication_status TEXT NOT NULL,
        host TEXT, availability_zone TEXT NOT NULL,
        group_type TEXT NOT NULL REFERENCES group_types (id),
        group_snapshot TEXT, source TEXT, site TEXT, cluster TEXT,
        created_at BIGINT NOT NULL, updated_at BIGINT)",
    "CREATE INDEX volume_groups_by_project ON volume_groups (project, created_at, id)",
    "CREATE INDEX volume_groups_by_time ON volume_groups (created_at, id)",
    "CREATE INDEX volume_groups_by_type ON volume_groups (group_type)",
    "CREATE TABLE group_volume_types (
        group_id TEXT NOT NULL REFERENCES volume_groups (id), volume_type TEXT NOT NULL,
        PRIMARY KEY (group_id, volume_type))",
    "CREATE INDEX group_volume_types_by_type ON group_volume_types (volume_type)",
    "CREATE TABLE group_snapshots (
        id TEXT PRIMARY KEY, project TEXT NOT NULL, user_id TEXT NOT NULL,
        group_id TEXT NOT NULL REFERENCES volume_groups (id), name TEXT, description TEXT,
        status TEXT NOT NULL, group_type TEXT NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT)",
    "CREATE INDEX group_snapshots_by_project ON group_snapshots (project, created_at, id)",
    "CREATE INDEX group_snapshots_by_time ON group_snapshots (created_at, id)",
    "CREATE INDEX group_snapshots_by_group ON group_snapshots (group_id)",
    "CREATE TABLE backups (
        id TEXT PRIMARY KEY, project TEXT NOT NULL, user_id TEXT NOT NULL,
        volume TEXT NOT NULL, snapshot TEXT, parent TEXT, name TEXT, description TEXT,
        size BIGINT NOT NULL, status TEXT NOT NULL, fail_reason TEXT, host TEXT,
        availability_zone TEXT, container TEXT, service TEXT, object_count BIGINT NOT NULL,
        data_timestamp BIGINT NOT NULL, restore_volume TEXT, encryption_key TEXT,
        created_at BIGINT NOT NULL, updated_at BIGINT)",
    "CREATE INDEX backups_by_project ON backups (project, created_at, id)",
    "CREATE INDEX backups_by_time ON backups (created_at, id)",
    "CREATE INDEX backups_by_volume ON backups (volume)",
    "CREATE INDEX backups_by_parent ON backups (parent)",
    "CREATE TABLE transfers (
        id TEXT PRIMARY KEY, volume TEXT NOT NULL, project TEXT NOT NULL, name TEXT,
        salt TEXT NOT NULL, key_hash TEXT NOT NULL, no_snapshots BIGINT NOT NULL,
        destination TEXT, accepted BIGINT NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT)",
    "CREATE INDEX transfers_by_project ON transfers (project, created_at, id)",
    "CREATE INDEX transfers_by_time ON transfers (created_at, id)",
    "CREATE INDEX transfers_by_volume ON transfers (volume)",
    "CREATE TABLE messages (
        id TEXT PRIMARY KEY, project TEXT NOT NULL, request_id TEXT NOT NULL,
        resource_type TEXT NOT NULL, resource TEXT, event_id TEXT NOT NULL,
        action BIGINT NOT NULL, detail BIGINT NOT NULL, note TEXT, level TEXT NOT NULL,
        created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL)",
    "CREATE INDEX messages_by_project ON messages (project, created_at, id)",
    "CREATE INDEX messages_by_time ON messages (created_at, id)",
    "CREATE INDEX messages_by_end ON messages (expires_at)",
    "CREATE TABLE quotas (
        project TEXT NOT NULL, resource TEXT NOT NULL, hard_limit BIGINT NOT NULL,
        PRIMARY KEY (project, resource))",
    "CREATE TABLE quota_classes (
        class TEXT NOT NULL, resource TEXT NOT NULL, hard_limit BIGINT NOT NULL,
        PRIMARY KEY (class, resource))",
    "CREATE TABLE type_access (
        owner TEXT NOT NULL, project TEXT NOT NULL, PRIMARY KEY (owner, project))",
    "CREATE INDEX type_access_by_project ON type_access (project)",
    "CREATE TABLE type_encryption (
        volume_type TEXT PRIMARY KEY REFERENCES types (id), id TEXT NOT NULL,
        provider TEXT NOT NULL, cipher TEXT, key_size BIGINT, control_location TEXT NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT)",
    "CREATE TABLE default_types (
        project TEXT PRIMARY KEY, volume_type TEXT NOT NULL REFERENCES types (id))",
    "CREATE INDEX default_types_by_type ON default_types (volume_type)",
    "CREATE TABLE image_properties (
        owner TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (owner, name))",
    "CREATE TABLE clusters (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, program TEXT NOT NULL,
        disabled BIGINT NOT NULL, disabled_reason TEXT, frozen BIGINT NOT NULL,
        replication_status TEXT NOT NULL, active_backend_id TEXT,
        created_at BIGINT NOT NULL, updated_at BIGINT, UNIQUE (program, name))",
    "CREATE TABLE image_cache (
        image TEXT NOT NULL, host TEXT NOT NULL, volume TEXT NOT NULL, size BIGINT NOT NULL,
        image_updated_at BIGINT, used_at BIGINT NOT NULL, PRIMARY KEY (host, image))",
    "CREATE INDEX image_cache_by_volume ON image_cache (volume)",
], &[
    "ALTER TABLE backups ADD COLUMN kept_as TEXT",
    "CREATE INDEX backups_by_kept ON backups (kept_as)",
    "DROP INDEX volumes_by_host",
    "CREATE INDEX volumes_by_host ON volumes (host, id)",
], &[
    "ALTER TABLE volumes ADD COLUMN site TEXT",
    // A few of very many.
    "CREATE INDEX volumes_by_site ON volumes (site) WHERE site IS NOT NULL",
], &[
    "CREATE TABLE leftovers (
        image TEXT PRIMARY KEY, host TEXT NOT NULL, since BIGINT NOT NULL)",
    "CREATE INDEX leftovers_by_host ON leftovers (host, since)",
    "CREATE INDEX volumes_by_image ON volumes (image) WHERE image IS NOT NULL",
], &[
    // They named the cluster without the pool, and those that had moved there not at all.
    "UPDATE volumes SET cluster = host WHERE EXISTS (SELECT 1 FROM services WHERE services.cluster = \
        services.host AND SUBSTR(volumes.host, 1, LENGTH(services.host) + 1) = services.host || '#')",
    "UPDATE volumes SET cluster = NULL WHERE cluster IS NOT NULL AND (host IS NULL OR cluster <> host)",
    "UPDATE volume_groups SET cluster = host WHERE EXISTS (SELECT 1 FROM services WHERE services.cluster = \
        services.host AND SUBSTR(volume_groups.host, 1, LENGTH(services.host) + 1) = services.host || '#')",
    "UPDATE volume_groups SET cluster = NULL WHERE cluster IS NOT NULL AND (host IS NULL OR cluster <> host)",
], &[
    "CREATE TABLE former_leftovers AS SELECT * FROM leftovers",
    "DROP TABLE leftovers",
    "CREATE TABLE leftovers (
        image TEXT NOT NULL, global_id TEXT NOT NULL, host TEXT NOT NULL, since BIGINT NOT NULL,
        PRIMARY KEY (image, global_id))",
    "CREATE INDEX leftovers_by_host ON leftovers (host, since)",
    "INSERT INTO leftovers (image, global_id, host, since) SELECT image, '', host, since FROM former_leftovers",
    "DROP TABLE former_leftovers",
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
    use firebrick_vocabulary::{ImageId, QosId, TypeId};
    use sqlx::Connection as _;

    use super::*;
    use crate::table::qos::{self, QosSpec};
    use crate::table::{leftovers, types};
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
        let volumes: i64 =
            sqlx::query("SELECT COUNT(*) AS number FROM volumes WHERE image IS NULL")
                .fetch_one(&mut connection)
                .await
                .unwrap()
                .get("number");
        assert_eq!(volumes, 0);
        let of = types::of_qos(&mut connection, spec.id).await.unwrap();
        assert_eq!(of.iter().map(|kind| kind.id).collect::<Vec<_>>(), [id]);
        let found = qos::get(&mut connection, spec.id).await.unwrap().unwrap();
        assert_eq!((found.specs, found.consumer), (spec.specs, spec.consumer));
        let older = take_to(&mut connection, &VERSIONS[..1]).await.unwrap_err();
        assert_eq!(older.kind, ErrorKind::NewerSchema);
    }

    #[tokio::test]
    async fn the_leftovers_of_an_older_version_are_remembered() {
        sqlx::any::install_default_drivers();
        let mut connection = Connection::connect("sqlite::memory:").await.unwrap();
        take_to(&mut connection, &VERSIONS[..7]).await.unwrap();
        let image = ImageId::random();
        let sql = "INSERT INTO leftovers (image, host, since) VALUES ($1, 'node@blocks', 7)";
        let insert = sqlx::query(sql).bind(image.to_string());
        insert.execute(&mut connection).await.unwrap();
        migrate(&mut connection).await.unwrap();
        let host = "node@blocks".parse().unwrap();
        let found = leftovers::of_host(&mut connection, &host, now()).await;
        let found = found.unwrap().into_iter();
        let known: Vec<_> = found.map(|it| (it.image, it.global_id)).collect();
        assert_eq!(known, [(image, None)]);
    }

    #[tokio::test]
    async fn the_clusters_of_an_older_version_get_their_pools() {
        sqlx::any::install_default_drivers();
        let mut connection = Connection::connect("sqlite::memory:").await.unwrap();
        take_to(&mut connection, &VERSIONS[..3]).await.unwrap();
        for (host, cluster) in [
            ("north@blocks", "north@blocks"),
            ("node1@blocks", "north@blocks"),
        ] {
            let sql = "INSERT INTO services (id, program, host, cluster, availability_zone, disabled, frozen, \
                       replication_status, created_at, updated_at, reported_at) \
                       VALUES ($1, 'cinder-volume', $1, $2, 'nova', 0, 0, 'disabled', 7, 7, 7)";
            let insert = sqlx::query(sql).bind(host).bind(cluster);
            insert.execute(&mut connection).await.unwrap();
        }
        let volumes = [
            ("placed", Some("north@blocks#volumes"), Some("north@blocks")),
            ("managed", Some("north@blocks#volumes"), None),
            ("moved", Some("node1@other#volumes"), Some("north@blocks")),
            ("nowhere", None, Some("north@blocks")),
        ];
        for (id, host, cluster) in volumes {
            let sql = "INSERT INTO volumes (id, project, user_id, size, status, attach_status, host, cluster, \
                       availability_zone, volume_type, bootable, multiattach, created_at) \
                       VALUES ($1, 'p', 'u', 1, 'available', 'detached', $2, $3, 'nova', 't', 0, 0, 7)";
            let insert = sqlx::query(sql).bind(id).bind(host).bind(cluster);
            insert.execute(&mut connection).await.unwrap();
        }
        migrate(&mut connection).await.unwrap();
        let rows = sqlx::query("SELECT cluster FROM volumes WHERE cluster IS NOT NULL ORDER BY id")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let named: Vec<String> = rows.iter().map(|row| row.get("cluster")).collect();
        assert_eq!(named, ["north@blocks#volumes"; 2]);
    }
}
