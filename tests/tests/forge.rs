//! What the public forge does with each change: it runs what a developer runs, may read
//! the repository and no more, and takes code from nobody who could change it unseen.
//!
//! And what SECURITY.md promises can be looked up: what it names exists.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use yaml_rust2::{Yaml, YamlLoader};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// Each workflow, by its file's name.
fn workflows() -> BTreeMap<String, Yaml> {
    let entries = std::fs::read_dir(root().join(".github/workflows")).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let parsed = files.map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut documents = YamlLoader::load_from_str(&text).unwrap();
        assert_eq!(documents.len(), 1, "{}", path.display());
        let name = path.file_name().unwrap().display().to_string();
        (name, documents.remove(0))
    });
    parsed.collect()
}

fn jobs(workflow: &Yaml) -> Vec<&Yaml> {
    workflow["jobs"].as_hash().unwrap().values().collect()
}

fn steps(workflow: &Yaml) -> Vec<&Yaml> {
    let jobs = jobs(workflow).into_iter();
    jobs.flat_map(|job| job["steps"].as_vec().unwrap())
        .collect()
}

#[test]
fn every_change_is_tested_audited_and_run_in_containers_and_each_week_is_audited() {
    let workflows = workflows();
    for (file, command) in [
        ("test.yml", "make test"),
        ("audit.yml", "make audit"),
        (
            "image.yml",
            "docker compose up --build --detach --wait --wait-timeout 300 --scale worker=2",
        ),
    ] {
        let workflow = &workflows[file];
        let steps = steps(workflow);
        let runs = steps
            .iter()
            .any(|step| step["run"].as_str() == Some(command));
        assert!(runs, "{file} does not run {command}");
        let when = workflow["on"].as_hash().unwrap();
        for event in ["push", "pull_request"] {
            // Without a filter, which could leave a change out.
            let filter = when.get(&Yaml::String(event.to_owned()));
            assert_eq!(filter, Some(&Yaml::Null), "{file}: {event}");
        }
        // A step or a job that may fail or be left out would check nothing.
        for part in steps.into_iter().chain(jobs(workflow)) {
            for way_out in ["if", "continue-on-error"] {
                assert!(part[way_out].is_badvalue(), "{file}: {part:?}");
            }
        }
    }
    let cron = workflows["audit.yml"]["on"]["schedule"][0]["cron"].as_str();
    let fields: Vec<_> = cron.unwrap().split(' ').collect();
    assert_eq!(fields[2..4], ["*", "*"], "not each month: {fields:?}");
}

#[test]
fn no_workflow_may_do_more_than_read_the_repository() {
    for (file, workflow) in workflows() {
        let granted = workflow["permissions"].as_hash().unwrap();
        let granted: Vec<_> = granted.iter().collect();
        let (contents, read) = (
            Yaml::String("contents".to_owned()),
            Yaml::String("read".to_owned()),
        );
        assert_eq!(granted, [(&contents, &read)], "{file}");
        for job in jobs(&workflow) {
            assert!(job["permissions"].is_badvalue(), "{file}");
        }
        let when = workflow["on"].as_hash().unwrap();
        let privileged = Yaml::String("pull_request_target".to_owned());
        assert!(!when.contains_key(&privileged), "{file}");
    }
    for entry in std::fs::read_dir(root().join(".github/workflows")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("secrets."), "{text}");
    }
}

#[test]
fn every_action_is_a_commit_and_keeps_no_credentials() {
    for (file, workflow) in workflows() {
        for step in steps(&workflow) {
            let Some(action) = step["uses"].as_str() else {
                continue;
            };
            let (name, commit) = action.split_once('@').unwrap();
            let is_commit =
                commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_commit, "{file}: {action}");
            assert_eq!(name, "actions/checkout", "{file}");
            let keeps = &step["with"]["persist-credentials"];
            assert_eq!(*keeps, Yaml::Boolean(false), "{file}");
        }
    }
}

#[test]
fn the_manifest_the_image_the_forge_and_the_readme_name_one_version_of_rust() {
    let manifest = read("Cargo.toml");
    let (_, rest) = manifest.split_once("\nrust-version = \"").unwrap();
    let (version, _) = rest.split_once('"').unwrap();
    let base = format!("\nFROM rust:{version}-slim-");
    assert!(read("Dockerfile").contains(&base), "{base}");
    let needed = format!("Rust {version} or newer");
    assert!(read("README.md").contains(&needed), "{needed}");
    for (file, workflow) in workflows() {
        let steps = steps(&workflow);
        let runs: Vec<_> = steps
            .iter()
            .filter_map(|step| step["run"].as_str())
            .collect();
        // What is built in the image takes the image's.
        if runs.iter().any(|run| run.starts_with("make ")) {
            let wanted = format!("rustup default {version}");
            assert!(runs.contains(&wanted.as_str()), "{file}: {wanted}");
            let wanted = format!("rustup toolchain install {version} ");
            let installs = runs.iter().any(|run| run.starts_with(&wanted));
            assert!(installs, "{file}: {wanted}");
        }
    }
}

/// What stands between backticks in a text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// All source files below a directory, one after the other.
fn sources(directory: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &sources(&path);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            all += &std::fs::read_to_string(path).unwrap();
        }
    }
    all
}

#[test]
fn every_file_and_test_that_the_page_on_security_names_exists() {
    let page = read("SECURITY.md");
    let links = page.split("](").skip(1);
    let links = links.map(|rest| rest.split([')', '#']).next().unwrap());
    let paths: BTreeSet<_> = quoted(&page)
        .filter(|name| name.starts_with("tests/"))
        .chain(links)
        .collect();
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths {
        assert!(root().join(path).exists(), "SECURITY.md: no {path}");
    }
    let folders = ["api/src", "shared/src", "worker/src", "tests/tests"];
    let code: String = folders.map(|folder| sources(&root().join(folder))).concat();
    let is_test = |name: &&str| {
        let is_name = name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_name && name.matches('_').count() >= 3
    };
    let tests: BTreeSet<_> = quoted(&page).filter(is_test).collect();
    assert!(tests.len() > 15, "{tests:?}");
    for test in tests {
        assert!(
            code.contains(&format!("fn {test}(")),
            "SECURITY.md: no {test}"
        );
    }
}
