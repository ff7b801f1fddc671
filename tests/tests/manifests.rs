//! The manifests name no dependency that nothing uses.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The members of the workspace.
const MEMBERS: [&str; 4] = ["api", "shared", "tests", "worker"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names that a manifest lists in the tables whose names end like that.
fn dependencies(manifest: &str, table: &str) -> BTreeSet<String> {
    let mut is_inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(header) = line.strip_prefix('[') {
            is_inside = header.trim_end_matches(']').ends_with(table);
        } else if is_inside && line.starts_with(|first: char| first.is_ascii_lowercase()) {
            let name = line.split([' ', '.', '=']).next().unwrap();
            names.insert(name.to_owned());
        }
    }
    names
}

fn of_member(member: &str) -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
    dependencies(&manifest, "dependencies")
}

/// Each word of the source files below a directory that could name a crate.
fn words(directory: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            words(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            let is_other = |letter: char| !letter.is_ascii_alphanumeric() && letter != '_';
            into.extend(
                code.flat_map(|line| line.split(is_other))
                    .map(str::to_owned),
            );
        }
    }
}

#[test]
fn every_dependency_of_the_workspace_is_one_of_a_member() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let listed = dependencies(&manifest, "workspace.dependencies");
    let taken: BTreeSet<_> = MEMBERS.into_iter().flat_map(of_member).collect();
    let unused: Vec<_> = listed.difference(&taken).collect();
    assert!(listed.len() > 20 && unused.is_empty(), "{unused:?}");
}

#[test]
fn every_dependency_of_a_member_stands_in_its_code() {
    for member in MEMBERS {
        let mut said = BTreeSet::new();
        words(&root().join(member), &mut said);
        for name in of_member(member) {
            assert!(said.contains(&name.replace('-', "_")), "{member}: {name}");
        }
    }
}
