//! Tables of two ids, each pair of which is there or not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use firebrick_vocabulary::{GroupId, GroupTypeId, ProjectId, TypeId};

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;

const READ: &str = "read pairs of ids";
const WRITE: &str = "write a pair of ids";

/// As many ids in one query as both databases allow without a thought.
const CHUNK: usize = 500;

#[derive(Clone, Copy)]
struct Table {
    name: &'static str,
    left: &'static str,
    right: &'static str,
}

const ACCESS: Table = Table {
    name: "type_access",
    left: "owner",
    right: "project",
};

const GROUP_TYPES: Table = Table {
    name: "group_volume_types",
    left: "group_id",
    right: "volume_type",
};

impl Table {
    async fn of(self, connection: &mut Connection, left: &str) -> Result<Vec<String>, Error> {
        let Self {
            name,
            left: l,
            right,
        } = self;
        let sql = format!("SELECT {right} FROM {name} WHERE {l} = $1 ORDER BY {right}");
        let rows = sqlx::query(&sql).bind(left).fetch_all(connection).await;
        let rows = rows.map_err(Error::sql(READ))?;
        rows.iter()
            .map(|row| Columns::of(row).text(right))
            .collect()
    }

    async fn holds(
        self,
        connection: &mut Connection,
        left: &str,
        right: &str,
    ) -> Result<bool, Error> {
        let sql = format!(
            "SELECT 1 AS one FROM {} WHERE {} = $1 AND {} = $2",
            self.name, self.left, self.right
        );
        let row = sqlx::query(&sql).bind(left).bind(right);
        let row = row.fetch_optional(connection).await;
        Ok(row.map_err(Error::sql(READ))?.is_some())
    }

    /// The other way around: whose pairs have this on their right.
    async fn with(self, connection: &mut Connection, right: &str) -> Result<Vec<String>, Error> {
        let turned = Self {
            left: self.right,
            right: self.left,
            ..self
        };
        turned.of(connection, right).await
    }

    async fn insert(
        self,
        connection: &mut Connection,
        left: &str,
        right: &str,
    ) -> Result<bool, Error> {
        let sql = format!(
            "INSERT INTO {} ({}, {}) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            self.name, self.left, self.right
        );
        self.execute(connection, &sql, left, right).await
    }

    async fn remove(
        self,
        connection: &mut Connection,
        left: &str,
        right: &str,
    ) -> Result<bool, Error> {
        let sql = format!(
            "DELETE FROM {} WHERE {} = $1 AND {} = $2",
            self.name, self.left, self.right
        );
        self.execute(connection, &sql, left, right).await
    }

    async fn execute(
        self,
        connection: &mut Connection,
        sql: &str,
        left: &str,
        right: &str,
    ) -> Result<bool, Error> {
        let query = sqlx::query(sql).bind(left).bind(right);
        let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
        Ok(done.rows_affected() > 0)
    }

    async fn clear(self, connection: &mut Connection, left: &str) -> Result<(), Error> {
        let sql = format!("DELETE FROM {} WHERE {} = $1", self.name, self.left);
        let done = sqlx::query(&sql).bind(left).execute(connection).await;
        done.map(drop).map_err(Error::sql(WRITE))
    }
}

/// A type to which projects get access: of volumes or of groups.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PrivateType {
    /// A volume type.
    Volume(TypeId),
    /// A group type.
    Group(GroupTypeId),
}

impl Display for PrivateType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Volume(id) => id.fmt(f),
            Self::Group(id) => id.fmt(f),
        }
    }
}

/// The projects that may use a private type.
pub async fn projects_of(
    connection: &mut Connection,
    kind: PrivateType,
) -> Result<Vec<ProjectId>, Error> {
    let found = ACCESS.of(connection, &kind.to_string()).await?;
    Ok(found.into_iter().map(ProjectId).collect())
}

/// Whether the project may use it.
pub async fn has_access(
    connection: &mut Connection,
    kind: PrivateType,
    project: &ProjectId,
) -> Result<bool, Error> {
    let kind = kind.to_string();
    ACCESS.holds(connection, &kind, project.as_str()).await
}

/// The private types of both kinds that the project may use: those of groups are ids of no volume type.
pub async fn given_to(
    connection: &mut Connection,
    project: &ProjectId,
) -> Result<BTreeSet<TypeId>, Error> {
    let found = ACCESS.with(connection, project.as_str()).await?;
    parsed(&found)
}

fn parsed<C: FromIterator<TypeId>>(texts: &[String]) -> Result<C, Error> {
    let ids = texts.iter().map(|text| text.parse());
    ids.collect::<Result<_, _>>()
        .map_err(|error| Error::damaged(READ, error))
}

/// Lets a project use a private type; whether it could not before.
pub async fn add_access(
    connection: &mut Connection,
    kind: PrivateType,
    project: &ProjectId,
) -> Result<bool, Error> {
    let kind = kind.to_string();
    ACCESS.insert(connection, &kind, project.as_str()).await
}

/// Takes that away; whether it could.
pub async fn remove_access(
    connection: &mut Connection,
    kind: PrivateType,
    project: &ProjectId,
) -> Result<bool, Error> {
    let kind = kind.to_string();
    ACCESS.remove(connection, &kind, project.as_str()).await
}

/// Takes it from all projects, as the type goes.
pub async fn clear_access(connection: &mut Connection, kind: PrivateType) -> Result<(), Error> {
    ACCESS.clear(connection, &kind.to_string()).await
}

/// The volume types that a group may have.
pub async fn types_of_group(
    connection: &mut Connection,
    group: GroupId,
) -> Result<Vec<TypeId>, Error> {
    let found = GROUP_TYPES.of(connection, &group.to_string()).await?;
    parsed(&found)
}

/// The same for several groups at once; groups without any are not there.
pub async fn types_of_groups(
    connection: &mut Connection,
    groups: &[GroupId],
) -> Result<BTreeMap<GroupId, Vec<TypeId>>, Error> {
    let mut found: BTreeMap<GroupId, Vec<TypeId>> = BTreeMap::new();
    for some in groups.chunks(CHUNK) {
        let places: Vec<String> = (1..=some.len()).map(|i| format!("${i}")).collect();
        let sql = format!(
            "SELECT group_id, volume_type FROM group_volume_types WHERE group_id IN ({}) \
             ORDER BY group_id, volume_type",
            places.join(", ")
        );
        let query = some
            .iter()
            .fold(sqlx::query(&sql), |query, id| query.bind(id.to_string()));
        let rows = query.fetch_all(&mut *connection).await;
        for row in &rows.map_err(Error::sql(READ))? {
            let columns = Columns::of(row);
            let types = found.entry(columns.parsed("group_id")?).or_default();
            types.push(columns.parsed("volume_type")?);
        }
    }
    Ok(found)
}

/// Whether any group may have volumes of the type.
pub async fn is_of_group(connection: &mut Connection, kind: TypeId) -> Result<bool, Error> {
    let found = GROUP_TYPES.with(connection, &kind.to_string()).await?;
    Ok(!found.is_empty())
}

/// Lets a group have volumes of a type; whether it could not before.
pub async fn add_group_type(
    connection: &mut Connection,
    group: GroupId,
    kind: TypeId,
) -> Result<bool, Error> {
    let (group, kind) = (group.to_string(), kind.to_string());
    GROUP_TYPES.insert(connection, &group, &kind).await
}

/// Forgets the types of a group, as the group goes.
pub async fn clear_group_types(connection: &mut Connection, group: GroupId) -> Result<(), Error> {
    GROUP_TYPES.clear(connection, &group.to_string()).await
}
