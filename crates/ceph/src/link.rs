//! The connection to a pool: made when it is needed, and made anew where the cluster has shut it out, or where a call
//! of it was not answered: librados finds out late, or never, that an OSD is back elsewhere, and librbd may hang.

use std::sync::{Arc, Weak};
use std::time::Duration;

use firebrick_backend::{Fault, FaultKind};
use parking_lot::Mutex;
use tracing::{debug, warn};
use uuid::Uuid;

use crate::ffi::{Cancel, Cluster, Errno, Missing, Pool, present};
use crate::options::CephOptions;
use crate::running::Running;
use crate::threads::Threads;

/// Calls that are made at once.
const THREADS: usize = 16;
/// How long the cluster has to answer one request, where the configuration says nothing.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a call may take that is quick by its nature.
const QUICK: Duration = Duration::from_secs(60);
/// How long a call that copies or removes data may tell of no progress.
const SLOW: Duration = Duration::from_secs(600);
/// For how many seconds a connection that hangs is shut out: longer than anybody lets a cluster be away.
const SHUT_OUT: u32 = 7 * 24 * 3600;

/// What is open.
pub(crate) struct Link {
    pub(crate) pool: Arc<Pool>,
    pub(crate) cluster: Arc<Cluster>,
    /// The cluster's id.
    pub(crate) fsid: Uuid,
    /// By what the cluster knows it.
    address: String,
    /// What is being asked.
    running: Running,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pace {
    /// Some requests to the cluster.
    Quick,
    /// As many as there is data.
    Slow,
}

/// The way to a pool.
pub(crate) struct Line {
    pub(crate) options: CephOptions,
    threads: Threads,
    open: Mutex<Option<Arc<Link>>>,
    /// Connections that are used no more, in which calls run still.
    left: Mutex<Vec<Weak<Link>>>,
}

impl Line {
    /// Refuses where this machine has no librbd; the cluster is not asked yet.
    pub(crate) fn new(options: CephOptions) -> Result<Arc<Self>, Missing> {
        present()?;
        Ok(Arc::new(Self {
            options,
            threads: Threads::new(THREADS),
            open: Mutex::new(None),
            left: Mutex::default(),
        }))
    }

    /// Does `work` on a thread that may wait for the cluster.
    pub(crate) async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        pace: Pace,
        doing: impl Into<String>,
        work: impl FnOnce(&Link, &Cancel) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (line, doing) = (Arc::clone(self), doing.into());
        let within = match pace {
            Pace::Quick => QUICK,
            Pace::Slow => SLOW,
        };
        let what = doing.clone();
        let work = move |cancel: &Cancel| {
            let link = line.link(&what)?;
            let _runs = link.running.begin(cancel, within);
            line.shut_out(&link);
            let result = work(&link, cancel);
            if result.as_ref().is_err_and(unanswered) {
                line.drop_link(&link);
            }
            result
        };
        self.threads.call(&doing, within, work).await
    }

    /// Does `work` some time, and nobody waits for it.
    pub(crate) fn later(
        self: &Arc<Self>,
        doing: &'static str,
        work: impl FnOnce(&Link) -> Result<(), Fault> + Send + 'static,
    ) {
        let line = Arc::clone(self);
        let job = move |call: &Cancel| {
            let done = line.link(doing).and_then(|link| {
                let _runs = link.running.begin(call, QUICK);
                work(&link)
            });
            if let Err(fault) = done {
                debug!(site = line.options.name, %fault, "something stays behind for now");
            }
        };
        if let Err(fault) = self.threads.later(doing, QUICK, job) {
            debug!(%fault, "something stays behind for now");
        }
    }

    /// The connection. Who comes while it is made waits for it.
    fn link(&self, doing: &str) -> Result<Arc<Link>, Fault> {
        let mut open = self.open.lock();
        if let Some(link) = &*open {
            if link.running.overdue() == 0 {
                return Ok(Arc::clone(link));
            }
            // It is left to those that hang in it.
            warn!(
                site = self.options.name,
                "a call hangs; the connection is made anew"
            );
            self.left.lock().push(Arc::downgrade(link));
            *open = None;
        }
        let link = Arc::new(self.connect(doing)?);
        *open = Some(Arc::clone(&link));
        Ok(link)
    }

    /// The next call connects again.
    fn drop_link(&self, link: &Arc<Link>) {
        let mut open = self.open.lock();
        if open.as_ref().is_some_and(|open| Arc::ptr_eq(open, link)) {
            self.left.lock().push(Arc::downgrade(link));
            *open = None;
        }
    }

    /// Has the cluster shut out connections in which calls hang. Whatever these had open and locked they would hold as
    /// long as this process lives, as soon as the cluster is back: nobody else could write to it.
    fn shut_out(&self, link: &Link) {
        let all = std::mem::take(&mut *self.left.lock());
        let mut left = Vec::new();
        for weak in all {
            let Some(former) = weak.upgrade() else {
                continue;
            };
            if former.running.overdue() == 0 {
                left.push(weak);
                continue;
            }
            match link.cluster.shut_out(&former.address, SHUT_OUT) {
                Ok(()) => {
                    let (site, address) = (&self.options.name, &former.address);
                    warn!(
                        site,
                        address, "a connection in which a call hangs is shut out"
                    );
                }
                Err(error) => {
                    debug!(site = self.options.name, %error, "a connection hangs for now");
                    left.push(weak);
                }
            }
        }
        self.left.lock().append(&mut left);
    }

    fn connect(&self, doing: &str) -> Result<Link, Fault> {
        let options = &self.options;
        let conf = options.conf.display().to_string();
        // What a cluster that is gone leaves unanswered must end some time, or it would keep its thread.
        let answer = options
            .connect
            .unwrap_or(ANSWER)
            .as_secs()
            .max(1)
            .to_string();
        let settings = [
            ("client_mount_timeout", answer.clone()),
            ("rados_mon_op_timeout", answer.clone()),
            ("rados_osd_op_timeout", answer),
        ];
        let names = (options.cluster.as_str(), options.user(), conf.as_str());
        let unreachable = |what: String, error: Errno| {
            let why = format!("{what}: {}", reason(error));
            Fault::new(FaultKind::Unreachable, doing, why)
        };
        let cluster = Cluster::connect(names, &settings).map_err(|error| {
            let user = options.user();
            unreachable(
                format!("cannot connect to the cluster of {conf} as client.{user}"),
                error,
            )
        })?;
        let pool = cluster.pool(&options.pool).map_err(|error| {
            unreachable(format!("cannot open the pool {}", options.pool), error)
        })?;
        let fsid = cluster
            .fsid()
            .map_err(|error| unreachable("the cluster does not say who it is".to_owned(), error))?;
        let fsid = Uuid::parse_str(&fsid).map_err(|error| {
            Fault::new(FaultKind::Internal, doing, format!("{fsid:?}: {error}"))
        })?;
        let address = cluster
            .address()
            .map_err(|error| unreachable("the connection has no address".to_owned(), error))?;
        Ok(Link {
            pool,
            cluster,
            fsid,
            address,
            running: Running::default(),
        })
    }
}

/// Whether the same connection may never answer again, even where the cluster does.
fn unanswered(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Unreachable | FaultKind::TimedOut)
}

fn reason(error: Errno) -> String {
    match error.0 {
        libc::ENOENT => "there is no such file, pool or user".to_owned(),
        libc::ETIMEDOUT => "the monitors do not answer".to_owned(),
        libc::EACCES | libc::EPERM => "the key is not accepted".to_owned(),
        _ => error.to_string(),
    }
}
