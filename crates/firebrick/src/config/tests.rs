//! `cinder.conf`, by example.

use firebrick_control::{Handler, PoolFilter, Ratio, Scheduler, Weigher, Weighing};

use super::*;

const GOOD: &str = "\
[DEFAULT]
enabled_backends = blocks
auth_strategy = noauth
host = node1

[blocks]
volume_backend_name = gold
site_admin = /run/a.admin
replication_device = backend_id:site-b,
                     admin:/run/b.admin
";

fn understand(text: &str) -> Result<ServeConf, ConfigError> {
    ServeConf::from_file(&ConfigFile::parse(Path::new("/etc/cinder.conf"), text)?)
}

fn refusal(text: &str) -> String {
    understand(text).map(|_| ()).unwrap_err().to_string()
}

/// The good file with another line behind the host, or behind the backend's last option.
fn with(default: &str, backend: &str) -> String {
    GOOD.replace("host = node1\n", &format!("host = node1\n{default}\n")) + backend + "\n"
}

#[test]
fn a_small_file_gets_the_defaults() {
    let conf = understand(GOOD).unwrap();
    assert_eq!(conf.listen.to_string(), "127.0.0.1:8776");
    assert_eq!(conf.database, "sqlite:///var/lib/cinder/firebrick.sqlite");
    assert_eq!(conf.control.node, "node1");
    assert_eq!(conf.control.availability_zone, "nova");
    assert_eq!(conf.control.default_volume_type, "__DEFAULT__");
    assert_eq!(conf.control.quotas, firebrick_control::Quotas::default());
    let backend = &conf.control.backends[0];
    assert_eq!(
        (&*backend.name, &*backend.volume_backend_name),
        ("blocks", "gold")
    );
    assert_eq!(backend.primary.name(), "blocks");
    assert!(backend.primary.capabilities().mirroring);
    assert_eq!(backend.targets[0].0, "site-b");
    assert_eq!(backend.targets[0].1.name(), "site-b");
    assert_eq!(backend.max_over_subscription_ratio, Ratio::Fixed(20.0));
    assert_eq!(backend.filter_function, None);
    assert_eq!(conf.control.scheduler, Scheduler::default());
    assert_eq!(conf.control.scheduler_max_attempts, 3);
}

#[test]
fn every_option_is_taken() {
    let text = with(
        "osapi_volume_listen = ::1\nosapi_volume_listen_port = 1776\nquota_volumes = -1\n\
         quota_snapshots = 5\nquota_gigabytes = 6\nper_volume_size_limit = 7\n\
         quota_backups = 8\nquota_backup_gigabytes = 9\nquota_groups = 10\n\
         no_snapshot_gb_quota = true\n\
         storage_availability_zone = az1\ndefault_volume_type = silver\ndefault_group_type = sets\nreport_interval = 2\n\
         service_down_time = 9\nmessage_ttl = 60\nstate_path = state\nosapi_max_limit = 100\n\
         public_endpoint = https://volumes.example.org\n[database]\n\
         connection = sqlite:///$state_path/x.sqlite\n[key_manager]\nfixed_key = 00ff",
        "site_name = here\nvolume_driver = firebrick\nreserved_percentage = 5\n\
         max_over_subscription_ratio = 2.5",
    );
    let file = ConfigFile::parse(Path::new("/etc/cinder.conf"), &text).unwrap();
    let conf = ServeConf::from_file(&file).unwrap();
    assert!(file.unknown().is_empty(), "{:?}", file.unknown());
    assert_eq!(conf.listen.to_string(), "[::1]:1776");
    assert_eq!(conf.database, "sqlite:///state/x.sqlite");
    assert_eq!(conf.api.max_limit, 100);
    let quotas = conf.control.quotas;
    assert_eq!((quotas.volumes, quotas.snapshots), (-1, 5));
    assert_eq!((quotas.gigabytes, quotas.per_volume_gigabytes), (6, 7));
    assert_eq!((quotas.backups, quotas.backup_gigabytes), (8, 9));
    assert_eq!((quotas.groups, quotas.snapshots_are_free), (10, true));
    assert!(conf.control.has_fixed_key);
    assert_eq!(conf.control.availability_zone, "az1");
    assert_eq!(conf.control.default_volume_type, "silver");
    assert_eq!(conf.control.default_group_type.as_deref(), Some("sets"));
    assert_eq!(conf.control.report_interval.as_secs(), 2);
    assert_eq!(conf.control.service_down_time.as_secs(), 9);
    assert_eq!(conf.control.message_ttl.as_secs(), 60);
    assert_eq!(conf.control.backends[0].primary.name(), "here");
    assert_eq!(conf.control.backends[0].reserved_percentage, 5);
}

/// Lines of `[DEFAULT]`, lines of the backend, and what the refusal says.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "osapi_volume_listen_port = abc",
        "",
        ":5: [DEFAULT] osapi_volume_listen_port: \"abc\" is",
    ),
    (
        "osapi_volume_listen = 0.0.0.0",
        "",
        ":5: [DEFAULT] osapi_volume_listen: auth_strategy",
    ),
    ("osapi_max_limit = 0", "", ":5: [DEFAULT] osapi_max_limit: "),
    (
        "public_endpoint = here",
        "",
        ":5: [DEFAULT] public_endpoint: ",
    ),
    (
        "auth_strategy = keystone",
        "",
        "the section [keystone_authtoken] is missing",
    ),
    (
        "auth_strategy = none",
        "",
        ":5: [DEFAULT] auth_strategy: \"none\" is neither",
    ),
    (
        "quota_volumes = -2",
        "",
        ":5: [DEFAULT] quota_volumes: -2 is not between -1 and",
    ),
    (
        "quota_gigabytes = many",
        "",
        ":5: [DEFAULT] quota_gigabytes: \"many\" is not a number",
    ),
    (
        "report_interval = 0",
        "",
        ":5: [DEFAULT] report_interval: 0 is not between 1 and",
    ),
    (
        "service_down_time = 10",
        "",
        ":5: [DEFAULT] service_down_time: must be more than",
    ),
    (
        "host = a@b",
        "",
        ":5: [DEFAULT] host: \"a@b\" is not a name",
    ),
    (
        "default_volume_type =",
        "",
        ":5: [DEFAULT] default_volume_type: must not be empty",
    ),
    (
        "enabled_backends = blocks, blocks",
        "",
        ":5: [DEFAULT] enabled_backends: blocks is named",
    ),
    (
        "enabled_backends = other",
        "",
        ":5: [DEFAULT] enabled_backends: the section [other] is",
    ),
    (
        "enabled_backends = a@b",
        "",
        ":5: [DEFAULT] enabled_backends: \"a@b\" is not a name",
    ),
    (
        "enabled_backends = ,",
        "",
        ":5: [DEFAULT] enabled_backends: names no backend",
    ),
    (
        "[database]\nconnection = mysql://x",
        "",
        ":6: [database] connection: begins with neither",
    ),
    (
        "",
        "volume_driver = lvm",
        ":12: [blocks] volume_driver: \"lvm\" is not a driver",
    ),
    (
        "",
        "reserved_percentage = 101",
        ":12: [blocks] reserved_percentage: 101 is not between",
    ),
    (
        "",
        "max_over_subscription_ratio = 0.5",
        ":12: [blocks] max_over_subscription_ratio: 0.5",
    ),
    (
        "",
        "site_admin =",
        ":12: [blocks] site_admin: must not be empty",
    ),
    (
        "",
        "replication_device = admin:/x",
        ":12: [blocks] replication_device: backend_id is",
    ),
    (
        "",
        "replication_device = backend_id:b",
        ":12: [blocks] replication_device: admin is",
    ),
    (
        "",
        "replication_device = backend_id:default,admin:/x",
        "\"default\" is not a name of",
    ),
    (
        "",
        "replication_device = backend_id:site-b,admin:/x",
        "is given to two devices",
    ),
    (
        "",
        "replication_device = backend_id:c,admin:/x,conf:y",
        "conf is unknown",
    ),
];

#[test]
fn wrong_values_are_refused_with_file_line_option_and_reason() {
    for (default, backend, expected) in WRONG {
        let found = refusal(&with(default, backend));
        assert!(found.starts_with("/etc/cinder.conf:"), "{found}");
        assert!(found.contains(expected), "{found}\nlacks {expected}");
    }
}

#[test]
fn what_must_be_there_is_named() {
    assert_eq!(
        refusal("[x]\n"),
        "/etc/cinder.conf: the section [DEFAULT] is missing"
    );
    let none = refusal("[DEFAULT]\nauth_strategy = noauth\n");
    assert_eq!(
        none,
        "/etc/cinder.conf:1: [DEFAULT] enabled_backends: is missing"
    );
    let silent = refusal("[DEFAULT]\nenabled_backends = blocks\n[blocks]\n");
    assert!(
        silent.contains("the section [keystone_authtoken] is missing"),
        "{silent}"
    );
}

#[test]
fn noauth_elsewhere_names_noauth_and_loopback() {
    let found = refusal(&with("osapi_volume_listen = 192.0.2.1", ""));
    assert!(
        found.contains("noauth") && found.contains("loopback"),
        "{found}"
    );
}

#[test]
fn placement_is_configured_in_cinders_words() {
    let text = with(
        "scheduler_default_filters = CapacityFilter, JsonFilter\n\
         scheduler_default_weighers = CapacityWeigher, GoodnessWeigher, VolumeNumberWeigher\n\
         capacity_weight_multiplier = -2.5\nscheduler_max_attempts = 5\n\
         scheduler_weight_handler = \
         cinder.scheduler.weights.stochastic.StochasticHostWeightHandler",
        "max_over_subscription_ratio = auto\nfilter_function = volume.size < 10\n\
         goodness_function = stats.free_capacity_gb > 5 ? 100 : 1\n\
         backend_availability_zone = north\ncluster = together",
    );
    let control = understand(&text).unwrap().control;
    let scheduler = control.scheduler;
    assert_eq!(scheduler.filters, [PoolFilter::Capacity, PoolFilter::Json]);
    let capacity = Weighing {
        weigher: Weigher::Capacity,
        multiplier: -2.5,
    };
    let others = [Weigher::Goodness, Weigher::VolumeNumber].map(Weighing::new);
    assert_eq!(scheduler.weighers, [capacity, others[0], others[1]]);
    assert_eq!(scheduler.handler, Handler::Stochastic);
    assert_eq!(control.scheduler_max_attempts, 5);
    let backend = &control.backends[0];
    assert_eq!(backend.max_over_subscription_ratio, Ratio::Auto);
    let function = backend.filter_function.as_ref().unwrap();
    assert_eq!(function.text(), "volume.size < 10");
    assert!(backend.goodness_function.is_some());
    assert_eq!(backend.availability_zone.as_deref(), Some("north"));
    assert_eq!(backend.cluster().as_deref(), Some("together@blocks"));
}

#[test]
fn placement_that_is_not_understood_is_refused() {
    for (default, backend, why) in [
        (
            "scheduler_default_filters = NoFilter",
            "",
            "\"NoFilter\" is not a filter",
        ),
        (
            "scheduler_default_weighers = Heavy",
            "",
            "\"Heavy\" is not a weigher",
        ),
        ("scheduler_weight_handler = dice", "", "is neither"),
        ("scheduler_max_attempts = 0", "", "between 1 and 100"),
        ("", "filter_function = 1 +", "a value is expected"),
        ("", "goodness_function = sqrt(2)", "does not exist"),
        ("", "max_over_subscription_ratio = 0.5", "between 1 and"),
    ] {
        let refused = refusal(&with(default, backend));
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn the_database_lies_in_the_state_path_whatever_folder_the_process_is_in() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let conf = folder.path().join("cinder.conf");
    std::fs::write(
        &conf,
        with(&format!("state_path = {}", state.display()), ""),
    )
    .unwrap();
    let refused = ServeConf::read(&conf).map(|_| ()).unwrap_err().to_string();
    let named = refused.contains("state_path") && refused.contains(state.to_str().unwrap());
    assert!(named, "{refused}");
    std::fs::create_dir(&state).unwrap();
    let (read, _) = ServeConf::read(&conf).unwrap();
    let file = state.join("firebrick.sqlite");
    assert_eq!(read.database, format!("sqlite://{}", file.display()));
}

#[test]
fn a_file_of_open_filters_is_read_from_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let text = with("resource_filters_file = filters.json", "");
    let read = || {
        let file = ConfigFile::parse(&folder.path().join("cinder.conf"), &text)?;
        ServeConf::from_file(&file).map(|conf| format!("{:?}", conf.api.filters))
    };
    let missing = read().unwrap_err().to_string();
    assert!(missing.contains("resource_filters_file") && missing.contains("filters.json"));
    std::fs::write(folder.path().join("filters.json"), "[]").unwrap();
    assert!(read().unwrap_err().to_string().contains("invalid type"));
    std::fs::write(
        folder.path().join("filters.json"),
        r#"{"volume": ["name~"]}"#,
    )
    .unwrap();
    assert!(read().unwrap().contains("name~"));
}
