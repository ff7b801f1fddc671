//! The function library: made of the Lua files, named after its own source,
//! loaded where it is missing.
//!
//! Names of functions are global in Redis, and two versions of the program
//! meet in a rolling deploy; so library and functions carry a hash of their
//! source. The functions for people stand in a library of their own under
//! names that never change.
//!
//! Lua allows 200 local names at once. What all files share is seen by all of them; each
//! function's file has a scope of its own, and so counts only for itself.

use sha2::{Digest, Sha256};

/// Which clock the functions read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// Redis's own.
    #[default]
    Redis,
    /// A key that a test sets: `{namespace}:clock`, in ms.
    Virtual,
}

const CLOCK: &str = include_str!("../lua/clock.lua");
const CLOCK_VIRTUAL: &str = include_str!("../lua/clock_virtual.lua");
/// What every library begins with, after the clock.
const SHARED: &[&str] = &[
    include_str!("../lua/keys.lua"),
    include_str!("../lua/prelude.lua"),
    include_str!("../lua/pull_request.lua"),
    include_str!("../lua/moves.lua"),
    include_str!("../lua/github.lua"),
    include_str!("../lua/destination.lua"),
];
/// The function that says which source a library was made from. Both have it.
const VERSION: &str = include_str!("../lua/version.lua");
/// The functions that the programs call.
const TRANSITIONS: &[&str] = &[
    VERSION,
    include_str!("../lua/preflight.lua"),
    include_str!("../lua/submit.lua"),
    include_str!("../lua/claim.lua"),
    include_str!("../lua/advance.lua"),
    include_str!("../lua/keep.lua"),
    include_str!("../lua/load.lua"),
    include_str!("../lua/grade.lua"),
    include_str!("../lua/comment_open.lua"),
    include_str!("../lua/comment_close.lua"),
    include_str!("../lua/renew.lua"),
    include_str!("../lua/finish.lua"),
    include_str!("../lua/retry.lua"),
    include_str!("../lua/defer.lua"),
    include_str!("../lua/release.lua"),
    include_str!("../lua/bury.lua"),
    include_str!("../lua/reap.lua"),
    include_str!("../lua/cancel.lua"),
    include_str!("../lua/revive.lua"),
    include_str!("../lua/list.lua"),
    include_str!("../lua/find.lua"),
    include_str!("../lua/github_acquire.lua"),
    include_str!("../lua/github_release.lua"),
    include_str!("../lua/github_look.lua"),
    include_str!("../lua/github_keep.lua"),
    include_str!("../lua/github_confirm.lua"),
    include_str!("../lua/github_names.lua"),
    include_str!("../lua/github_name.lua"),
    include_str!("../lua/destination_enter.lua"),
    include_str!("../lua/destination_leave.lua"),
    include_str!("../lua/destination_sweep.lua"),
    include_str!("../lua/destination_declare.lua"),
    include_str!("../lua/destination_enable.lua"),
    include_str!("../lua/destination_list.lua"),
];
/// The functions that people call too.
const READINGS: &[&str] = &[
    include_str!("../lua/explain.lua"),
    include_str!("../lua/counts.lua"),
];

/// Both libraries' sources, ready to be loaded.
#[derive(Debug)]
pub(super) struct Library {
    prefix: String,
    pub(super) version: String,
    pub(super) source: String,
    pub(super) source_for_people: String,
}

impl Library {
    /// The name of the function `version` in the library for people.
    pub(super) const VERSION_FOR_PEOPLE: &str = "hookme_version";

    pub(super) fn new(clock: Clock) -> Self {
        let clock = match clock {
            Clock::Redis => CLOCK,
            Clock::Virtual => CLOCK_VIRTUAL,
        };
        let whole = body(clock, TRANSITIONS);
        let version = short_hash(&whole);
        let prefix = format!("hookme_{version}_");
        Self {
            source: with_head(&format!("hookme_{version}"), &prefix, &version, &whole),
            source_for_people: with_head(
                "hookme_people",
                "hookme_",
                &version,
                &body(clock, &[VERSION]),
            ),
            prefix,
            version,
        }
    }

    /// The name that Redis knows a function by.
    pub(super) fn name_of(&self, function: &str) -> String {
        format!("{}{function}", self.prefix)
    }
}

/// The shared files, then those of `functions` and of the readings, each in a scope of
/// its own.
fn body(clock: &str, functions: &[&str]) -> String {
    let shared = std::iter::once(clock).chain(SHARED.iter().copied());
    let scoped = functions.iter().chain(READINGS);
    let files: Vec<_> = shared
        .map(str::to_owned)
        .chain(scoped.map(|file| format!("do\n{file}\nend")))
        .collect();
    files.join("\n")
}

fn with_head(library: &str, prefix: &str, version: &str, body: &str) -> String {
    format!("#!lua name={library}\nlocal PREFIX, VERSION = '{prefix}', '{version}'\n{body}")
}

/// The first 8 hexadecimal digits of the source's SHA-256.
fn short_hash(source: &str) -> String {
    let digest = Sha256::digest(source.as_bytes());
    let first = digest
        .iter()
        .take(4)
        .fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    format!("{first:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_with_the_source() {
        let (real, virtual_clock) = (Library::new(Clock::Redis), Library::new(Clock::Virtual));
        assert_ne!(real.name_of("claim"), virtual_clock.name_of("claim"));
        assert_eq!(
            real.name_of("claim"),
            Library::new(Clock::Redis).name_of("claim")
        );
    }

    /// Local names that Lua allows at once, and how many of them stay free for what
    /// stands inside a function's file.
    const LOCALS_MAX: usize = 200;
    const LOCALS_FREE: usize = 60;

    /// The local names that a file declares outside of its functions.
    fn locals(file: &str) -> usize {
        let declared = file.lines().filter_map(|line| line.strip_prefix("local "));
        declared
            .map(|line| match line.strip_prefix("function ") {
                Some(_) => 1,
                None => line
                    .split(" =")
                    .next()
                    .unwrap_or_default()
                    .split(',')
                    .count(),
            })
            .sum()
    }

    #[test]
    fn names_are_left_for_the_next_helper() {
        let head = 2;
        let shared = head + locals(CLOCK) + SHARED.iter().map(|file| locals(file)).sum::<usize>();
        assert!(shared > 50, "the shared files are not counted: {shared}");
        assert!(
            shared <= LOCALS_MAX - LOCALS_FREE,
            "{shared} of {LOCALS_MAX} local names are shared; give some a table, or a scope"
        );
        for file in TRANSITIONS.iter().chain(READINGS) {
            let own = locals(file);
            assert!(own <= LOCALS_FREE / 2, "{own} local names in\n{file}");
        }
    }

    #[test]
    fn each_functions_file_has_a_scope_of_its_own() {
        let whole = Library::new(Clock::Redis).source;
        for file in TRANSITIONS.iter().chain(READINGS) {
            assert!(whole.contains(&format!("\ndo\n{file}\nend")));
        }
    }

    #[test]
    fn people_get_the_readings_only_and_under_stable_names() {
        let source = Library::new(Clock::Redis).source_for_people;
        assert!(
            source.starts_with("#!lua name=hookme_people\nlocal PREFIX, VERSION = 'hookme_', ")
        );
        assert!(source.contains("register('explain'") && source.contains("register('counts'"));
        assert!(!source.contains("register('submit'"));
    }
}
