//! A database that fails in the middle of a failover: what Cinder reported as a success, and its open bug to
//! this day. Here it is neither a success nor an end: the failover goes on where it was, volume by volume.

mod cut;

use firebrick_db::{Db, activities, volumes};
use firebrick_state::{ActivityStatus, ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::VolumeId;
use sqlx::Executor as _;

use crate::common::{B, HOST, World, admin, until};
use crate::failover::Given;
use crate::place::{Place, on_both};

on_both!(
    an_error_of_the_database_is_no_success,
    volumes_are_written_down_one_by_one,
);

/// From here on the database refuses to write that row, once it would have `value` in `column`.
async fn broken(db: &Db, table: &str, id: &str, column: &str, value: &str) {
    let connection = &mut *db.begin_alone().await.unwrap();
    let when = format!("NEW.id = '{id}' AND NEW.{column} LIKE '{value}'");
    if connection.backend_name() == "SQLite" {
        let sql = format!(
            "CREATE TRIGGER broken BEFORE UPDATE ON {table} WHEN {when} \
             BEGIN SELECT RAISE(ABORT, 'the disk is broken'); END"
        );
        connection.execute(sql.as_str()).await.unwrap();
    } else {
        let sql = "CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS \
                   'BEGIN RAISE EXCEPTION ''the disk is broken''; END'";
        connection.execute(sql).await.unwrap();
        let sql = format!(
            "CREATE TRIGGER broken BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({when}) \
             EXECUTE FUNCTION broken()"
        );
        connection.execute(sql.as_str()).await.unwrap();
    }
}

async fn repaired(db: &Db, table: &str) {
    let connection = &mut *db.begin_alone().await.unwrap();
    let sql = if connection.backend_name() == "SQLite" {
        "DROP TRIGGER broken".to_owned()
    } else {
        format!("DROP TRIGGER broken ON {table}")
    };
    connection.execute(sql.as_str()).await.unwrap();
}

/// Fails over to that site, and waits until the database has refused it a few times.
async fn fails_over_in_vain(world: &World, to: &str) {
    world
        .control
        .failover(&admin(), HOST, Some(to))
        .await
        .unwrap();
    let resource = world.service().await.id.0;
    until("it is tried again", || async {
        let connection = &mut *world.db.read().await.unwrap();
        let running = activities::running_for(connection, resource).await.unwrap();
        running.is_some_and(|activity| activity.attempts >= 2)
    })
    .await;
    let connection = &mut *world.db.read().await.unwrap();
    let running = activities::running_for(connection, resource).await.unwrap();
    let running = running.unwrap();
    assert_eq!(running.status, ActivityStatus::Running);
    assert!(running.error.unwrap().contains("the disk is broken"));
}

/// Whichever row it is, and whichever way it goes.
async fn an_error_of_the_database_is_no_success(place: Place) {
    let world = World::on(place, |_| {}).await;
    let given = Given::new(&world).await;
    let service = world.service().await.id.to_string();
    let rows = [
        ("volumes", given.free.to_string()),
        ("volumes", given.plain_used.to_string()),
        ("snapshots", given.plain_snapshot.to_string()),
        ("attachments", given.attachment.to_string()),
        ("services", service),
    ];
    for (table, id) in &rows {
        for to in [B, "default"] {
            let when = format!("{table} {id}, to {to}");
            let before = world.service().await;
            // Of a service, what ends the failover; of anything else, all that is written.
            let (column, value) = match *table {
                "services" if to == B => ("replication_status", "failed-over"),
                "services" => ("replication_status", "enabled"),
                _ => ("id", "%"),
            };
            broken(&world.db, table, id, column, value).await;
            fails_over_in_vain(&world, to).await;
            let meanwhile = world.service().await;
            assert_eq!(
                (meanwhile.replication_status, &meanwhile.active_backend_id),
                (ReplicationStatus::FailingOver, &before.active_backend_id),
                "{when}"
            );
            repaired(&world.db, table).await;
            world.moved().await;
            match to {
                B => given.is_away(&world, &when).await,
                _ => given.is_home(&world, &when).await,
            }
            world.one_primary();
        }
    }
}

/// What is written down before the error stays so; what comes behind it has to wait.
async fn volumes_are_written_down_one_by_one(place: Place) {
    let world = World::on(place, |_| {}).await;
    let given = Given::new(&world).await;
    let connection = &mut *world.db.read().await.unwrap();
    let host = HOST.parse().unwrap();
    let all = volumes::of_service(connection, &host).await.unwrap();
    let order: Vec<VolumeId> = all.iter().map(|volume| volume.id).collect();
    for broken_at in 0..order.len() {
        let id = order[broken_at].to_string();
        broken(&world.db, "volumes", &id, "id", "%").await;
        fails_over_in_vain(&world, B).await;
        for (at, id) in order.iter().enumerate() {
            let volume = world.volume(*id).await.unwrap();
            let written = volume.replication_status == Some(ReplicationStatus::FailedOver)
                || volume.status == VolumeStatus::Error;
            assert_eq!(written, at < broken_at, "{at} of {broken_at}");
        }
        repaired(&world.db, "volumes").await;
        world.moved().await;
        given.is_away(&world, "repaired").await;
        world.failed_over("default").await;
        given.is_home(&world, "home").await;
    }
}
