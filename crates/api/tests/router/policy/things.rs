//! What there is to be asked about, made anew for each request.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use firebrick_db::{
    Attachment, Backup, Db, Snapshot, Transfer, Volume, attachments, image_properties, now,
    snapshots, transfers, volumes,
};
use firebrick_state::{AttachStatus, AttachmentStatus, SnapshotStatus, VolumeStatus};
use firebrick_vocabulary::{AttachmentId, BackupId, SnapshotUuid, TransferId, VolumeId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{HERE, groups, running};
use crate::backups;
use crate::common::Api;

/// The token of a service such as Nova, which passes all requests on.
pub(super) const SERVICE: (&str, &str) = ("x-service-token", "service@services");

/// What is kept of the key `key` with the salt `salt`: the SHA-256 of `saltkey`.
const SALTED_KEY: &str = "4a466ea0657e479545b1d6c2d994824f80d8eecd7030f3092ff42a9bcad751d8";

/// Rows as the API makes them, to be copied. Copies are not being worked on, as the originals are.
pub(crate) struct Things {
    volume: Volume,
    snapshot: Snapshot,
    attachment: Attachment,
}

impl Things {
    pub(crate) async fn new(api: &Api) -> Self {
        let body = json!({ "volume": { "size": 1, "metadata": { "key": "value" } } });
        let volume = made(api, "/volumes", &body).await;
        let id: VolumeId = volume["volume"]["id"].as_str().unwrap().parse().unwrap();
        let volume = volumes::get(&mut api.db.read().await.unwrap(), id).await;
        let volume = Volume {
            status: VolumeStatus::Available,
            ..volume.unwrap().unwrap()
        };
        let copied = of_volume(&api.db, &volume, |_| {}).await.to_string();
        let body = json!({ "snapshot": { "volume_id": copied, "metadata": { "key": "value" } } });
        let made_snapshot = made(api, "/snapshots", &body).await;
        let id: SnapshotUuid = made_snapshot["snapshot"]["id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let snapshot = snapshots::get(&mut api.db.read().await.unwrap(), id).await;
        let copied = of_volume(&api.db, &volume, |_| {}).await.to_string();
        let body =
            json!({ "attachment": { "volume_uuid": copied, "instance_uuid": Uuid::new_v4() } });
        let made_attachment = made(api, "/attachments", &body).await;
        let id: AttachmentId = made_attachment["attachment"]["id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let attachment = attachments::get(&mut api.db.read().await.unwrap(), id).await;
        Self {
            volume,
            snapshot: snapshot.unwrap().unwrap(),
            attachment: attachment.unwrap().unwrap(),
        }
    }

    /// The text with something new for each name in it.
    pub(crate) async fn filled(&self, api: &Api, text: &str) -> String {
        let mut filled = text.to_owned();
        for name in [
            "volume",
            "busy",
            "reserved",
            "boot",
            "snapshot",
            "making",
            "backup",
            "attachment",
            "type",
            "grouptype",
            "group",
            "groupsnapshot",
            "private",
            "encrypted",
            "defaulting",
            "qos",
            "associated",
            "imaged",
            "transfer",
            "offered",
            "activity",
            "message",
        ] {
            let braced = format!("{{{name}}}");
            if text.contains(&braced) {
                filled = filled.replace(&braced, &self.fresh(api, name).await);
            }
        }
        filled
            .replace("{here}", HERE)
            .replace("{server}", &Uuid::new_v4().to_string())
    }

    async fn fresh(&self, api: &Api, name: &str) -> String {
        let db = &api.db;
        match name {
            "volume" => of_volume(db, &self.volume, |_| {}).await.to_string(),
            "busy" => self.attached(db).await.volume.to_string(),
            "reserved" => {
                let reserved = |volume: &mut Volume| volume.status = VolumeStatus::Reserved;
                of_volume(db, &self.volume, reserved).await.to_string()
            }
            "boot" => {
                let boot = |volume: &mut Volume| {
                    volume.status = VolumeStatus::InUse;
                    volume.bootable = true;
                    volume.multiattach = true;
                };
                of_volume(db, &self.volume, boot).await.to_string()
            }
            "snapshot" => self
                .snapped(db, SnapshotStatus::Available)
                .await
                .to_string(),
            "making" => self.snapped(db, SnapshotStatus::Creating).await.to_string(),
            "backup" => self.backed_up(db).await.to_string(),
            "attachment" => self.reserved(db).await.to_string(),
            "imaged" => self.imaged(db).await.to_string(),
            "transfer" | "offered" => self.offered(db).await.to_string(),
            "activity" => running::activity(db).await.to_string(),
            "message" => running::message(db).await.to_string(),
            "type" => kind(api, true).await,
            "group" => groups::group(api, &self.volume).await.id.to_string(),
            "groupsnapshot" => groups::taken(api, &self.volume).await.to_string(),
            "grouptype" => {
                let kind = json!({ "name": Uuid::new_v4(), "group_specs": { "key": "value" } });
                let body = json!({ "group_type": kind });
                let made = made(api, "/group_types", &body).await;
                made["group_type"]["id"].as_str().unwrap().to_owned()
            }
            "private" => {
                let id = kind(api, false).await;
                let body = json!({ "addProjectAccess": { "project": "guests" } });
                made(api, &format!("/types/{id}/action"), &body).await;
                id
            }
            "encrypted" => {
                let id = kind(api, true).await;
                let how = json!({ "provider": "luks", "control_location": "front-end" });
                let body = json!({ "encryption": how });
                made(api, &format!("/types/{id}/encryption"), &body).await;
                id
            }
            "defaulting" => {
                let project = Uuid::new_v4().simple().to_string();
                let id = kind(api, true).await;
                let body = json!({ "default_type": { "volume_type": id } });
                let path = format!("/default-types/{project}");
                asked(api, "PUT", &path, &body).await;
                project
            }
            "associated" => {
                let (id, kind) = (qos(api).await, kind(api, true).await);
                let path = format!("/qos-specs/{id}/associate?vol_type_id={kind}");
                asked(api, "GET", &path, &Value::Null).await;
                id
            }
            _ => qos(api).await,
        }
    }
}

/// A copy of the volume with what `change` does to it.
async fn of_volume(db: &Db, volume: &Volume, change: impl FnOnce(&mut Volume)) -> VolumeId {
    let id = VolumeId::random();
    let mut copy = Volume {
        id,
        ..volume.clone()
    };
    change(&mut copy);
    let mut tx = db.begin().await.unwrap();
    volumes::insert(&mut tx, &copy).await.unwrap();
    tx.commit().await.unwrap();
    id
}

impl Things {
    /// A snapshot of a volume.
    async fn snapped(&self, db: &Db, status: SnapshotStatus) -> SnapshotUuid {
        let volume = of_volume(db, &self.volume, |_| {}).await;
        let id = SnapshotUuid::random();
        let copy = Snapshot {
            id,
            volume,
            status,
            ..self.snapshot.clone()
        };
        let mut tx = db.begin().await.unwrap();
        snapshots::insert(&mut tx, &copy).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A volume that remembers something of its image.
    async fn imaged(&self, db: &Db) -> VolumeId {
        let id = of_volume(db, &self.volume, |_| {}).await;
        let said = BTreeMap::from([("key".to_owned(), "value".to_owned())]);
        let mut tx = db.begin().await.unwrap();
        image_properties::merge(&mut tx, id.0, &said).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// The transfer of a volume, of which everybody knows the key.
    async fn offered(&self, db: &Db) -> TransferId {
        let awaiting = |volume: &mut Volume| volume.status = VolumeStatus::AwaitingTransfer;
        let volume = of_volume(db, &self.volume, awaiting).await;
        let transfer = Transfer {
            id: TransferId::random(),
            volume,
            project: self.volume.project.clone(),
            name: None,
            salt: "salt".to_owned(),
            key_hash: SALTED_KEY.to_owned(),
            no_snapshots: false,
            destination: None,
            accepted: false,
            created_at: now(),
            updated_at: None,
        };
        let mut tx = db.begin().await.unwrap();
        transfers::insert(&mut tx, &transfer).await.unwrap();
        tx.commit().await.unwrap();
        transfer.id
    }

    /// A backup of a volume.
    async fn backed_up(&self, db: &Db) -> BackupId {
        let backup = Backup {
            id: BackupId::random(),
            project: self.volume.project.clone(),
            user: self.volume.user.clone(),
            encryption_key: None,
            ..backups::backup()
        };
        let mut tx = db.begin().await.unwrap();
        firebrick_db::backups::insert(&mut tx, &backup)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        backup.id
    }

    /// An attachment that is being made.
    async fn reserved(&self, db: &Db) -> AttachmentId {
        let being = |volume: &mut Volume| volume.status = VolumeStatus::Attaching;
        let volume = of_volume(db, &self.volume, being).await;
        let attachment = Attachment {
            status: AttachmentStatus::Attaching,
            ..self.attachment.clone()
        };
        insert(db, volume, attachment).await.id
    }

    /// The attachment of a volume that is in use.
    async fn attached(&self, db: &Db) -> Attachment {
        let used = |volume: &mut Volume| {
            volume.status = VolumeStatus::InUse;
            volume.attach_status = AttachStatus::Attached;
        };
        let volume = of_volume(db, &self.volume, used).await;
        let attachment = Attachment {
            status: AttachmentStatus::Attached,
            ..self.attachment.clone()
        };
        insert(db, volume, attachment).await
    }
}

async fn insert(db: &Db, volume: VolumeId, attachment: Attachment) -> Attachment {
    let copy = Attachment {
        id: AttachmentId::random(),
        volume,
        ..attachment
    };
    let mut tx = db.begin().await.unwrap();
    attachments::insert(&mut tx, &copy).await.unwrap();
    tx.commit().await.unwrap();
    copy
}

/// A type whose volumes may be attached more than once, with an extra spec for operators only.
async fn kind(api: &Api, is_public: bool) -> String {
    let specs = json!({ "secret": "value", "multiattach": "<is> True" });
    let body = json!({ "volume_type": {
        "name": Uuid::new_v4(),
        "extra_specs": specs,
        "os-volume-type-access:is_public": is_public,
    } });
    let made = made(api, "/types", &body).await;
    made["volume_type"]["id"].as_str().unwrap().to_owned()
}

/// QoS specs.
async fn qos(api: &Api) -> String {
    let body = json!({ "qos_specs": { "name": Uuid::new_v4(), "read_iops_sec": "20000" } });
    let made = made(api, "/qos-specs", &body).await;
    made["qos_specs"]["id"].as_str().unwrap().to_owned()
}

/// What an administrator makes.
pub(super) async fn made(api: &Api, path: &str, body: &Value) -> Value {
    asked(api, "POST", path, body).await
}

/// What an administrator is answered.
async fn asked(api: &Api, method: &str, path: &str, body: &Value) -> Value {
    let token = format!("admin@{HERE}");
    let tokens = [("x-auth-token", token.as_str()), SERVICE];
    let path = format!("/v3{path}");
    let reply = api.ask(&tokens, method, &path, body.clone()).await;
    let good = [StatusCode::OK, StatusCode::ACCEPTED];
    assert!(good.contains(&reply.status), "{path}: {}", reply.body);
    reply.body
}
