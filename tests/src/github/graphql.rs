//! GraphQL, as far as names need it: the accounts behind up to a hundred node ids.
//!
//! It understands one query, `nodes(ids: $ids)`, by its variable `ids`, and answers
//! every field that it knows whether it was selected or not.
//!
//! Source: GitHub's documentation of its GraphQL API, query `nodes`, objects `User`
//! and `Bot`.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::accounts::{Account, Accounts};
use super::answer::Answer;

/// The most ids in one query.
const IDS_MAX: usize = 100;

/// Answers a query; above `heavy_above` ids only in part.
pub(super) fn answer(accounts: &Accounts, body: &[u8], heavy_above: usize) -> Answer {
    let Ok(asked) = serde_json::from_slice::<Value>(body) else {
        return Answer::error(StatusCode::BAD_REQUEST, "Problems parsing JSON", "graphql");
    };
    let Some(ids) = asked["variables"]["ids"].as_array() else {
        let message = "Variable $ids of type [ID!]! was provided invalid value";
        return shaped(&Value::Null, vec![json!({ "message": message })]);
    };
    if !asked["query"]
        .as_str()
        .is_some_and(|query| query.contains("nodes"))
    {
        let message = "This stand-in understands nodes(ids: $ids) only";
        return shaped(&Value::Null, vec![json!({ "message": message })]);
    }
    if ids.len() > IDS_MAX {
        return shaped(&Value::Null, vec![too_many(ids.len())]);
    }
    let (mut nodes, mut errors) = (Vec::new(), Vec::new());
    for (index, id) in ids.iter().take(heavy_above).enumerate() {
        let found = find(accounts, id);
        if found.is_none() {
            errors.push(not_found(index, id));
        }
        nodes.push(found.as_ref().map_or(Value::Null, node));
    }
    if ids.len() > heavy_above {
        nodes.resize(ids.len(), Value::Null);
        errors.push(json!({
            "type": "RESOURCE_LIMITS_EXCEEDED", "path": ["nodes", heavy_above],
            "message": "Resource limits for this query exceeded.",
        }));
    }
    shaped(&json!({ "nodes": nodes }), errors)
}

fn shaped(data: &Value, errors: Vec<Value>) -> Answer {
    let mut body = json!({ "data": data });
    if !errors.is_empty() {
        body["errors"] = Value::Array(errors);
    }
    Answer::json(StatusCode::OK, body.to_string())
}

/// The account of a node id as `shape` makes them: of its kind, and then the number.
fn find(accounts: &Accounts, node_id: &Value) -> Option<Account> {
    let node_id = node_id.as_str()?;
    let number = node_id
        .strip_prefix("U_kgDO")
        .or_else(|| node_id.strip_prefix("BOT_kgDO"))?;
    accounts.of_id(number.parse().ok()?)
}

/// A bot's login stands here without the `[bot]` that REST adds.
fn node(account: &Account) -> Value {
    match account.login.strip_suffix("[bot]") {
        Some(login) => json!({ "__typename": "Bot", "databaseId": account.id, "login": login }),
        None => json!({
            "__typename": "User", "databaseId": account.id, "login": account.login,
            "name": account.name,
        }),
    }
}

fn not_found(index: usize, id: &Value) -> Value {
    let id = id.as_str().unwrap_or_default();
    json!({
        "type": "NOT_FOUND", "path": ["nodes", index],
        "locations": [{ "line": 1, "column": 1 }],
        "message": format!("Could not resolve to a node with the global id of '{id}'."),
    })
}

fn too_many(count: usize) -> Value {
    json!({
        "type": "ARGUMENT_LIMIT", "path": ["nodes"], "locations": [{ "line": 1, "column": 1 }],
        "message": format!("You may not provide more than {IDS_MAX} node ids; you provided {count}."),
    })
}
