//! The names that people show.
//!
//! All workers share what is known of them, by account id. What is missing is asked
//! for in one GraphQL query per hundred, or account by account where a token or
//! a GitHub does not take such queries. Who shows no name goes by the login.

use std::collections::HashMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::contributors::Listed;
use super::pages::parse;
use crate::github::{Answer, Failure, Github, Graphql, Patience, Turn};

/// How many accounts one query asks for: GitHub refuses more.
const BATCH: usize = 100;
/// Accounts asked for at the same time one by one, per report.
const CONCURRENCY: usize = 4;
/// The query. An account is a user, an organization or a bot; a bot has no name.
const QUERY: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { \
     ... on User { databaseId name } \
     ... on Organization { databaseId name } \
     ... on Bot { databaseId } } }";

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
    fn shown(self, login: String) -> String {
        let name = self.name.filter(|name| !name.trim().is_empty());
        name.unwrap_or(login)
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
    let mut patience = Patience::begin();
    while let Some(first) = batch.first() {
        if let Some(turn) = github.turn_for_name(first.id).await? {
            let batch = still_missing(github, batch, names).await?;
            return Ok((!batch.is_empty()).then_some((turn, batch)));
        }
        if !patience.look_again().await {
            let reason = "it waits for names that another job asks GitHub for";
            return Err(Failure::in_vain(reason));
        }
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
    missing: Vec<Person>,
    names: &mut HashMap<u64, String>,
) -> Result<Vec<Person>, Failure> {
    if !github.has_token() {
        return Ok(missing);
    }
    let (mut missing, mut one_by_one): (Vec<Person>, Vec<Person>) = missing
        .into_iter()
        .partition(|person| person.node_id.is_some());
    let mut size = BATCH;
    while !missing.is_empty() {
        let batch: Vec<Person> = missing.drain(..missing.len().min(size)).collect();
        let Some((_turn, batch)) = turn_for(github, batch, names).await? else {
            continue;
        };
        let (found, left, asked) = ask_for(github, batch).await?;
        github.remember_names(&found).await;
        names.extend(found);
        match asked {
            // Gone or hidden from this token; another may see more, so this is not
            // remembered.
            Asked::All => names.extend(left.into_iter().map(|one| (one.id, one.login))),
            Asked::TooMany if size > 1 => {
                size /= 2;
                missing.splice(0..0, left);
            }
            Asked::TooMany | Asked::InVain => {
                one_by_one.extend(left);
                one_by_one.append(&mut missing);
            }
        }
    }
    Ok(one_by_one)
}

/// How a query for many names went.
enum Asked {
    All,
    TooMany,
    InVain,
}

/// Asks for a batch: the names that GitHub gave, and who is left.
async fn ask_for(
    github: &Github,
    batch: Vec<Person>,
) -> Result<(Vec<(u64, String)>, Vec<Person>, Asked), Failure> {
    let ids: Vec<&str> = batch
        .iter()
        .filter_map(|one| one.node_id.as_deref())
        .collect();
    let query = serde_json::json!({ "query": QUERY, "variables": { "ids": ids } });
    let subject = format!("the names of {} accounts", ids.len());
    let (accounts, asked) = match github.graphql(&subject, &query).await? {
        Graphql::Data(bytes) => {
            let accounts = accounts(&subject, &bytes)?;
            let accounts = accounts.ok_or_else(|| Failure::Later {
                reason: format!("GitHub's answer for {subject} holds none"),
                retry_after: None,
            })?;
            (accounts, Asked::All)
        }
        // It may hold a part of them.
        Graphql::TooHeavy(bytes) => {
            let part = accounts(&subject, &bytes).ok().flatten();
            (part.unwrap_or_default(), Asked::TooMany)
        }
        Graphql::Unusable => (Vec::new(), Asked::InVain),
    };
    let mut given: HashMap<u64, Account> = accounts
        .into_iter()
        .flatten()
        .filter_map(|account| Some((account.id?, account)))
        .collect();
    let (mut found, mut left) = (Vec::new(), Vec::new());
    for person in batch {
        match given.remove(&person.id) {
            Some(account) => found.push((person.id, account.shown(person.login))),
            None => left.push(person),
        }
    }
    Ok((found, left, asked))
}

/// The accounts that an answer holds; `None` if it holds no list of them.
fn accounts(subject: &str, bytes: &[u8]) -> Result<Option<Vec<Option<Account>>>, Failure> {
    let batch: Batch = parse(subject, bytes)?;
    Ok(batch.data.and_then(|data| data.nodes))
}

async fn alone(github: &Github, person: Person) -> Result<(u64, String), Failure> {
    let Person { id, login, .. } = person;
    let subject = format!("user {login}");
    let Some(url) = github.url(&["user", &id.to_string()]) else {
        return Ok((id, login));
    };
    match github.get(&subject, url).await {
        Ok(Answer::Body { bytes, .. }) => {
            let name = parse::<Account>(&subject, &bytes)?.shown(login);
            github.remember_names(&[(id, name.clone())]).await;
            Ok((id, name))
        }
        Ok(Answer::Empty | Answer::TooLarge) | Err(Failure::Final { .. }) => Ok((id, login)),
        Err(failure) => Err(failure),
    }
}
