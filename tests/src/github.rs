//! A GitHub of our own: the same shapes, pages and faults, with made-up contents.
//!
//! It serves repositories, their issues and contributors, and users; by name and,
//! as in GitHub's own `Link` headers, by a repository's id. It grants everything:
//! no request is counted against a limit, no token is looked at. What is not asked
//! for with GET does not exist.

mod answer;
mod catalog;
mod fault;
mod log;
mod page;
mod repository;
mod shape;
mod target;
mod template;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use crate::http_server::{self, HttpServer};
use crate::lock::lock;
use answer::Answer;
use catalog::Catalog;
pub use fault::Fault;
use fault::Script;
pub use log::RecordedRequest;
use log::RequestLog;
pub use repository::{Contributor, Issue, Repository, RepositorySpec, default_name};
use target::Target;

/// How a stand-in is started.
#[derive(Debug, Clone)]
pub struct GithubOptions {
    /// What every repository that was not added looks like. Without it, such a
    /// repository does not exist.
    pub generate: Option<RepositorySpec>,
    /// Whether the requests' headers are recorded; a benchmark has no use for them.
    pub keep_headers: bool,
}

impl Default for GithubOptions {
    fn default() -> Self {
        Self {
            generate: None,
            keep_headers: true,
        }
    }
}

/// A running stand-in on 127.0.0.1. Dropping it closes all connections.
#[derive(Debug)]
pub struct GithubStandIn {
    server: HttpServer,
    state: Arc<State>,
}

/// What the handlers share.
#[derive(Debug)]
struct State {
    catalog: Catalog,
    script: Mutex<Script>,
    log: RequestLog,
    /// The end of the hour's allowance, in seconds since 1970.
    reset: u64,
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
            script: Mutex::default(),
            log: RequestLog::new(options.keep_headers),
            reset: in_an_hour()?,
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
        self.state.catalog.put_user(login, name);
    }

    /// Adds faults for the next requests that `pattern` chooses, one each.
    ///
    /// A pattern is a path with everything below it, and optionally what the query
    /// must hold: `/repos/octocat/hello`, `/repos/octocat/hello/issues?page=2`, or
    /// `/` for everything. A request for `/repositories/{id}/…` counts as one for
    /// the repository's name.
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

impl State {
    async fn handle(&self, request: Request<Incoming>) -> http_server::Answer {
        let uri = request.uri();
        let name_of = |id| self.catalog.name_of(id);
        let target = Target::parse(uri.path(), uri.query().unwrap_or_default(), name_of);
        let in_flight = self.log.begin(&request, &target);
        let good = if request.method() == Method::GET {
            answer::answer(&self.catalog, &target, request.headers())
        } else {
            Answer::error(StatusCode::NOT_FOUND, "Not Found", "")
        };
        let fault = lock(&self.script).take(&target);
        let mut response = match fault {
            None => good.into_response(),
            Some(fault) => fault::apply(fault, good, self.catalog.api()).await?,
        };
        answer::add_common_headers(response.headers_mut(), self.reset, in_flight.number);
        Ok(response)
    }
}

/// The end of an allowance that begins now, in seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "GitHub states the end of an allowance in wall-clock time, and this stands in for it"
)]
fn in_an_hour() -> anyhow::Result<u64> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(now.as_secs() + 3_600)
}
