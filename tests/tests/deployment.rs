//! What an operator is given holds together: `.env.example`, the README's table,
//! `docker-compose.yml` and the scripts name the settings that the programs read,
//! with the defaults that they have.
//!
//! No container is started here; what is checked is what can be read.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::CommandFactory;
use yaml_rust2::{Yaml, YamlLoader};

/// What a worker needs after its grace, in seconds: the last jobs are given back.
const LAST_SECONDS: u64 = 5;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// Each variable that a program reads, with its default; empty without one.
fn variables_of(command: &clap::Command) -> BTreeMap<String, String> {
    let named = command.get_arguments().filter_map(|argument| {
        let default = argument.get_default_values().first();
        let default = default.map_or_else(String::new, |value| value.display().to_string());
        Some((argument.get_env()?.display().to_string(), default))
    });
    named.collect()
}

fn api_variables() -> BTreeMap<String, String> {
    variables_of(&hookme_api::settings::Arguments::command())
}

fn worker_variables() -> BTreeMap<String, String> {
    variables_of(&hookme_worker::settings::Arguments::command())
}

fn all_variables() -> BTreeMap<String, String> {
    let mut all = api_variables();
    all.extend(worker_variables());
    all
}

/// The variables of an environment file, those in a comment too.
fn example_variables() -> BTreeMap<String, String> {
    let example = read(".env.example");
    let settings = example.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix('#').unwrap_or(line).split_once('=')?;
        let is_name = name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        (is_name && !name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
    });
    settings.collect()
}

#[test]
fn what_both_programs_read_has_one_default() {
    let worker = worker_variables();
    for (name, default) in api_variables() {
        assert!(
            worker.get(&name).is_none_or(|other| *other == default),
            "{name}"
        );
    }
}

#[test]
fn the_example_names_every_setting_with_its_default_and_no_other() {
    assert_eq!(example_variables(), all_variables());
}

#[test]
fn every_setting_of_the_example_is_explained_and_only_the_required_one_is_set() {
    let example = read(".env.example");
    let lines: Vec<_> = example.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let is_setting = |line: &str| {
            let line = line.strip_prefix('#').unwrap_or(line);
            line.starts_with(|first: char| first.is_ascii_uppercase()) && line.contains('=')
        };
        if is_setting(line) {
            let above = lines[index - 1];
            assert!(above.starts_with("# ") || is_setting(above), "{line}");
        }
    }
    let set: Vec<_> = lines
        .iter()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    assert_eq!(set, [&"WEBHOOK_URL="]);
}

#[test]
fn the_readme_has_a_row_for_every_setting_and_for_no_other() {
    let readme = read("README.md");
    let Some((_, section)) = readme.split_once("\n## Settings\n") else {
        return;
    };
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| {
        let (name, _) = line.strip_prefix("| `")?.split_once("` |")?;
        Some(name.to_owned())
    });
    let known: BTreeSet<_> = all_variables().into_keys().collect();
    assert_eq!(rows.collect::<BTreeSet<_>>(), known);
}

/// The services of `docker-compose.yml`, with what they merge from others.
fn service(name: &str) -> BTreeMap<String, Yaml> {
    let documents = YamlLoader::load_from_str(&read("docker-compose.yml")).unwrap();
    let mut merged = BTreeMap::new();
    merge(&documents[0]["services"][name], &mut merged);
    assert!(!merged.is_empty(), "no service {name}");
    merged
}

/// What stands in a mapping itself is stronger than what it merges (`<<`).
fn merge(mapping: &Yaml, into: &mut BTreeMap<String, Yaml>) {
    for (key, value) in mapping.as_hash().into_iter().flatten() {
        let key = key.as_str().unwrap();
        if key != "<<" {
            into.entry(key.to_owned()).or_insert_with(|| value.clone());
        }
    }
    if !mapping["<<"].is_badvalue() {
        merge(&mapping["<<"], into);
    }
}

fn words(value: &Yaml) -> Vec<&str> {
    let words = value.as_vec().unwrap();
    words.iter().map(|word| word.as_str().unwrap()).collect()
}

fn seconds(value: &Yaml) -> u64 {
    let text = value.as_str().unwrap();
    text.strip_suffix('s').unwrap().parse().unwrap()
}

#[test]
fn compose_runs_three_services_with_no_more_rights_than_they_need() {
    let documents = YamlLoader::load_from_str(&read("docker-compose.yml")).unwrap();
    let services = documents[0]["services"].as_hash().unwrap();
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
        assert!(!service["healthcheck"]["test"].is_badvalue(), "{name}");
        let ports = service.get("ports").map(words).unwrap_or_default();
        assert!(
            ports.iter().all(|port| port.starts_with("127.0.0.1:")),
            "{name}: {ports:?}"
        );
    }
}

#[test]
fn compose_gives_each_program_only_variables_that_it_reads() {
    for (name, known) in [("api", api_variables()), ("worker", worker_variables())] {
        let service = service(name);
        for variable in service["environment"].as_hash().unwrap().keys() {
            assert!(
                known.contains_key(variable.as_str().unwrap()),
                "{variable:?}"
            );
        }
        assert_eq!(words(&service["command"]), [name]);
        let check = words(&service["healthcheck"]["test"]);
        assert_eq!(check, ["CMD", name, "--healthcheck"]);
        let file = &service["env_file"][0];
        assert_eq!(file["path"].as_str(), Some(".env"));
        assert_eq!(file["required"], Yaml::Boolean(false));
        let redis = &service["depends_on"]["redis"]["condition"];
        assert_eq!(redis.as_str(), Some("service_healthy"));
    }
}

#[test]
fn compose_s_api_is_asked_by_its_name_unless_it_is_told_other_names() {
    let hosts = &service("api")["environment"]["ALLOWED_HOSTS"];
    assert_eq!(hosts.as_str(), Some("${ALLOWED_HOSTS:-api}"));
}

#[test]
fn compose_waits_for_a_program_longer_than_the_program_waits_for_its_work() {
    for (name, variables) in [("api", api_variables()), ("worker", worker_variables())] {
        let grace_ms: u64 = variables["SHUTDOWN_GRACE"].parse().unwrap();
        let stop = seconds(&service(name)["stop_grace_period"]);
        assert!(
            stop * 1_000 >= grace_ms + LAST_SECONDS * 1_000,
            "{name}: {stop} s for a grace of {grace_ms} ms"
        );
    }
}

#[test]
fn compose_can_run_any_number_of_workers() {
    let worker = service("worker");
    assert!(!worker.contains_key("container_name") && !worker.contains_key("ports"));
    assert!(
        !worker["environment"]["OPERATOR_LISTEN"].is_badvalue(),
        "the health check has nobody to ask"
    );
}

#[test]
fn compose_s_redis_keeps_what_it_has_answered() {
    let redis = service("redis");
    let command = words(&redis["command"]);
    for (option, value) in [
        ("--appendonly", "yes"),
        ("--appendfsync", "always"),
        ("--maxmemory-policy", "noeviction"),
    ] {
        let given = command.windows(2).any(|pair| pair == [option, value]);
        assert!(given, "{option} {value}: {command:?}");
    }
    assert_eq!(words(&redis["volumes"]), ["redis:/data"]);
    let documents = YamlLoader::load_from_str(&read("docker-compose.yml")).unwrap();
    let volumes = documents[0]["volumes"].as_hash().unwrap();
    assert!(volumes.contains_key(&Yaml::String("redis".to_owned())));
}

#[test]
fn the_image_has_certificates_no_root_and_the_locked_dependencies() {
    let dockerfile = read("Dockerfile");
    for line in ["ca-certificates", "--locked", "\nUSER 65532:65532\n"] {
        assert!(dockerfile.contains(line), "{line}");
    }
    // A builder that is older than what the workspace asks for would refuse it.
    let version = |text: &str, before: &str| -> (u32, u32) {
        let (_, rest) = text.split_once(before).unwrap();
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
        let (major, minor) = rest[..end.unwrap()].split_once('.').unwrap();
        (major.parse().unwrap(), minor.parse().unwrap())
    };
    let needed = version(&read("Cargo.toml"), "rust-version = \"");
    assert!(version(&dockerfile, "FROM rust:") >= needed, "{needed:?}");
}

/// Reads `settings` as `make up` does, and prints what `A` is then.
fn read_settings(settings: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("env");
    std::fs::write(&file, settings).unwrap();
    let script = r#". "$1"; cd "$2"; read_settings "$3" && printf '%s' "$A""#;
    Command::new("/bin/sh")
        .args(["-euc", script, "sh"])
        .arg(root().join("scripts/read-settings"))
        .arg(directory.path())
        .arg(&file)
        .env_remove("A")
        .output()
        .unwrap()
}

#[test]
fn a_setting_of_an_environment_file_is_taken_as_it_stands() {
    for (settings, value) in [
        ("A=http://x/?a=1&b=2;c", "http://x/?a=1&b=2;c"),
        ("# note\n\nA=x\r\nB=y\r\n", "x"),
        ("A=a=b", "a=b"),
        (
            "A='$(touch made) `touch made` \\ \" #'",
            "$(touch made) `touch made` \\ \" #",
        ),
        ("A=''", ""),
        ("A=", ""),
        ("A=*", "*"),
    ] {
        let output = read_settings(settings);
        assert!(output.status.success(), "{settings}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), value, "{settings}");
    }
}

#[test]
fn a_line_that_compose_would_read_differently_is_refused_and_not_shown() {
    for settings in [
        "A=canary$HOME",
        "A=canary`id`",
        "A=canary #b",
        "A=\"canary\"",
        "A='canary",
        "A='canary'b'",
        "A=canary b",
        "A=canary\\n",
        "A = canary",
        "export A=canary",
        "a=canary",
        "canary",
    ] {
        let output = read_settings(settings);
        assert_eq!(output.status.code(), Some(1), "{settings}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains("line 1") && !said.contains("canary"),
            "{said}"
        );
    }
}

#[test]
fn the_example_itself_can_be_read() {
    let output = read_settings(&format!("{}A=read\n", read(".env.example")));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "read",
        "{output:?}"
    );
}
