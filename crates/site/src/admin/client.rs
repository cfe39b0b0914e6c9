//! The control plane's end: a [`Backend`] that asks a site over its socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use firebrick_backend::{
    Access, Backend, Capabilities, DrillInfo, ExportAddress, ExportInfo, ExportKey, Fault,
    FaultKind, ImageInfo, MirrorStatus, NewImage, PromoteMode, PromoteOutcome, Reader, SiteStatus,
    SnapshotInfo, SpaceStats, ViewOf, Writer,
};
use firebrick_vocabulary::{
    Bytes, ImageId, ImageName, Limits, MirrorWay, Position, Sequence, SnapshotName, StoreId,
};
use parking_lot::Mutex;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::bytes::{RemoteReader, RemoteWriter};
use super::frame::{receive, send};
use super::protocol::{Answer, Hello, PROTOCOL_VERSION, Reply, Request};
use crate::conf::SiteConf;

/// Idle connections that are kept.
const IDLE_MAX: usize = 8;
/// How long connecting and greeting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// A site, seen from another process on the machine. Never waits for a site that does not answer:
/// each call ends with [`FaultKind::Unreachable`] or [`FaultKind::TimedOut`] at last, and the next
/// call tries again.
#[derive(Debug)]
pub struct SiteClient {
    name: String,
    socket: PathBuf,
    mirroring: bool,
    idle: Mutex<Vec<UnixStream>>,
}

impl SiteClient {
    /// The client of the site that `conf` describes. Connects with the first call.
    pub fn new(conf: &SiteConf) -> Self {
        Self::at(&conf.name, conf.admin.clone(), !conf.peers.is_empty())
    }

    /// The client of the site `name` behind the admin socket `socket`; `mirroring` says whether it
    /// has a peer. Connects with the first call.
    pub fn at(name: &str, socket: PathBuf, mirroring: bool) -> Self {
        Self {
            name: name.to_owned(),
            socket,
            mirroring,
            idle: Mutex::default(),
        }
    }

    /// The site's admin socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        let hello = Hello {
            version: PROTOCOL_VERSION,
            name: "client".to_owned(),
        };
        send(&mut stream, &hello).await?;
        let theirs: Hello = receive(&mut stream)
            .await?
            .ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
        if theirs.version == PROTOCOL_VERSION {
            return Ok(stream);
        }
        let why = format!(
            "it speaks version {}, not {PROTOCOL_VERSION}",
            theirs.version
        );
        Err(io::Error::new(io::ErrorKind::Unsupported, why))
    }

    pub(super) async fn greet(&self, doing: &str) -> Result<UnixStream, Fault> {
        let late = |_| Err(io::Error::other("it does not greet back"));
        let greeted = timeout(CONNECT_WITHIN, self.connect()).await;
        greeted
            .unwrap_or_else(late)
            .map_err(|error| Fault::new(FaultKind::Unreachable, doing, self.silence(&error)))
    }

    /// What to say of a site that cannot be asked.
    fn silence(&self, error: &io::Error) -> String {
        let (name, socket) = (&self.name, self.socket.display());
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                format!("only the user who runs {name} may ask it on {socket}: {error}")
            }
            _ => format!("site {name} does not answer on {socket}: {error}"),
        }
    }

    /// Makes one call. A kept connection may have died with the site's last process, so a call on
    /// one is repeated once on a new connection; every call may be repeated.
    async fn call(&self, request: Request) -> Result<Reply, Fault> {
        let doing = format!("ask {}: {}", self.name, name_of(&request));
        let patience = request.patience();
        let kept = self.idle.lock().pop();
        if let Some(stream) = kept
            && let Ok(answer) = self.exchange(stream, &request, patience, &doing).await
        {
            return answer;
        }
        let stream = self.greet(&doing).await?;
        match self.exchange(stream, &request, patience, &doing).await {
            Ok(answer) => answer,
            Err(error) => {
                let why = self.silence(&error);
                Err(Fault::new(FaultKind::Unreachable, doing, why))
            }
        }
    }

    async fn exchange(
        &self,
        mut stream: UnixStream,
        request: &Request,
        patience: Duration,
        doing: &str,
    ) -> io::Result<Answer> {
        let exchange = async {
            send(&mut stream, request).await?;
            receive::<Answer>(&mut stream)
                .await?
                .ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))
        };
        let Ok(answer) = timeout(patience, exchange).await else {
            let why = format!("no answer within {} s", patience.as_secs());
            return Ok(Err(Fault::new(FaultKind::TimedOut, doing, why)));
        };
        let answer = answer?;
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_MAX {
            idle.push(stream);
        }
        Ok(answer)
    }

    fn confused(&self, reply: &Reply) -> Fault {
        let doing = format!("ask {}", self.name);
        Fault::new(
            FaultKind::Internal,
            doing,
            format!("an answer to another question: {reply:?}"),
        )
    }
}

/// The method's name, as it stands on the wire.
fn name_of(request: &Request) -> String {
    let value = serde_json::to_value(request).unwrap_or_default();
    value
        .get("call")
        .and_then(|call| call.as_str())
        .unwrap_or("call")
        .to_owned()
}

macro_rules! ask {
    ($self:ident, $request:expr, $variant:path) => {
        match $self.call($request).await? {
            $variant(value) => Ok(value),
            other => Err($self.confused(&other)),
        }
    };
    ($self:ident, $request:expr) => {
        match $self.call($request).await? {
            Reply::Done => Ok(()),
            other => Err($self.confused(&other)),
        }
    };
}

#[async_trait]
impl Backend for SiteClient {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        crate::capabilities(self.mirroring)
    }

    async fn status(&self) -> Result<SiteStatus, Fault> {
        ask!(self, Request::Status, Reply::Status)
    }

    async fn space(&self) -> Result<SpaceStats, Fault> {
        ask!(self, Request::Space, Reply::Space)
    }

    async fn create_image(&self, image: NewImage) -> Result<ImageInfo, Fault> {
        ask!(self, Request::CreateImage { image }, Reply::Image)
    }

    async fn image(&self, image: ImageId) -> Result<ImageInfo, Fault> {
        ask!(self, Request::Image { image }, Reply::Image)
    }

    async fn images(&self) -> Result<Vec<ImageInfo>, Fault> {
        ask!(self, Request::Images, Reply::Images)
    }

    async fn rename_image(&self, image: ImageId, name: ImageName) -> Result<(), Fault> {
        ask!(self, Request::RenameImage { image, name })
    }

    async fn extend_image(&self, image: ImageId, size: Bytes) -> Result<(), Fault> {
        ask!(self, Request::ExtendImage { image, size })
    }

    async fn set_limits(&self, image: ImageId, limits: Limits) -> Result<(), Fault> {
        ask!(self, Request::SetLimits { image, limits })
    }

    async fn remove_image(&self, image: ImageId) -> Result<(), Fault> {
        ask!(self, Request::RemoveImage { image })
    }

    async fn create_snapshot(
        &self,
        image: ImageId,
        name: SnapshotName,
    ) -> Result<SnapshotInfo, Fault> {
        ask!(
            self,
            Request::CreateSnapshot { image, name },
            Reply::Snapshot
        )
    }

    async fn create_snapshots(
        &self,
        wanted: &[(ImageId, SnapshotName)],
    ) -> Result<Vec<SnapshotInfo>, Fault> {
        let wanted = wanted.to_vec();
        ask!(self, Request::CreateSnapshots { wanted }, Reply::Snapshots)
    }

    async fn snapshots(&self, image: ImageId) -> Result<Vec<SnapshotInfo>, Fault> {
        ask!(self, Request::Snapshots { image }, Reply::Snapshots)
    }

    async fn remove_snapshot(&self, image: ImageId, name: SnapshotName) -> Result<(), Fault> {
        ask!(self, Request::RemoveSnapshot { image, name })
    }

    async fn roll_back(&self, image: ImageId, name: SnapshotName) -> Result<(), Fault> {
        ask!(self, Request::RollBack { image, name })
    }

    async fn reader(
        &self,
        image: ImageId,
        of: ViewOf,
        since: Option<ViewOf>,
        from: u64,
    ) -> Result<Box<dyn Reader>, Fault> {
        let reader = RemoteReader::open(self, image, of, since, from).await?;
        Ok(Box::new(reader))
    }

    async fn writer(&self, image: ImageId) -> Result<Box<dyn Writer>, Fault> {
        Ok(Box::new(RemoteWriter::open(self, image).await?))
    }

    async fn export(
        &self,
        image: ImageId,
        key: ExportKey,
        access: Access,
    ) -> Result<ExportAddress, Fault> {
        ask!(self, Request::Export { image, key, access }, Reply::Address)
    }

    async fn unexport(&self, image: ImageId, key: ExportKey) -> Result<(), Fault> {
        ask!(self, Request::Unexport { image, key })
    }

    async fn exports(&self) -> Result<Vec<ExportInfo>, Fault> {
        ask!(self, Request::Exports, Reply::Exports)
    }

    async fn set_mirroring(&self, image: ImageId, enabled: bool) -> Result<(), Fault> {
        ask!(self, Request::SetMirroring { image, enabled })
    }

    async fn set_mirror_way(&self, image: ImageId, way: MirrorWay) -> Result<(), Fault> {
        ask!(self, Request::SetMirrorWay { image, way })
    }

    async fn mirror_status(&self) -> Result<MirrorStatus, Fault> {
        ask!(self, Request::MirrorStatus, Reply::Mirror)
    }

    async fn demote(&self, images: &[ImageId]) -> Result<Position, Fault> {
        ask!(
            self,
            Request::Demote {
                images: images.to_vec()
            },
            Reply::Position
        )
    }

    async fn wait_applied(
        &self,
        of: StoreId,
        position: Position,
        // The log of the store is one for all of them.
        _images: &[ImageId],
        within: Duration,
    ) -> Result<(), Fault> {
        ask!(
            self,
            Request::WaitApplied {
                of,
                position,
                within
            }
        )
    }

    async fn promote(
        &self,
        images: &[ImageId],
        mode: PromoteMode,
    ) -> Result<Vec<PromoteOutcome>, Fault> {
        ask!(
            self,
            Request::Promote {
                images: images.to_vec(),
                mode
            },
            Reply::Outcomes
        )
    }

    async fn begin_drill(&self, image: ImageId, at: Option<Sequence>) -> Result<DrillInfo, Fault> {
        ask!(self, Request::BeginDrill { image, at }, Reply::Drill)
    }

    async fn drills(&self) -> Result<Vec<DrillInfo>, Fault> {
        ask!(self, Request::Drills, Reply::Drills)
    }

    async fn end_drill(&self, image: ImageId) -> Result<(), Fault> {
        ask!(self, Request::EndDrill { image })
    }

    async fn record_at(&self, image: ImageId, time: u64) -> Result<Sequence, Fault> {
        ask!(self, Request::RecordAt { image, time }, Reply::Record)
    }

    async fn roll_back_to(&self, image: ImageId, at: Sequence) -> Result<(), Fault> {
        ask!(self, Request::RollBackTo { image, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_ask_is_told_who_may() {
        let client = SiteClient::at("site-a", PathBuf::from("/run/a.admin"), false);
        let said = |kind: io::ErrorKind| client.silence(&kind.into());
        let denied = said(io::ErrorKind::PermissionDenied);
        assert!(denied.contains("only the user who runs site-a"), "{denied}");
        assert!(said(io::ErrorKind::ConnectionRefused).contains("does not answer on /run/a.admin"));
    }
}
