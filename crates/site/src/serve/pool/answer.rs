//! Answers to tools.

use firebrick_backend::Fault;

use super::Pool;
use crate::admin::{MirrorReply, PoolRequest};

impl Pool {
    /// Answers a call about the pool.
    pub(in crate::serve) async fn answer(
        &self,
        request: PoolRequest,
    ) -> Result<MirrorReply, Fault> {
        match request {
            PoolRequest::Info => Ok(MirrorReply::Pool(self.info())),
            PoolRequest::Enable { mode, site_name } => self.enable(mode, site_name).await.map(done),
            PoolRequest::Disable => self.disable().await.map(done),
            PoolRequest::AddPeer { peer } => self.add_peer(peer).await.map(MirrorReply::Peer),
            PoolRequest::CreateToken { lasts } => {
                self.create_token(lasts).await.map(MirrorReply::Token)
            }
            PoolRequest::ImportToken { token, direction } => {
                let imported = self.import_token(&token, direction).await;
                imported.map(MirrorReply::Peer)
            }
            PoolRequest::RemovePeer { uuid } => self.remove_peer(uuid).await.map(done),
            PoolRequest::SetPeer { uuid, change } => self.set_peer(uuid, change).await.map(done),
        }
    }
}

const fn done((): ()) -> MirrorReply {
    MirrorReply::Done
}
