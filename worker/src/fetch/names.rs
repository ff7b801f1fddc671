//! The names that people show, by login, remembered for a while.
//!
//! The memory is this process's own. One shared by all workers belongs where the
//! pacing of their requests comes to stand, in [`super::client`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::FetchFailure;
use super::client::{Answer, GithubClient};
use super::pages::parse;

/// Logins remembered; when they are as many, the half that was asked for longest
/// ago is forgotten.
const NAMES_MAX: usize = 10_000;
/// How long a name is believed.
const NAMES_TTL: Duration = Duration::from_secs(60 * 60);

/// The part of GitHub's answer about a user that the report needs.
#[derive(Deserialize)]
struct User {
    name: Option<String>,
}

/// What GitHub said about a login.
struct Remembered {
    /// `None` if the person shows no name or cannot be looked at.
    name: Option<String>,
    asked: Instant,
}

/// What the memory says about a login.
#[derive(Debug, PartialEq, Eq)]
enum Recall {
    /// GitHub said this lately.
    Known(Option<String>),
    /// GitHub was not asked, or too long ago.
    Unknown,
}

/// What is known of people's names.
#[derive(Default)]
pub(super) struct Names(Mutex<HashMap<String, Remembered>>);

impl Names {
    /// The name that `login` shows.
    ///
    /// `None` if there is none, and also if GitHub will not tell: a contributor
    /// whose account is gone or closed to us does not cost the report. Only a
    /// failure that may pass fails the fetch.
    pub(super) async fn of(
        &self,
        client: &GithubClient,
        login: &str,
    ) -> Result<Option<String>, FetchFailure> {
        if let Recall::Known(name) = self.recall(login, Instant::now()) {
            return Ok(name);
        }
        let name = ask(client, login).await?;
        self.remember(login, name.clone(), Instant::now());
        Ok(name)
    }

    fn recall(&self, login: &str, now: Instant) -> Recall {
        match self.lock().get(login) {
            Some(known) if now.saturating_duration_since(known.asked) < NAMES_TTL => {
                Recall::Known(known.name.clone())
            }
            _ => Recall::Unknown,
        }
    }

    fn remember(&self, login: &str, name: Option<String>, now: Instant) {
        let mut names = self.lock();
        if names.len() >= NAMES_MAX && !names.contains_key(login) {
            forget_older_half(&mut names);
        }
        names.insert(login.to_owned(), Remembered { name, asked: now });
    }

    /// A panic elsewhere cannot leave the map half-written, so it stays in use.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets at least half of the names, those asked for longest ago.
fn forget_older_half(names: &mut HashMap<String, Remembered>) {
    let mut times: Vec<Instant> = names.values().map(|known| known.asked).collect();
    let middle = times.len() / 2;
    let (_, &mut median, _) = times.select_nth_unstable(middle);
    names.retain(|_, known| known.asked > median);
}

async fn ask(client: &GithubClient, login: &str) -> Result<Option<String>, FetchFailure> {
    let Some(url) = client.url(&["users", login]) else {
        return Ok(None);
    };
    let subject = format!("user {login}");
    match client.get(&subject, url).await {
        Ok(Answer::Body { bytes, .. }) => parse(&subject, &bytes).map(|user: User| user.name),
        Ok(Answer::Empty | Answer::TooLarge) | Err(FetchFailure::Final { .. }) => Ok(None),
        Err(later @ FetchFailure::Later { .. }) => Err(later),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_believed_for_an_hour_and_no_name_is_an_answer_too() {
        let (names, start) = (Names::default(), Instant::now());
        let ann = Some("Ann".to_owned());
        names.remember("ann", ann.clone(), start);
        names.remember("bo", None, start);
        let just_before = start + Duration::from_millis(3_599_999);
        assert_eq!(names.recall("ann", just_before), Recall::Known(ann));
        assert_eq!(names.recall("bo", just_before), Recall::Known(None));
        assert_eq!(names.recall("ann", start + NAMES_TTL), Recall::Unknown);
        assert_eq!(names.recall("nobody", start), Recall::Unknown);
    }

    #[test]
    fn a_full_memory_forgets_its_older_half_and_keeps_the_newer() {
        let (names, start) = (Names::default(), Instant::now());
        let at = |index: usize| start + Duration::from_millis(index as u64);
        for index in 0..NAMES_MAX {
            names.remember(&index.to_string(), None, at(index));
        }
        names.remember("0", None, at(NAMES_MAX));
        assert_eq!(
            names.lock().len(),
            NAMES_MAX,
            "a known name takes no more room"
        );
        names.remember("one more", None, at(NAMES_MAX + 1));

        let now = at(NAMES_MAX + 1);
        assert_eq!(names.lock().len(), NAMES_MAX / 2);
        assert_eq!(
            names.recall(&(NAMES_MAX / 2).to_string(), now),
            Recall::Unknown
        );
        for kept in ["0", "9999", "one more"] {
            assert_eq!(names.recall(kept, now), Recall::Known(None), "{kept}");
        }
    }
}
