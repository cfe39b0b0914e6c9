//! `rbd mirror pool enable`, `disable`, `info`.

use firebrick_backend::{Fault, FaultKind};
use firebrick_site::admin::{
    MirrorMode, MirrorReply, MirrorRequest, PoolInfo, PoolRequest, ToolReply,
};
use firebrick_site::{Compression, Rate, Traffic};

use super::args::{EnablePoolArgs, PoolArgs, PoolInfoArgs};
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::error::{EBUSY, EINVAL, fault, refuse};
use crate::cli::rbd::site::{Rbd, confused};
use crate::cli::rbd::spec::{Words, check_pool};
use crate::exit::Failure;
use crate::printer::Printer;

impl Rbd {
    /// Makes a call about the pool.
    pub(super) async fn of_pool(&mut self, request: PoolRequest) -> Result<MirrorReply, Fault> {
        self.mirror(MirrorRequest::Pool { request }).await
    }

    /// Makes a call about the pool that answers nothing.
    pub(super) async fn pool_order(&mut self, request: PoolRequest) -> Result<(), Fault> {
        self.mirror_order(MirrorRequest::Pool { request }).await
    }

    /// How the pool is mirrored.
    pub(super) async fn pool_info(&mut self) -> Result<PoolInfo, Failure> {
        const DOING: &str = "failed to retrieve mirror mode";
        match self.of_pool(PoolRequest::Info).await {
            Ok(MirrorReply::Pool(info)) => Ok(info),
            Ok(other) => Err(fault(DOING, &confused(&ToolReply::Mirror(other)))),
            Err(error) => Err(fault(DOING, &error)),
        }
    }

    /// The words behind the pool; where there are `most` of them, the first one is the pool.
    pub(super) fn behind_pool<'a>(
        &self,
        words: &'a [String],
        most: usize,
    ) -> Result<Words<'a>, Failure> {
        let option = self.common.pool.as_deref();
        let (pool, rest) = match words.split_first() {
            Some((pool, rest)) if words.len() == most && option.is_none() => {
                (Some(pool.as_str()), rest)
            }
            Some(_) | None => (option, words),
        };
        check_pool(pool.map(|pool| pool.trim_end_matches('/')))?;
        Ok(Words::new(rest))
    }
}

/// `rbd mirror pool enable`
pub(super) async fn enable(mut rbd: Rbd, args: &EnablePoolArgs) -> Result<(), Failure> {
    let mut words = rbd.behind_pool(&args.words, 2)?;
    let mode: Result<MirrorMode, _> = words.or_next(None).unwrap_or_default().parse();
    let mode = mode.map_err(|rule| refuse(EINVAL, format!("rbd: {rule}")))?;
    words.end()?;
    let site_name = args.site_name.clone();
    let done = rbd.pool_order(PoolRequest::Enable { mode, site_name });
    done.await
        .map_err(|error| fault("failed to configure mirror mode", &error))
}

/// `rbd mirror pool disable`
pub(super) async fn disable(mut rbd: Rbd, args: &PoolArgs) -> Result<(), Failure> {
    rbd.check_pool(args)?;
    let done = rbd.pool_order(PoolRequest::Disable).await;
    done.map_err(|error| match error.kind {
        FaultKind::Busy => refuse(EBUSY, format!("rbd: {}", error.why)),
        FaultKind::Invalid => refuse(EINVAL, format!("rbd: {}", error.why)),
        _ => fault("failed to disable mirroring", &error),
    })
}

/// `rbd mirror pool info`
pub(super) async fn info(mut rbd: Rbd, args: &PoolInfoArgs) -> Result<(), Failure> {
    rbd.check_pool(&args.pool)?;
    let info = rbd.pool_info().await?;
    if rbd.structured() {
        rbd.print("mirror", &document(&info, args.all));
    } else {
        Printer::line(&text(&info, args.all));
    }
    Ok(())
}

fn document(info: &PoolInfo, all: bool) -> Doc {
    let mut doc = Doc::map([("mode", info.mode.as_str().into())]);
    if info.mode == MirrorMode::Disabled {
        return doc;
    }
    let peers = info.peers.iter().map(|it| {
        let mut peer = Doc::map([
            ("uuid", it.uuid.to_string().into()),
            ("direction", it.peer.direction.as_str().into()),
            ("site_name", (&it.peer.name).into()),
            ("mirror_uuid", store(it.store).into()),
            ("client_name", (&it.peer.client).into()),
        ]);
        if all {
            peer.put("key", &it.peer.fingerprint);
            peer.put("mon_host", &it.peer.address);
            put_traffic(&mut peer, &it.peer.traffic);
            if let Some(most) = it.peer.log_limit {
                peer.put("log_limit", most.0);
            }
        }
        peer
    });
    doc.put("site_name", &info.site_name);
    doc.put("peers", Doc::list("peer", peers));
    doc
}

/// How much may go to a peer, where that is not any amount, and in which form, where that is not plain.
fn put_traffic(peer: &mut Doc, traffic: &Traffic) {
    if let Some(bytes) = traffic.bandwidth.bytes() {
        peer.put("bandwidth", bytes);
    }
    if !traffic.quiet_hours.is_empty() {
        peer.put("quiet_hours", traffic.quiet_hours.to_string());
        if let Some(bytes) = traffic.quiet_bandwidth.bytes() {
            peer.put("quiet_bandwidth", bytes);
        }
    }
    if traffic.compression != Compression::None {
        peer.put("compression", traffic.compression.as_str());
    }
}

fn traffic_lines(traffic: &Traffic) -> Vec<String> {
    let mut lines = Vec::new();
    if traffic.bandwidth != Rate::UNLIMITED {
        lines.push(format!("Bandwidth: {}", traffic.bandwidth));
    }
    if !traffic.quiet_hours.is_empty() {
        lines.push(format!("Quiet Hours: {} UTC", traffic.quiet_hours));
        lines.push(format!("Quiet Bandwidth: {}", traffic.quiet_bandwidth));
    }
    if traffic.compression != Compression::None {
        lines.push(format!("Compression: {}", traffic.compression.as_str()));
    }
    lines
}

fn store(store: Option<firebrick_vocabulary::StoreId>) -> String {
    store.map_or_else(String::new, |store| store.to_string())
}

fn text(info: &PoolInfo, all: bool) -> String {
    let mut lines = vec![format!("Mode: {}", info.mode)];
    if info.mode == MirrorMode::Disabled {
        return lines.remove(0);
    }
    lines.push(format!("Site Name: {}", info.site_name));
    lines.push(String::new());
    if info.peers.is_empty() {
        lines.push("Peer Sites: none".to_owned());
        return lines.join("\n");
    }
    lines.push("Peer Sites: ".to_owned());
    for it in &info.peers {
        lines.push(String::new());
        lines.push(format!("UUID: {}", it.uuid));
        lines.push(format!("Name: {}", it.peer.name));
        lines.push(format!("Mirror UUID: {}", store(it.store)));
        lines.push(format!("Direction: {}", it.peer.direction));
        lines.push(format!("Client: {}", it.peer.client));
        if all {
            lines.push(format!("Mon Host: {}", it.peer.address));
            lines.push(format!("Key: {}", it.peer.fingerprint));
            lines.extend(traffic_lines(&it.peer.traffic));
            if let Some(most) = it.peer.log_limit {
                lines.push(format!("Log Limit: {most}"));
            }
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
