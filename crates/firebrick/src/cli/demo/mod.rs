//! `firebrick demo`: a volume loses its site, lives on, and comes home, before your eyes.

mod api;
mod disk;
mod history;
mod report;
mod screen;
mod stage;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use self::api::{Api, DEFAULT};
use self::history::{BLOCK, Tally};
use self::report::Report;
use self::screen::Screen;
use self::stage::{FIRST, SECOND, Stage};
use self::watch::Watch;
use super::args::DemoArgs;
use crate::exit::Failure;
use crate::journal;

/// How large the volume is, in GiB.
const VOLUME_GIB: u32 = 1;
/// How long the guest writes at the other site.
const THERE: Duration = Duration::from_secs(2);
/// How long the lost site may take to have caught up.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(120);

/// Plays it, and fails unless the data matched.
pub(crate) async fn run(args: DemoArgs) -> Result<(), Failure> {
    drop(journal::start("warn"));
    let screen = Screen::new();
    screen.step("start a private dev: a control plane and two sites");
    let mut stage = Stage::set(args.keep).await?;
    let interrupted = super::parent::stop_requested(false);
    let played = tokio::select! {
        played = play(&stage, &screen, Duration::from_secs(args.seconds)) => played,
        reason = interrupted => Err(Failure::Failed(format!("interrupted by {}", reason?))),
    };
    if played.is_err() {
        stage.keep();
    }
    stage.strike().await;
    let report = played?;
    report.print();
    report.verdict()
}

/// The volume and how the guest reaches it.
struct Guest {
    api: Api,
    volume: String,
    attachment: String,
    uri: String,
}

async fn play(stage: &Stage, screen: &Screen, seconds: Duration) -> Result<Report, Failure> {
    let guest = attach(stage, screen).await?;
    let (tally, confirmed, lost_at) = disaster(stage, screen, &guest, seconds).await?;
    let (guest, rto, held) = take_over(screen, guest, &tally).await?;
    let rpo = history::lost(&tally, held, lost_at);
    let mut history = tally.history();
    history.truncate(held);
    let (guest, tally, copied) = come_home(stage, screen, guest, history).await?;

    screen.step("read everything back at the first site");
    let history = tally.history();
    let found = disk::verify(guest.uri.clone(), history.clone()).await?;
    Ok(Report {
        written: tally.answered() * BLOCK,
        confirmed,
        held,
        rpo,
        rto,
        copied,
        image: u64::from(VOLUME_GIB) << 30,
        home: found,
        expected: history.len(),
    })
}

async fn attach(stage: &Stage, screen: &Screen) -> Result<Guest, Failure> {
    screen.step("make a replicated volume and attach it");
    let api = Api::new(&stage.manifest.api, &stage.manifest.host);
    let volume = api.make_replicated_volume(VOLUME_GIB).await?;
    let (attachment, uri) = api.attach(&volume).await?;
    screen.say(&format!("volume {volume} at {uri}"));
    Ok(Guest {
        api,
        volume,
        attachment,
        uri,
    })
}

/// The guest writes until its site is killed: what it wrote, how many of its writes the other site
/// had confirmed for certain, and when the site was lost.
async fn disaster(
    stage: &Stage,
    screen: &Screen,
    guest: &Guest,
    seconds: Duration,
) -> Result<(Arc<Tally>, u64, Instant), Failure> {
    screen.step("the guest writes; the other site follows");
    let tally = Arc::new(Tally::default());
    let writer = disk::write_until_told(&guest.uri, &tally, 1);
    let watch = Watch::start(stage.site(FIRST)?, Arc::clone(&tally));
    let until = Instant::now() + seconds;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(100)).await;
        screen.progress(&watch.line());
    }
    screen.step(&format!("kill -9 {FIRST}"));
    stage.dev.kill(FIRST).await?;
    let lost_at = Instant::now();
    let confirmed = watch.confirmed();
    writer.broken().await?;
    screen.say(&format!(
        "{} writes were answered; the other site had confirmed {confirmed} of them at the last look",
        tally.answered()
    ));
    Ok((tally, confirmed, lost_at))
}

/// Fails over and reads at the other site: the new connection, the time from the command to the
/// first read, and how many writes are there.
async fn take_over(
    screen: &Screen,
    mut guest: Guest,
    tally: &Arc<Tally>,
) -> Result<(Guest, Duration, u64), Failure> {
    screen.step(&format!("cinder failover-host {}", guest.api.host()));
    let command = Instant::now();
    guest.api.fail_over(None, "failed-over").await?;
    guest.uri = guest.api.reattach(&guest.attachment).await?;
    disk::read_first(guest.uri.clone()).await?;
    let rto = command.elapsed();
    screen.say(&format!(
        "first read at {} after {:.2} s",
        guest.uri,
        rto.as_secs_f64()
    ));
    screen.step("check that the other site holds a beginning of what was written, in order");
    let held = disk::verify(guest.uri.clone(), tally.history()).await?;
    screen.say(&format!(
        "the first {held} writes are there, and none after"
    ));
    Ok((guest, rto, held))
}

/// Life goes on at the other site, the lost one comes back as its secondary, and the volume goes
/// home: the bytes that were copied for that.
async fn come_home(
    stage: &Stage,
    screen: &Screen,
    mut guest: Guest,
    history: history::History,
) -> Result<(Guest, Arc<Tally>, u64), Failure> {
    screen.step("the guest goes on at the other site");
    let tally = Arc::new(Tally::after(history));
    let writer = disk::write_until_told(&guest.uri, &tally, 2);
    let until = Instant::now() + THERE;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(100)).await;
        screen.progress(&format!("{} writes", tally.answered()));
    }
    writer.stop().await?;

    screen.step(&format!("start {FIRST} again; it follows by itself"));
    stage.dev.start(FIRST).await?;
    let (first, second) = (stage.site(FIRST)?, stage.site(SECOND)?);
    let volume = guest.volume.clone();
    watch::caught_up(&first, &second, &volume, CATCH_UP_WITHIN, |line| {
        screen.progress(line);
    })
    .await?;
    let copied = watch::received(&first).await?;

    screen.step(&format!(
        "cinder failover-host {} --backend_id {DEFAULT}",
        guest.api.host()
    ));
    guest.api.fail_over(Some(DEFAULT), "enabled").await?;
    guest.uri = guest.api.reattach(&guest.attachment).await?;
    screen.say(&format!("back at {}", guest.uri));
    Ok((guest, tally, copied))
}
