//! What makes a worker's door to GitHub one of many: the identity that all share,
//! its governor, the kept answers, and the known names.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hookme_shared::digest::short_hash;
use hookme_shared::queue::{Class, Identity, Pace, Queue, QueueError, Resource};
use hookme_shared::supervisor::Supervisor;
use reqwest::{Method, Request};
use tokio::sync::Mutex;
use tokio::time::timeout_at;
use url::Url;

use super::address::Address;
use super::answers::{Answers, Known};
use super::governor::Governor;
use super::help::Help;
use super::identity::{self, Account};
use super::patience::{PATIENCE, Patience};
use super::sender::Sender;
use super::wire;
use super::{Failure, Outlook, Turn};
use crate::policy::github::{Reading, Refusal};
use crate::settings::github::GithubSettings;

/// How long the identity of a token is remembered after a worker last started with it.
/// A token never changes its user.
const IDENTITY_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a name is believed, and the share by which that varies, so that names
/// which were learned together do not grow old together.
const NAME_TTL: Duration = Duration::from_secs(24 * 60 * 60);
const NAME_TTL_SHARE: f64 = 0.2;
/// The name of each governor's task.
const GOVERNOR: &str = "governor of GitHub";
/// A request that was sent late within its term still has its whole time-out.
const TERM_MORE: Duration = Duration::from_secs(1);

/// What this worker shares with the others.
pub(super) struct Shared {
    queue: Queue,
    worker: String,
    pace: Pace,
    term: Duration,
    host: String,
    answers: Answers,
    supervisor: Supervisor,
    /// Governs the question whose token this is, and everything else if GitHub does
    /// not say.
    first: Governor,
    governor: OnceLock<Governor>,
    asking_who: Mutex<()>,
    help: Arc<Help>,
}

impl Shared {
    pub(super) async fn new(
        settings: &GithubSettings,
        queue: Queue,
        worker: String,
        supervisor: Supervisor,
    ) -> Self {
        let host = identity::host(&settings.api_url);
        let token = identity::fingerprint(settings.authorization.as_ref());
        let term = settings.timeout + TERM_MORE;
        let help = Arc::<Help>::default();
        let answers = Answers {
            queue: queue.clone(),
            max_bytes: settings.cache_max_bytes,
            token: token.clone(),
            term: PATIENCE + term,
            supervisor: supervisor.clone(),
            help: Arc::clone(&help),
        };
        let before = identity::before_asking(&host, &token);
        let (first, task) =
            Governor::new(queue.clone(), before, worker.clone(), settings.pace, term);
        supervisor.spawn(GOVERNOR, task.run());
        let shared = Self {
            queue,
            worker,
            pace: settings.pace,
            term,
            host,
            answers,
            supervisor,
            first,
            governor: OnceLock::new(),
            asking_who: Mutex::new(()),
            help,
        };
        if token.is_empty() {
            shared.is(&shared.first.identity.name);
        } else if let Ok(Some(name)) = shared.queue.github_identity(&shared.key()).await {
            // What is known spares every worker the question. If Redis does not
            // answer, the first request asks.
            shared.is(&name);
            if let Err(error) = shared.know(&name).await {
                tracing::debug!(%error, "whose token this is could not be remembered longer");
            }
        }
        shared
    }

    /// The fingerprint of the token; empty without one.
    pub(super) fn token(&self) -> &str {
        &self.first.identity.token
    }

    pub(super) fn outlook(&self) -> Outlook {
        let governor = self.governor.get().unwrap_or(&self.first);
        Outlook {
            asking: Some((governor.identity.clone(), self.pace)),
            crowded: governor.is_crowded(),
        }
    }

    /// Looks for the kept answer to a GET of `url`.
    pub(super) async fn look(&self, url: &Url, patience: Patience) -> Result<Known, Failure> {
        if self.answers.max_bytes == 0 {
            return Ok(Known::Unkept);
        }
        let parts = [url.as_str(), wire::MEDIA_TYPE, wire::API_VERSION];
        let hash = short_hash(&parts.map(str::as_bytes));
        self.answers
            .look(hash, wire::BODY_BYTES_MAX, patience)
            .await
    }

    pub(super) async fn turn_for_name(&self, id: u64) -> Result<Option<Turn>, Failure> {
        let hash = short_hash(&[b"name", self.host.as_bytes(), &id.to_be_bytes()]);
        self.answers.turn(hash).await
    }

    pub(super) async fn known_names(&self, ids: &[u64]) -> Result<Vec<Option<String>>, Failure> {
        let names = self.queue.github_names(&self.host, ids).await;
        let names = self
            .help
            .helped("names that are known cannot be looked up", names)?;
        Ok(names.unwrap_or_else(|| vec![None; ids.len()]))
    }

    pub(super) async fn remember_names(&self, names: &[(u64, String)]) {
        let names: Vec<_> = names
            .iter()
            .map(|(id, name)| {
                let share = 1.0 + NAME_TTL_SHARE * rand::random_range(-1.0..1.0);
                (*id, NAME_TTL.mul_f64(share), name.clone())
            })
            .collect();
        if let Err(error) = self.queue.know_github_names(&self.host, &names).await {
            tracing::debug!(%error, "names could not be remembered");
        }
    }

    /// The governor of the identity that the token belongs to. The first to need it
    /// asks GitHub whose token it is.
    pub(super) async fn governor(
        &self,
        sender: &Sender,
        address: &Address,
        patience: Patience,
    ) -> Result<&Governor, Failure> {
        if let Some(governor) = self.governor.get() {
            return Ok(governor);
        }
        let asking = timeout_at(patience.until.into(), self.asking_who.lock()).await;
        let Ok(_asking) = asking else {
            let reason = "it waits for GitHub to say whose API_TOKEN this is";
            return Err(Failure::in_vain(reason));
        };
        if let Some(governor) = self.governor.get() {
            return Ok(governor);
        }
        let name = match self.known().await? {
            Some(name) => name,
            None => self.ask_who(sender, address, patience).await?,
        };
        if name != self.first.identity.name {
            self.unlist_first().await;
        }
        Ok(self.is(&name))
    }

    /// Asks GitHub whose token it is.
    async fn ask_who(
        &self,
        sender: &Sender,
        address: &Address,
        patience: Patience,
    ) -> Result<String, Failure> {
        let acquired = self.first.acquire(Class::Read, Resource::Core, patience);
        let permit = acquired.await?;
        // Another worker may have asked while this one waited.
        if let Some(name) = self.known().await? {
            return Ok(name);
        }
        let subject = "the user of API_TOKEN";
        let Some(url) = address.url(&["user"]) else {
            return Ok(self.first.identity.name.clone());
        };
        let request = Request::new(Method::GET, url);
        let sent = sender.send(Some(permit), subject, request).await?;
        let reading = sent.read(subject);
        let name = self.named_by(&reading, &sent.reply.body);
        // Known before the permit is given back: whoever gets the next one looks first.
        if let Some(name) = &name {
            let known = self.know(name).await;
            self.help.helped(
                "whose API_TOKEN this is cannot be remembered for other workers",
                known,
            )?;
        }
        match (name, sent.settle(reading).await?.1) {
            (Some(name), _) => Ok(name),
            (
                None,
                Reading::Later {
                    reason,
                    retry_after,
                },
            ) => Err(Failure::Later {
                reason,
                retry_after,
            }),
            (None, _) => Err(Failure::Later {
                reason: format!("GitHub's answer for {subject} could not be read"),
                retry_after: None,
            }),
        }
    }

    /// The identity that this answer gives the token, if it says anything of it.
    fn named_by(&self, reading: &Result<Reading, Refusal>, body: &[u8]) -> Option<String> {
        match reading {
            Err(_) | Ok(Reading::Later { .. }) => None,
            Ok(Reading::Body) => serde_json::from_slice::<Account>(body)
                .ok()
                .map(|account| identity::of_user(&self.host, account.id)),
            // A token of no user, such as an installation's, stands for itself.
            Ok(_) => Some(self.first.identity.name.clone()),
        }
    }

    /// Whose token it is, as Redis knows it.
    async fn known(&self) -> Result<Option<String>, Failure> {
        let known = self.queue.github_identity(&self.key()).await;
        let what = "whose API_TOKEN this is cannot be looked up";
        Ok(self.help.helped(what, known)?.flatten())
    }

    /// Nothing waits any more for what stood for the token until its user was known.
    async fn unlist_first(&self) {
        let first = &self.first.identity.name;
        if let Err(error) = self.queue.unlist_github_identity(first).await {
            tracing::debug!(%error, "an identity that asks no more could not be taken off the list");
        }
    }

    /// Remembers for all workers whose token this is.
    async fn know(&self, name: &str) -> Result<(), QueueError> {
        self.queue
            .know_github_identity(&self.key(), name, IDENTITY_TTL)
            .await
    }

    /// What a token's identity is remembered by: a token means another user at
    /// another host.
    fn key(&self) -> String {
        format!("{}/{}", self.host, self.first.identity.token)
    }

    /// From now on everything is governed under this name.
    fn is(&self, name: &str) -> &Governor {
        self.governor.get_or_init(|| {
            if name == self.first.identity.name {
                return self.first.clone();
            }
            let identity = Identity {
                name: name.to_owned(),
                token: self.first.identity.token.clone(),
            };
            tracing::info!(
                identity = name,
                "requests to GitHub count for this identity"
            );
            let (queue, worker) = (self.queue.clone(), self.worker.clone());
            let (governor, task) = Governor::new(queue, identity, worker, self.pace, self.term);
            self.supervisor.spawn(GOVERNOR, task.run());
            governor
        })
    }
}
