//! Requests made of the description of the API, as many as fit into the time: none of them breaks the
//! service, and no answer is another than the description says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use firebrick_tests::{Dev, run_within};

/// For how many seconds, where `FIREBRICK_FUZZ_SECONDS` does not say otherwise.
const SECONDS: u64 = 45;

/// What the program needs beside that.
const BESIDE: Duration = Duration::from_secs(600);

/// What is held: no answer of a broken server, and only statuses, types and bodies of the description.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance";

/// The addresses with a project are the same routes again.
const WITH_PROJECT: &str = r"^/v3/\{project_id\}/";

/// Without a site that answers, 503 says so, and is in the description.
const SETTINGS: &str =
    "[checks.not_a_server_error]\nexpected-statuses = [\"2xx\", \"3xx\", \"4xx\", 503]\n";

fn program() -> PathBuf {
    let bin = std::env::var_os("FIREBRICK_FUZZ").map_or_else(
        || {
            let here = Path::new(env!("CARGO_MANIFEST_DIR"));
            here.parent().unwrap().join("target/fuzz/bin")
        },
        PathBuf::from,
    );
    let program = bin.join("schemathesis");
    let missing = program.display();
    assert!(program.exists(), "no {missing}; run cargo xtask prepare");
    program
}

fn seconds() -> u64 {
    let said = std::env::var("FIREBRICK_FUZZ_SECONDS").ok();
    said.map_or(SECONDS, |text| text.parse().unwrap())
}

#[test]
fn no_request_of_the_description_breaks_the_service() {
    let dev = Dev::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), SETTINGS).unwrap();
    let address = format!("http://{}", dev.listen());
    // One worker: two threads of Python 3.11 disturb each other in reading its own source.
    let mut fuzz = Command::new(program());
    fuzz.current_dir(folder.path())
        .args(["run", &format!("{address}/openapi.json"), "--url", &address])
        .args(["--checks", CHECKS, "--phases", "coverage,fuzzing"])
        .args(["--exclude-path-regex", WITH_PROJECT])
        .args(["--header", "OpenStack-API-Version: volume 3.71"])
        .args(["--header", "X-Auth-Token: fuzz:fuzz"])
        .args(["--max-time", &seconds().to_string()])
        .args(["--workers", "1", "--no-color", "--no-shrink"])
        .args(["--warnings", "off", "--generation-database", "none"]);
    let ran = run_within(&mut fuzz, Duration::from_secs(seconds()) + BESIDE);
    println!("{}", ran.stdout);
    // It stands with all its parts afterwards.
    assert_eq!(dev.api().get("/volumes").status, 200);
    assert!(ran.stdout.contains("Test cases:"), "{ran:?}");
    let _ = ran.ok();
}
