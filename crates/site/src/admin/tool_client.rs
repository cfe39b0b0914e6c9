//! The tools' end of the admin protocol: one connection, which holds the views that were opened on it.

use std::io;

use firebrick_backend::{Fault, FaultKind, TRANSFER_MAX};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::client::SiteClient;
use super::frame::{receive, receive_bytes, send, send_bytes};
use super::protocol::{Answer, Reply, Request};
use super::tools::{ToolReply, ToolRequest};

/// A connection of a tool. A call that fails in the middle leaves it useless.
#[derive(Debug)]
pub struct ToolClient {
    stream: UnixStream,
    doing: String,
}

impl ToolClient {
    /// Connects to the site that `site` is the client of.
    pub async fn connect(site: &SiteClient) -> Result<Self, Fault> {
        let doing = format!("ask {}", firebrick_backend::Backend::name(site));
        let stream = site.greet(&doing).await?;
        Ok(Self { stream, doing })
    }

    /// Makes a call without bytes.
    pub async fn call(&mut self, request: ToolRequest) -> Result<ToolReply, Fault> {
        self.transfer(request, &[]).await.map(|(reply, _)| reply)
    }

    /// Makes a call with bytes in one direction or the other.
    pub async fn transfer(
        &mut self,
        request: ToolRequest,
        payload: &[u8],
    ) -> Result<(ToolReply, Vec<u8>), Fault> {
        let patience = request.patience();
        let exchanged = timeout(patience, self.exchange(request, payload)).await;
        match exchanged {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(Fault::new(FaultKind::Unreachable, &self.doing, error)),
            Err(_) => {
                let why = format!("no answer within {} s", patience.as_secs());
                Err(Fault::new(FaultKind::TimedOut, &self.doing, why))
            }
        }
    }

    async fn exchange(
        &mut self,
        request: ToolRequest,
        payload: &[u8],
    ) -> io::Result<Result<(ToolReply, Vec<u8>), Fault>> {
        send(&mut self.stream, &Request::Tool { request }).await?;
        send_bytes(&mut self.stream, payload).await?;
        let answer = receive::<Answer>(&mut self.stream).await?;
        let answer = answer.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let reply = match answer {
            Ok(Reply::Tool(reply)) => reply,
            Ok(other) => {
                let why = format!("an answer to another question: {other:?}");
                return Ok(Err(Fault::new(FaultKind::Internal, &self.doing, why)));
            }
            Err(fault) => return Ok(Err(fault)),
        };
        let bytes = receive_bytes(&mut self.stream, reply.payload(), TRANSFER_MAX).await?;
        Ok(Ok((reply, bytes)))
    }
}
