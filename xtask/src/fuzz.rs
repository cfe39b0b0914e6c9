//! Requests made of the description of the API, for as long as one wants.

use crate::command::{Error, command, run as run_command, target};
use crate::prepare;

/// The story that asks a service of its own.
const STORY: &str = "fuzz_api::no_request_of_the_description_breaks_the_service";

/// Asks for `minutes`, and fails where an answer is not as the description says.
pub(crate) fn run(minutes: u64) -> Result<(), Error> {
    let fuzz = prepare::fuzz()?;
    run_command(command("cargo").args(["build", "--locked", "--package", "firebrick"]))?;
    let seconds = minutes.saturating_mul(60).max(1);
    run_command(
        command("cargo")
            .args(["test", "--locked", "--package", "firebrick_tests"])
            .args(["--test", "stories", "--", "--exact", "--nocapture", STORY])
            .env("FIREBRICK_BIN", target().join("debug/firebrick"))
            .env("FIREBRICK_FUZZ", fuzz)
            .env("FIREBRICK_FUZZ_SECONDS", seconds.to_string()),
    )
}
