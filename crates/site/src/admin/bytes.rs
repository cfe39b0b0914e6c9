//! Readers and writers over the admin protocol: each has a connection of its own, as tools do.

use std::collections::VecDeque;

use async_trait::async_trait;
use firebrick_backend::{
    Backend as _, Content, Extent, Fault, FaultKind, Reader, TRANSFER_MAX, ViewOf, Writer,
};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, Role};

use super::client::SiteClient;
use super::tool_client::ToolClient;
use super::tools::{Changes, ToolReply, ToolRequest};

/// A state that is read.
pub(super) struct RemoteReader {
    tools: ToolClient,
    view: u32,
    older: Option<u32>,
    size: Bytes,
    /// What was received and not handed out yet.
    ready: VecDeque<Extent>,
    /// The block to ask from; `None` where there is nothing more.
    next: Option<u64>,
}

impl RemoteReader {
    pub(super) async fn open(
        site: &SiteClient,
        image: ImageId,
        of: ViewOf,
        since: Option<ViewOf>,
        from: u64,
    ) -> Result<Self, Fault> {
        let mut tools = ToolClient::connect(site).await?;
        let (view, size) = hold(&mut tools, image, of).await?;
        let older = match since {
            Some(since) => Some(hold(&mut tools, image, since).await?.0),
            None => None,
        };
        Ok(Self {
            tools,
            view,
            older,
            size,
            ready: VecDeque::new(),
            next: Some(from / BLOCK_SIZE),
        })
    }
}

async fn hold(
    tools: &mut ToolClient,
    image: ImageId,
    state: ViewOf,
) -> Result<(u32, Bytes), Fault> {
    match tools.call(ToolRequest::Open { image, state }).await? {
        ToolReply::View(view, size) => Ok((view, size)),
        other => Err(confused(&other)),
    }
}

fn confused(reply: &ToolReply) -> Fault {
    let why = format!("the answer is {reply:?}");
    Fault::new(FaultKind::Internal, "move bytes of an image", why)
}

#[async_trait]
impl Reader for RemoteReader {
    fn size(&self) -> Bytes {
        self.size
    }

    async fn next(&mut self) -> Result<Option<Extent>, Fault> {
        loop {
            if let Some(extent) = self.ready.pop_front() {
                return Ok(Some(extent));
            }
            let Some(from_block) = self.next else {
                return Ok(None);
            };
            let request = ToolRequest::Changes {
                view: self.view,
                older: self.older,
                from_block,
                data: true,
            };
            let (reply, bytes) = self.tools.transfer(request, &[]).await?;
            let ToolReply::Changes(part) = reply else {
                return Err(confused(&reply));
            };
            self.next = part.next;
            self.ready = extents(&part, &bytes)?;
        }
    }
}

/// The extents of a part and its bytes.
pub(crate) fn extents(part: &Changes, bytes: &[u8]) -> Result<VecDeque<Extent>, Fault> {
    let mut rest = bytes;
    let mut extents = VecDeque::with_capacity(part.runs.len());
    for run in &part.runs {
        let len = run.blocks.saturating_mul(BLOCK_SIZE);
        let content = if run.data {
            let Some((data, behind)) = rest.split_at_checked(len as usize) else {
                let why = "fewer bytes than it says came along";
                return Err(Fault::new(FaultKind::Internal, "read an image", why));
            };
            rest = behind;
            Content::Data(data.to_vec())
        } else {
            Content::Hole(len)
        };
        extents.push_back(Extent {
            offset: run.block.saturating_mul(BLOCK_SIZE),
            content,
        });
    }
    Ok(extents)
}

/// An image that is written.
pub(super) struct RemoteWriter {
    tools: ToolClient,
    image: ImageId,
}

impl RemoteWriter {
    pub(super) async fn open(site: &SiteClient, image: ImageId) -> Result<Self, Fault> {
        writable(&site.image(image).await?)?;
        let tools = ToolClient::connect(site).await?;
        Ok(Self { tools, image })
    }

    async fn tell(&mut self, request: ToolRequest, payload: &[u8]) -> Result<(), Fault> {
        match self.tools.transfer(request, payload).await? {
            (ToolReply::Done, _) => Ok(()),
            (other, _) => Err(confused(&other)),
        }
    }
}

/// Refuses the writer of an image that is not primary.
pub(crate) fn writable(image: &firebrick_backend::ImageInfo) -> Result<(), Fault> {
    if image.role == Role::Primary {
        return Ok(());
    }
    let doing = format!("write {}", image.name);
    Err(Fault::new(
        FaultKind::NotPrimary,
        doing,
        "it is not primary here",
    ))
}

/// Refuses a write that is too long for one call.
pub(crate) fn one_transfer(len: usize) -> Result<(), Fault> {
    if len <= TRANSFER_MAX {
        return Ok(());
    }
    let why = format!("{len} bytes at once; the most is {TRANSFER_MAX}");
    Err(Fault::new(FaultKind::Invalid, "write an image", why))
}

#[async_trait]
impl Writer for RemoteWriter {
    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Fault> {
        one_transfer(data.len())?;
        let request = ToolRequest::Write {
            image: self.image,
            offset,
            len: data.len(),
        };
        self.tell(request, data).await
    }

    async fn discard(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        let image = self.image;
        self.tell(ToolRequest::Discard { image, offset, len }, &[])
            .await
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        self.tell(ToolRequest::Flush, &[]).await
    }
}
