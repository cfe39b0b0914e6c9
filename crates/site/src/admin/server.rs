//! The site's end: reads requests, asks a [`Backend`], answers.

use std::io;
use std::sync::Arc;

use firebrick_backend::{Backend, TRANSFER_MAX};
use tokio::net::UnixStream;

use super::frame::{receive, receive_bytes, send, send_bytes};
use super::protocol::{Answer, Hello, PROTOCOL_VERSION, Reply, Request};
use super::tools::Tools;

/// Serves one connection until the client closes it.
pub(crate) async fn serve_connection<B: Backend + Tools>(
    mut stream: UnixStream,
    site: Arc<B>,
) -> io::Result<()> {
    let Some(hello) = receive::<Hello>(&mut stream).await? else {
        return Ok(());
    };
    let ours = Hello {
        version: PROTOCOL_VERSION,
        name: site.name().to_owned(),
    };
    send(&mut stream, &ours).await?;
    if hello.version != PROTOCOL_VERSION {
        return Ok(());
    }
    let mut session = B::Session::default();
    while let Some(request) = receive::<Request>(&mut stream).await? {
        let Request::Tool { request } = request else {
            let answer = answer(&*site, request).await;
            send(&mut stream, &answer).await?;
            continue;
        };
        let payload = receive_bytes(&mut stream, request.payload(), TRANSFER_MAX).await?;
        let answer = site.tool(&mut session, request, payload).await;
        let (answer, bytes): (Answer, Vec<u8>) = match answer {
            Ok((reply, bytes)) => (Ok(Reply::Tool(reply)), bytes),
            Err(fault) => (Err(fault), Vec::new()),
        };
        send(&mut stream, &answer).await?;
        send_bytes(&mut stream, &bytes).await?;
    }
    Ok(())
}

async fn answer<B: Backend>(site: &B, request: Request) -> Answer {
    match request {
        Request::Status => site.status().await.map(Reply::Status),
        Request::Space => site.space().await.map(Reply::Space),
        Request::CreateImage { image } => site.create_image(image).await.map(Reply::Image),
        Request::Image { image } => site.image(image).await.map(Reply::Image),
        Request::Images => site.images().await.map(Reply::Images),
        Request::RenameImage { image, name } => done(site.rename_image(image, name).await),
        Request::ExtendImage { image, size } => done(site.extend_image(image, size).await),
        Request::SetLimits { image, limits } => done(site.set_limits(image, limits).await),
        Request::RemoveImage { image } => done(site.remove_image(image).await),
        Request::CreateSnapshot { image, name } => {
            site.create_snapshot(image, name).await.map(Reply::Snapshot)
        }
        Request::CreateSnapshots { wanted } => {
            let taken = site.create_snapshots(&wanted).await;
            taken.map(Reply::Snapshots)
        }
        Request::Snapshots { image } => site.snapshots(image).await.map(Reply::Snapshots),
        Request::RemoveSnapshot { image, name } => done(site.remove_snapshot(image, name).await),
        Request::RollBack { image, name } => done(site.roll_back(image, name).await),
        Request::Export { image, key, access } => {
            site.export(image, key, access).await.map(Reply::Address)
        }
        Request::Unexport { image, key } => done(site.unexport(image, key).await),
        Request::Exports => site.exports().await.map(Reply::Exports),
        Request::SetMirroring { image, enabled } => done(site.set_mirroring(image, enabled).await),
        Request::SetMirrorWay { image, way } => done(site.set_mirror_way(image, way).await),
        Request::MirrorStatus => site.mirror_status().await.map(Reply::Mirror),
        Request::Demote { images } => site.demote(&images).await.map(Reply::Position),
        Request::WaitApplied {
            of,
            position,
            within,
        } => done(site.wait_applied(of, position, &[], within).await),
        Request::BeginDrill { image, at } => site.begin_drill(image, at).await.map(Reply::Drill),
        Request::Drills => site.drills().await.map(Reply::Drills),
        Request::EndDrill { image } => done(site.end_drill(image).await),
        Request::RecordAt { image, time } => site.record_at(image, time).await.map(Reply::Record),
        Request::RollBackTo { image, at } => done(site.roll_back_to(image, at).await),
        Request::Tool { .. } => Err(firebrick_backend::Fault::new(
            firebrick_backend::FaultKind::Unsupported,
            "answer a tool",
            "it asks in the wrong place",
        )),
        Request::Promote { images, mode } => site.promote(&images, mode).await.map(Reply::Outcomes),
    }
}

fn done(result: Result<(), firebrick_backend::Fault>) -> Answer {
    result.map(|()| Reply::Done)
}
