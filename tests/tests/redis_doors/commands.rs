//! The lists of rights hold what the functions and the programs use, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::users::line_of;

/// The files of the queue that call functions or send commands, and for whom. A new one
/// belongs here.
const CALLERS: [(&str, &[&str]); 10] = [
    ("checks.rs", &["api", "worker"]),
    ("clients.rs", &["api"]),
    ("connection.rs", &[]),
    ("destinations.rs", &["worker"]),
    ("github.rs", &["worker"]),
    ("hints.rs", &["worker"]),
    ("mod.rs", &[]),
    ("rights.rs", &["api", "worker"]),
    ("whereabouts.rs", &["api", "worker"]),
    ("workers.rs", &["worker"]),
];
/// What the programs send and can do without: the first is the deployer's, the second shows
/// secrets, and the third goes to Sentinel.
const SPARED: [&str; 3] = ["FUNCTION", "CONFIG", "SENTINEL"];
/// What a command's name stands after in the Lua files.
const CALLS: [&str; 6] = [
    "redis.call(",
    "redis.pcall(",
    "call_many(",
    "look(",
    "put(",
    "put_for(",
];
/// The files whose functions all others can call.
const SHARED: [&str; 7] = [
    "clock",
    "keys",
    "prelude",
    "pull_request",
    "moves",
    "github",
    "destination",
];

type Names = BTreeSet<String>;

fn source(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/src")
        .join(folder)
}

/// Every file of a folder with this ending, by its name.
pub(super) fn files(folder: &str, ending: &str) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(source(folder)).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|found| found == ending));
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().display().to_string();
        (name, std::fs::read_to_string(path).unwrap())
    };
    files.map(read).collect()
}

/// What stands between quotes after each `before`.
fn quoted_after(text: &str, before: &str, quote: char) -> Names {
    let parts = text.split(before).skip(1);
    let quoted = parts.filter_map(|part| part.trim_start().strip_prefix(quote)?.split_once(quote));
    quoted.map(|(word, _)| word.to_owned()).collect()
}

/// The functions of the Lua files, by file and name, and what stands in each.
fn lua_functions() -> BTreeMap<(String, String), String> {
    let mut all = BTreeMap::<(String, String), String>::new();
    for (file, text) in files("lua", "lua") {
        let file = file.trim_end_matches(".lua").to_owned();
        let mut name = None;
        for line in text.lines() {
            let code = line.split("--").next().unwrap();
            let local = code.strip_prefix("local function ");
            let local = local
                .and_then(|rest| rest.split_once('('))
                .map(|(name, _)| name);
            let called = code
                .strip_prefix("register('")
                .and_then(|rest| rest.split_once('\''));
            let called = called.map(|(name, _)| format!("call {name}"));
            name = local.map(str::to_owned).or(called).or(name);
            if let Some(name) = &name {
                let body = all.entry((file.clone(), name.clone())).or_default();
                *body += code;
                body.push('\n');
            }
        }
    }
    all
}

/// The commands that a function uses, with those of all that it calls.
fn commands_of(
    function: &(String, String),
    all: &BTreeMap<(String, String), String>,
    seen: &mut BTreeSet<(String, String)>,
) -> Names {
    if !seen.insert(function.clone()) {
        return Names::new();
    }
    let body = all
        .get(function)
        .unwrap_or_else(|| panic!("no {function:?}"));
    let mut commands = Names::new();
    for call in CALLS {
        commands.extend(quoted_after(body, call, '\''));
    }
    let words = body.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
    for word in words.collect::<BTreeSet<_>>() {
        let places = std::iter::once(&*function.0).chain(SHARED);
        let mut named = places.map(|file| (file.to_owned(), word.to_owned()));
        if let Some(callee) = named.find(|named| all.contains_key(named))
            && body.contains(&format!("{word}("))
        {
            commands.extend(commands_of(&callee, all, seen));
        }
    }
    commands
}

/// The commands that each program needs, as its code has them.
fn used_by(program: &str) -> Names {
    let (lua, mut used) = (lua_functions(), Names::new());
    for (file, text) in files("queue", "rs") {
        let product = text.split("#[cfg(test)]").next().unwrap();
        let mut functions = quoted_after(product, ".function(", '"');
        functions.extend(quoted_after(product, " back(", '"'));
        let mut sent = quoted_after(product, "redis::cmd(", '"');
        sent.retain(|command| !SPARED.contains(&&**command));
        let whose = CALLERS.iter().find(|(known, _)| *known == file);
        let Some((_, programs)) = whose else {
            assert!(
                functions.is_empty() && sent.is_empty(),
                "{file} stands in no list here"
            );
            continue;
        };
        if programs.contains(&program) {
            used.extend(sent);
            for function in functions {
                let function = (function.clone(), format!("call {function}"));
                used.extend(commands_of(&function, &lua, &mut BTreeSet::new()));
            }
        }
    }
    used
}

/// The commands of one line of the list in `preflight.lua`.
fn listed(program: &str) -> Names {
    let preflight = files("lua", "lua").remove("preflight.lua").unwrap();
    let (_, list) = preflight.split_once("local RIGHTS = {").unwrap();
    let (list, _) = list.split_once("\n}").unwrap();
    let of = |name: &str| {
        let (_, rest) = list.split_once(&format!("    {name} = ")).unwrap();
        let words = rest.split(" = ").next().unwrap();
        let words = words.split(|letter: char| !letter.is_ascii_uppercase());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect::<Names>()
    };
    of("both").union(&of(program)).cloned().collect()
}

/// The commands of a user's line in the file for Redis.
fn allowed(user: &str) -> Names {
    let line = line_of(user);
    let commands = line.split(' ').filter_map(|word| word.strip_prefix('+'));
    commands.map(str::to_uppercase).collect()
}

#[test]
fn the_preflight_asks_for_each_command_that_a_program_uses_and_for_no_other() {
    for program in ["api", "worker"] {
        assert_eq!(
            listed(program),
            used_by(program),
            "{program}: RIGHTS in preflight.lua"
        );
    }
}

#[test]
fn the_users_may_do_what_the_preflight_asks_for_and_no_more() {
    for program in ["api", "worker"] {
        let mut needed = listed(program);
        // That it may call functions is what the preflight's own call shows.
        needed.insert("FCALL".to_owned());
        assert_eq!(
            allowed(&format!("hookme_{program}")),
            needed,
            "deploy/redis/users.acl"
        );
    }
}

#[test]
fn every_command_of_every_function_is_asked_for() {
    let asked: Names = listed("api").union(&listed("worker")).cloned().collect();
    for (file, text) in files("lua", "lua") {
        for call in CALLS {
            let missing: Names = quoted_after(&text, call, '\'')
                .difference(&asked)
                .cloned()
                .collect();
            assert!(
                missing.is_empty(),
                "{file}: {missing:?} stand not in RIGHTS of preflight.lua"
            );
        }
    }
}

#[test]
fn who_looks_at_metrics_may_do_what_the_functions_for_people_do() {
    let lua = lua_functions();
    for function in ["explain", "counts"] {
        let function = (function.to_owned(), format!("call {function}"));
        let needed = commands_of(&function, &lua, &mut BTreeSet::new());
        let missing: Names = needed
            .difference(&allowed("hookme_metrics"))
            .cloned()
            .collect();
        assert!(missing.is_empty(), "{function:?}: {missing:?}");
    }
}
