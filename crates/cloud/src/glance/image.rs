//! Images as Glance describes them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// The most properties of an image that are looked at.
const MAX_PROPERTIES: usize = 256;

/// What an image is good for now.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageStatus {
    /// Its data are there.
    Active,
    /// It has no data yet.
    Queued,
    /// Anything else: its data cannot be read now.
    Other,
}

/// Who sees an image.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Its project.
    Private,
    /// Its project and those that it names.
    Shared,
    /// Everybody who knows it.
    Community,
}

impl Visibility {
    /// All, by their names in the API.
    pub const ALL: [Self; 4] = [Self::Public, Self::Private, Self::Shared, Self::Community];

    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::Community => "community",
        }
    }
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// `id`.
    pub id: Uuid,
    /// `name`.
    pub name: Option<String>,
    /// `status`.
    pub status: ImageStatus,
    /// `disk_format`, for example `qcow2`.
    pub disk_format: Option<String>,
    /// `container_format`, for example `bare`.
    pub container_format: Option<String>,
    /// `size` of its data, in bytes.
    pub size: Option<u64>,
    /// `virtual_size` of the disk that it describes, in bytes.
    pub virtual_size: Option<u64>,
    /// `min_disk`, in GiB.
    pub min_disk: u64,
    /// `min_ram`, in MiB.
    pub min_ram: u64,
    /// `visibility`; that of images which have none is `private`.
    pub visibility: Visibility,
    /// `protected`: it cannot be deleted.
    pub protected: bool,
    /// `owner`: a project.
    pub owner: Option<String>,
    /// `checksum`: the MD5 of its data, in hex digits.
    pub checksum: Option<String>,
    /// `os_hash_algo` and `os_hash_value`.
    pub hash: Option<(String, String)>,
    /// `updated_at`.
    #[serde(with = "time::serde::rfc3339::option")]
    pub updated_at: Option<OffsetDateTime>,
    /// All other properties that are texts, and no part of Glance's own description.
    pub properties: BTreeMap<String, String>,
}

/// What Glance itself says of an image beside what is above; no properties of users.
const OWN: [&str; 28] = [
    "id",
    "name",
    "status",
    "disk_format",
    "container_format",
    "size",
    "virtual_size",
    "min_disk",
    "min_ram",
    "visibility",
    "protected",
    "owner",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "os_hidden",
    "created_at",
    "updated_at",
    "file",
    "schema",
    "self",
    "tags",
    "locations",
    "direct_url",
    "location",
    "stores",
    "deleted",
    "deleted_at",
];

#[derive(Deserialize)]
struct List {
    images: Vec<Map<String, Value>>,
}

impl Image {
    /// The image that an answer describes.
    pub(super) fn read(body: &[u8]) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Self::described(&serde_json::from_slice(body)?)
    }

    /// The images that an answer lists.
    pub(super) fn read_all(body: &[u8]) -> Result<Vec<Self>, Box<dyn Error + Send + Sync>> {
        let list: List = serde_json::from_slice(body)?;
        list.images.iter().map(Self::described).collect()
    }

    fn described(found: &Map<String, Value>) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let text = |key: &str| found.get(key).and_then(Value::as_str).map(str::to_owned);
        let number = |key: &str| found.get(key).and_then(Value::as_u64);
        let visibility = text("visibility");
        let visibility = Visibility::ALL
            .into_iter()
            .find(|known| visibility.as_deref() == Some(known.name()));
        let updated_at = text("updated_at");
        let updated_at = updated_at.map(|text| OffsetDateTime::parse(&text, &Rfc3339));
        let own = found.iter().filter(|(key, _)| !OWN.contains(&key.as_str()));
        let properties = own.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.into())));
        Ok(Self {
            id: text("id").ok_or("an image without an id")?.parse()?,
            name: text("name"),
            status: match text("status").as_deref() {
                Some("active") => ImageStatus::Active,
                Some("queued") => ImageStatus::Queued,
                Some(_) | None => ImageStatus::Other,
            },
            disk_format: text("disk_format"),
            container_format: text("container_format"),
            size: number("size"),
            virtual_size: number("virtual_size"),
            min_disk: number("min_disk").unwrap_or(0),
            min_ram: number("min_ram").unwrap_or(0),
            visibility: visibility.unwrap_or(Visibility::Private),
            protected: found.get("protected") == Some(&Value::Bool(true)),
            owner: text("owner"),
            checksum: text("checksum"),
            hash: text("os_hash_algo").zip(text("os_hash_value")),
            updated_at: updated_at.transpose()?,
            properties: properties.take(MAX_PROPERTIES).collect(),
        })
    }
}

/// An image to be made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewImage {
    /// `name`.
    pub name: String,
    /// `disk_format`.
    pub disk_format: String,
    /// `container_format`.
    pub container_format: String,
    /// `visibility`; Glance's default without.
    pub visibility: Option<Visibility>,
    /// `protected`.
    pub protected: Option<bool>,
    /// `min_disk`, in GiB.
    pub min_disk: Option<u64>,
    /// `min_ram`, in MiB.
    pub min_ram: Option<u64>,
    /// Properties of its own.
    pub properties: BTreeMap<String, String>,
}

impl NewImage {
    /// The body of the request.
    pub(super) fn body(&self) -> Value {
        let mut body: Map<String, Value> = self
            .properties
            .iter()
            .filter(|(key, _)| !OWN.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
            .collect();
        body.insert("name".into(), self.name.as_str().into());
        body.insert("disk_format".into(), self.disk_format.as_str().into());
        let container = self.container_format.as_str();
        body.insert("container_format".into(), container.into());
        let known = [
            ("visibility", self.visibility.map(|it| it.name().into())),
            ("protected", self.protected.map(Value::from)),
            ("min_disk", self.min_disk.map(Value::from)),
            ("min_ram", self.min_ram.map(Value::from)),
        ];
        for (key, value) in known {
            if let Some(value) = value {
                body.insert(key.to_owned(), value);
            }
        }
        Value::Object(body)
    }
}
