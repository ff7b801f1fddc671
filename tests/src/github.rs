//! A GitHub of our own: the same shapes, pages and faults, with made-up contents.
//!
//! It serves repositories, their issues, comments and contributors, and users; by
//! name and, as in GitHub's own `Link` headers, by a repository's id. GraphQL answers
//! the names behind node ids. Comments can be posted; nothing else can be changed.
//!
//! With [`GithubOptions::limits`] it refuses what GitHub would refuse and counts every
//! rule that a client has broken ([`Limiter`]). Without them it grants everything.

mod access;
mod accounts;
mod answer;
mod catalog;
mod clock;
mod comments;
mod date;
mod fault;
mod gate;
mod graphql;
pub mod limiter;
mod log;
mod page;
mod refusal;
mod repository;
mod resource;
mod service;
mod shape;
mod target;
mod template;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::ensure;

use crate::http_server::HttpServer;
use crate::lock::lock;
use access::{Access, Caller};
use catalog::Catalog;
pub use clock::Clock;
use comments::Comments;
pub use fault::Fault;
use fault::Script;
use gate::Gate;
pub use limiter::{Broken, Budget, Limiter, Limits};
pub use log::RecordedRequest;
use log::RequestLog;
pub use refusal::{Hint, RefusalStyle};
pub use repository::{Contributor, Issue, Repository, RepositorySpec, default_name};
use service::State;

/// How a stand-in is started.
#[derive(Debug, Clone)]
pub struct GithubOptions {
    /// What every repository that was not added looks like. Without it, such a
    /// repository does not exist.
    pub generate: Option<RepositorySpec>,
    /// Whether the requests' headers are recorded; a benchmark has no use for them.
    pub keep_headers: bool,
    /// What is granted; without it, everything is, and nothing is counted.
    pub limits: Option<Limits>,
    /// Whether answers tell of limits where there are none. GitHub Enterprise Server
    /// with its limits switched off does not.
    pub tells_plenty: bool,
    /// The time that answers and limits follow.
    pub clock: Clock,
}

impl Default for GithubOptions {
    fn default() -> Self {
        Self {
            generate: None,
            keep_headers: true,
            limits: None,
            tells_plenty: true,
            clock: Clock::default(),
        }
    }
}

/// A running stand-in on 127.0.0.1. Dropping it closes all connections.
#[derive(Debug)]
pub struct GithubStandIn {
    server: HttpServer,
    state: Arc<State>,
}

impl GithubStandIn {
    /// Starts a stand-in.
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub async fn start(options: GithubOptions) -> anyhow::Result<Self> {
        let (mut server, listener) = HttpServer::bind().await?;
        let state = Arc::new(State {
            catalog: Catalog::new(server.url(), options.generate.as_ref()),
            comments: Comments::default(),
            access: Access::default(),
            gate: Gate::new(options.limits, options.clock, options.tells_plenty),
            script: Mutex::<Script>::default(),
            log: RequestLog::new(options.keep_headers),
            heavy_above: AtomicUsize::new(usize::MAX),
        });
        let shared = Arc::clone(&state);
        server.serve(listener, move |request| {
            let state = Arc::clone(&shared);
            async move { state.handle(request).await }
        });
        Ok(Self { server, state })
    }

    /// Its origin, for `API_URL`: no path and no slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Adds or replaces a repository; [`RepositorySpec::repository`] says what is
    /// in it.
    pub fn add_repository(&self, owner: &str, name: &str, spec: &RepositorySpec) {
        self.put_repository(owner, name, &spec.repository(&format!("{owner}/{name}")));
    }

    /// Adds or replaces a repository with exactly these contents.
    pub fn put_repository(&self, owner: &str, name: &str, repository: &Repository) {
        self.state
            .catalog
            .put(&format!("{owner}/{name}"), repository);
    }

    /// Gives the account `login` a name, or none (`null`). Every account exists;
    /// one that was not named here has [`default_name`].
    pub fn add_user(&self, login: &str, name: Option<&str>) {
        self.state.catalog.accounts.put_name(login, name);
    }

    /// Gives a repository another name. Who asks for the old one is sent to the
    /// repository's id.
    ///
    /// # Errors
    ///
    /// When there is no such repository.
    pub fn rename(&self, owner: &str, old: &str, new: &str) -> anyhow::Result<()> {
        let (old, new) = (format!("{owner}/{old}"), format!("{owner}/{new}"));
        let done = self.state.catalog.rename(&old, &new);
        ensure!(done, "there is no {old} to rename");
        Ok(())
    }

    /// Makes `token` one of this user's, whose tokens share all allowances. A token
    /// that was not named here belongs to a user of its own.
    pub fn add_token(&self, token: &str, user_id: u64) {
        self.state.access.put(token, Caller::User(user_id));
    }

    /// Makes `token` invalid: it is answered 401.
    pub fn refuse_token(&self, token: &str) {
        self.state.access.put(token, Caller::Refused);
    }

    /// What refusals look like from now on.
    pub fn set_refusal_style(&self, style: RefusalStyle) {
        self.state.gate.set_style(style);
    }

    /// Lets GraphQL find a query with more than `ids` ids too heavy: it answers so
    /// many of them and `RESOURCE_LIMITS_EXCEEDED`.
    pub fn graphql_heavy_above(&self, ids: usize) {
        self.state.heavy_above.store(ids, Ordering::SeqCst);
    }

    /// The texts that were posted under this issue, the oldest first.
    #[must_use]
    pub fn comments(&self, owner: &str, name: &str, number: usize) -> Vec<String> {
        let entry = self.state.catalog.find(&format!("{owner}/{name}"));
        entry.map_or_else(Vec::new, |entry| {
            self.state.comments.bodies(entry.id, number)
        })
    }

    /// How often each rule was broken; without limits, never.
    #[must_use]
    pub fn broken(&self) -> Broken {
        self.state.gate.ask(Limiter::broken).unwrap_or_default()
    }

    /// How many requests the limits let in; without limits, none are counted.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.state.gate.ask(Limiter::served).unwrap_or_default()
    }

    /// How many requests the limits refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.state.gate.ask(Limiter::refused).unwrap_or_default()
    }

    /// What all clients together have used of this budget; without limits, nothing is
    /// counted.
    #[must_use]
    pub fn spent(&self, budget: Budget) -> u64 {
        let spent = self.state.gate.ask(|limiter| limiter.spent(budget));
        spent.unwrap_or_default()
    }

    /// What the user of `token`, or who shows none, has used of this budget.
    #[must_use]
    pub fn spent_by(&self, token: Option<&str>, budget: Budget) -> u64 {
        let caller = token.map_or(Caller::Anonymous, |token| self.state.access.of_token(token));
        let identity = caller.identity();
        let spent = self
            .state
            .gate
            .ask(|limiter| limiter.spent_by(identity, budget));
        spent.unwrap_or_default()
    }

    /// Adds faults for the next requests that `pattern` chooses, one each.
    ///
    /// A pattern is a path with everything below it, and optionally what the query
    /// must hold: `/repos/octocat/hello`, `/repos/octocat/hello/issues?page=2`, or
    /// `/` for everything. A request for `/repositories/{id}/…` counts as one for
    /// the repository's name. What the limits refuse meets no fault.
    pub fn script(&self, pattern: &str, faults: Vec<Fault>) {
        lock(&self.state.script).add(pattern, faults);
    }

    /// Gives this fault to every request that `pattern` chooses and no scripted
    /// fault is left for; the first such pattern decides.
    pub fn always(&self, pattern: &str, fault: Fault) {
        lock(&self.state.script).add_always(pattern, fault);
    }

    /// Forgets all faults; a request that met one already keeps it.
    pub fn heal(&self) {
        *lock(&self.state.script) = Script::default();
    }

    /// Everything that was asked, in the order in which it came.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state.log.requests()
    }

    /// How many requests `pattern` chooses, as in [`GithubStandIn::script`].
    #[must_use]
    pub fn count(&self, pattern: &str) -> usize {
        self.state.log.count(pattern)
    }

    /// The most requests that were being answered at one time. A request ends here
    /// just before its answer is sent, so this is never more than the client had
    /// open.
    #[must_use]
    pub fn max_in_flight(&self) -> usize {
        self.state.log.max_in_flight()
    }

    /// Waits until at least `count` requests that `pattern` chooses have come.
    ///
    /// # Errors
    ///
    /// At the deadline, with how many there were.
    pub async fn wait_for(
        &self,
        pattern: &str,
        count: usize,
        deadline: Duration,
    ) -> anyhow::Result<()> {
        self.state.log.wait_for(pattern, count, deadline).await
    }
}
