//! The GraphQL of the GitHub of our own: names behind node ids.

use hookme_tests::GithubStandIn;
use hookme_tests::github::{Budget, Contributor, GithubOptions, Limits, Repository};
use reqwest::Response;
use serde_json::{Value, json};

use crate::{client, json};

async fn github(limits: Limits) -> GithubStandIn {
    let options = GithubOptions {
        limits: Some(limits),
        ..GithubOptions::default()
    };
    let github = GithubStandIn::start(options).await.unwrap();
    let user = |login: &str| Contributor::User {
        login: login.to_owned(),
        contributions: 1,
    };
    let contributors = vec![user("octocat"), user("robot[bot]"), user("ghost")];
    let repository = Repository {
        contributors,
        ..Repository::default()
    };
    github.put_repository("octo", "cat", &repository);
    github.add_user("octocat", Some("The Octocat"));
    github.add_user("ghost", None);
    github
}

async fn query(github: &GithubStandIn, ids: &[String]) -> Response {
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename } }";
    let body = json!({ "query": query, "variables": { "ids": ids } });
    let request = client()
        .post(format!("{}/graphql", github.url()))
        .bearer_auth("t");
    request.body(body.to_string()).send().await.unwrap()
}

/// The contributors' node ids and ids, as the list shows them.
async fn listed(github: &GithubStandIn) -> (Vec<String>, Vec<u64>) {
    let url = format!("{}/repos/octo/cat/contributors", github.url());
    let items: Vec<Value> = json(client().get(url).send().await.unwrap()).await;
    let node_ids = items
        .iter()
        .map(|item| item["node_id"].as_str().unwrap().to_owned());
    (
        node_ids.collect(),
        items
            .iter()
            .map(|item| item["id"].as_u64().unwrap())
            .collect(),
    )
}

#[tokio::test]
async fn the_node_ids_of_a_list_lead_to_names_for_one_point() {
    let github = github(Limits::default()).await;
    let (mut node_ids, ids) = listed(&github).await;
    node_ids.insert(1, "U_kgDO00000000".to_owned());
    let answer = query(&github, &node_ids).await;
    assert_eq!(answer.headers()["x-ratelimit-resource"], "graphql");
    assert_eq!(answer.headers()["x-ratelimit-remaining"], "4999");
    let answer: Value = json(answer).await;
    let expected = json!([
        { "__typename": "User", "databaseId": ids[0], "login": "octocat", "name": "The Octocat" },
        null,
        { "__typename": "Bot", "databaseId": ids[1], "login": "robot" },
        { "__typename": "User", "databaseId": ids[2], "login": "ghost", "name": null },
    ]);
    assert_eq!(answer["data"]["nodes"], expected);
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!((errors.len(), &errors[0]["type"]), (1, &json!("NOT_FOUND")));
    assert_eq!(errors[0]["path"], json!(["nodes", 1]));
    assert_eq!(
        (github.spent(Budget::Core), github.spent(Budget::Graphql)),
        (1, 1)
    );
    assert_eq!(github.broken().total(), 0);
}

#[tokio::test]
async fn more_than_a_hundred_ids_are_refused_and_a_heavy_query_is_answered_in_part() {
    let github = github(Limits::default()).await;
    let (node_ids, _) = listed(&github).await;
    let many = |count: usize| {
        node_ids
            .iter()
            .cycle()
            .take(count)
            .cloned()
            .collect::<Vec<_>>()
    };
    let refused: Value = json(query(&github, &many(101)).await).await;
    assert_eq!(refused["data"], Value::Null);
    assert_eq!(refused["errors"][0]["type"], "ARGUMENT_LIMIT");
    let full: Value = json(query(&github, &many(100)).await).await;
    assert_eq!(full.get("errors"), None);
    github.graphql_heavy_above(2);
    let partial: Value = json(query(&github, &node_ids).await).await;
    assert_eq!(partial["errors"][0]["type"], "RESOURCE_LIMITS_EXCEEDED");
    let nodes = partial["data"]["nodes"].as_array().unwrap();
    let known: Vec<bool> = nodes.iter().map(Value::is_object).collect();
    assert_eq!(known, [true, true, false]);
    let light: Value = json(query(&github, &node_ids[..2]).await).await;
    assert_eq!(light.get("errors"), None);
}

#[tokio::test]
async fn used_up_points_are_refused_with_200_and_leave_rest_alone() {
    let github = github(Limits {
        graphql_points: 1,
        ..Limits::default()
    })
    .await;
    let (node_ids, _) = listed(&github).await;
    assert_eq!(query(&github, &node_ids).await.status(), 200);
    let refused = query(&github, &node_ids).await;
    assert_eq!(refused.status(), 200);
    assert_eq!(refused.headers()["x-ratelimit-remaining"], "0");
    let refused: Value = json(refused).await;
    assert_eq!(refused["errors"][0]["type"], "RATE_LIMITED");
    let url = format!("{}/users/octocat", github.url());
    let user = client().get(url).bearer_auth("t").send().await.unwrap();
    assert_eq!((user.status().as_u16(), github.broken().primary), (200, 1));
}

#[tokio::test]
async fn nobody_asks_without_a_token() {
    let github = github(Limits::default()).await;
    let request = client().post(format!("{}/graphql", github.url()));
    let answer = request.body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 401);
}
