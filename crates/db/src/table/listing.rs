//! What can be asked of a list: filters, order and page.

use ::time::OffsetDateTime;

/// A column by which rows are filtered and sorted. Not every table has every one; the functions that
/// take a [`Listing`] say which.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "each is the column of that name")]
pub enum Column {
    Id,
    Name,
    Description,
    Status,
    Size,
    Host,
    Project,
    User,
    Volume,
    AvailabilityZone,
    VolumeType,
    Snapshot,
    Source,
    /// The status that clients see; of volumes.
    Shown,
    Bootable,
    Multiattach,
    ReplicationStatus,
    MigrationStatus,
    /// Whether a volume only serves a migration.
    MigrationTarget,
    AttachStatus,
    Instance,
    Image,
    Group,
    GroupType,
    GroupSnapshot,
    Cluster,
    ConsumesQuota,
    Accepted,
    Parent,
    Container,
    Resource,
    ResourceType,
    RequestId,
    EventId,
    Level,
    IsPublic,
    Kind,
    ExpiresAt,
    CreatedAt,
    UpdatedAt,
}

impl Column {
    pub(crate) const fn sql(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Description => "description",
            Self::Status => "status",
            Self::Size => "size",
            Self::Host => "host",
            Self::Project => "project",
            Self::User => "user_id",
            Self::Volume => "volume",
            Self::AvailabilityZone => "availability_zone",
            Self::VolumeType => "volume_type",
            Self::Snapshot => "snapshot",
            Self::Source => "source",
            Self::Shown => "shown",
            Self::Bootable => "bootable",
            Self::Multiattach => "multiattach",
            Self::ReplicationStatus => "replication_status",
            Self::MigrationStatus => "migration_status",
            Self::MigrationTarget => "is_migration_target",
            Self::AttachStatus => "attach_status",
            Self::Instance => "instance",
            Self::Image => "image",
            Self::Group => "group_id",
            Self::GroupType => "group_type",
            Self::GroupSnapshot => "group_snapshot",
            Self::Cluster => "cluster",
            Self::ConsumesQuota => "consumes_quota",
            Self::Accepted => "accepted",
            Self::Parent => "parent",
            Self::Container => "container",
            Self::Resource => "resource",
            Self::ResourceType => "resource_type",
            Self::RequestId => "request_id",
            Self::EventId => "event_id",
            Self::Level => "level",
            Self::IsPublic => "is_public",
            Self::Kind => "kind",
            Self::ExpiresAt => "expires_at",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
        }
    }

    pub(crate) const fn is_number(self) -> bool {
        matches!(
            self,
            Self::Size
                | Self::Bootable
                | Self::Multiattach
                | Self::ConsumesQuota
                | Self::MigrationTarget
                | Self::Accepted
                | Self::IsPublic
                | Self::ExpiresAt
                | Self::CreatedAt
                | Self::UpdatedAt
        )
    }

    /// The column as it compares: with nothing in the place of null, and bare where it cannot be
    /// null, so that its index serves.
    pub(crate) fn key(self) -> String {
        match self {
            Self::Id | Self::CreatedAt => self.sql().to_owned(),
            _ if self.is_number() => format!("COALESCE({}, 0)", self.sql()),
            _ => format!("COALESCE({}, '')", self.sql()),
        }
    }
}

/// How a time is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the operators of the API")]
pub enum TimeTest {
    Before,
    AtOrBefore,
    At,
    NotAt,
    AtOrAfter,
    After,
}

impl TimeTest {
    pub(crate) const fn sql(self) -> &'static str {
        match self {
            Self::Before => "<",
            Self::AtOrBefore => "<=",
            Self::At => "=",
            Self::NotAt => "<>",
            Self::AtOrAfter => ">=",
            Self::After => ">",
        }
    }
}

/// What a column must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// One of these texts.
    OneOf(Vec<String>),
    /// Not this text; a column without a value passes too.
    Not(String),
    /// Contains this text, with capital letters as they are.
    Contains(String),
    /// Begins with this text, with capital letters as they are.
    Begins(String),
    /// This number; for flags 0 or 1.
    Number(i64),
    /// Nothing.
    Null,
    /// A time.
    Time(TimeTest, OffsetDateTime),
}

/// Which rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Those whose column passes the test.
    Column(Column, Test),
    /// Those of which one of the two columns passes the test.
    Either([Column; 2], Test),
    /// Those that have this property.
    Property(String, String),
    /// Those that remember this of their image.
    Image(String, String),
}

/// Which way a list goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// The smallest first.
    Ascending,
    /// The largest first.
    Descending,
}

/// Which rows, in which order, and which page of them.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// All must hold.
    pub filters: Vec<Filter>,
    /// The order; without, the newest first. The id is always the last key, in the direction of the
    /// key before.
    pub sort: Vec<(Column, Direction)>,
    /// The page begins behind the row with this id.
    pub marker: Option<String>,
    /// The longest page.
    pub limit: Option<u32>,
    /// Rows left out at the page's begin.
    pub offset: u32,
}

impl Listing {
    /// All rows whose column is `value`.
    pub fn of(column: Column, value: &impl ToString) -> Self {
        let test = Test::OneOf(vec![value.to_string()]);
        Self {
            filters: vec![Filter::Column(column, test)],
            ..Self::default()
        }
    }

    /// With one more filter.
    #[must_use]
    pub fn and(mut self, column: Column, test: Test) -> Self {
        self.filters.push(Filter::Column(column, test));
        self
    }

    /// The keys by which rows are sorted: the id is always among them, so that no two are equal.
    pub(crate) fn order(&self) -> Vec<(Column, Direction)> {
        let mut order = self.sort.clone();
        if order.is_empty() {
            order.push((Column::CreatedAt, Direction::Descending));
        }
        if !order.iter().any(|(column, _)| *column == Column::Id) {
            let direction = order
                .last()
                .map_or(Direction::Descending, |(_, direction)| *direction);
            order.push((Column::Id, direction));
        }
        order
    }
}
