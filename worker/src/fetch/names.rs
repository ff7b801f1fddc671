//! The names that people show.
//!
//! All workers share what is known of them, by account id. What is missing is asked
//! for in one GraphQL query per hundred, or account by account where a token or
//! a GitHub does not take such queries. Who shows no name goes by the login.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::contributors::Listed;
use super::pages::parse;
use crate::github::{Answer, Failure, Github, Graphql, PATIENCE, Turn};

/// How many accounts one query asks for: GitHub refuses more.
const BATCH: usize = 100;
/// Accounts asked for at the same time one by one, per report.
const CONCURRENCY: usize = 4;
/// How soon to look again while another job asks, at first and at most.
const LOOK_MIN: Duration = Duration::from_millis(20);
const LOOK_MAX: Duration = Duration::from_millis(250);
/// The query. An account is a user, an organization or a bot; a bot has no name.
const QUERY: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { \
     ... on User { databaseId login name } \
     ... on Organization { databaseId login name } \
     ... on Bot { databaseId login } } }";

/// Somebody whose name is to be found.
#[derive(Debug, Clone)]
struct Person {
    id: u64,
    node_id: Option<String>,
    login: String,
}

/// What GitHub says about an account, in either of its languages.
#[derive(Deserialize)]
struct Account {
    #[serde(rename = "databaseId", alias = "id")]
    id: Option<u64>,
    login: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Batch {
    data: Option<Nodes>,
}

#[derive(Deserialize)]
struct Nodes {
    nodes: Option<Vec<Option<Account>>>,
}

impl Account {
    /// What it is shown by.
    fn shown(self) -> Option<(u64, String)> {
        let name = self.name.filter(|name| !name.trim().is_empty());
        Some((self.id?, name.or(self.login)?))
    }
}

/// The name of each of these contributors, by account id. Only a failure that may
/// pass fails this: whoever is gone or hidden goes by the login.
pub(super) async fn of(
    github: &Github,
    contributors: &[Listed],
) -> Result<HashMap<u64, String>, Failure> {
    let people: Vec<Person> = contributors.iter().filter_map(person).collect();
    let mut names = HashMap::with_capacity(people.len());
    let missing = still_missing(github, people, &mut names).await?;
    let one_by_one = in_batches(github, missing, &mut names).await?;
    let asked: Vec<(u64, String)> = stream::iter(one_by_one)
        .map(|person| alone(github, person))
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    names.extend(asked);
    Ok(names)
}

fn person(listed: &Listed) -> Option<Person> {
    Some(Person {
        id: listed.id?,
        node_id: listed.node_id.clone(),
        login: listed.login.clone()?,
    })
}

/// Waits until no other job asks for the same names, and then for those that are
/// still missing; `None` if there are none any more.
async fn turn_for(
    github: &Github,
    mut batch: Vec<Person>,
    names: &mut HashMap<u64, String>,
) -> Result<Option<(Turn, Vec<Person>)>, Failure> {
    let (since, mut again) = (Instant::now(), LOOK_MIN);
    while let Some(first) = batch.first() {
        if let Some(turn) = github.turn_for_name(first.id).await? {
            let batch = still_missing(github, batch, names).await?;
            return Ok((!batch.is_empty()).then_some((turn, batch)));
        }
        if since.elapsed() + again > PATIENCE {
            return Err(Failure::Wait {
                delay: PATIENCE,
                reason: "it waits for names that another job asks GitHub for".to_owned(),
            });
        }
        tokio::time::sleep(again).await;
        again = (again * 2).min(LOOK_MAX);
        batch = still_missing(github, batch, names).await?;
    }
    Ok(None)
}

/// Those of these people whose names are not known yet; the other names are added.
async fn still_missing(
    github: &Github,
    people: Vec<Person>,
    names: &mut HashMap<u64, String>,
) -> Result<Vec<Person>, Failure> {
    let ids: Vec<u64> = people.iter().map(|person| person.id).collect();
    let known = github.known_names(&ids).await?;
    let mut missing = Vec::new();
    for (person, name) in people.into_iter().zip(known) {
        match name {
            Some(name) => _ = names.insert(person.id, name),
            None => missing.push(person),
        }
    }
    Ok(missing)
}

/// Asks for many at once; returns those that must be asked for one by one. A query
/// that is too heavy is halved.
async fn in_batches(
    github: &Github,
    mut missing: Vec<Person>,
    names: &mut HashMap<u64, String>,
) -> Result<Vec<Person>, Failure> {
    if !github.has_token() {
        return Ok(missing);
    }
    let mut one_by_one: Vec<Person> = Vec::new();
    let mut size = BATCH;
    while !missing.is_empty() {
        let batch: Vec<Person> = missing.drain(..missing.len().min(size)).collect();
        let Some((_turn, batch)) = turn_for(github, batch, names).await? else {
            continue;
        };
        let ids: Vec<&str> = batch
            .iter()
            .filter_map(|one| one.node_id.as_deref())
            .collect();
        let query = serde_json::json!({ "query": QUERY, "variables": { "ids": ids } });
        let subject = format!("the names of {} accounts", ids.len());
        let (bytes, is_whole) = match github.graphql(&subject, &query).await? {
            Graphql::Data(bytes) => (bytes, true),
            Graphql::TooHeavy(bytes) => (bytes, false),
            Graphql::Unusable => {
                one_by_one.extend(batch);
                one_by_one.append(&mut missing);
                break;
            }
        };
        let mut found: Vec<(u64, String)> = accounts(&bytes).filter_map(Account::shown).collect();
        let left = batch
            .into_iter()
            .filter(|one| !found.iter().any(|(id, _)| *id == one.id));
        let left: Vec<Person> = left.collect();
        if is_whole {
            // Not there for us: gone, hidden, or without an id of this kind.
            found.extend(left.into_iter().map(|one| (one.id, one.login)));
        } else if size > 1 {
            size /= 2;
            missing.splice(0..0, left);
        } else {
            one_by_one.extend(left);
        }
        github.remember_names(&found).await;
        names.extend(found);
    }
    Ok(one_by_one)
}

/// The accounts that an answer holds, as far as it can be read.
fn accounts(bytes: &[u8]) -> impl Iterator<Item = Account> {
    let batch = serde_json::from_slice::<Batch>(bytes).ok();
    let nodes = batch
        .and_then(|batch| batch.data?.nodes)
        .unwrap_or_default();
    nodes.into_iter().flatten()
}

async fn alone(github: &Github, person: Person) -> Result<(u64, String), Failure> {
    let Person { id, login, .. } = person;
    let subject = format!("user {login}");
    let Some(url) = github.url(&["user", &id.to_string()]) else {
        return Ok((id, login));
    };
    let shown = match github.get(&subject, url).await {
        Ok(Answer::Body { bytes, .. }) => parse::<Account>(&subject, &bytes)?.shown(),
        Ok(Answer::Empty | Answer::TooLarge) | Err(Failure::Final { .. }) => None,
        Err(failure) => return Err(failure),
    };
    let name = shown.map_or(login, |(_, name)| name);
    github.remember_names(&[(id, name.clone())]).await;
    Ok((id, name))
}
