//! The connection of a command, and what it opens.

use std::sync::Arc;

use firebrick_ceph::tool::{Access, Connection, ImageAt, OpenImage, OpenPool, Trouble};

use super::conf::Cluster;
use super::spec::{DEFAULT_POOL, Place, Spec};
use crate::cli::rbd::args::Common;
use crate::cli::rbd::error::{EINVAL, EIO, ENOENT, EOPNOTSUPP, failed, refuse};
use crate::cli::rbd::progress::Progress;
use crate::exit::Failure;

/// Seconds that the cluster has to answer one request.
const ANSWER: &str = "30";

/// A command and the cluster that it is about.
pub(super) struct Ceph {
    pub(super) common: Common,
    pub(super) connection: Arc<Connection>,
}

/// `rbd: DOING: (NUMBER) NAME`
pub(super) fn trouble(doing: &str, trouble: &Trouble) -> Failure {
    match trouble {
        Trouble::Errno(errno) => failed(doing, u8::try_from(*errno).unwrap_or(EIO)),
        Trouble::Missing(_) => refuse(
            EOPNOTSUPP,
            format!("rbd: {doing}: {trouble}: ({EOPNOTSUPP}) Operation not supported"),
        ),
    }
}

/// What failed, as the `rbd` tool says it.
pub(super) trait Doing<T> {
    /// The failure that says what was being done.
    fn doing(self, what: &str) -> Result<T, Failure>;
}

impl<T> Doing<T> for Result<T, Trouble> {
    fn doing(self, what: &str) -> Result<T, Failure> {
        self.map_err(|error| trouble(what, &error))
    }
}

impl firebrick_ceph::tool::Report for Progress {
    fn at(&mut self, done: u64, total: u64) {
        Self::at(self, done, total);
    }
}

/// The user without `client.`.
fn user(common: &Common) -> Result<String, Failure> {
    let ceph = &common.ceph;
    let Some(name) = &ceph.name else {
        return Ok(ceph.id.clone().unwrap_or("admin".to_owned()));
    };
    let user = name.strip_prefix("client.").map(str::to_owned);
    let other = || refuse(EINVAL, format!("rbd: '{name}' is no client.USER"));
    user.ok_or_else(other)
}

impl Ceph {
    /// The user that the options name, without `client.`.
    pub(super) fn user(&self) -> Result<String, Failure> {
        user(&self.common)
    }

    /// Connects as the user that the options name.
    pub(super) fn connect(common: Common, cluster: &Cluster) -> Result<Self, Failure> {
        let mut settings = vec![
            ("client_mount_timeout", ANSWER.to_owned()),
            ("rados_mon_op_timeout", ANSWER.to_owned()),
            ("rados_osd_op_timeout", ANSWER.to_owned()),
            // As the `rbd` tool has it: it flushes once, at the end.
            ("rbd_cache_writethrough_until_flush", "false".to_owned()),
        ];
        let ceph = &common.ceph;
        let given = [
            ("mon_host", &ceph.mon_host),
            ("keyring", &ceph.keyring),
            ("keyfile", &ceph.keyfile),
        ];
        for (option, value) in given {
            if let Some(value) = value {
                settings.push((option, value.clone()));
            }
        }
        let access = Access {
            cluster: cluster.name.clone(),
            conf: cluster.conf.clone(),
            user: user(&common)?,
            settings,
        };
        let connected = access.connect();
        let connected = connected.map_err(|missing| {
            let text = format!("rbd: {missing}: ({EOPNOTSUPP}) Operation not supported");
            refuse(EOPNOTSUPP, text)
        })?;
        let connection = connected.doing("couldn't connect to the cluster!")?;
        Ok(Self { common, connection })
    }

    /// A pool; its namespace must be there.
    pub(super) fn pool(&self, place: &Place) -> Result<Arc<OpenPool>, Failure> {
        let Place { pool, namespace } = place;
        let opened = self.connection.pool(pool, "");
        let opened = opened.map_err(|error| match error.errno() {
            2 if pool == DEFAULT_POOL => refuse(
                ENOENT,
                format!(
                    "rbd: error opening default pool '{pool}'\nEnsure that the default pool has been created or \
                     specify an alternate pool name."
                ),
            ),
            _ => trouble(&format!("error opening pool '{pool}'"), &error),
        })?;
        if namespace.is_empty() {
            return Ok(opened);
        }
        let known = opened.has_namespace(namespace);
        if !known.doing("error asserting namespace")? {
            let text = format!("rbd: namespace '{namespace}' does not exist.");
            return Err(refuse(ENOENT, text));
        }
        let within = self.connection.pool(pool, namespace);
        within.doing(&format!("error opening pool '{pool}'"))
    }

    /// An image to look at, whatever snapshot is named.
    pub(super) fn look_head(&self, spec: &Spec) -> Result<OpenImage, Failure> {
        let name = spec.image()?;
        let pool = self.pool(&spec.place)?;
        let image = pool.look(ImageAt::Name(name));
        image.doing(&format!("error opening image {name}"))
    }

    /// An image to look at, and the snapshot where one is named.
    pub(super) fn look(&self, spec: &Spec) -> Result<OpenImage, Failure> {
        let image = self.look_head(spec)?;
        if let Some(snapshot) = spec.maybe_snapshot() {
            let set = image.look_at(Some(snapshot));
            set.map_err(|error| {
                let failed = trouble("", &error).to_string();
                let why = failed.trim_start_matches("rbd: : ");
                let text = format!("error setting snapshot context: {why}");
                refuse(u8::try_from(error.errno()).unwrap_or(EIO), text)
            })?;
        }
        Ok(image)
    }

    /// An image to change.
    pub(super) fn change(&self, spec: &Spec) -> Result<OpenImage, Failure> {
        let name = spec.image()?;
        let pool = self.pool(&spec.place)?;
        let image = pool.change(ImageAt::Name(name));
        image.doing(&format!("error opening image {name}"))
    }
}
