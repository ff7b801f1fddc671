//! What GitHub may answer.

use hookme_tests::github::{Fault, RepositorySpec};
use serde_json::{Value, json};

use super::{QUICK, dead, delivered, house, last_words, submit};

const ISSUES: &str = "/repos/octocat/hello/issues";
const CONTRIBUTORS: &str = "/repos/octocat/hello/contributors";

fn status(code: u16, headers: &[(&str, &str)], body: &str) -> Fault {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Fault::Status(code, headers.iter().map(owned).collect(), body.to_owned())
}

fn answer(body: &Value) -> Fault {
    status(200, &[], &body.to_string())
}

#[tokio::test]
async fn an_issue_of_a_deleted_account_is_reported_without_an_author() {
    let (house, api) = house(&QUICK).await;
    house.github.script(ISSUES, vec![Fault::UserNull]);
    let (ended, delivery) = delivered(&house, submit(&api, "hello").await).await;
    assert_eq!(ended.job.failures, 0);
    let body = delivery.json().unwrap();
    let issues = body["issues"].as_array().unwrap();
    assert_eq!(issues.len(), 3);
    assert!(
        issues
            .iter()
            .all(|issue| issue["author"].is_null() && issue["title"].is_string()),
        "{body}"
    );
}

#[tokio::test]
async fn an_empty_repository_is_a_report_without_contributors() {
    let (house, api) = house(&QUICK).await;
    // GitHub answers 204 and no body.
    let spec = RepositorySpec {
        contributors: 0,
        ..RepositorySpec::default()
    };
    house.github.add_repository("octocat", "hello", &spec);
    let (ended, delivery) = delivered(&house, submit(&api, "hello").await).await;
    assert_eq!(
        (
            ended.job.failures,
            &delivery.json().unwrap()["contributors"]
        ),
        (0, &json!([]))
    );
}

#[tokio::test]
async fn what_passes_is_tried_again_whichever_request_it_hits() {
    let table = [
        Fault::Html502,
        status(500, &[], r#"{"message": "Server Error"}"#),
        // A list does not make an error a success.
        status(500, &[], "[]"),
        status(503, &[("content-type", "text/html")], "<html></html>"),
        status(200, &[], "1"),
        status(200, &[], "<html></html>"),
        Fault::DropConnection,
        Fault::TruncatedBody,
    ];
    for (index, fault) in table.into_iter().enumerate() {
        let path = [ISSUES, CONTRIBUTORS, "/user"][index % 3];
        let (house, api) = house(&QUICK).await;
        house.github.script(path, vec![fault.clone()]);
        let (ended, delivery) = delivered(&house, submit(&api, "hello").await).await;
        assert_eq!(
            ended.job.failures, 1,
            "{fault:?} at {path}: {:?}",
            ended.history
        );
        let body = delivery.json().unwrap();
        assert_eq!(
            body["contributors"][0]["name"], "CONTRIBUTOR Number 1",
            "{fault:?} at {path}"
        );
        assert_eq!(
            body["issues"].as_array().unwrap().len(),
            3,
            "{fault:?} at {path}"
        );
    }
}

#[tokio::test]
async fn a_limit_is_waited_for_and_is_no_failure() {
    for (code, words) in [
        (429, "Too many requests"),
        (403, "You have exceeded a secondary rate limit."),
    ] {
        let (house, api) = house(&QUICK).await;
        let body = json!({"message": words}).to_string();
        let limit = status(code, &[("retry-after", "1")], &body);
        house.github.script(ISSUES, vec![limit]);
        let (ended, _) = delivered(&house, submit(&api, "hello").await).await;
        assert_eq!(ended.job.failures, 0, "{code}");
        assert_eq!(ended.history[0].event, "defer", "{code}");
    }
}

#[tokio::test]
async fn a_renamed_repository_is_followed_and_reported_under_the_name_that_was_asked_for() {
    let (house, api) = house(&QUICK).await;
    let spec = RepositorySpec {
        issues: 5,
        ..RepositorySpec::default()
    };
    house.github.add_repository("octocat", "renamed", &spec);
    for list in ["issues", "contributors"] {
        let moved = Fault::MovedTo(format!("/repos/octocat/renamed/{list}?per_page=100"));
        house
            .github
            .script(&format!("/repos/octocat/hello/{list}"), vec![moved]);
    }
    let (ended, delivery) = delivered(&house, submit(&api, "hello").await).await;
    let body = delivery.json().unwrap();
    assert_eq!(
        (ended.job.failures, body["issues"].as_array().unwrap().len()),
        (0, 5)
    );
    assert_eq!(
        (&body["user"], &body["repository"]),
        (&json!("octocat"), &json!("hello"))
    );
}

#[tokio::test]
async fn a_redirect_to_somebody_else_is_not_followed() {
    let (house, api) = house(&QUICK).await;
    let elsewhere = house.receiver.url();
    house.github.script(ISSUES, vec![Fault::MovedTo(elsewhere)]);
    let ended = dead(&house, submit(&api, "hello").await).await;
    assert!(
        last_words(&ended).contains("outside of API_URL"),
        "{ended:?}"
    );
    assert_eq!(house.receiver.strays(), 0);
}

#[tokio::test]
async fn what_will_not_change_ends_the_task_at_once_with_the_reason() {
    for (code, reason) in [
        (
            404,
            "GitHub has no repository octocat/hello, or the token may not see it (404)",
        ),
        (
            410,
            "GitHub has removed or switched off repository octocat/hello (410): Scripted 410",
        ),
        (
            451,
            "GitHub has blocked, for legal reasons, repository octocat/hello (451): Scripted 451",
        ),
        (
            403,
            "GitHub refuses access to repository octocat/hello (403): Scripted 403",
        ),
    ] {
        for path in [ISSUES, CONTRIBUTORS] {
            let (house, api) = house(&QUICK).await;
            house.github.always(path, Fault::status(code));
            let id = submit(&api, "hello").await;
            let ended = dead(&house, id).await;
            assert_eq!(
                (ended.job.attempt, last_words(&ended)),
                (1, reason),
                "{path}"
            );
            assert_eq!(house.github.count(path), 1);
            let shown = api.show(id).await.unwrap().body;
            assert!(
                shown["why"]
                    .as_str()
                    .unwrap()
                    .starts_with("ended as dead: GitHub "),
                "{shown}"
            );
        }
    }
}

#[tokio::test]
async fn a_contributor_who_is_gone_or_shows_no_name_costs_nobody_the_report() {
    let (house, api) = house(&QUICK).await;
    let people = json!([
        {"id": 1, "login": "gone", "contributions": 4},
        {"id": 2, "login": "closed", "contributions": 3},
        {"id": 3, "login": "nameless", "contributions": 2},
        {"name": "Without Account", "contributions": 1},
    ]);
    house.github.script(CONTRIBUTORS, vec![answer(&people)]);
    house.github.script("/user/1", vec![Fault::status(404)]);
    house.github.script("/user/2", vec![Fault::status(403)]);
    let nameless = json!({"id": 3, "login": "nameless", "name": null});
    house.github.script("/user/3", vec![answer(&nameless)]);
    let (_, delivery) = delivered(&house, submit(&api, "hello").await).await;
    let people = json!([
        {"name": "gone", "qtd_commits": 4, "user": "gone"},
        {"name": "closed", "qtd_commits": 3, "user": "closed"},
        {"name": "nameless", "qtd_commits": 2, "user": "nameless"},
        {"name": "Without Account", "qtd_commits": 1, "user": null},
    ]);
    assert_eq!(delivery.json().unwrap()["contributors"], people);
    assert_eq!(house.github.count("/user"), 3);
}

#[tokio::test]
async fn all_pages_are_read_and_reported_in_github_s_order() {
    let (house, api) = house(&QUICK).await;
    let spec = RepositorySpec {
        issues: 250,
        contributors: 120,
        pull_requests: 0,
        ..RepositorySpec::default()
    };
    house.github.add_repository("octocat", "hello", &spec);
    let (_, delivery) = delivered(&house, submit(&api, "hello").await).await;
    let body = delivery.json().unwrap();
    let titles: Vec<_> = body["issues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| issue["title"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<_> = (1..=250)
        .rev()
        .map(|number| format!("Issue {number} of octocat/hello"))
        .collect();
    assert_eq!(titles, expected);
    let people: Vec<_> = body["contributors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["user"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<_> = (1..=120)
        .map(|index| format!("contributor-{index}"))
        .collect();
    assert_eq!(people, expected);
    assert_eq!(
        (house.github.count(ISSUES), house.github.count(CONTRIBUTORS)),
        (3, 2)
    );
}

#[tokio::test]
async fn pull_requests_are_no_issues_unless_they_are_asked_for() {
    for (flag, pull_requests) in [
        ("--include-pull-requests=false", 0),
        ("--include-pull-requests=true", 2),
    ] {
        let (house, api) = house(&[flag]).await;
        let spec = RepositorySpec {
            issues: 4,
            pull_requests: 2,
            closed_issues: 3,
            ..RepositorySpec::default()
        };
        house.github.add_repository("octocat", "hello", &spec);
        let (_, delivery) = delivered(&house, submit(&api, "hello").await).await;
        let body = delivery.json().unwrap();
        let titles: Vec<_> = body["issues"]
            .as_array()
            .unwrap()
            .iter()
            .map(|issue| issue["title"].as_str().unwrap())
            .collect();
        let pulls = titles
            .iter()
            .filter(|title| title.starts_with("Pull request"))
            .count();
        assert_eq!(
            (titles.len(), pulls),
            (4 + pull_requests, pull_requests),
            "{titles:?}"
        );
    }
}

#[tokio::test]
async fn github_is_asked_under_a_name_with_the_token_and_for_one_version() {
    let (house, api) = house(&["--api-token=s3cret"]).await;
    let (_, delivery) = delivered(&house, submit(&api, "hello").await).await;
    let requests = house.github.requests();
    assert_eq!(requests.len(), 4);
    for request in requests {
        for (name, value) in [
            ("authorization", "Bearer s3cret"),
            ("accept", "application/vnd.github+json"),
            ("x-github-api-version", "2022-11-28"),
        ] {
            assert_eq!(request.header(name), Some(value), "{request:?}");
        }
        assert!(
            request.header("user-agent").unwrap().starts_with("hookme/"),
            "{request:?}"
        );
    }
    assert_eq!(delivery.header("authorization"), None);
}
