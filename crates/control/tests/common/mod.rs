//! A control plane, its database and its two sites, and what to wait for.

mod bytes;
mod check;
mod images;
mod make;
mod node;
mod site;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use firebrick_backend::SharedBackend;
use firebrick_control::{
    Access, BackendOptions, Began, Context, Control, ControlOptions, PoolQuery, Ratio, Running,
};
use firebrick_db::Db;
use firebrick_policy::{Credentials, Policy};
use firebrick_vocabulary::{ProjectId, UserId};
use parking_lot::Mutex;

use crate::place::Place;
use images::Pair;
pub(crate) use images::State;
pub(crate) use make::{MIRRORED, attach_to, connector, mirrored, sized, snapshot_of, upload};
use site::Site;
pub(crate) use wire::{At, Trouble, Wire};

/// The service of the one backend.
pub(crate) const HOST: &str = "node1@blocks";
/// The site of the configuration.
pub(crate) const A: &str = "site-a";
/// Its replication target.
pub(crate) const B: &str = "site-b";

/// The service of another backend, of worlds that have [`World::of_two`].
pub(crate) const FAR: &str = "node1@stones";
/// Its one site.
pub(crate) const C: &str = "site-c";

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// All of it.
pub(crate) struct World {
    place: Place,
    options: ControlOptions,
    life: Option<(Db, Running)>,
    pub(crate) control: Control,
    pub(crate) db: Db,
    pub(crate) wire: Wire,
    pair: Arc<Mutex<Pair>>,
    /// What the other backend has.
    far: Arc<Mutex<Pair>>,
}

impl World {
    /// A control plane whose backend answers and was looked at.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with other options.
    pub(crate) async fn with(change: impl FnOnce(&mut ControlOptions)) -> Self {
        Self::on(Place::asked_for(), change).await
    }

    /// The same with its database there.
    pub(crate) async fn on(place: Place, change: impl FnOnce(&mut ControlOptions)) -> Self {
        Self::made_of(place, false, change).await
    }

    /// The same with another backend beside, which both were looked at.
    pub(crate) async fn of_two(place: Place, change: impl FnOnce(&mut ControlOptions)) -> Self {
        let world = Self::made_of(place, true, change).await;
        world.both_looked_at().await;
        world
    }

    /// Both backends have answered.
    pub(crate) async fn both_looked_at(&self) {
        until("both backends were looked at", || async {
            let pools = self.control.pools(&admin(), PoolQuery::default()).await;
            pools.unwrap().len() == 2
        })
        .await;
    }

    async fn made_of(place: Place, two: bool, change: impl FnOnce(&mut ControlOptions)) -> Self {
        let wire = Wire::default();
        let pair = Arc::new(Mutex::new(Pair::new()));
        let far = Arc::new(Mutex::new(Pair::new()));
        let site = |name, index, pair: &Arc<Mutex<Pair>>| -> SharedBackend {
            Arc::new(Site {
                name,
                index,
                pair: Arc::clone(pair),
                wire: wire.clone(),
            })
        };
        let targets = vec![(B.to_owned(), site(B, 1, &pair))];
        let near = backend("blocks", site(A, 0, &pair), targets);
        let stones = backend("stones", site(C, 0, &far), Vec::new());
        let mut options = ControlOptions::new("node1", vec![near, stones]);
        // Only what tests do makes calls.
        options.report_interval = Duration::from_secs(3600);
        options.runner.workers = 4;
        options.runner.poll = Duration::from_millis(20);
        options.runner.backoff = Duration::from_millis(5);
        options.runner.wait = Duration::from_secs(5);
        options.runner.attempts = 3;
        options.failover.probe = Duration::from_millis(300);
        options.failover.resync = Duration::from_millis(300);
        options.failover.linger = Duration::ZERO;
        if !two {
            options.backends.truncate(1);
        }
        change(&mut options);
        let (db, control, running) = begin(&place, &options).await;
        let world = Self {
            place,
            options,
            life: Some((db.clone(), running)),
            control,
            db,
            wire,
            pair,
            far,
        };
        world.looked_at().await;
        world.types().await;
        world
    }

    /// The process dies as by `kill -9`, and another one begins.
    pub(crate) async fn restart(&mut self) {
        self.kill().await;
        self.wire.disarm();
        let (db, control, running) = begin(&self.place, &self.options).await;
        self.life = Some((db.clone(), running));
        self.db = db;
        self.control = control;
    }

    /// The process ends, and begins again with other options.
    pub(crate) async fn reconfigured(&mut self, change: impl FnOnce(&mut ControlOptions)) {
        self.kill().await;
        change(&mut self.options);
        self.restart().await;
    }

    /// Nothing of the process goes on.
    pub(crate) async fn kill(&mut self) {
        if let Some((db, running)) = self.life.take() {
            // Its tasks are dropped wherever they are.
            drop(running);
            db.close().await;
        }
    }

    /// The first look at the backend and its exports is over.
    async fn looked_at(&self) {
        let looked = || async {
            let calls = self.wire.calls();
            calls.contains(&(A, "exports"))
                && !self
                    .control
                    .pools(&admin(), PoolQuery::default())
                    .await
                    .unwrap()
                    .is_empty()
        };
        until("the backend was looked at", looked).await;
    }

    /// A site as it is now.
    pub(crate) fn site<T>(&self, name: &str, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.pair.lock().sites[usize::from(name == B)])
    }

    /// The site of the other backend as it is now.
    pub(crate) fn far<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.far.lock().sites[0])
    }

    /// The site goes down, or comes back with what it had.
    pub(crate) fn set_up(&self, name: &str, up: bool) {
        let mut pair = self.pair.lock();
        pair.sites[usize::from(name == B)].up = up;
        pair.mirror();
    }

    /// The link between the sites.
    pub(crate) fn set_linked(&self, linked: bool) {
        let mut pair = self.pair.lock();
        pair.linked = linked;
        pair.mirror();
    }

    /// Lets the workers look for work, where the test cannot see whether they should find any.
    pub(crate) async fn breathe(&self) {
        tokio::time::sleep(self.options.runner.poll * 3).await;
    }

    /// Waits until a call was in trouble.
    pub(crate) async fn struck(&self) {
        until("a call is in trouble", || async { self.wire.struck() > 0 }).await;
    }
}

fn backend(
    name: &str,
    primary: SharedBackend,
    targets: Vec<(String, SharedBackend)>,
) -> BackendOptions {
    BackendOptions {
        name: name.to_owned(),
        volume_backend_name: name.to_owned(),
        primary,
        targets,
        reserved_percentage: 0,
        max_over_subscription_ratio: Ratio::default(),
        filter_function: None,
        goodness_function: None,
        availability_zone: None,
        cluster: None,
    }
}

async fn begin(place: &Place, options: &ControlOptions) -> (Db, Control, Running) {
    let db = place.open().await;
    let (control, running) = Control::start(db.clone(), options.clone()).await.unwrap();
    (db, control, running)
}

/// Looks again and again until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut look: impl FnMut() -> F) {
    let looks = async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, looks).await;
    assert!(ended.is_ok(), "never: {what}");
}

/// A member of the project that owns everything.
pub(crate) fn member() -> Context {
    member_of("0123456789abcdef0123456789abcdef")
}

/// A member of another project.
pub(crate) fn member_of(project: &str) -> Context {
    with_roles(project, &["member", "reader"])
}

/// An administrator.
pub(crate) fn admin() -> Context {
    let roles = ["admin", "manager", "member", "reader"];
    with_roles(member().project.as_str(), &roles)
}

/// Somebody with these roles in a project.
pub(crate) fn with_roles(project: &str, roles: &[&str]) -> Context {
    with_policy(&Arc::default(), project, roles)
}

/// The same under another policy. Their requests are passed on by a service such as Nova.
pub(crate) fn with_policy(policy: &Arc<Policy>, project: &str, roles: &[&str]) -> Context {
    let context = by_themselves(policy, project, roles);
    Context {
        access: context.access.by_service(),
        ..context
    }
}

/// The same, but with requests that nobody passes on.
pub(crate) fn by_themselves(policy: &Arc<Policy>, project: &str, roles: &[&str]) -> Context {
    let who = Credentials {
        user_id: Some("somebody".to_owned()),
        project_id: Some(project.to_owned()),
        roles: roles.iter().map(|&role| role.to_owned()).collect(),
        is_admin_project: true,
        ..Credentials::default()
    };
    Context {
        project: ProjectId(project.to_owned()),
        user: UserId("somebody".to_owned()),
        request_id: "req-1".to_owned(),
        access: Access::new(Arc::clone(policy), who),
        began: Began::default(),
    }
}
