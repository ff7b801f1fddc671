//! What a client may ask of the list of tasks: those in a state, page by page, or the
//! feedback on a pull request, which is one page.
//!
//! A cursor is `<score>-<id>` of the last task that was shown. Its form is
//! nobody's business but this file's; a client hands it back unread.

use std::str::FromStr;

use hookme_shared::feedback::{FeedbackError, PullRequest};
use hookme_shared::job::State;
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{Cursor, PAGE_MAX};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::problem::Problem;

/// How many tasks a page holds if the client does not say.
const LIMIT_DEFAULT: usize = 50;

/// The query of `GET /tasks`, as given. Other parameters are ignored.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListingQuery {
    /// Only tasks in this state: scheduled, running, succeeded, dead or
    /// cancelled. The default is scheduled, unless a pull request is asked for.
    #[param(required = false, nullable = false, example = "dead")]
    state: Option<String>,
    /// How many tasks a page holds at most.
    #[param(required = false, nullable = false, value_type = usize, default = 50, minimum = 1, maximum = 100)]
    limit: Option<String>,
    /// Where the page begins: what the page before said.
    #[param(required = false, nullable = false)]
    cursor: Option<String>,
    /// Only the feedback on a pull request of this owner's. Goes with `repository` and
    /// `pull_request`, and without `state` and `cursor`.
    #[param(required = false, nullable = false)]
    username: Option<String>,
    /// The repository of that pull request.
    #[param(required = false, nullable = false)]
    repository: Option<String>,
    /// The number of that pull request.
    #[param(required = false, nullable = false, value_type = u32, minimum = 1)]
    pull_request: Option<String>,
}

/// Which tasks are to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listing {
    /// Those in a state.
    OfState(StateListing),
    /// The feedback on a pull request.
    OfPullRequest(PullRequestListing),
}

/// A page of the tasks in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StateListing {
    /// Only tasks in this state.
    pub(crate) state: State,
    /// Where the page begins; `None` at the first.
    pub(crate) after: Option<Cursor>,
    /// How many tasks it holds at most: 1 to [`PAGE_MAX`].
    pub(crate) limit: usize,
}

/// The feedback on a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PullRequestListing {
    /// The repository's owner.
    pub(crate) username: Username,
    /// The repository.
    pub(crate) repository: RepositoryName,
    /// The pull request.
    pub(crate) pull_request: PullRequest,
    /// How many tasks are listed at most: 1 to [`PAGE_MAX`].
    pub(crate) limit: usize,
}

impl Listing {
    /// Judges a query.
    pub(crate) fn parse(query: &ListingQuery) -> Result<Self, Problem> {
        let ListingQuery {
            username,
            repository,
            pull_request,
            ..
        } = query;
        if [username, repository, pull_request]
            .iter()
            .all(|given| given.is_none())
        {
            StateListing::parse(query).map(Self::OfState)
        } else {
            PullRequestListing::parse(query).map(Self::OfPullRequest)
        }
    }
}

impl StateListing {
    fn parse(query: &ListingQuery) -> Result<Self, Problem> {
        Ok(Self {
            state: query
                .state
                .as_deref()
                .map_or(Ok(State::Scheduled), parse_state)?,
            limit: limit(query)?,
            after: query.cursor.as_deref().map(parse_cursor).transpose()?,
        })
    }

    /// The path of the page after this one.
    pub(crate) fn path_after(&self, cursor: Cursor) -> String {
        format!(
            "/tasks?state={}&limit={}&cursor={}",
            self.state,
            self.limit,
            write_cursor(cursor)
        )
    }
}

impl PullRequestListing {
    fn parse(query: &ListingQuery) -> Result<Self, Problem> {
        let username = required(query.username.as_deref(), "username")?;
        let repository = required(query.repository.as_deref(), "repository")?;
        let pull_request = required(query.pull_request.as_deref(), "pull_request")?;
        if query.state.is_some() || query.cursor.is_some() {
            return Err(Problem::Invalid(
                "parameters state and cursor do not go with username, repository and pull_request"
                    .into(),
            ));
        }
        Ok(Self {
            username: Username::parse(username).map_err(invalid)?,
            repository: RepositoryName::parse(repository).map_err(invalid)?,
            pull_request: parse_pull_request(pull_request).map_err(invalid)?,
            limit: limit(query)?,
        })
    }
}

fn required<'a>(given: Option<&'a str>, name: &str) -> Result<&'a str, Problem> {
    given.ok_or_else(|| {
        Problem::Invalid(
            format!(
                "parameter {name} is required: username, repository and pull_request go together"
            )
            .into(),
        )
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn invalid(error: impl ToString) -> Problem {
    Problem::Invalid(error.to_string().into())
}

/// Digits and nothing else: `parse` alone would take a sign.
fn parse_digits<T: FromStr>(text: &str) -> Option<T> {
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits?.parse().ok()
}

fn parse_pull_request(text: &str) -> Result<PullRequest, FeedbackError> {
    PullRequest::new(parse_digits(text).ok_or(FeedbackError::PullRequest)?)
}

fn parse_state(text: &str) -> Result<State, Problem> {
    text.parse().map_err(|_| {
        let states: Vec<_> = State::ALL.iter().map(|state| state.as_str()).collect();
        Problem::Invalid(format!("parameter state must be one of {}", states.join(", ")).into())
    })
}

fn limit(query: &ListingQuery) -> Result<usize, Problem> {
    query
        .limit
        .as_deref()
        .map_or(Ok(LIMIT_DEFAULT), parse_limit)
}

fn parse_limit(text: &str) -> Result<usize, Problem> {
    let limit = parse_digits(text).filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| {
        Problem::Invalid(
            format!("parameter limit must be a whole number from 1 to {PAGE_MAX}").into(),
        )
    })
}

fn parse_cursor(text: &str) -> Result<Cursor, Problem> {
    read_cursor(text).ok_or(Problem::Invalid(
        "parameter cursor must be one that the page before gave".into(),
    ))
}

/// The text of a cursor.
pub(crate) fn write_cursor(cursor: Cursor) -> String {
    format!("{}-{}", cursor.score, cursor.id)
}

/// The cursor that `text` stands for; `None` if this program never wrote it.
pub(crate) fn read_cursor(text: &str) -> Option<Cursor> {
    let (score, id) = text.split_once('-')?;
    let cursor = Cursor {
        score: score.parse().ok()?,
        id: id.parse().ok()?,
    };
    (write_cursor(cursor) == text).then_some(cursor)
}

#[cfg(test)]
mod tests;
