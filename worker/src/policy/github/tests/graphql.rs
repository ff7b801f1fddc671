//! What GraphQL answers, most of it with status 200.

use super::*;

fn judged(status: u16, pairs: &Pairs<'_>, body: &str) -> Result<GraphqlReading, Refusal> {
    let status = StatusCode::from_u16(status).unwrap();
    read_graphql(
        "the names of users",
        status,
        &headers(pairs),
        body.as_bytes(),
    )
}

/// What is no refusal.
fn told(status: u16, pairs: &Pairs<'_>, body: &str) -> GraphqlReading {
    judged(status, pairs, body).unwrap()
}

fn limit(status: u16, pairs: &Pairs<'_>, body: &str) -> (Limit, Option<u64>) {
    let refusal = judged(status, pairs, body).unwrap_err();
    (refusal.limit, refusal.wait.map(|wait| wait.as_secs()))
}

fn failed(kind: &str, message: &str) -> String {
    format!(r#"{{"data":null,"errors":[{{"type":"{kind}","message":"{message}"}}]}}"#)
}

#[test]
fn data_is_taken_with_entries_that_are_not_found_or_not_allowed() {
    let table = [
        r#"{"data":{"nodes":[{"login":"octocat"}]}}"#,
        r#"{"data":{"nodes":[]},"errors":null}"#,
        r#"{"data":{"nodes":[null]},"errors":[{"type":"NOT_FOUND","path":["nodes",0],"message":"Could not resolve to a node with the global id of 'x'."}]}"#,
        r#"{"data":{"nodes":[null]},"errors":[{"type":"FORBIDDEN","message":"Resource not accessible by integration"}]}"#,
        r#"{"data":{"nodes":[{"name":"secondary rate limit, API rate limit exceeded"}]}}"#,
    ];
    for body in table {
        let pairs = [DATE, NONE_LEFT, RESET, ("gh-limited-by", "x")];
        assert_eq!(told(200, &pairs, body), GraphqlReading::Data, "{body}");
    }
}

#[test]
fn a_limit_among_the_errors_is_a_refusal_although_the_status_is_200() {
    let used_up = failed("RATE_LIMITED", "API rate limit exceeded for user ID 1.");
    let newer = failed(
        "RATE_LIMIT",
        "API rate limit already exceeded for user ID 1.",
    );
    let untyped = r#"{"errors":[{"message":"API rate limit exceeded for user ID 1."}]}"#;
    let partial =
        r#"{"data":{"nodes":[null]},"errors":[{"type":"NOT_FOUND"},{"type":"RATE_LIMITED"}]}"#;
    let waiting = [DATE, NONE_LEFT, RESET];
    for body in [used_up.as_str(), &newer, untyped, partial] {
        assert_eq!(
            limit(200, &waiting, body),
            (primary("graphql"), Some(3_001)),
            "{body}"
        );
        assert_eq!(limit(200, &[], body), (primary("graphql"), None), "{body}");
    }
    let core = [("x-ratelimit-resource", "core")];
    assert_eq!(limit(200, &core, &used_up), (primary("graphql"), None));

    let words = "You have exceeded a secondary rate limit. Please wait a few minutes.";
    let many = [DATE, MANY_LEFT, RESET];
    for body in [
        failed("X", words),
        failed("RATE_LIMITED", words),
        SECONDARY.to_owned(),
    ] {
        assert_eq!(limit(200, &many, &body), (Limit::Secondary, None), "{body}");
        assert_eq!(
            limit(200, &waiting, &body),
            (Limit::Secondary, Some(3_001)),
            "{body}"
        );
    }
    assert_eq!(limit(200, &many, CONTENT), (Limit::Content, None));
}

#[test]
fn a_refusal_by_status_is_read_as_in_rest() {
    let waiting = [DATE, NONE_LEFT, RESET];
    let graphql = [DATE, NONE_LEFT, RESET, ("x-ratelimit-resource", "graphql")];
    assert_eq!(limit(403, &[], SECONDARY), (Limit::Secondary, None));
    assert_eq!(
        limit(429, &[("retry-after", "8")], ""),
        (Limit::Secondary, Some(8))
    );
    assert_eq!(limit(403, &[], CONTENT), (Limit::Content, None));
    assert_eq!(
        limit(403, &graphql, PRIMARY),
        (primary("graphql"), Some(3_001))
    );
    assert_eq!(limit(429, &waiting, ""), (primary("graphql"), Some(3_001)));
    assert_eq!(limit(401, &waiting, "{}"), (Limit::Token, None));
    assert_eq!(limit(403, &[], LOGINS), (Limit::Token, None));
}

#[test]
fn a_query_that_asks_for_too_much_is_too_heavy_with_or_without_partial_data() {
    let partial = r#"{"data":{"user":null},"errors":[{"type":"RESOURCE_LIMITS_EXCEEDED","message":"Resource limits for this query exceeded."}]}"#;
    let table = [
        partial.to_owned(),
        failed("MAX_NODE_LIMIT_EXCEEDED", "too many"),
        failed(
            "ARGUMENT_LIMIT",
            "You may not provide more than 100 node ids; you provided 101.",
        ),
        failed(
            "",
            "Something went wrong while executing your query. This may be the result of a timeout, or it could be a GitHub bug.",
        ),
    ];
    for body in &table {
        assert_eq!(told(200, &[], body), GraphqlReading::TooHeavy, "{body}");
    }
    for status in [502, 504] {
        assert_eq!(
            told(status, &[], "<html>"),
            GraphqlReading::TooHeavy,
            "{status}"
        );
    }
}

#[test]
fn what_this_token_or_this_github_cannot_do_is_left_to_rest() {
    let unknown = r#"{"errors":[{"message":"Field 'x' doesn't exist on type 'User'","extensions":{"code":"undefinedField"}}]}"#;
    let table = [
        (200, failed("FORBIDDEN", "Not for you"), ": Not for you"),
        (200, unknown.to_owned(), "exist on type 'User'"),
        (
            403,
            r#"{"message":"Resource not accessible"}"#.to_owned(),
            "(403): Resource not accessible",
        ),
        (404, "<html>".to_owned(), "(404)"),
        (
            400,
            r#"{"message":"Problems parsing JSON"}"#.to_owned(),
            "(400): Problems parsing JSON",
        ),
        (301, String::new(), "(301)"),
        (422, "{}".to_owned(), "(422)"),
    ];
    for (status, body, end) in table {
        let GraphqlReading::Unusable { reason } = told(status, &[MANY_LEFT], &body) else {
            panic!("{status} {body} is left to REST");
        };
        assert!(
            reason.starts_with("GitHub's GraphQL ") && reason.ends_with(end),
            "{reason}"
        );
    }
}

#[test]
fn trouble_and_what_cannot_be_read_is_for_later() {
    let page = [("content-type", "text/html")];
    let table = [
        (200, &[][..], "<html>", None),
        (200, &[], "{}", None),
        (200, &[], r#"{"data":null,"errors":[]}"#, None),
        (200, &[], r#"{"data":{"#, None),
        (200, &[("retry-after", "8")], "", Some(8)),
        (403, &page, "No entry", Some(60)),
        (400, &page, "", Some(60)),
        (408, &[], "", None),
        (500, &[], "{}", None),
        (503, &[("retry-after", "8")], "<html>", Some(8)),
        (202, &[], "", None),
    ];
    for (status, pairs, body, seconds) in table {
        match told(status, pairs, body) {
            GraphqlReading::Later { retry_after, .. } => {
                let told = retry_after.map(|wait| wait.as_secs());
                assert_eq!(told, seconds, "{status} {pairs:?} {body}");
            }
            other => panic!("{status} {body} is for later, not {other:?}"),
        }
    }
}
