//! The connection to PostgreSQL is cut at each statement of a failover in turn, before the statement arrives
//! or before its answer does: also that to a commit, of which nobody knows then whether it took place.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use firebrick_state::ReplicationStatus;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::common::{B, HOST, World, admin};
use crate::failover::Given;
use crate::place::Place;

/// The name of a PostgreSQL's socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// What is cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cut {
    /// The statement never arrives.
    Statement,
    /// It is done, and nobody hears that.
    Answer,
}

#[derive(Default)]
struct Plan {
    /// Statements that went by since it was armed; none are counted otherwise.
    seen: Option<usize>,
    /// Which of them is cut, and how.
    at: Option<(usize, Cut)>,
    struck: bool,
}

/// A way to a PostgreSQL that can be cut.
struct Way {
    folder: TempDir,
    plan: Arc<Mutex<Plan>>,
}

impl Way {
    fn to(server: PathBuf) -> Self {
        let folder = TempDir::new().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let plan = Arc::new(Mutex::new(Plan::default()));
        let shared = Arc::clone(&plan);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(server.join(SOCKET)).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&shared)));
            }
        });
        Self { folder, plan }
    }

    fn arm(&self, at: Option<(usize, Cut)>) {
        *self.plan.lock() = Plan {
            seen: Some(0),
            at,
            struck: false,
        };
    }

    /// How many statements went by, and whether one was cut.
    fn disarm(&self) -> (usize, bool) {
        let plan = std::mem::take(&mut *self.plan.lock());
        (plan.seen.unwrap_or(0), plan.struck)
    }
}

/// What is cut at this message of a client, if anything is.
fn cut_at(plan: &Mutex<Plan>, kind: u8) -> Option<Cut> {
    // A simple query, or the execution of one that has been prepared.
    if !matches!(kind, b'Q' | b'E') {
        return None;
    }
    let mut plan = plan.lock();
    let seen = plan.seen.as_mut()?;
    let number = *seen;
    *seen += 1;
    let cut = plan.at.filter(|(at, _)| *at == number)?.1;
    plan.struck = true;
    Some(cut)
}

/// A message with its kind; `None` at the end of the connection.
async fn message(from: &mut (impl AsyncRead + Unpin)) -> Option<(u8, Vec<u8>)> {
    let kind = from.read_u8().await.ok()?;
    let length = from.read_u32().await.ok()?;
    let mut whole = vec![kind];
    whole.extend(length.to_be_bytes());
    whole.resize(length as usize + 1, 0);
    from.read_exact(&mut whole[5..]).await.ok()?;
    Some((kind, whole))
}

/// Passes messages on in both directions until something is cut.
async fn pass(client: UnixStream, server: UnixStream, plan: Arc<Mutex<Plan>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    // The first message of a client has no kind.
    let Ok(length) = from_client.read_u32().await else {
        return;
    };
    let mut first = length.to_be_bytes().to_vec();
    first.resize(length as usize, 0);
    if from_client.read_exact(&mut first[4..]).await.is_err() {
        return;
    }
    to_server.write_all(&first).await.unwrap();
    let mute = Mutex::new(false);
    let there = async {
        while let Some((kind, whole)) = message(&mut from_client).await {
            match cut_at(&plan, kind) {
                Some(Cut::Statement) => return,
                Some(Cut::Answer) => *mute.lock() = true,
                None => {}
            }
            if to_server.write_all(&whole).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        while let Some((kind, whole)) = message(&mut from_server).await {
            let mute = *mute.lock();
            // Ready for the next one: what was asked is done.
            if mute && kind == b'Z' {
                return;
            }
            if !mute && to_client.write_all(&whole).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_goes_on_from_every_statement_at_which_the_database_is_lost() {
    let place = Place::postgres();
    let direct = place.open().await;
    let way = Way::to(place.folder());
    let place = place.by_way_of(way.folder.path());
    let mut world = World::on(place, |options| {
        // One, so that only what is looked at sends statements.
        options.runner.workers = 1;
        options.runner.lease = Duration::from_secs(1);
    })
    .await;
    // Who looks on takes another way.
    world.db = direct;
    let given = Given::new(&world).await;
    way.arm(None);
    world.failed_over(B).await;
    let (statements, _) = way.disarm();
    assert!(statements > 30, "{statements}");
    world.failed_over("default").await;
    let mut struck = 0;
    for at in 0..statements {
        for (to, way_back) in [(B, false), ("default", true)] {
            let cut = if (at % 2 == 0) == way_back {
                Cut::Answer
            } else {
                Cut::Statement
            };
            let when = format!("to {to}, {cut:?} of {at}");
            way.arm(Some((at, cut)));
            let asked = world.control.failover(&admin(), HOST, Some(to)).await;
            world.moved().await;
            struck += usize::from(way.disarm().1);
            let service = world.service().await;
            assert_ne!(service.replication_status, ReplicationStatus::FailingOver);
            if asked.is_err() && service.active_backend_id.is_some() == way_back {
                // It was the request that was cut, before anything was begun.
                world.failed_over(to).await;
            }
            match to {
                B => given.is_away(&world, &when).await,
                _ => given.is_home(&world, &when).await,
            }
            world.one_primary();
        }
    }
    assert!(struck > statements, "{struck} of {statements}, both ways");
}
