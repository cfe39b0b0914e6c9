//! `firebrick manage`: what operators ask beside the API, of the database and the sites themselves.

pub(crate) mod args;
mod attachments;
mod failover;
mod replications;
mod reset;

use firebrick_control::{Context, Control};
use firebrick_db::Db;

use crate::cli::environment;
use crate::config::ServeConf;
use crate::exit::Failure;
use crate::journal;
use args::{ManageArgs, ManageCommand};

/// Does what the command line says.
pub(crate) async fn run(args: ManageArgs) -> Result<(), Failure> {
    drop(journal::start("error"));
    let Some(path) = args.conf.or_else(environment::conf) else {
        return Err(Failure::Usage(
            "--conf FILE is missing: the cinder.conf of `firebrick serve`, or FIREBRICK_CONF"
                .to_owned(),
        ));
    };
    let (conf, _) = ServeConf::read(&path)?;
    let db = Db::open(&conf.database)
        .await
        .map_err(|error| Failure::new("open the database", error))?;
    let desk = Desk {
        control: Control::beside(db.clone(), conf.control),
        context: Context::operator(),
    };
    let done = match args.command {
        ManageCommand::Failover(asked) => failover::run(&desk, asked, args.format).await,
        ManageCommand::Report(asked) => failover::report(&desk, asked, args.format).await,
        ManageCommand::ResetActiveBackend(asked) => reset::run(&desk, asked).await,
        ManageCommand::Replications => replications::run(&desk, args.format).await,
        ManageCommand::Attachments(_) => attachments::stale(&desk, args.format).await,
    };
    db.close().await;
    done
}

/// Whom verbs ask, and as whom.
struct Desk {
    control: Control,
    context: Context,
}

/// Why a verb failed.
fn failed(doing: &'static str) -> impl FnOnce(firebrick_control::Error) -> Failure {
    move |error| Failure::new(doing, error)
}

/// A cell of a table: a dash where there is nothing.
fn cell<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Seconds as a cell.
fn seconds(value: Option<f64>) -> String {
    cell(value.map(|value| format!("{value:.3}")))
}
