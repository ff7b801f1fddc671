//! Which accounts exist: every login, and the ids of those that were shown so far.

use std::collections::HashMap;
use std::sync::Mutex;

use super::repository::{Contributor, Repository, default_name};
use super::shape::number_of;
use crate::lock::lock;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) name: Option<String>,
    /// How often a test has changed it.
    pub(super) changes: u64,
}

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct Accounts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By login in lower case: the given name, and how often one was given.
    names: HashMap<String, (Option<String>, u64)>,
    logins: HashMap<u64, String>,
    /// By login in lower case: ids that do not follow from the login.
    ids: HashMap<String, u64>,
}

impl Accounts {
    pub(super) fn put_name(&self, login: &str, name: Option<&str>) {
        let mut known = lock(&self.0);
        let given = known.names.entry(login.to_ascii_lowercase()).or_default();
        *given = (name.map(str::to_owned), given.1 + 1);
        known.show(login);
    }

    /// Remembers everybody whom the lists of `repository` show.
    pub(super) fn show(&self, repository: &Repository) {
        let mut known = lock(&self.0);
        let authors = repository
            .issues
            .iter()
            .filter_map(|issue| issue.author.as_deref());
        let contributors = repository.contributors.iter().filter_map(|one| match one {
            Contributor::User { login, .. } => Some(login.as_str()),
            Contributor::Anonymous { .. } => None,
        });
        for login in authors.chain(contributors) {
            known.show(login);
        }
    }

    /// The account of this login, which always exists.
    pub(super) fn of_login(&self, login: &str) -> Account {
        let mut known = lock(&self.0);
        known.show(login);
        known.account(login)
    }

    /// The account of this id, if it was shown before.
    pub(super) fn of_id(&self, id: u64) -> Option<Account> {
        let known = lock(&self.0);
        let login = known.logins.get(&id)?;
        Some(known.account(login))
    }

    /// The account of a token's user; it gets a login if it has none.
    pub(super) fn of_token_user(&self, id: u64) -> Account {
        let mut known = lock(&self.0);
        let login = match known.logins.get(&id) {
            Some(login) => login.clone(),
            None => format!("user-{id}"),
        };
        if known.id(&login) != id {
            known.ids.insert(login.clone(), id);
            known.logins.insert(id, login.clone());
        }
        known.account(&login)
    }
}

impl Known {
    fn show(&mut self, login: &str) {
        let id = self.id(login);
        self.logins.entry(id).or_insert_with(|| login.to_owned());
    }

    fn id(&self, login: &str) -> u64 {
        if self.ids.is_empty() {
            return number_of(login);
        }
        let given = self.ids.get(&login.to_ascii_lowercase());
        given.copied().unwrap_or_else(|| number_of(login))
    }

    fn account(&self, login: &str) -> Account {
        let given = self.names.get(&login.to_ascii_lowercase());
        let (name, changes) = given.cloned().unwrap_or_else(|| (default_name(login), 0));
        Account {
            id: self.id(login),
            login: login.to_owned(),
            name,
            changes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_id_once_it_was_shown() {
        let accounts = Accounts::default();
        assert_eq!(accounts.of_id(number_of("ghost")), None);
        accounts.put_name("ghost", None);
        let found = accounts.of_id(number_of("ghost")).unwrap();
        assert_eq!(
            (found.login.as_str(), found.name, found.changes),
            ("ghost", None, 1)
        );
    }

    #[test]
    fn a_tokens_user_is_one_account_by_login_and_by_id() {
        let accounts = Accounts::default();
        let viewer = accounts.of_token_user(7);
        assert_eq!((viewer.id, viewer.login.as_str()), (7, "user-7"));
        assert_eq!(accounts.of_id(7), Some(viewer.clone()));
        assert_eq!(accounts.of_login("User-7").id, 7);
        let shown = accounts.of_login("octocat");
        assert_eq!(accounts.of_token_user(shown.id), shown);
    }
}
