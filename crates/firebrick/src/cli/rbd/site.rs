//! The site that a command is about.

use std::path::PathBuf;

use firebrick_backend::{Fault, FaultKind};
use firebrick_config::ConfigFile;
use firebrick_site::admin::{
    Changes, ToolClient, ToolImage, ToolReply, ToolRequest, ToolSnapshot, ViewOf,
};
use firebrick_site::{SiteClient, SiteConf};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, Sequence, SnapshotName};

use super::args::{Common, RbdFormat};
use super::at::At;
use super::ceph::{Cluster, is_of_cluster};
use super::doc::Doc;
use super::error::{EINVAL, ENOENT, EOPNOTSUPP, failed, fault, refuse};
use crate::cli::environment;
use crate::exit::Failure;
use crate::printer::Printer;

/// A command and the site that it is about.
pub(super) struct Rbd {
    pub(super) common: Common,
    /// For what every kind of site can do.
    pub(super) backend: SiteClient,
    tools: Option<ToolClient>,
}

/// What the command line or the environment names.
pub(super) enum Named {
    /// A site on the embedded engine.
    Site(Box<SiteConf>),
    /// A Ceph cluster.
    Cluster(Cluster),
}

/// The configuration that the command line or the environment names.
pub(super) fn named(common: &Common) -> Result<Named, Failure> {
    let path = path(common)?;
    let unread = |error: &dyn std::fmt::Display| {
        refuse(
            EINVAL,
            format!("rbd: couldn't read the configuration: {error}"),
        )
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| unread(&format!("{}: {error}", path.display())))?;
    if is_of_cluster(&text) {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy());
        let stem = stem.map_or("ceph".to_owned(), std::borrow::Cow::into_owned);
        let name = common.cluster.clone().filter(|name| !is_file(name));
        return Ok(Named::Cluster(Cluster {
            name: name.unwrap_or(stem),
            conf: path,
        }));
    }
    let file = ConfigFile::parse(&path, &text).map_err(|error| unread(&error))?;
    let conf = SiteConf::from_file(&file);
    conf.map(|conf| Named::Site(Box::new(conf)))
        .map_err(|error| refuse(EINVAL, format!("rbd: {error}")))
}

/// The configuration of a site on the embedded engine.
pub(super) fn conf(common: &Common) -> Result<SiteConf, Failure> {
    match named(common)? {
        Named::Site(conf) => Ok(*conf),
        Named::Cluster(cluster) => {
            let path = cluster.conf.display();
            let text = format!("rbd: {path} is the configuration of a Ceph cluster, not of a site");
            Err(refuse(EOPNOTSUPP, text))
        }
    }
}

/// Whether a text names a file, and not a site or cluster.
fn is_file(text: &str) -> bool {
    text.contains(['/', '.'])
}

/// The file that is meant. What is said on the command line counts more than the environment, and where a file is
/// said the name of a cluster only says what it is called.
fn path(common: &Common) -> Result<PathBuf, Failure> {
    let path = match (&common.cluster, common.conf.clone()) {
        (Some(file), _) if is_file(file) => Some(PathBuf::from(file)),
        (Some(name), None) => Some(of_name(name)?),
        (_, Some(said)) => Some(said),
        (None, None) => environment::conf(),
    };
    path.ok_or_else(|| {
        let text = "rbd: --conf FILE is missing: the site.conf of the site or the ceph.conf of the cluster, or \
                    FIREBRICK_CONF";
        refuse(EINVAL, text)
    })
}

/// Where the site of that name has its configuration, or else the cluster.
fn of_name(name: &str) -> Result<PathBuf, Failure> {
    let places = [
        PathBuf::from(format!("/etc/firebrick/{name}.conf")),
        PathBuf::from(format!("/etc/ceph/{name}.conf")),
    ];
    // One that cannot be looked at is there, as far as this can tell; reading it says what is wrong.
    let there = |path: &&PathBuf| path.try_exists().unwrap_or(true);
    if let Some(path) = places.iter().find(there) {
        return Ok(path.clone());
    }
    let [site, cluster] = places.each_ref().map(|path| path.display());
    let text =
        format!("rbd: couldn't read the configuration: there is neither {site} nor {cluster}");
    Err(refuse(EINVAL, text))
}

impl Common {
    /// Whether programs read the result.
    pub(super) fn structured(&self) -> bool {
        self.format != RbdFormat::Plain
    }

    /// Prints a result for programs; in XML all of it is called `root`.
    pub(super) fn print(&self, root: &str, doc: &Doc) {
        match self.format {
            // As with the real tool, an empty line stands behind several.
            RbdFormat::Xml => Printer::line(&doc.xml(root, self.pretty_format)),
            RbdFormat::Plain | RbdFormat::Json => Printer::json_as(doc, self.pretty_format),
        }
    }
}

impl Rbd {
    /// Does not connect yet.
    pub(super) fn new(common: Common, conf: &SiteConf) -> Self {
        Self {
            backend: SiteClient::new(conf),
            common,
            tools: None,
        }
    }

    /// Whether programs read the result.
    pub(super) fn structured(&self) -> bool {
        self.common.structured()
    }

    /// Prints a result for programs; in XML all of it is called `root`.
    pub(super) fn print(&self, root: &str, doc: &Doc) {
        self.common.print(root, doc);
    }

    /// Makes a call with bytes.
    pub(super) async fn transfer(
        &mut self,
        request: ToolRequest,
        payload: &[u8],
    ) -> Result<(ToolReply, Vec<u8>), Fault> {
        let tools = match &mut self.tools {
            Some(tools) => tools,
            none => none.insert(ToolClient::connect(&self.backend).await?),
        };
        tools.transfer(request, payload).await
    }

    /// Makes a call.
    pub(super) async fn call(&mut self, request: ToolRequest) -> Result<ToolReply, Fault> {
        self.transfer(request, &[]).await.map(|(reply, _)| reply)
    }

    /// Makes a call that answers nothing.
    pub(super) async fn order(&mut self, request: ToolRequest) -> Result<(), Fault> {
        match self.call(request).await? {
            ToolReply::Done => Ok(()),
            other => Err(confused(&other)),
        }
    }

    /// The image of that name, if there is one.
    pub(super) async fn find(&mut self, name: &ImageName) -> Result<Option<ToolImage>, Fault> {
        let request = ToolRequest::Image { name: name.clone() };
        match self.call(request).await {
            Ok(ToolReply::Images(images)) => Ok(images.into_iter().next()),
            Ok(other) => Err(confused(&other)),
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The image of that name, or the failure of the `rbd` tool where there is none.
    pub(super) async fn open(&mut self, name: &ImageName) -> Result<ToolImage, Failure> {
        let doing = format!("error opening image {}", name.base());
        let image = self
            .find(name)
            .await
            .map_err(|error| fault(&doing, &error))?;
        image.ok_or_else(|| failed(&doing, ENOENT))
    }

    /// The snapshots of an image, oldest first.
    pub(super) async fn snapshots(&mut self, image: ImageId) -> Result<Vec<ToolSnapshot>, Fault> {
        match self.call(ToolRequest::Snapshots { image }).await? {
            ToolReply::Snapshots(snapshots) => Ok(snapshots),
            other => Err(confused(&other)),
        }
    }

    /// The snapshot of that name.
    pub(super) async fn snapshot(
        &mut self,
        image: ImageId,
        name: &SnapshotName,
    ) -> Result<Option<ToolSnapshot>, Fault> {
        let taken = self.snapshots(image).await?;
        Ok(taken.into_iter().find(|taken| taken.name == *name))
    }

    /// The record that a moment means.
    pub(super) async fn record(&mut self, at: At) -> Result<Sequence, Fault> {
        match at {
            At::Record(sequence) => Ok(sequence),
            At::Time(time) => match self.call(ToolRequest::RecordAt { time }).await? {
                ToolReply::Record(sequence) => Ok(sequence),
                other => Err(confused(&other)),
            },
        }
    }

    /// Holds a state of an image: its number and size.
    pub(super) async fn view(
        &mut self,
        image: ImageId,
        state: ViewOf,
    ) -> Result<(u32, Bytes), Fault> {
        match self.call(ToolRequest::Open { image, state }).await? {
            ToolReply::View(view, size) => Ok((view, size)),
            other => Err(confused(&other)),
        }
    }

    /// A part of what differs between two states, and its bytes.
    pub(super) async fn changes(
        &mut self,
        view: u32,
        older: Option<u32>,
        from_block: u64,
        data: bool,
    ) -> Result<(Changes, Vec<u8>), Fault> {
        let request = ToolRequest::Changes {
            view,
            older,
            from_block,
            data,
        };
        match self.transfer(request, &[]).await? {
            (ToolReply::Changes(changes), bytes) => Ok((changes, bytes)),
            (other, _) => Err(confused(&other)),
        }
    }
}

/// The site answered something else.
pub(super) fn confused(reply: &ToolReply) -> Fault {
    let why = format!("an answer to another question: {reply:?}");
    Fault::new(FaultKind::Internal, "ask the site", why)
}
