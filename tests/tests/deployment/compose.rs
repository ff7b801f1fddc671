//! `docker-compose.yml`: three services with no more rights, room and settings than they
//! need, that keep what they have answered.

use std::collections::{BTreeMap, BTreeSet};

use yaml_rust2::{Yaml, YamlLoader};

use super::{api_variables, read, worker_variables};

/// What a worker needs after its grace, in seconds: the last jobs are given back.
const LAST_SECONDS: u64 = 10;

/// A setting whose value no container may have but the one that needs it.
const SECRETS: [&str; 4] = ["API_KEYS", "API_TOKEN", "WEBHOOK_SECRETS", "WEBHOOK_URL"];

fn document() -> Yaml {
    let mut documents = YamlLoader::load_from_str(&read("docker-compose.yml")).unwrap();
    documents.remove(0)
}

/// A service, with what it merges from others.
fn service(name: &str) -> BTreeMap<String, Yaml> {
    let service = merged(&document()["services"][name]);
    assert!(!service.is_empty(), "no service {name}");
    service
}

/// What stands in a mapping itself is stronger than what it merges (`<<`).
fn merged(mapping: &Yaml) -> BTreeMap<String, Yaml> {
    let mut into = BTreeMap::new();
    for (key, value) in mapping.as_hash().into_iter().flatten() {
        into.insert(key.as_str().unwrap().to_owned(), value.clone());
    }
    if let Some(below) = into.remove("<<") {
        for (key, value) in merged(&below) {
            into.entry(key).or_insert(value);
        }
    }
    into
}

fn words(value: &Yaml) -> Vec<&str> {
    let words = value.as_vec().unwrap();
    words.iter().map(|word| word.as_str().unwrap()).collect()
}

/// A size in bytes, as `512m` or `1gb`.
fn bytes(text: &str) -> u64 {
    let text = text.trim_end_matches('b');
    let (number, unit) = text.split_at(text.len() - 1);
    let unit = match unit {
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => panic!("{text}"),
    };
    number.parse::<u64>().unwrap() * unit
}

/// Each `${…}` of the file: the name, and what follows it.
fn interpolations() -> Vec<(String, String)> {
    let text = read("docker-compose.yml");
    let found = text.split("${").skip(1).map(|rest| {
        let (inner, _) = rest.split_once('}').unwrap();
        let (name, rest) = inner.split_once(':').unwrap();
        (name.to_owned(), rest.to_owned())
    });
    found.collect()
}

/// The variables that docker compose alone reads, with their defaults.
pub(crate) fn own_variables() -> BTreeMap<String, String> {
    let own = interpolations().into_iter().filter_map(|(name, rest)| {
        let default = rest.strip_prefix('-').unwrap_or_default().to_owned();
        name.starts_with("HOOKME_").then_some((name, default))
    });
    own.collect()
}

#[test]
fn compose_runs_three_services_with_no_more_rights_than_they_need() {
    let document = document();
    let services = document["services"].as_hash().unwrap();
    let names: BTreeSet<_> = services.keys().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["api", "redis", "worker"]));
    for name in names {
        let service = service(name);
        let user = service["user"].as_str().unwrap();
        assert!(
            !user.starts_with("root") && !user.starts_with('0'),
            "{name}"
        );
        assert_eq!(service["read_only"], Yaml::Boolean(true), "{name}");
        assert_eq!(words(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(
            words(&service["security_opt"]),
            ["no-new-privileges:true"],
            "{name}"
        );
        assert_eq!(
            service["restart"].as_str(),
            Some("unless-stopped"),
            "{name}"
        );
        let ports = service.get("ports").map(words).unwrap_or_default();
        assert!(
            ports.iter().all(|port| port.starts_with("127.0.0.1:")),
            "{name}: {ports:?}"
        );
    }
}

#[test]
fn compose_bounds_the_memory_the_processes_and_the_logs_of_each_service() {
    for name in ["api", "redis", "worker"] {
        let service = service(name);
        assert!(bytes(service["mem_limit"].as_str().unwrap()) > 0, "{name}");
        assert!(service["pids_limit"].as_i64().unwrap() > 0, "{name}");
        let logging = &service["logging"];
        assert_eq!(logging["driver"].as_str(), Some("local"), "{name}");
        for option in ["max-size", "max-file"] {
            assert!(!logging["options"][option].is_badvalue(), "{name}");
        }
    }
}

#[test]
fn compose_finds_a_service_healthy_soon_and_gives_redis_the_time_to_load_its_file() {
    for (name, start_period) in [("api", "60s"), ("redis", "5m"), ("worker", "60s")] {
        let check = &service(name)["healthcheck"];
        assert!(!check["test"].is_badvalue(), "{name}");
        assert_eq!(check["start_interval"].as_str(), Some("500ms"), "{name}");
        assert_eq!(check["start_period"].as_str(), Some(start_period), "{name}");
    }
    // That interval is what the named versions are needed for.
    for file in ["docker-compose.yml", "README.md"] {
        let says = read(file).contains("Docker Engine 25 and Compose 2.24 or newer");
        assert!(says, "{file}");
    }
}

#[test]
fn compose_gives_each_program_every_setting_that_it_reads_and_no_other() {
    for (name, known) in [("api", api_variables()), ("worker", worker_variables())] {
        let service = service(name);
        let environment = merged(&service["environment"]);
        let given: BTreeSet<_> = environment.keys().cloned().collect();
        let known: BTreeSet<_> = known.into_keys().collect();
        assert_eq!(
            given, known,
            "{name}: its environment in docker-compose.yml"
        );
        // A file would hand on everything that stands in it.
        assert!(!service.contains_key("env_file"), "{name}");
        for (variable, value) in environment {
            if SECRETS.contains(&variable.as_str()) {
                let value = value.as_str().unwrap_or_default();
                assert!(value.is_empty() || value.starts_with("${"), "{variable}");
            }
        }
    }
    let keeps = |name: &str, variable: &str| {
        let environment = merged(&service(name)["environment"]);
        environment.contains_key(variable)
    };
    for variable in SECRETS {
        let holders = ["api", "worker"].map(|name| keeps(name, variable));
        assert_eq!(holders.iter().filter(|holds| **holds).count(), 1);
    }
}

#[test]
fn compose_sets_only_what_a_container_must_have_and_leaves_the_defaults_to_the_programs() {
    for (name, wanted) in [
        (
            "api",
            vec![
                "ALLOWED_HOSTS",
                "ALLOW_ANONYMOUS",
                "LISTEN",
                "OPERATOR_LISTEN",
                "REDIS_URL",
            ],
        ),
        (
            "worker",
            vec!["OPERATOR_LISTEN", "REDIS_URL", "WEBHOOK_URL"],
        ),
    ] {
        let environment = merged(&service(name)["environment"]);
        let set = environment.iter().filter(|(_, value)| !value.is_null());
        let set: Vec<_> = set.map(|(variable, _)| variable.as_str()).collect();
        assert_eq!(set, wanted, "{name}");
    }
}

#[test]
fn compose_starts_nothing_without_a_webhook_url_and_says_what_to_do() {
    let environment = merged(&service("worker")["environment"]);
    let value = environment["WEBHOOK_URL"].as_str().unwrap();
    let sentence = value.strip_prefix("${WEBHOOK_URL:?").unwrap();
    for word in [".env", "cp .env.example .env", "none"] {
        assert!(sentence.contains(word), "{word}: {sentence}");
    }
}

#[test]
fn compose_builds_one_image_from_this_checkout_under_no_name_that_another_build_takes() {
    for name in ["api", "worker"] {
        let service = service(name);
        assert_eq!(service["build"].as_str(), Some("."), "{name}");
        assert!(!service.contains_key("image"), "{name}");
        assert_eq!(words(&service["command"]), [name]);
        let check = words(&service["healthcheck"]["test"]);
        assert_eq!(check, ["CMD", name, "--healthcheck"]);
        let redis = &service["depends_on"]["redis"]["condition"];
        assert_eq!(redis.as_str(), Some("service_healthy"));
    }
}

#[test]
fn compose_s_api_is_asked_by_its_name_unless_it_is_told_other_names() {
    let environment = merged(&service("api")["environment"]);
    let hosts = environment["ALLOWED_HOSTS"].as_str();
    assert_eq!(hosts, Some("${ALLOWED_HOSTS:-api}"));
}

#[test]
fn compose_waits_for_a_program_longer_than_the_program_waits_for_its_work() {
    for (name, variables) in [("api", api_variables()), ("worker", worker_variables())] {
        // Compose adds up the parts of a span, so that one setting drives both.
        let grace = &variables["SHUTDOWN_GRACE"];
        let wanted = format!("{LAST_SECONDS}s${{SHUTDOWN_GRACE:-{grace}}}ms");
        let service = service(name);
        let stop = service["stop_grace_period"].as_str();
        assert_eq!(stop, Some(wanted.as_str()), "{name}");
    }
}

#[test]
fn compose_can_run_any_number_of_workers() {
    let worker = service("worker");
    assert!(!worker.contains_key("container_name") && !worker.contains_key("ports"));
    assert_eq!(worker["scale"].as_str(), Some("${HOOKME_WORKERS:-1}"));
    let environment = merged(&worker["environment"]);
    assert!(
        !environment["OPERATOR_LISTEN"].is_null(),
        "the health check has nobody to ask"
    );
}

#[test]
fn compose_s_ports_can_be_changed_without_changing_the_file() {
    for (name, port) in [
        ("api", "127.0.0.1:${HOOKME_PORT:-4001}:4001"),
        ("redis", "127.0.0.1:${HOOKME_REDIS_PORT:-6379}:6379"),
    ] {
        assert_eq!(words(&service(name)["ports"]), [port]);
    }
}

#[test]
fn compose_s_redis_keeps_what_it_has_answered() {
    let redis = service("redis");
    let command = words(&redis["command"]);
    let value_of = |option: &str| {
        let pair = command.windows(2).find(|pair| pair[0] == option);
        pair.unwrap_or_else(|| panic!("{option}: {command:?}"))[1]
    };
    assert_eq!(value_of("--appendonly"), "yes");
    assert_eq!(value_of("--appendfsync"), "always");
    assert_eq!(value_of("--maxmemory-policy"), "noeviction");
    // It refuses tasks before it is killed for its memory, a copy for its file included.
    let limit = bytes(redis["mem_limit"].as_str().unwrap());
    assert!(limit > 2 * bytes(value_of("--maxmemory")));
    assert_eq!(words(&redis["volumes"]), ["redis:/data"]);
    let document = document();
    let volumes = document["volumes"].as_hash().unwrap();
    assert!(volumes.contains_key(&Yaml::String("redis".to_owned())));
}
