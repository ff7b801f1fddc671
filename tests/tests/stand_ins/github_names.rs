//! The GitHub of our own: what is found by its id, and what has moved.

use hookme_tests::GithubStandIn;
use hookme_tests::github::{Budget, GithubOptions, Limits, RepositorySpec};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::Value;

use crate::{client, json};

async fn github() -> GithubStandIn {
    let limits = Some(Limits::unlimited());
    let options = GithubOptions {
        limits,
        ..GithubOptions::default()
    };
    let github = GithubStandIn::start(options).await.unwrap();
    let spec = RepositorySpec {
        issues: 5,
        ..Default::default()
    };
    github.add_repository("octo", "cat", &spec);
    github
}

async fn get(github: &GithubStandIn, path: &str) -> Response {
    client()
        .get(format!("{}{path}", github.url()))
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn who_stands_in_a_list_is_found_by_the_id_that_stands_there() {
    let github = github().await;
    let listed: Vec<Value> = json(get(&github, "/repos/octo/cat/issues").await).await;
    for issue in &listed {
        let (id, login) = (&issue["user"]["id"], &issue["user"]["login"]);
        let user: Value = json(get(&github, &format!("/user/{id}")).await).await;
        assert_eq!((&user["id"], &user["login"]), (id, login));
        assert_eq!(user["node_id"], issue["user"]["node_id"]);
    }
    assert_eq!(get(&github, "/user/0").await.status(), 404);
}

#[tokio::test]
async fn a_user_who_has_not_changed_since_is_not_sent_again() {
    let github = github().await;
    let first = get(&github, "/users/author-1").await;
    let modified = first.headers()["last-modified"].clone();
    let id = json::<Value>(first).await["id"].clone();
    let ask = async || {
        let request = client().get(format!("{}/user/{id}", github.url()));
        request
            .header("if-modified-since", &modified)
            .send()
            .await
            .unwrap()
    };
    let spent = github.spent(Budget::Core);
    assert_eq!(ask().await.status(), 304);
    assert_eq!(github.spent(Budget::Core), spent);
    github.add_user("author-1", Some("Renamed"));
    let changed = ask().await;
    assert_eq!(changed.status(), 200);
    assert_eq!(json::<Value>(changed).await["name"], "Renamed");
}

#[tokio::test]
async fn a_renamed_repository_is_found_through_its_id_at_the_price_of_a_request() {
    let github = github().await;
    github.rename("octo", "cat", "dog").unwrap();
    let followed = get(&github, "/repos/octo/cat/issues?per_page=2").await;
    assert_eq!(followed.url().path(), "/repositories/500000001/issues");
    assert_eq!(followed.url().query(), Some("per_page=2"));
    let items: Vec<Value> = json(followed).await;
    assert!(
        items[0]["url"]
            .as_str()
            .unwrap()
            .contains("/repos/octo/dog/")
    );
    assert_eq!(github.spent(Budget::Core), 2);
    assert_eq!(
        (
            github.count("/repos/octo/cat"),
            github.count("/repos/octo/dog")
        ),
        (1, 1)
    );
    assert_eq!(get(&github, "/repos/octo/dog").await.status(), 200);
    let steadfast = Client::builder()
        .user_agent("x")
        .redirect(Policy::none())
        .build()
        .unwrap();
    let url = format!("{}/repos/octo/cat", github.url());
    assert_eq!(steadfast.get(&url).send().await.unwrap().status(), 301);
    assert_eq!(steadfast.patch(&url).send().await.unwrap().status(), 307);
    assert!(github.rename("octo", "absent", "other").is_err());
    github.add_repository("octo", "cat", &RepositorySpec::default());
    let new: Value = json(get(&github, "/repos/octo/cat").await).await;
    assert_eq!(new["id"], 500_000_002);
}

#[tokio::test]
async fn the_pages_of_issues_are_joined_by_cursors_and_those_of_contributors_by_numbers() {
    let github = github().await;
    let link = async |path: &str| {
        let response = get(&github, path).await;
        (
            response.status().as_u16(),
            response.headers().get("link").cloned(),
        )
    };
    let (_, issues) = link("/repos/octo/cat/issues?per_page=2").await;
    let issues = issues.unwrap().to_str().unwrap().to_owned();
    assert!(
        issues.contains("&after=") && issues.contains("&page=2>; rel=\"next\""),
        "{issues}"
    );
    assert!(!issues.contains("rel=\"last\""), "{issues}");
    let (_, people) = link("/repos/octo/cat/contributors?per_page=1").await;
    let people = people.unwrap().to_str().unwrap().to_owned();
    assert!(
        !people.contains("after=") && people.contains("rel=\"last\""),
        "{people}"
    );
    assert_eq!(
        link("/repos/octo/cat/issues?per_page=100&page=99").await.0,
        200
    );
    assert_eq!(
        link("/repos/octo/cat/issues?per_page=100&page=100").await.0,
        422
    );
    assert_eq!(
        link("/repos/octo/cat/contributors?per_page=100&page=100")
            .await
            .0,
        200
    );
}
