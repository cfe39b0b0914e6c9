//! What a failover did to each volume, or would do.

use firebrick_backend::{PromoteMode, PromoteOutcome, Reason};
use firebrick_db::{Activity, Service, Tx, Volume, activities, now, volumes};
use firebrick_vocabulary::{HostName, ImageId, Position, VolumeId};
use serde::{Deserialize, Serialize};

use super::commit::goes_along;
use super::failover::Move;
use super::holding::Holding;
use super::switch::{Progress, Switch};
use crate::control::Inner;
use crate::error::Result;
use crate::home::Seats;
use crate::story::{Step, Stop};

/// What a failover of a backend, a group or a volume did, or would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailoverReport {
    /// The backend.
    pub host: HostName,
    /// The name of the site that is left.
    pub from: String,
    /// The name of the site that takes over.
    pub to: String,
    /// Whether the site that is left takes part; nothing is lost then.
    pub mode: PromoteMode,
    /// Why it cannot take place; only of one that was not begun.
    pub refused: Option<String>,
    /// How long it took, in seconds, from the request until all volumes were written down.
    pub duration_seconds: Option<f64>,
    /// The volumes that it is about, by their ids.
    pub volumes: Vec<VolumeReport>,
}

/// What a failover does to one volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeReport {
    /// The volume.
    pub volume_id: VolumeId,
    /// What becomes of it.
    pub outcome: VolumeOutcome,
    /// Why it is lost.
    pub reason: Option<Reason>,
    /// Up to where of the log of the site that is left it is at the other one, as `EPOCH.SEQUENCE`.
    pub position: Option<String>,
    /// What was written in so many seconds is lost at most; null where that is not known.
    pub seconds_lost: Option<f64>,
    /// So many bytes are lost, as the site that is left last said.
    pub bytes_lost: Option<u64>,
    /// How long it took, in seconds, from the request until the volume was usable.
    pub duration_seconds: Option<f64>,
}

/// What becomes of a volume.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeOutcome {
    /// It lives at the other site.
    Moved,
    /// The other site cannot serve it. With its backend it is an error until that comes back.
    Failed,
    /// It is not replicated, and an error until the backend comes back.
    LeftBehind,
    /// It had been left behind and is what it was before.
    Restored,
    /// It or its group has a site of its own, and stays there.
    Apart,
    /// It is being made or deleted, and that goes on at the other site.
    Unfinished,
}

impl FailoverReport {
    /// That of a failover which took place.
    pub fn of(activity: &Activity) -> Option<Self> {
        let report = activity.state.get("report")?.clone();
        serde_json::from_value(report).ok()
    }
}

impl VolumeOutcome {
    /// As it stands in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Failed => "failed",
            Self::LeftBehind => "left_behind",
            Self::Restored => "restored",
            Self::Apart => "apart",
            Self::Unfinished => "unfinished",
        }
    }
}

/// What is known of a failover when it is told of.
pub(super) struct Facts<'a> {
    pub(super) mode: PromoteMode,
    pub(super) outcomes: &'a [PromoteOutcome],
    /// What the other site has without the help of the one that is left.
    pub(super) holdings: &'a [Holding],
    /// Where the site that is left gave way.
    pub(super) demoted: Option<Position>,
}

impl<'a> Facts<'a> {
    /// What an activity has found out.
    fn found(progress: &'a Progress) -> Self {
        Self {
            mode: progress.mode(),
            outcomes: progress.promoted.as_deref().unwrap_or_default(),
            holdings: progress.holdings.as_deref().unwrap_or_default(),
            demoted: progress.demoted.map(|(_, position)| position),
        }
    }

    fn result(&self, image: ImageId) -> Option<std::result::Result<(), Reason>> {
        let outcome = self.outcomes.iter().find(|it| it.image == image)?;
        Some(outcome.result.as_ref().map(drop).map_err(Clone::clone))
    }

    /// Of a volume whose backend moves; `home`: to the site of the configuration.
    pub(super) fn of(&self, seats: &Seats, home: bool, volume: &Volume) -> VolumeReport {
        let (outcome, reason) = match self.result(volume.image()) {
            _ if seats.is_apart(volume) => (VolumeOutcome::Apart, None),
            Some(Ok(())) => (VolumeOutcome::Moved, None),
            Some(Err(reason)) => (VolumeOutcome::Failed, Some(reason)),
            None if unfinished(volume) || goes_along(seats, volume) => {
                (VolumeOutcome::Unfinished, None)
            }
            None if home => (VolumeOutcome::Restored, None),
            None => (VolumeOutcome::LeftBehind, None),
        };
        self.told(volume, outcome, reason)
    }

    /// Of one that moves on its own, or with its group.
    pub(super) fn of_moving(&self, volume: &Volume) -> VolumeReport {
        let result = self.result(volume.image());
        match result.unwrap_or(Err(Reason::NotFound)) {
            Ok(()) => self.told(volume, VolumeOutcome::Moved, None),
            Err(reason) => self.told(volume, VolumeOutcome::Failed, Some(reason)),
        }
    }

    fn told(
        &self,
        volume: &Volume,
        outcome: VolumeOutcome,
        reason: Option<Reason>,
    ) -> VolumeReport {
        let image = volume.image();
        let holding = self.holdings.iter().find(|it| it.image == image);
        let position = holding.and_then(|it| it.position);
        let told = VolumeReport {
            volume_id: volume.id,
            outcome,
            reason,
            position: None,
            seconds_lost: None,
            bytes_lost: None,
            duration_seconds: None,
        };
        match (outcome, self.mode) {
            (VolumeOutcome::Moved, PromoteMode::Planned) => VolumeReport {
                position: self.demoted.or(position).map(|at| at.to_string()),
                seconds_lost: Some(0.0),
                bytes_lost: Some(0),
                ..told
            },
            (VolumeOutcome::Moved | VolumeOutcome::Failed, _) => {
                let loss = holding.and_then(|it| it.loss);
                VolumeReport {
                    position: position.map(|at| at.to_string()),
                    seconds_lost: loss.map(|loss| loss.seconds),
                    bytes_lost: loss.map(|loss| loss.bytes.0),
                    ..told
                }
            }
            _ => told,
        }
    }
}

fn unfinished(volume: &Volume) -> bool {
    use firebrick_state::VolumeStatus::{Creating, Deleting};
    matches!(volume.status, Creating | Deleting)
}

/// Writes down what the failover of a backend did, once all volumes say so and before the backend does.
pub(super) async fn write(step: &Move<'_>) -> Step {
    let mut progress = step.switch.saved().await?;
    let begun = step.activity.created_at;
    let (seats, all) = rows(step.inner, &step.service).await?;
    let facts = Facts::found(&progress);
    let tell = |volume: &Volume| {
        let mut told = facts.of(&seats, step.to.is_none(), volume);
        let touched = matches!(told.outcome, VolumeOutcome::Moved | VolumeOutcome::Restored);
        let written = volume.updated_at.filter(|at| touched && *at >= begun);
        told.duration_seconds = written.map(|at| (at - begun).as_seconds_f64());
        told
    };
    let volumes = all.iter().map(tell).collect();
    let report = done(&step.switch, &step.service.host, facts.mode, volumes);
    progress.report = Some(report);
    step.switch.save(&progress).await
}

/// Notes what the move of a group or of one volume did, in the transaction that writes that down.
pub(crate) async fn note(
    tx: &mut Tx,
    step: &Switch<'_>,
    host: &HostName,
    moved: &[Volume],
) -> Step {
    let mut progress = Progress::of(tx, step.activity.id).await?;
    let took = (now() - step.activity.created_at).as_seconds_f64();
    let facts = Facts::found(&progress);
    let tell = |volume: &Volume| {
        let told = facts.of_moving(volume);
        VolumeReport {
            duration_seconds: (told.outcome == VolumeOutcome::Moved).then_some(took),
            ..told
        }
    };
    let volumes = moved.iter().map(tell).collect();
    let report = done(step, &host.without_pool(), facts.mode, volumes);
    progress.report = Some(report);
    let state = serde_json::to_value(&progress).map_err(|error| Stop::always(error.to_string()))?;
    let (id, owner) = (step.activity.id, &step.inner.owner);
    if !activities::save(tx, id, owner, &state).await? {
        return Err(Stop::Lost);
    }
    Ok(())
}

/// The report of one that took place.
fn done(
    step: &Switch<'_>,
    host: &HostName,
    mode: PromoteMode,
    volumes: Vec<VolumeReport>,
) -> FailoverReport {
    FailoverReport {
        host: host.clone(),
        from: step.old.name().to_owned(),
        to: step.new.name().to_owned(),
        mode,
        refused: None,
        duration_seconds: Some((now() - step.activity.created_at).as_seconds_f64()),
        volumes,
    }
}

/// The volumes of a backend, and where they live.
pub(super) async fn rows(inner: &Inner, service: &Service) -> Result<(Seats, Vec<Volume>)> {
    let connection = &mut *inner.db.read().await?;
    let seats = Seats::of(connection, &service.host).await?;
    let mut all = volumes::of_service(connection, &service.host).await?;
    all.sort_by_key(|volume| volume.id);
    Ok((seats, all))
}
