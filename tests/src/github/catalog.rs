//! Which repositories and users exist.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::repository::{Repository, RepositorySpec, default_name};
use super::shape;
use super::template::{FULL_NAME, Template};
use crate::lock::lock;

/// The id of the first repository.
const FIRST_ID: u64 = 500_000_001;

/// A repository's lists, rendered; shared by all that were generated.
#[derive(Debug)]
pub(super) struct Content {
    /// Issues and pull requests; whether each is closed.
    pub(super) issues: Vec<(Template, bool)>,
    /// Contributors; whether each is anonymous.
    pub(super) contributors: Vec<(Template, bool)>,
    /// Tells this content from any that stood under the same name before.
    pub(super) version: usize,
}

/// A repository that can be asked for.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: u64,
    /// `owner/name`, in the case in which it was first named.
    pub(super) full_name: String,
    pub(super) content: Arc<Content>,
}

/// All repositories and the users that are not as usual.
#[derive(Debug)]
pub(super) struct Catalog {
    api: String,
    generated: Option<Arc<Content>>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_name: HashMap<String, Entry>,
    /// The keys of `by_name`, in the order of the ids.
    keys: Vec<String>,
    user_names: HashMap<String, Option<String>>,
    versions: usize,
}

impl Catalog {
    /// `api`: this server's own URL. `generate`: what a repository that was not
    /// added looks like; without it there is none.
    pub(super) fn new(api: String, generate: Option<&RepositorySpec>) -> Self {
        let generated = generate.map(|spec| render(&api, &spec.repository(FULL_NAME), 0));
        Self {
            api,
            generated: generated.map(Arc::new),
            known: Mutex::default(),
        }
    }

    pub(super) fn api(&self) -> &str {
        &self.api
    }

    /// Adds a repository, or replaces it and keeps its id.
    pub(super) fn put(&self, full_name: &str, repository: &Repository) {
        let mut known = lock(&self.known);
        known.versions += 1;
        let content = Arc::new(render(&self.api, repository, known.versions));
        known.insert(full_name, content);
    }

    /// The repository of this name, in any case.
    pub(super) fn find(&self, full_name: &str) -> Option<Entry> {
        let mut known = lock(&self.known);
        if let Some(entry) = known.by_name.get(&full_name.to_ascii_lowercase()) {
            return Some(entry.clone());
        }
        let content = Arc::clone(self.generated.as_ref()?);
        Some(known.insert(full_name, content))
    }

    pub(super) fn name_of(&self, id: u64) -> Option<String> {
        let known = lock(&self.known);
        let index = usize::try_from(id.checked_sub(FIRST_ID)?).ok()?;
        let entry = known.by_name.get(known.keys.get(index)?)?;
        Some(entry.full_name.clone())
    }

    pub(super) fn put_user(&self, login: &str, name: Option<&str>) {
        let name = name.map(str::to_owned);
        lock(&self.known)
            .user_names
            .insert(login.to_ascii_lowercase(), name);
    }

    /// The name on an account.
    pub(super) fn user_name(&self, login: &str) -> Option<String> {
        let known = lock(&self.known);
        let given = known.user_names.get(&login.to_ascii_lowercase());
        given.cloned().unwrap_or_else(|| default_name(login))
    }
}

impl Known {
    fn insert(&mut self, full_name: &str, content: Arc<Content>) -> Entry {
        let key = full_name.to_ascii_lowercase();
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
}

fn render(api: &str, repository: &Repository, version: usize) -> Content {
    let issues = repository.issues.iter();
    let contributors = repository.contributors.iter();
    Content {
        issues: issues
            .map(|issue| {
                (
                    Template::parse(&shape::issue(api, issue).to_string()),
                    issue.closed,
                )
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
