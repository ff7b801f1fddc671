//! What a client may ask of the list of tasks, and how it gets to the next page.
//!
//! A cursor is `<score>-<id>` of the last task that was shown. Its form is
//! nobody's business but this file's; a client hands it back unread.

use hookme_shared::job::State;
use hookme_shared::queue::{Cursor, PAGE_MAX};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::problem::Problem;

/// How many tasks a page holds if the client does not say.
const LIMIT_DEFAULT: usize = 50;

/// The query of `GET /tasks`, as given. Other parameters are ignored.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListingQuery {
    /// Only tasks in this state: scheduled, running, succeeded, dead or
    /// cancelled.
    #[param(
        required = false,
        nullable = false,
        default = "scheduled",
        example = "dead"
    )]
    state: Option<String>,
    /// How many tasks a page holds at most.
    #[param(required = false, nullable = false, value_type = usize, default = 50, minimum = 1, maximum = 100)]
    limit: Option<String>,
    /// Where the page begins: what the page before said.
    #[param(required = false, nullable = false)]
    cursor: Option<String>,
}

/// A page of the list of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Only tasks in this state.
    pub(crate) state: State,
    /// Where the page begins; `None` at the first.
    pub(crate) after: Option<Cursor>,
    /// How many tasks it holds at most: 1 to [`PAGE_MAX`].
    pub(crate) limit: usize,
}

impl Listing {
    /// Judges a query.
    pub(crate) fn parse(query: &ListingQuery) -> Result<Self, Problem> {
        let state = query
            .state
            .as_deref()
            .map_or(Ok(State::Scheduled), parse_state)?;
        let limit = query
            .limit
            .as_deref()
            .map_or(Ok(LIMIT_DEFAULT), parse_limit)?;
        let after = query.cursor.as_deref().map(parse_cursor).transpose()?;
        Ok(Self {
            state,
            after,
            limit,
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

fn parse_state(text: &str) -> Result<State, Problem> {
    text.parse().map_err(|_| {
        let states: Vec<_> = State::ALL.iter().map(|state| state.as_str()).collect();
        Problem::Invalid(format!("parameter state must be one of {}", states.join(", ")).into())
    })
}

fn parse_limit(text: &str) -> Result<usize, Problem> {
    let limit = text
        .parse()
        .ok()
        .filter(|limit| (1..=PAGE_MAX).contains(limit));
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

fn write_cursor(cursor: Cursor) -> String {
    format!("{}-{}", cursor.score, cursor.id)
}

/// The cursor that `text` stands for; `None` if this program never wrote it.
fn read_cursor(text: &str) -> Option<Cursor> {
    let (score, id) = text.split_once('-')?;
    let cursor = Cursor {
        score: score.parse().ok()?,
        id: id.parse().ok()?,
    };
    (write_cursor(cursor) == text).then_some(cursor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn parse(
        state: Option<&str>,
        limit: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<Listing, Problem> {
        Listing::parse(&ListingQuery {
            state: state.map(str::to_owned),
            limit: limit.map(str::to_owned),
            cursor: cursor.map(str::to_owned),
        })
    }

    #[test]
    fn without_a_query_it_is_the_first_50_scheduled_tasks() {
        let first = Listing {
            state: State::Scheduled,
            after: None,
            limit: 50,
        };
        assert_eq!(parse(None, None, None), Ok(first));
    }

    #[test]
    fn the_next_page_is_the_same_query_with_a_cursor() {
        let cursor = Cursor {
            score: 17,
            id: ID.parse().unwrap(),
        };
        let listing = parse(Some("dead"), Some("100"), None).unwrap();
        assert_eq!(
            listing.path_after(cursor),
            format!("/tasks?state=dead&limit=100&cursor=17-{ID}")
        );
        let next = parse(Some("dead"), Some("100"), Some(&format!("17-{ID}")));
        assert_eq!(
            next,
            Ok(Listing {
                after: Some(cursor),
                ..listing
            })
        );
    }

    #[test]
    fn what_a_parameter_cannot_be_is_refused_with_what_it_can_be() {
        let told = |listing: Result<Listing, Problem>| match listing {
            Err(Problem::Invalid(told)) => told.into_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            told(parse(Some("Dead"), None, None)),
            "parameter state must be one of scheduled, running, succeeded, dead, cancelled"
        );
        for limit in ["0", "101", "-1", "", "1.5", "ten"] {
            assert_eq!(
                told(parse(None, Some(limit), None)),
                "parameter limit must be a whole number from 1 to 100"
            );
        }
        let upper = ID.to_uppercase();
        for cursor in [
            "",
            "-",
            "17",
            &format!("+17-{ID}"),
            &format!("-1-{ID}"),
            &format!("17-{upper}"),
        ] {
            assert!(told(parse(None, None, Some(cursor))).starts_with("parameter cursor must be"));
        }
    }

    proptest! {
        #[test]
        fn a_cursor_that_was_written_is_read_again(score in any::<u64>(), id in any::<u128>()) {
            let cursor = Cursor { score, id: format!("{id:032x}").parse().unwrap() };
            prop_assert_eq!(read_cursor(&write_cursor(cursor)), Some(cursor));
        }

        #[test]
        fn any_other_text_is_no_cursor_and_no_panic(text in ".*") {
            prop_assert!(read_cursor(&text).is_none_or(|cursor| write_cursor(cursor) == text));
        }
    }
}
