//! The `Dockerfile`: an image of this checkout's programs, and of nothing that they do
//! not need.

use std::collections::BTreeSet;

use super::read;

/// The instructions of the Dockerfile: a word in capitals, and the rest of it in one line.
fn instructions() -> Vec<(String, String)> {
    let dockerfile = read("Dockerfile");
    let lines = dockerfile.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let parts = text.lines().map(|line| line.split_once(' ').unwrap());
    parts
        .map(|(word, rest)| (word.to_owned(), rest.to_owned()))
        .collect()
}

/// The instructions of the last stage, which make the image.
fn last_stage() -> Vec<(String, String)> {
    let all = instructions();
    let start = all.iter().rposition(|(word, _)| word == "FROM").unwrap();
    all[start..].to_vec()
}

fn runs() -> Vec<String> {
    let runs = instructions().into_iter().filter(|(word, _)| word == "RUN");
    runs.map(|(_, command)| command).collect()
}

/// What is copied out of the checkout, with the place of the instruction.
fn copied() -> Vec<(usize, String)> {
    let mut copied = Vec::new();
    for (place, (word, rest)) in instructions().into_iter().enumerate() {
        if word == "COPY" && !rest.starts_with("--from") {
            let paths: Vec<_> = rest.split_whitespace().collect();
            let sources = paths[..paths.len() - 1].iter();
            copied.extend(sources.map(|path| (place, (*path).to_owned())));
        }
    }
    copied
}

/// The members of the workspace.
fn members() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let (_, rest) = manifest.split_once("members = [").unwrap();
    let (list, _) = rest.split_once(']').unwrap();
    let names = list.split(',').map(|name| name.trim().trim_matches('"'));
    names.map(str::to_owned).collect()
}

#[test]
fn no_other_checkout_s_code_is_there_when_the_programs_are_built() {
    // A cache mount is shared by all checkouts on a builder.
    assert!(!read("Dockerfile").contains("--mount"));
    let runs = runs();
    let builds: Vec<_> = runs
        .iter()
        .filter(|command| command.contains("cargo build"))
        .collect();
    assert_eq!(builds.len(), 2, "the dependencies, and the programs");
    // What was built of the empty members is gone before the sources come.
    let program_members: Vec<_> = members()
        .into_iter()
        .filter(|name| name != "tests")
        .collect();
    let (_, clean) = builds[0].split_once("cargo clean --release").unwrap();
    let (clean, _) = clean.split_once("&&").unwrap();
    for member in &program_members {
        assert!(clean.contains(&format!("-p hookme-{member} ")), "{member}");
        assert!(builds[0].contains(&format!(" {member}/src")), "{member}");
    }
    let all = instructions();
    let place = |command: &str| all.iter().position(|(_, rest)| rest == command).unwrap();
    let (first, second) = (place(builds[0]), place(builds[1]));
    let copied = copied();
    for member in &program_members {
        let found = copied.iter().find(|(_, path)| path == member);
        let (place, _) = found.unwrap_or_else(|| panic!("{member} is not copied"));
        assert!(first < *place && *place < second, "{member}");
    }
    for member in members() {
        let manifest = format!("{member}/Cargo.toml");
        let found = copied.iter().find(|(_, path)| *path == manifest);
        let (place, _) = found.unwrap_or_else(|| panic!("{manifest} is not copied"));
        assert!(*place < first, "{manifest}");
    }
}

#[test]
fn what_is_copied_is_what_is_sent_to_the_builder() {
    let ignored = read(".dockerignore");
    let sent: BTreeSet<_> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    let copied = copied();
    let paths: BTreeSet<_> = copied.iter().map(|(_, path)| path.as_str()).collect();
    // A manifest is sent with its member.
    let is_within = |path: &str| {
        let member = path.split_once('/').map(|(member, _)| member);
        member.is_some_and(|member| paths.contains(member))
    };
    let whole: BTreeSet<_> = paths
        .iter()
        .copied()
        .filter(|path| !is_within(path))
        .collect();
    assert_eq!(sent, whole);
}

#[test]
fn the_programs_are_built_with_the_locked_dependencies() {
    for command in runs() {
        for part in command.split("&&").filter(|part| part.contains("cargo ")) {
            assert!(part.contains(" --locked "), "{part}");
        }
    }
}

#[test]
fn the_image_is_made_of_nothing_but_what_the_programs_need() {
    let stage = last_stage();
    assert_eq!(stage[0], ("FROM".to_owned(), "scratch".to_owned()));
    let all_of = |word: &str| {
        let rest = stage.iter().filter(|(other, _)| other == word);
        rest.map(|(_, rest)| rest.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(all_of("COPY"), ["--from=build /image/ /"]);
    assert_eq!(all_of("USER"), ["65532:65532"]);
    assert_eq!(all_of("CMD"), ["[\"api\"]"]);
    assert!(all_of("RUN").is_empty());
    let runs = runs();
    let assembled = runs.last().unwrap();
    for part in [
        "/image/usr/local/bin target/release/api target/release/worker",
        "ldd target/release/api target/release/worker",
        "/etc/ssl/certs/ca-certificates.crt",
        "'hosts: files dns' > /image/etc/nsswitch.conf",
    ] {
        assert!(assembled.contains(part), "{part}: {assembled}");
    }
}

#[test]
fn the_image_says_what_it_is_and_of_which_version() {
    let manifest = read("Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = "));
    let stage = last_stage();
    let labels = stage.iter().find(|(word, _)| word == "LABEL");
    let (_, labels) = labels.unwrap();
    for label in [
        "title=\"Hookme\"".to_owned(),
        "description=\"".to_owned(),
        format!("version={}", version.unwrap()),
    ] {
        let label = format!("org.opencontainers.image.{label}");
        assert!(labels.contains(&label), "{label}: {labels}");
    }
}
