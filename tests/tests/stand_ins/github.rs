//! The GitHub of our own.

use hookme_tests::GithubStandIn;
use hookme_tests::github::{Fault, GithubOptions, RepositorySpec};
use reqwest::StatusCode;
use serde_json::Value;

use crate::{PATIENCE, client, json};

async fn github() -> GithubStandIn {
    GithubStandIn::start(GithubOptions::default())
        .await
        .unwrap()
}

/// The URL of the next page in a `Link` header.
fn next(response: &reqwest::Response) -> Option<String> {
    let link = response.headers().get("link")?.to_str().unwrap();
    let next = link
        .split(", ")
        .find(|part| part.ends_with("rel=\"next\""))?;
    Some(next.split(['<', '>']).nth(1).unwrap().to_owned())
}

#[tokio::test]
async fn pages_are_joined_by_links_that_name_the_repository_by_its_id() {
    let github = github().await;
    let spec = RepositorySpec {
        issues: 205,
        pull_requests: 20,
        ..Default::default()
    };
    github.add_repository("octo", "cat", &spec);
    let expected = spec.repository("octo/cat").issues;
    let start = format!("{}/repos/Octo/Cat/issues?per_page=100", github.url());
    let (mut url, mut titles) = (Some(start), Vec::new());
    while let Some(page) = url {
        let response = client().get(page).send().await.unwrap();
        url = next(&response);
        let items: Vec<Value> = json(response).await;
        titles.extend(
            items
                .iter()
                .map(|item| item["title"].as_str().unwrap().to_owned()),
        );
        assert!(
            url.is_none()
                || url
                    .as_ref()
                    .unwrap()
                    .contains("/repositories/500000001/issues?")
        );
    }
    assert!(expected.iter().map(|issue| &issue.title).eq(&titles));
    assert_eq!(github.count("/repos/octo/cat/issues"), 3);
    assert_eq!(github.count("/repos/octo/cat?page=3"), 1);
    assert_eq!(github.requests()[1].header("user-agent"), Some("stand-ins"));
}

#[tokio::test]
async fn issues_and_pull_requests_have_githubs_shape() {
    let github = github().await;
    github.add_repository("octo", "cat", &RepositorySpec::default());
    let url = format!("{}/repos/octo/cat/issues", github.url());
    let response = client().get(&url).send().await.unwrap();
    let tag = response.headers()["etag"].clone();
    for name in [
        "x-ratelimit-reset",
        "cache-control",
        "x-github-request-id",
        "date",
    ] {
        assert!(response.headers().contains_key(name), "{name}");
    }
    let items: Vec<Value> = json(response).await;
    assert!(
        items
            .iter()
            .all(|item| item["id"].is_u64() && item["user"]["login"].is_string())
    );
    let pulls = items
        .iter()
        .filter(|item| item.get("pull_request").is_some())
        .count();
    assert_eq!((items.len(), pulls), (4, 1));
    let again = client()
        .get(&url)
        .header("if-none-match", &tag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again.headers()["etag"], tag);
}

#[tokio::test]
async fn contributors_are_hidden_empty_or_absent_as_on_github() {
    let github = github().await;
    let spec = RepositorySpec {
        anonymous_contributors: 2,
        ..Default::default()
    };
    github.add_repository("octo", "cat", &spec);
    let empty = RepositorySpec {
        contributors: 0,
        ..Default::default()
    };
    github.add_repository("octo", "empty", &empty);
    let get = async |path: &str| {
        client()
            .get(format!("{}{path}", github.url()))
            .send()
            .await
            .unwrap()
    };
    let named: Vec<Value> = json(get("/repos/octo/cat/contributors").await).await;
    let all = get("/repos/octo/cat/contributors?anon=1").await;
    let all: Vec<Value> = json(all).await;
    assert_eq!((named.len(), all.len()), (2, 4));
    assert!(all[3].get("login").is_none() && all[3]["type"] == "Anonymous");
    let none = get("/repos/octo/empty/contributors").await;
    assert_eq!(
        (none.status(), none.headers().get("etag")),
        (StatusCode::NO_CONTENT, None)
    );
    let absent = get("/repos/octo/absent/contributors").await;
    assert_eq!(absent.status(), StatusCode::NOT_FOUND);
    assert_eq!(json::<Value>(absent).await["message"], "Not Found");
}

#[tokio::test]
async fn users_have_the_name_they_were_given_or_none() {
    let github = github().await;
    github.add_user("octocat", Some("The Octocat"));
    github.add_user("ghost", None);
    for (login, name) in [("OctoCat", Some("The Octocat")), ("ghost", None)] {
        let url = format!("{}/users/{login}", github.url());
        let user: Value = json(client().get(url).send().await.unwrap()).await;
        assert_eq!(
            (user["login"].as_str(), user["name"].as_str()),
            (Some(login), name)
        );
    }
}

#[tokio::test]
async fn any_name_exists_where_repositories_are_generated() {
    let generate = Some(RepositorySpec {
        issues: 40,
        ..Default::default()
    });
    let options = GithubOptions {
        generate,
        keep_headers: false,
        ..GithubOptions::default()
    };
    let github = GithubStandIn::start(options).await.unwrap();
    let mut ids = std::collections::HashSet::new();
    for name in ["a/b", "c/d"] {
        let url = format!("{}/repos/{name}/issues?per_page=40", github.url());
        let first = client().get(url).send().await.unwrap();
        let second = client().get(next(&first).unwrap()).send().await.unwrap();
        for page in [first, second] {
            for item in json::<Vec<Value>>(page).await {
                assert!(item["title"].as_str().unwrap().ends_with(name), "{item}");
                assert!(ids.insert(item["id"].as_u64().unwrap()), "{item}");
            }
        }
    }
    assert_eq!(ids.len(), 2 * 41);
}

#[tokio::test]
async fn scripted_faults_meet_one_request_each() {
    let github = github().await;
    github.add_repository("octo", "cat", &RepositorySpec::default());
    let url = format!("{}/repos/octo/cat/issues", github.url());
    let moved = Fault::MovedTo("/repositories/500000001/issues".to_owned());
    let faults = vec![
        Fault::status(500),
        Fault::Html502,
        Fault::DropConnection,
        Fault::TruncatedBody,
        Fault::UserNull,
        moved,
    ];
    github.script("/repos/octo/cat/issues", faults);
    let get = async || client().get(&url).send().await;
    assert_eq!(get().await.unwrap().status(), 500);
    assert_eq!(
        get().await.unwrap().headers()["content-type"],
        "text/html; charset=utf-8"
    );
    assert!(get().await.is_err());
    let short = get().await.unwrap();
    assert_eq!(short.status(), 200);
    assert!(short.bytes().await.is_err());
    let items: Vec<Value> = json(get().await.unwrap()).await;
    assert!(
        items
            .iter()
            .all(|item| item["user"].is_null() && item["title"].is_string())
    );
    let followed = get().await.unwrap();
    assert_eq!(
        (followed.status().as_u16(), followed.url().path()),
        (200, "/repositories/500000001/issues")
    );
    assert_eq!(github.count("/"), 7);
}

#[tokio::test]
async fn half_of_a_truncated_body_arrives() {
    let github = github().await;
    github.add_repository("octo", "cat", &RepositorySpec::default());
    github.always("/repos/octo/cat/issues", Fault::TruncatedBody);
    let url = format!("{}/repos/octo/cat/issues", github.url());
    let mut short = client().get(&url).send().await.unwrap();
    let promised = short.content_length().unwrap();
    let mut arrived = 0;
    while let Ok(Some(chunk)) = short.chunk().await {
        arrived += chunk.len() as u64;
    }
    assert_eq!(arrived, promised / 2);
}

#[tokio::test]
async fn an_endless_body_does_not_end_and_a_hanging_request_is_seen() {
    let github = github().await;
    github.always("/users/a", Fault::EndlessBody);
    github.always("/users/b", Fault::Hang);
    let url = format!("{}/users/a", github.url());
    let mut endless = client().get(url).send().await.unwrap();
    let mut read = 0;
    while read < 10_000_000 {
        read += endless.chunk().await.unwrap().unwrap().len();
    }
    let hanging = client().get(format!("{}/users/b", github.url()));
    tokio::select! {
        answer = hanging.send() => panic!("{answer:?}"),
        seen = github.wait_for("/users/b", 1, PATIENCE) => seen.unwrap(),
    }
    github.heal();
    assert_eq!(
        client()
            .get(format!("{}/users/b", github.url()))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn requests_in_flight_are_counted_until_the_client_leaves() {
    let github = github().await;
    github.always("/users", Fault::Hang);
    let mut tasks = tokio::task::JoinSet::new();
    for login in ["a", "b", "c"] {
        let url = format!("{}/users/{login}", github.url());
        tasks.spawn(client().get(url).send());
    }
    github.wait_for("/users", 3, PATIENCE).await.unwrap();
    assert_eq!(github.max_in_flight(), 3);
}
