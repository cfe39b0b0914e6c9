//! `rbd mirror pool peer bootstrap create`, `import`.

use std::path::Path;

use firebrick_backend::Fault;
use firebrick_site::Secret;
use firebrick_site::admin::{MirrorReply, PoolRequest, ToolReply};

use super::args::{CreateTokenArgs, ImportTokenArgs};
use super::peer::{failed, read};
use crate::cli::rbd::site::{Rbd, confused};
use crate::exit::Failure;
use crate::printer::Printer;

/// How long a token lasts of which nobody says it, in seconds.
const DAY: f64 = 86_400.0;
const CREATING: &str = "failed to create mirror bootstrap token";
const IMPORTING: &str = "failed to import peer bootstrap token";

/// `rbd mirror pool peer bootstrap create`
pub(super) async fn create(mut rbd: Rbd, args: &CreateTokenArgs) -> Result<(), Failure> {
    rbd.check_pool(&args.pool)?;
    call_site(&mut rbd, args.site_name.clone(), CREATING).await?;
    let lasts = args.expires.map_or(DAY, |time| time.0);
    match rbd.of_pool(PoolRequest::CreateToken { lasts }).await {
        Ok(MirrorReply::Token(token)) => {
            Printer::line(&token.0);
            Ok(())
        }
        Ok(other) => Err(failed(CREATING, &other_answer(other))),
        Err(error) => Err(failed(CREATING, &error)),
    }
}

/// `rbd mirror pool peer bootstrap import`
pub(super) async fn import(mut rbd: Rbd, args: &ImportTokenArgs) -> Result<(), Failure> {
    let most = if args.token_path.is_some() { 1 } else { 2 };
    let mut words = rbd.behind_pool(&args.words, most)?;
    let file = words.need(args.token_path.as_deref(), "token path")?;
    words.end()?;
    let token = Secret(read(Path::new(file))?);
    call_site(&mut rbd, args.site_name.clone(), IMPORTING).await?;
    let direction = args.direction;
    match rbd
        .of_pool(PoolRequest::ImportToken { token, direction })
        .await
    {
        Ok(MirrorReply::Peer(_)) => Ok(()),
        Ok(other) => Err(failed(IMPORTING, &other_answer(other))),
        Err(error) => Err(failed(IMPORTING, &error)),
    }
}

/// Gives this site another name, if one is said.
async fn call_site(rbd: &mut Rbd, name: Option<String>, doing: &str) -> Result<(), Failure> {
    if name.is_none() {
        return Ok(());
    }
    let mode = rbd.pool_info().await?.mode;
    let request = PoolRequest::Enable {
        mode,
        site_name: name,
    };
    let named = rbd.pool_order(request).await;
    named.map_err(|error| failed(doing, &error))
}

fn other_answer(reply: MirrorReply) -> Fault {
    // A token must not be part of a message.
    match reply {
        MirrorReply::Token(_) => confused(&ToolReply::Done),
        other => confused(&ToolReply::Mirror(other)),
    }
}
