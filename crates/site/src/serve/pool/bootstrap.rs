//! Two sites become peers by one command at each: the one makes a token, the other one takes it there.
//!
//! The orders that matter: the site that made the token remembers its new peer, and that the token is used,
//! before it answers; the one that took it remembers its own before anybody is told. A crash between the two
//! leaves a token that the same site may use again until it expires, and no other.

use std::net::SocketAddr;
use std::sync::Arc;

use firebrick_backend::{Fault, FaultKind};
use firebrick_mirror::{Direction, Error, ErrorKind, Join, Knock, Secret, Traffic};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Pool;
use super::kept::{Kept, KeptPeer};
use super::peers::{check, mirrors};
use super::roster::{CLIENT, Roster};
use super::token::{KeptToken, Ticket, now};
use crate::admin::NewPeer;
use crate::conf::is_address;

const CREATING: &str = "create a bootstrap token";
const IMPORTING: &str = "import a bootstrap token";
/// The longest that a token may last, in seconds.
const LASTS_MAX: f64 = 30.0 * 86_400.0;
/// For so many seconds after its end a token is remembered, to say why it lets nobody in.
const REMEMBERED: u64 = 7 * 86_400;
/// So many tokens are remembered; the oldest ones go.
const TOKENS_MAX: usize = 64;

impl Kept {
    /// Forgets tokens of which nobody will ask any more.
    fn forget_tokens(&mut self) {
        let now = now();
        self.tokens.retain(|token| token.expires + REMEMBERED > now);
        let over = self.tokens.len().saturating_sub(TOKENS_MAX);
        self.tokens.drain(..over);
    }
}

impl Pool {
    /// Listens to strangers as long as there are tokens.
    pub(super) fn watch_door(&self) {
        let tokens = !self.roster.read().kept.tokens.is_empty();
        self.mirror.expect_strangers(tokens);
    }

    /// Makes a token that lets one site in for so many seconds.
    pub(super) async fn create_token(&self, lasts: f64) -> Result<Secret, Fault> {
        let _turn = self.changing.lock().await;
        let refuse = |why: &str| Err(Fault::new(FaultKind::Invalid, CREATING, why));
        if !(1.0..=LASTS_MAX).contains(&lasts) {
            return refuse("a token lasts from a second to 30 days");
        }
        let (Some(host), Some(fingerprint)) = (self.reach.clone(), self.fingerprint) else {
            return refuse("this site serves no log: set mirror_listen in site.conf");
        };
        if !is_address(&host) {
            return refuse(
                "this site does not know by which address it is reached: set mirror_address in site.conf",
            );
        }
        let store = self.store.id();
        let token = self
            .remember(CREATING, move |roster| {
                mirrors(CREATING, roster)?;
                let expires = now() + lasts as u64;
                let name = roster.site_name().to_owned();
                let ticket = Ticket::new(store, name, host, fingerprint, expires);
                roster.kept.tokens.push(ticket.kept());
                roster.kept.forget_tokens();
                Ok(ticket.encode())
            })
            .await?;
        self.watch_door();
        Ok(token)
    }

    /// Becomes a peer of the site that made the token, and makes it one of this site.
    pub(super) async fn import_token(
        &self,
        token: &Secret,
        direction: Direction,
    ) -> Result<Uuid, Fault> {
        let refuse = |why: String| Err(Fault::new(FaultKind::Invalid, IMPORTING, why));
        let Some(ticket) = Ticket::decode(token) else {
            return refuse("this is no token of `mirror pool peer bootstrap create`".to_owned());
        };
        if ticket.fsid == self.store.id() {
            return refuse("cannot import token for local cluster".to_owned());
        }
        if ticket.expires <= now() {
            return refuse(format!("the token of {} has expired", ticket.site_name));
        }
        if direction == Direction::TxOnly {
            return refuse("a token is imported as rx-only or rx-tx".to_owned());
        }
        let Ok(fingerprint) = ticket.fingerprint.parse() else {
            return refuse("the token names no certificate".to_owned());
        };
        let address = match (&self.reach, direction.sends()) {
            (Some(reach), true) => reach.clone(),
            (None, true) => {
                let why = "this site serves no log: set mirror_listen in site.conf, or import with --direction rx-only";
                return refuse(why.to_owned());
            }
            (_, false) => String::new(),
        };
        let peer = NewPeer {
            name: ticket.site_name.clone(),
            address: ticket.mon_host.clone(),
            fingerprint: ticket.fingerprint.clone(),
            direction,
            client: CLIENT.to_owned(),
            traffic: Traffic::default(),
            log_limit: None,
        };
        // What would be refused here is refused before the token is used.
        let roster = self.roster.read().clone();
        mirrors(IMPORTING, &roster)?;
        admit(IMPORTING, &mut roster.clone(), peer.clone())?;
        let join = Join {
            secret: ticket.key.clone(),
            name: roster.site_name().to_owned(),
            store: self.store.id(),
            address,
            direction,
        };
        let joined = self.mirror.knock(&ticket.mon_host, fingerprint, join).await;
        let joined = joined.map_err(|error| unreached(&ticket, &error))?;
        if joined.store != ticket.fsid {
            return refuse(format!(
                "{} has another store than the token names",
                joined.name
            ));
        }
        self.admit(IMPORTING, peer, |_| Ok(())).await
    }

    /// Takes a site as a peer, in the place of the one with its certificate.
    async fn admit(
        &self,
        doing: &'static str,
        peer: NewPeer,
        also: impl FnOnce(&mut Roster) -> Result<(), Fault>,
    ) -> Result<Uuid, Fault> {
        let _turn = self.changing.lock().await;
        let (before, kept) = self
            .remember(doing, move |roster| {
                mirrors(doing, roster)?;
                also(roster)?;
                admit(doing, roster, peer)
            })
            .await?;
        tracing::info!(peer = %kept.peer.name, uuid = %kept.uuid, "a site became a peer by a token");
        if let Some(before) = before.filter(|before| before.peer.name != kept.peer.name) {
            self.mirror.remove_peer(&before.peer.name).await;
        }
        kept.limit_log(&self.mirror);
        if let Some(options) = kept.options() {
            self.mirror.change_peer(options).await;
        }
        Ok(kept.uuid)
    }

    /// Answers a site that knocks.
    async fn let_in(&self, knock: &Knock) -> Result<String, Fault> {
        let Join {
            secret,
            name,
            store,
            address,
            direction,
        } = knock.join.clone();
        let refuse = |why: String| Fault::new(FaultKind::Invalid, IMPORTING, why);
        if store == self.store.id() {
            return Err(refuse("it has this very store".to_owned()));
        }
        let direction = direction.reversed();
        let address = if direction.receives() {
            reached_at(&address, knock.from)
        } else {
            String::new()
        };
        let fingerprint = knock.fingerprint.to_string();
        let peer = NewPeer {
            name,
            address,
            fingerprint: fingerprint.clone(),
            direction,
            client: CLIENT.to_owned(),
            traffic: Traffic::default(),
            log_limit: None,
        };
        let here = self.site_name();
        let spend = move |roster: &mut Roster| {
            let Some(token) = KeptToken::find(&mut roster.kept.tokens, &secret) else {
                return Err(refuse(format!("{here} made no such token, or forgot it")));
            };
            match &token.used_by {
                Some(by) if *by != fingerprint => {
                    return Err(refuse(
                        "the token was used already, by another site".to_owned(),
                    ));
                }
                _ if token.expires <= now() => {
                    return Err(refuse("the token has expired".to_owned()));
                }
                Some(_) | None => token.used_by = Some(fingerprint),
            }
            Ok(())
        };
        self.admit(IMPORTING, peer, spend).await?;
        Ok(self.site_name())
    }

    /// Answers those who knock, until `ending`.
    pub(in crate::serve) async fn keep_door(
        self: Arc<Self>,
        mut knocks: mpsc::Receiver<Knock>,
        ending: CancellationToken,
    ) {
        self.watch_door();
        while let Some(Some(knock)) = ending.run_until_cancelled(knocks.recv()).await {
            let said = self.let_in(&knock).await.map_err(|fault| fault.why);
            // Who knocked may have gone.
            drop(knock.answer.send(said));
        }
    }
}

/// Puts a peer into the roster: the one with its certificate as it was, and as it is.
fn admit(
    doing: &str,
    roster: &mut Roster,
    peer: NewPeer,
) -> Result<(Option<KeptPeer>, KeptPeer), Fault> {
    let same = |it: &KeptPeer| it.peer.fingerprint.eq_ignore_ascii_case(&peer.fingerprint);
    let before = roster.peers().into_iter().find(same);
    let uuid = before
        .as_ref()
        .map_or_else(Uuid::new_v4, |before| before.uuid);
    // What operators have said of it stays.
    let said = before.as_ref().map(|before| before.peer.clone());
    let peer = match said {
        Some(said) => NewPeer {
            traffic: said.traffic,
            log_limit: said.log_limit,
            ..peer
        },
        None => peer,
    };
    let kept = KeptPeer { uuid, peer };
    check(doing, roster, &kept)?;
    roster.put(kept.clone());
    Ok((before, kept))
}

/// Where a site is reached that says `address`: where it lacks the host, that from which it came counts.
fn reached_at(address: &str, from: Option<SocketAddr>) -> String {
    match (address.strip_prefix(':'), from) {
        (Some(port), Some(SocketAddr::V4(from))) => format!("{}:{port}", from.ip()),
        (Some(port), Some(SocketAddr::V6(from))) => format!("[{}]:{port}", from.ip()),
        _ => address.to_owned(),
    }
}

/// Why the site that made the token did not take this one.
fn unreached(ticket: &Ticket, error: &Error) -> Fault {
    let Ticket {
        site_name,
        mon_host,
        ..
    } = ticket;
    let (kind, why) = match error.kind {
        ErrorKind::Refused => (
            FaultKind::Invalid,
            format!("{site_name} refused: {}", error.why),
        ),
        ErrorKind::Identity => (
            FaultKind::Invalid,
            format!(
                "what answers at {mon_host} is not {site_name}: {}",
                error.why
            ),
        ),
        ErrorKind::Connection
        | ErrorKind::Protocol
        | ErrorKind::WentBackwards
        | ErrorKind::Store => (
            FaultKind::Unreachable,
            format!("{site_name} does not answer at {mon_host}: {}", error.why),
        ),
    };
    Fault::new(kind, IMPORTING, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_without_a_host_is_where_it_came_from() {
        let from = |text: &str| Some(text.parse().unwrap());
        assert_eq!(reached_at(":7", from("10.0.0.2:5")), "10.0.0.2:7");
        assert_eq!(reached_at(":7", from("[fd00::2]:5")), "[fd00::2]:7");
        assert_eq!(reached_at("b.example:7", from("10.0.0.2:5")), "b.example:7");
        assert_eq!(reached_at(":7", None), ":7");
    }
}
