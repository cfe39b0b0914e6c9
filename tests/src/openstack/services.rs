//! How Keystone and Glance are set up and started.
//!
//! One worker each, which takes one request at a time: their SQLite refuses two writers at once.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::{PASSWORD, program};
use crate::api::Api;
use crate::process::Process;
use crate::tools::run;
use crate::wait::until;

/// The region of all endpoints.
pub(super) const REGION: &str = "RegionOne";

/// Keystone reads its options from the command line too, and would not know those of the server.
const GUNICORN: &str = "\
import sys

def post_fork(server, worker):
    sys.argv = ['service']
";

/// A running service.
#[derive(Debug)]
pub(super) struct Service {
    log: PathBuf,
    _process: Process,
}

impl Service {
    /// Serves the WSGI application `module` and waits until `path` answers.
    fn serve(dir: &Path, module: &str, port: u16, path: &str, env: &[(&str, String)]) -> Self {
        let log = dir.join("service.log");
        let settings = dir.join("gunicorn.conf.py");
        fs::write(&settings, GUNICORN).unwrap();
        let mut command = program("gunicorn");
        command
            .envs(env.iter().map(|(name, value)| (name, value)))
            .arg("-c")
            .arg(settings)
            .args(["--no-control-socket", "--workers", "1", "--timeout", "300"])
            .args(["--bind", &format!("127.0.0.1:{port}"), module]);
        let mut process = Process::start(&mut command, &log);
        let api = Api::new(&format!("http://127.0.0.1:{port}"));
        until(&format!("{module} answers"), 120, || {
            assert!(
                process.runs(),
                "{module} ended: {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
            api.try_send_text("GET", path, None, "3.0")
                .is_some_and(|answer| answer.status < 400)
        });
        Self {
            log,
            _process: process,
        }
    }

    /// The last lines of what it printed.
    pub(super) fn show_tail(&self) {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(20)..);
        eprintln!(
            "{}:\n{}",
            self.log.display(),
            tail.unwrap_or_default().join("\n")
        );
    }
}

fn folders(dir: &Path, names: &[&str]) {
    for name in names {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir.join(name))
            .unwrap();
    }
}

/// Makes and starts Keystone.
pub(super) fn keystone(dir: &Path, port: u16) -> Service {
    let dir = dir.join("keystone");
    folders(&dir, &["fernet", "credential"]);
    let conf = dir.join("keystone.conf");
    let at = dir.display();
    // Tempest makes some hundred users; what their passwords cost is not what is tested.
    let text = format!(
        "[DEFAULT]\nlog_file = {at}/keystone.log\n\
         [database]\nconnection = sqlite:///{at}/keystone.sqlite\n\
         [identity]\npassword_hash_rounds = 4\n\
         [token]\nprovider = fernet\n\
         [fernet_tokens]\nkey_repository = {at}/fernet\n\
         [credential]\nkey_repository = {at}/credential\n"
    );
    fs::write(&conf, text).unwrap();
    let manage = |args: &[&str]| {
        let _ = run(program("keystone-manage")
            .arg("--config-file")
            .arg(&conf)
            .args(args))
        .ok();
    };
    let id = |what| run(std::process::Command::new("id").arg(what)).ok().stdout;
    let (user, group) = (id("-un"), id("-gn"));
    let owner = [
        "--keystone-user",
        user.trim(),
        "--keystone-group",
        group.trim(),
    ];
    manage(&["db_sync"]);
    manage(&[&["fernet_setup"], &owner[..]].concat());
    manage(&[&["credential_setup"], &owner[..]].concat());
    let url = format!("http://127.0.0.1:{port}/v3");
    manage(&[
        "bootstrap",
        "--bootstrap-password",
        PASSWORD,
        "--bootstrap-admin-url",
        &url,
        "--bootstrap-internal-url",
        &url,
        "--bootstrap-public-url",
        &url,
        "--bootstrap-region-id",
        REGION,
    ]);
    let env = [("OS_KEYSTONE_CONFIG_FILES", conf.display().to_string())];
    Service::serve(&dir, "keystone.wsgi.api:application", port, "/v3", &env)
}

/// Starts another Keystone of what [`keystone`] made, whose tokens end a second after they are made.
pub(super) fn brief_keystone(dir: &Path, port: u16) -> Service {
    let first = dir.join("keystone/keystone.conf");
    let dir = dir.join("brief");
    folders(&dir, &["log"]);
    let conf = dir.join("brief.conf");
    let log = dir.join("log/keystone.log");
    let text = format!(
        "[DEFAULT]\nlog_file = {}\n[token]\nexpiration = 1\n",
        log.display()
    );
    fs::write(&conf, text).unwrap();
    let files = format!("{};{}", first.display(), conf.display());
    let env = [("OS_KEYSTONE_CONFIG_FILES", files)];
    Service::serve(&dir, "keystone.wsgi.api:application", port, "/v3", &env)
}

/// Makes and starts Glance, which keeps images in files.
pub(super) fn glance(dir: &Path, port: u16, keystone: &str) -> Service {
    let dir = dir.join("glance");
    folders(&dir, &["images", "staging", "tasks"]);
    let at = dir.display();
    let found = run(program("python3").args(["-c", "import sys; print(sys.prefix)"])).ok();
    let prefix = found.stdout.trim();
    let text = format!(
        "[DEFAULT]\nlog_file = {at}/glance.log\nbind_host = 127.0.0.1\nbind_port = {port}\n\
         enabled_backends = file:file\nworker_self_reference_url = http://127.0.0.1:{port}\n\
         [glance_store]\ndefault_backend = file\n\
         [file]\nfilesystem_store_datadir = {at}/images\n\
         [os_glance_staging_store]\nfilesystem_store_datadir = {at}/staging\n\
         [os_glance_tasks_store]\nfilesystem_store_datadir = {at}/tasks\n\
         [database]\nconnection = sqlite:///{at}/glance.sqlite\n\
         [paste_deploy]\nflavor = keystone\n\
         config_file = {prefix}/etc/glance/glance-api-paste.ini\n\
         [oslo_concurrency]\nlock_path = {at}\n\
         [keystone_authtoken]\nwww_authenticate_uri = {keystone}\nauth_url = {keystone}\n\
         auth_type = password\nproject_domain_name = Default\nuser_domain_name = Default\n\
         project_name = service\nusername = glance\npassword = {PASSWORD}\n\
         service_token_roles_required = true\n"
    );
    let conf = dir.join("glance-api.conf");
    fs::write(&conf, text).unwrap();
    let _ = run(program("glance-manage")
        .arg("--config-file")
        .arg(&conf)
        .arg("db_sync"))
    .ok();
    let env = [
        ("OS_GLANCE_CONFIG_DIR", at.to_string()),
        ("OS_GLANCE_CONFIG_FILES", "glance-api.conf".to_owned()),
    ];
    Service::serve(
        &dir,
        "glance.wsgi.api:application",
        port,
        "/healthcheck",
        &env,
    )
}
