//! Which repositories exist, and under which names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::accounts::Accounts;
use super::repository::{Repository, RepositorySpec};
use super::shape;
use super::template::{FULL_NAME, Template};
use crate::lock::lock;

/// The id of the first repository.
const FIRST_ID: u64 = 500_000_001;

/// A repository's lists, rendered; shared by all that were generated.
#[derive(Debug)]
pub(super) struct Content {
    /// Issues and pull requests.
    pub(super) issues: Vec<IssueTemplate>,
    /// Contributors; whether each is anonymous.
    pub(super) contributors: Vec<(Template, bool)>,
    /// Tells this content from any that stood under the same name before.
    pub(super) version: usize,
}

/// An issue, rendered, and what it is chosen by.
#[derive(Debug)]
pub(super) struct IssueTemplate {
    pub(super) number: usize,
    pub(super) closed: bool,
    pub(super) template: Template,
}

/// A repository that can be asked for.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: u64,
    /// `owner/name`, in the case in which it was first named.
    pub(super) full_name: String,
    pub(super) content: Arc<Content>,
}

impl Entry {
    /// Whether there is an issue or a pull request of this number.
    pub(super) fn has_issue(&self, number: usize) -> bool {
        self.content
            .issues
            .iter()
            .any(|issue| issue.number == number)
    }
}

/// All repositories, and the accounts of which they tell.
#[derive(Debug)]
pub(super) struct Catalog {
    pub(super) accounts: Accounts,
    api: String,
    generated: Option<Arc<Content>>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_name: HashMap<String, Entry>,
    /// The keys of `by_name`, in the order of the ids.
    keys: Vec<String>,
    /// Names that a repository had before, in lower case, with its id.
    moved: HashMap<String, u64>,
    versions: usize,
}

impl Catalog {
    /// `api`: this server's own URL. `generate`: what a repository that was not
    /// added looks like; without it there is none.
    pub(super) fn new(api: String, generate: Option<&RepositorySpec>) -> Self {
        let accounts = Accounts::default();
        let generated = generate.map(|spec| {
            let repository = spec.repository(FULL_NAME);
            accounts.show(&repository);
            render(&api, &repository, 0)
        });
        Self {
            accounts,
            api,
            generated: generated.map(Arc::new),
            known: Mutex::default(),
        }
    }

    pub(super) fn api(&self) -> &str {
        &self.api
    }

    /// Adds a repository, or replaces it and keeps its id. A name that another had
    /// before is this one's from now on.
    pub(super) fn put(&self, full_name: &str, repository: &Repository) {
        self.accounts.show(repository);
        let mut known = lock(&self.known);
        known.versions += 1;
        let content = Arc::new(render(&self.api, repository, known.versions));
        known.insert(full_name, content);
    }

    /// The repository of this name, in any case.
    pub(super) fn find(&self, full_name: &str) -> Option<Entry> {
        let mut known = lock(&self.known);
        let key = full_name.to_ascii_lowercase();
        if let Some(entry) = known.by_name.get(&key) {
            return Some(entry.clone());
        }
        if known.moved.contains_key(&key) {
            return None;
        }
        let content = Arc::clone(self.generated.as_ref()?);
        Some(known.insert(full_name, content))
    }

    /// The id of the repository that had this name before.
    pub(super) fn moved(&self, full_name: &str) -> Option<u64> {
        let known = lock(&self.known);
        known.moved.get(&full_name.to_ascii_lowercase()).copied()
    }

    /// Gives a repository another name; whether there is one. It keeps its id.
    pub(super) fn rename(&self, old: &str, new: &str) -> bool {
        let Some(entry) = self.find(old) else {
            return false;
        };
        lock(&self.known).rename(&entry, new);
        true
    }

    pub(super) fn name_of(&self, id: u64) -> Option<String> {
        let known = lock(&self.known);
        let entry = known.by_name.get(known.keys.get(index_of(id)?)?)?;
        Some(entry.full_name.clone())
    }
}

impl Known {
    fn insert(&mut self, full_name: &str, content: Arc<Content>) -> Entry {
        let key = full_name.to_ascii_lowercase();
        self.moved.remove(&key);
        let known = self.by_name.get(&key).map(|entry| entry.id);
        let id = known.unwrap_or(FIRST_ID + self.keys.len() as u64);
        if known.is_none() {
            self.keys.push(key.clone());
        }
        let entry = Entry {
            id,
            full_name: full_name.to_owned(),
            content,
        };
        self.by_name.insert(key, entry.clone());
        entry
    }

    fn rename(&mut self, entry: &Entry, new: &str) {
        let (old_key, key) = (
            entry.full_name.to_ascii_lowercase(),
            new.to_ascii_lowercase(),
        );
        let full_name = new.to_owned();
        self.by_name.remove(&old_key);
        self.by_name.insert(
            key.clone(),
            Entry {
                full_name,
                ..entry.clone()
            },
        );
        self.moved.remove(&key);
        if let Some(index) = index_of(entry.id)
            && let Some(own) = self.keys.get_mut(index)
        {
            own.clone_from(&key);
        }
        if old_key != key {
            self.moved.insert(old_key, entry.id);
        }
    }
}

/// The place of the repository of this id among all.
fn index_of(id: u64) -> Option<usize> {
    usize::try_from(id.checked_sub(FIRST_ID)?).ok()
}

fn render(api: &str, repository: &Repository, version: usize) -> Content {
    let issues = repository.issues.iter();
    let contributors = repository.contributors.iter();
    Content {
        issues: issues
            .map(|issue| IssueTemplate {
                number: issue.number,
                closed: issue.closed,
                template: Template::parse(&shape::issue(api, issue).to_string()),
            })
            .collect(),
        contributors: contributors
            .map(|one| {
                let anonymous = matches!(one, super::Contributor::Anonymous { .. });
                (
                    Template::parse(&shape::contributor(api, one).to_string()),
                    anonymous,
                )
            })
            .collect(),
        version,
    }
}
