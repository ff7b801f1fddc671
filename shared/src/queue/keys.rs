//! The keys, as Rust needs to know them. They are built in `lua/keys.lua`.

/// Where the list of keys stands.
const SOURCE: &str = include_str!("../lua/keys.lua");

/// The namespace with its hash tag, which every key begins with.
pub(super) fn tag(namespace: &str) -> String {
    format!("{{{namespace}}}")
}

/// The key that is declared with each call and never made.
pub(super) fn never(tag: &str) -> String {
    format!("{tag}:never")
}

/// The key that a try to write goes to.
pub(super) fn probe(tag: &str) -> String {
    format!("{tag}:probe")
}

/// The list of hints that something is due sooner.
pub(super) fn wake(tag: &str) -> String {
    format!("{tag}:wake")
}

/// The set of workers.
pub(super) fn workers(tag: &str) -> String {
    format!("{tag}:workers")
}

/// What a worker says of itself.
pub(super) fn worker(tag: &str, id: &str) -> String {
    format!("{tag}:worker:{id}")
}

/// The settings that can be changed while running.
pub(super) fn settings(tag: &str) -> String {
    format!("{tag}:settings")
}

/// The identity that a token belongs to.
pub(super) fn github_identity(tag: &str, fingerprint: &str) -> String {
    format!("{tag}:github:identity:{fingerprint}")
}

/// The identities that asked GitHub, by their last use.
pub(super) fn github_identities(tag: &str) -> String {
    format!("{tag}:github:identities")
}

/// Every key that this program makes, by name, as a pattern in which `<…>`
/// stands for an argument and which the namespace's tag and a colon precede.
/// `<state>` is one of the states in which a job has ended.
pub fn patterns() -> impl Iterator<Item = (&'static str, String)> {
    SOURCE.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("function key.")?.split_once("(ns")?;
        let (argument, rest) = rest.split_once(") return ns .. ':")?;
        let (fixed, _) = rest.split_once('\'')?;
        let argument = argument
            .strip_prefix(", ")
            .map(|argument| format!("<{argument}>"));
        Some((name, format!("{fixed}{}", argument.unwrap_or_default())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_rust_names_stand_in_the_list() {
        let all: Vec<_> = patterns().collect();
        assert_eq!(all.len(), 34, "{all:?}");
        for (name, built) in [
            ("never", never("t")),
            ("probe", probe("t")),
            ("wake", wake("t")),
            ("workers", workers("t")),
            ("worker", worker("t", "<id>")),
            ("settings", settings("t")),
            ("github_identities", github_identities("t")),
            ("github_identity", github_identity("t", "<fingerprint>")),
        ] {
            let listed = all
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, pattern)| format!("t:{pattern}"));
            assert_eq!(listed, Some(built));
        }
    }
}
