//! What a query may be, and what its client is told.

use proptest::prelude::*;

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef";

fn parse(
    state: Option<&str>,
    limit: Option<&str>,
    cursor: Option<&str>,
) -> Result<StateListing, Problem> {
    let listing = Listing::parse(&ListingQuery {
        state: state.map(str::to_owned),
        limit: limit.map(str::to_owned),
        cursor: cursor.map(str::to_owned),
        ..ListingQuery::default()
    })?;
    match listing {
        Listing::OfState(listing) => Ok(listing),
        Listing::OfPullRequest(listing) => panic!("{listing:?}"),
    }
}

/// A change of a query.
type Change = fn(&mut ListingQuery);

/// The query for the feedback on a pull request.
fn of_pull_request() -> ListingQuery {
    ListingQuery {
        username: Some("octocat".to_owned()),
        repository: Some("Hello".to_owned()),
        pull_request: Some("7".to_owned()),
        ..ListingQuery::default()
    }
}

fn told<T: std::fmt::Debug>(listing: Result<T, Problem>) -> String {
    match listing {
        Err(Problem::Invalid(told)) => told.into_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_query_it_is_the_first_50_scheduled_tasks() {
    let first = StateListing {
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
        Ok(StateListing {
            after: Some(cursor),
            ..listing
        })
    );
}

#[test]
fn what_a_parameter_cannot_be_is_refused_with_what_it_can_be() {
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

#[test]
fn the_feedback_on_a_pull_request_is_asked_for_by_all_its_names() {
    let listing = PullRequestListing {
        username: Username::parse("octocat").unwrap(),
        repository: RepositoryName::parse("Hello").unwrap(),
        pull_request: PullRequest::new(7).unwrap(),
        limit: 50,
    };
    let query = of_pull_request();
    assert_eq!(Listing::parse(&query), Ok(Listing::OfPullRequest(listing)));
    let without: [(&str, Change); 3] = [
        ("username", |query| query.username = None),
        ("repository", |query| query.repository = None),
        ("pull_request", |query| query.pull_request = None),
    ];
    for (name, forget) in without {
        let mut query = query.clone();
        forget(&mut query);
        assert_eq!(
            told(Listing::parse(&query)),
            format!(
                "parameter {name} is required: username, repository and pull_request go together"
            )
        );
    }
    let both: [Change; 2] = [
        |query| query.state = Some("dead".to_owned()),
        |query| query.cursor = Some(format!("17-{ID}")),
    ];
    for add in both {
        let mut query = query.clone();
        add(&mut query);
        assert_eq!(
            told(Listing::parse(&query)),
            "parameters state and cursor do not go with username, repository and pull_request"
        );
    }
}

#[test]
fn the_names_of_a_pull_request_keep_the_rules_of_a_new_task() {
    let changed = |change: fn(&mut ListingQuery, String), value: &str| {
        let mut query = of_pull_request();
        change(&mut query, value.to_owned());
        told(Listing::parse(&query))
    };
    let username = changed(|query, value| query.username = Some(value), "a b");
    assert!(username.starts_with("field username must be"), "{username}");
    let repository = changed(|query, value| query.repository = Some(value), "..");
    assert!(
        repository.starts_with("field repository must be"),
        "{repository}"
    );
    for number in [
        "0",
        "-1",
        "+1",
        " 1",
        "1.5",
        "",
        "x",
        "2147483648",
        "99999999999999999999",
    ] {
        assert_eq!(
            changed(|query, value| query.pull_request = Some(value), number),
            "field pull_request must be the number of a pull request, from 1",
            "{number}"
        );
    }
    assert_eq!(
        changed(|query, value| query.limit = Some(value), "101"),
        "parameter limit must be a whole number from 1 to 100"
    );
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
