//! Made-up repositories: what GitHub would know about them.
//!
//! Everything is a function of the counts and the name, so a test can compute
//! what a report must hold without asking the server.

/// How many of each a made-up repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositorySpec {
    /// Open issues that are no pull requests.
    pub issues: usize,
    /// Open pull requests, spread among the issues as GitHub does.
    pub pull_requests: usize,
    /// Closed issues, numbered below the open ones.
    pub closed_issues: usize,
    /// Contributors with a login. Without any contributor the repository is
    /// empty, which GitHub answers with 204.
    pub contributors: usize,
    /// Contributors without a login, shown only when asked for (`anon=1`).
    pub anonymous_contributors: usize,
    /// The length of each issue's text; 0 for none (`null`).
    pub issue_body_bytes: usize,
}

impl Default for RepositorySpec {
    /// A small one: three issues, one pull request, two contributors.
    fn default() -> Self {
        Self {
            issues: 3,
            pull_requests: 1,
            closed_issues: 0,
            contributors: 2,
            anonymous_contributors: 0,
            issue_body_bytes: 80,
        }
    }
}

/// A made-up repository, in the order in which GitHub lists it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repository {
    /// Issues and pull requests, the newest first.
    pub issues: Vec<Issue>,
    /// Contributors, the busiest first.
    pub contributors: Vec<Contributor>,
}

/// An issue or a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Its number in the repository, from 1.
    pub number: usize,
    /// Its title.
    pub title: String,
    /// Who opened it; `None` shows as `null`, as for deleted accounts.
    pub author: Option<String>,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// Whether it is a pull request, which GitHub lists among the issues.
    pub pull_request: bool,
    /// Whether it is closed, and so hidden unless asked for.
    pub closed: bool,
    /// Its text.
    pub body: Option<String>,
}

/// Who has committed, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contributor {
    /// Somebody with an account.
    User {
        /// The account's login.
        login: String,
        /// Commits, 1 or more.
        contributions: usize,
    },
    /// Somebody whose e-mail address belongs to no account.
    Anonymous {
        /// The name in the commits.
        name: String,
        /// The address in the commits.
        email: String,
        /// Commits, 1 or more.
        contributions: usize,
    },
}

/// The label names that made-up issues carry in turn.
const LABELS: [&str; 3] = ["bug", "help wanted", "good first issue"];
/// How many people open made-up issues.
const AUTHORS: usize = 7;

impl RepositorySpec {
    /// The repository with these counts and this `owner/name`.
    #[must_use]
    pub fn repository(&self, full_name: &str) -> Repository {
        let newest = self.closed_issues + self.issues + self.pull_requests;
        let issues = (1..=newest)
            .rev()
            .map(|number| self.issue(full_name, number))
            .collect();
        let users = (1..=self.contributors).map(|index| Contributor::User {
            login: format!("contributor-{index}"),
            contributions: self.contributions(index),
        });
        let anonymous = (1..=self.anonymous_contributors).map(|index| Contributor::Anonymous {
            name: format!("Anonymous {index}"),
            email: format!("anonymous-{index}@example.org"),
            contributions: self.contributions(self.contributors + index),
        });
        Repository {
            issues,
            contributors: users.chain(anonymous).collect(),
        }
    }

    fn issue(&self, full_name: &str, number: usize) -> Issue {
        let closed = number <= self.closed_issues;
        let open_index = number.saturating_sub(self.closed_issues);
        let open = self.issues + self.pull_requests;
        // Evenly spread: the count of pull requests up to here grows by one.
        let pulls_up_to = |index: usize| index * self.pull_requests / open.max(1);
        let pull_request = !closed && pulls_up_to(open_index) > pulls_up_to(open_index - 1);
        let kind = if pull_request {
            "Pull request"
        } else {
            "Issue"
        };
        let body = "All work and no play. "
            .chars()
            .cycle()
            .take(self.issue_body_bytes);
        Issue {
            number,
            title: format!("{kind} {number} of {full_name}"),
            author: Some(format!("author-{}", number % AUTHORS)),
            labels: LABELS
                .iter()
                .take(number % 3)
                .map(ToString::to_string)
                .collect(),
            pull_request,
            closed,
            body: (self.issue_body_bytes > 0).then(|| body.collect()),
        }
    }

    /// Falls from one contributor to the next, down to 1 for the last.
    fn contributions(&self, index: usize) -> usize {
        (self.contributors + self.anonymous_contributors - index) * 3 + 1
    }
}

/// The name on the account `login`, unless a test has given it another: every
/// fifth made-up account shows none, which GitHub answers with `null`.
#[must_use]
pub fn default_name(login: &str) -> Option<String> {
    let (prefix, index) = login.rsplit_once('-')?;
    let index: usize = index.parse().ok()?;
    (!index.is_multiple_of(5)).then(|| format!("{} Number {index}", prefix.to_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_as_many_of_each_as_was_asked_for() {
        for (issues, pull_requests, closed_issues) in [(0, 0, 0), (3, 1, 2), (1, 9, 0), (0, 4, 1)] {
            let spec = RepositorySpec {
                issues,
                pull_requests,
                closed_issues,
                ..Default::default()
            };
            let made = spec.repository("o/r").issues;
            let count = |test: fn(&Issue) -> bool| made.iter().filter(|issue| test(issue)).count();
            assert_eq!(count(|issue| !issue.closed && !issue.pull_request), issues);
            assert_eq!(count(|issue| issue.pull_request), pull_requests);
            assert_eq!(count(|issue| issue.closed), closed_issues);
        }
    }
}
