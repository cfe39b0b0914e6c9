//! What a failover did to each volume, or would do.

use firebrick_backend::{PromoteMode, PromoteOutcome, Reason};
use firebrick_db::{Activity, Service, Volume, volumes};
use firebrick_vocabulary::{HostName, Position, VolumeId};
use serde::{Deserialize, Serialize};

use super::commit::goes_along;
use super::failover::Move;
use super::holding::Holding;
use crate::control::Inner;
use crate::error::Result;
use crate::home::Seats;
use crate::story::Step;

/// What a failover of a backend did, or would do.
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
    /// Its volumes, by their ids.
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
    /// The other site cannot serve it; it is an error until the backend comes back.
    Failed,
    /// It is not replicated, and an error until the backend comes back.
    LeftBehind,
    /// It had been left behind and is what it was before.
    Restored,
    /// Its group has a site of its own, and stays there.
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
    pub(super) seats: &'a Seats,
    /// Whether it goes to the site of the configuration.
    pub(super) home: bool,
    pub(super) mode: PromoteMode,
    pub(super) outcomes: &'a [PromoteOutcome],
    /// What the other site has without the help of the one that is left.
    pub(super) holdings: &'a [Holding],
    /// Where the site that is left gave way.
    pub(super) demoted: Option<Position>,
}

impl Facts<'_> {
    pub(super) fn of(&self, volume: &Volume) -> VolumeReport {
        let image = volume.image();
        let outcome = self.outcomes.iter().find(|it| it.image == image);
        let outcome = outcome.map(|it| it.result.as_ref());
        let (outcome, reason) = match outcome {
            _ if self.seats.is_apart(volume) => (VolumeOutcome::Apart, None),
            Some(Ok(_)) => (VolumeOutcome::Moved, None),
            Some(Err(reason)) => (VolumeOutcome::Failed, Some(reason.clone())),
            None if unfinished(volume) || goes_along(self.seats, volume) => {
                (VolumeOutcome::Unfinished, None)
            }
            None if self.home => (VolumeOutcome::Restored, None),
            None => (VolumeOutcome::LeftBehind, None),
        };
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

/// Writes down what the failover did, once all volumes say so and before the backend does.
pub(super) async fn write(step: &Move<'_>) -> Step {
    let mut progress = step.switch.saved().await?;
    let outcomes = progress.promoted.clone().unwrap_or_default();
    let facts = |seats| Facts {
        seats,
        home: step.to.is_none(),
        mode: progress.mode(),
        outcomes: &outcomes,
        holdings: progress.holdings.as_deref().unwrap_or_default(),
        demoted: progress.demoted.map(|(_, position)| position),
    };
    let begun = step.activity.created_at;
    let mut volumes = Vec::new();
    let (seats, all) = rows(step.inner, &step.service).await?;
    let facts = facts(&seats);
    for volume in all {
        let mut told = facts.of(&volume);
        let touched = matches!(told.outcome, VolumeOutcome::Moved | VolumeOutcome::Restored);
        let written = volume.updated_at.filter(|at| touched && *at >= begun);
        told.duration_seconds = written.map(|at| (at - begun).as_seconds_f64());
        volumes.push(told);
    }
    let report = FailoverReport {
        host: step.service.host.clone(),
        from: step.switch.old.name().to_owned(),
        to: step.switch.new.name().to_owned(),
        mode: facts.mode,
        refused: None,
        duration_seconds: Some((firebrick_db::now() - begun).as_seconds_f64()),
        volumes,
    };
    progress.report = Some(report);
    step.switch.save(&progress).await
}

/// The volumes of a backend, and where they live.
pub(super) async fn rows(inner: &Inner, service: &Service) -> Result<(Seats, Vec<Volume>)> {
    let connection = &mut *inner.db.read().await?;
    let seats = Seats::of(connection, &service.host).await?;
    let mut all = volumes::of_service(connection, &service.host).await?;
    all.sort_by_key(|volume| volume.id);
    Ok((seats, all))
}
