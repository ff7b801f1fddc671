//! What an operator is given holds together: `.env.example`, the README's table,
//! `docker-compose.yml` and the scripts name the settings that the programs read,
//! with the defaults that they have; the image holds what the programs need and nothing
//! else.
//!
//! No container is started here; what is checked is what can be read.
//! `.github/workflows/image.yml` starts them.

#![cfg(test)]

mod compose;
mod image;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::CommandFactory;

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
    let mut known = all_variables();
    known.extend(compose::own_variables());
    assert_eq!(example_variables(), known);
}

/// The comment that stands above a setting in the example, or above the ones before it.
fn explanation(name: &str) -> String {
    let example = read(".env.example");
    let lines: Vec<_> = example.lines().collect();
    let is_this = |line: &&str| {
        line.trim_start_matches('#')
            .starts_with(&format!("{name}="))
    };
    let index = lines.iter().position(is_this).unwrap();
    let above = lines[..index].iter().rev();
    let mut above: Vec<_> = above.take_while(|line| !line.is_empty()).copied().collect();
    above.reverse();
    above.join(" ")
}

#[test]
fn the_example_says_what_is_different_in_a_container() {
    for (name, words) in [
        ("WEBHOOK_URL", ["host.docker.internal", "127.0.0.1"]),
        ("FEEDBACK_TEMPLATE", ["65532", "mount"]),
        ("SHUTDOWN_GRACE", ["docker compose", "10 s"]),
        ("WORKER_CONCURRENCY", ["docker compose", "mem_limit"]),
    ] {
        let explanation = explanation(name);
        for word in words {
            assert!(explanation.contains(word), "{name}: {word}: {explanation}");
        }
    }
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
