//! GitHub's names, checked before anything else is done with them.
//!
//! A name that passed here can stand in a URL's path and in a Redis key without
//! escaping: the allowed characters hold no slash, dot segment, brace, space or
//! control character. Whether the repository exists is GitHub's to say.

use std::fmt;

/// The longest user name that GitHub gives out, in characters.
pub const USERNAME_MAX: usize = 39;
/// The longest repository name that GitHub takes, in characters.
pub const REPOSITORY_MAX: usize = 100;

/// Why a name was refused, in words for the client who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not the shape of a user or organization name on GitHub.
    #[error(
        "field username must be a GitHub user or organization: 1 to {USERNAME_MAX} letters, digits, hyphens or underscores, not starting with a hyphen"
    )]
    Username,
    /// Not the shape of a repository name on GitHub.
    #[error(
        "field repository must be a GitHub repository's name without its owner: 1 to {REPOSITORY_MAX} letters, digits, hyphens, underscores or dots, not . or .. and not ending in .git or .wiki"
    )]
    Repository,
}

/// The owner of a repository: a user or an organization.
///
/// Letters, digits and hyphens are GitHub's rule; underscores occur in the names
/// of enterprise-managed users (`name_shortcode`). The case is kept as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// Checks `name` by GitHub's rules.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let fits = (1..=USERNAME_MAX).contains(&name.len())
            && name.bytes().all(allowed)
            && !name.starts_with('-');
        fits.then(|| Self(name.to_owned()))
            .ok_or(NameError::Username)
    }

    /// The name as the client gave it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A repository's name, without its owner. The case is kept as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryName(String);

impl RepositoryName {
    /// Checks `name` by GitHub's rules.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let lower = name.to_ascii_lowercase();
        let reserved = matches!(name, "." | "..")
            || [".git", ".wiki"]
                .iter()
                .any(|ending| lower.ends_with(ending));
        let fits =
            (1..=REPOSITORY_MAX).contains(&name.len()) && name.bytes().all(allowed) && !reserved;
        fits.then(|| Self(name.to_owned()))
            .ok_or(NameError::Repository)
    }

    /// The name as the client gave it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_github_gives_out_pass() {
        for name in [
            "octocat",
            "a",
            "A-b",
            "legacy-",
            "emu_short",
            &"a".repeat(39),
        ] {
            assert!(Username::parse(name).is_ok(), "{name}");
        }
        for name in ["hello-world", ".github", "a.b_c", "...", &"a".repeat(100)] {
            assert!(RepositoryName::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_could_bend_a_url_or_a_key_are_refused() {
        let bent = [
            "",
            " a",
            "a ",
            "a/",
            "../x",
            "..",
            ".",
            "a\\b",
            "a?x=1",
            "a#f",
            "a\nb",
            "a\r\n",
            "a%00b",
            "..%2f",
            "%2e%2e",
            "é",
            "ａ",
            "{x}",
            "*",
            "a\0",
            "a\u{202e}",
        ];
        for name in bent {
            assert_eq!(Username::parse(name), Err(NameError::Username), "{name:?}");
            assert_eq!(
                RepositoryName::parse(name),
                Err(NameError::Repository),
                "{name:?}"
            );
        }
        for name in ["-a", "a.b", &"a".repeat(40)] {
            assert_eq!(Username::parse(name), Err(NameError::Username), "{name:?}");
        }
        for name in ["x.git", "x.GIT", "x.Wiki", &"a".repeat(101)] {
            assert_eq!(
                RepositoryName::parse(name),
                Err(NameError::Repository),
                "{name:?}"
            );
        }
    }
}
