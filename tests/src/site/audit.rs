//! What is in Redis that nothing accounts for.

use std::collections::{HashMap, HashSet};

use anyhow::Context;
use hookme_shared::queue::key_patterns;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

/// The keys that live only as long as their TTL.
const WITH_TTL: [&str; 17] = [
    "probe",
    "emptying",
    "worker",
    "idempotency",
    "pull_request",
    "starts",
    "github_limits",
    "github_identities",
    "github_identity",
    "github_flights",
    "github_content",
    "github_waiting",
    "github_answer",
    "github_answers",
    "github_sizes",
    "github_asking",
    "github_names",
];
/// The states in which a job has ended, and in which its set has this name.
const ENDED: [&str; 3] = ["succeeded", "dead", "cancelled"];

/// Whose keys are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All that this Redis holds: it is one namespace's alone.
    Redis,
    /// Those of the namespace, in a Redis that others use too. The clock that a test
    /// has set is no left-over.
    Namespace,
}

/// Looks at every key in `reach`, and says what should not be there under `tag` and why.
///
/// # Errors
///
/// When Redis does not answer.
pub async fn left_overs(
    redis: &mut MultiplexedConnection,
    tag: &str,
    reach: Reach,
) -> anyhow::Result<Vec<String>> {
    let keys = match reach {
        Reach::Redis => all_keys(redis, "*").await?,
        Reach::Namespace => {
            let mut keys = all_keys(redis, &format!("{tag}:*")).await?;
            keys.retain(|key| *key != format!("{tag}:clock"));
            keys
        }
    };
    let mut found = Vec::new();
    let mut named: HashMap<&str, Vec<String>> = HashMap::new();
    for key in &keys {
        match name_of(key, tag) {
            Some((name, argument)) => named.entry(name).or_default().push(argument.to_owned()),
            None => found.push(format!("{key}: no such key is listed")),
        }
    }
    let mut audit = Audit {
        redis,
        tag,
        states: HashMap::new(),
        found,
    };
    audit.sets(&named).await?;
    audit.belongings(&named).await?;
    audit.ttls(&named).await?;
    Ok(audit.found)
}

async fn all_keys(
    redis: &mut MultiplexedConnection,
    pattern: &str,
) -> redis::RedisResult<Vec<String>> {
    let (mut cursor, mut keys) = (0_u64, HashSet::new());
    loop {
        let (next, page): (u64, Vec<String>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(pattern)
            .arg("COUNT")
            .arg(1_000)
            .query_async(redis)
            .await?;
        keys.extend(page);
        cursor = next;
        if cursor == 0 {
            return Ok(keys.into_iter().collect());
        }
    }
}

/// Which of the listed keys this is, and its argument.
fn name_of<'a>(key: &'a str, tag: &str) -> Option<(&'static str, &'a str)> {
    let rest = key.strip_prefix(tag)?.strip_prefix(':')?;
    key_patterns().find_map(|(name, pattern)| match pattern.split_once('<') {
        None => (pattern == rest).then_some((name, "")),
        Some(("", _)) => ENDED.contains(&rest).then_some((name, rest)),
        Some((fixed, _)) => Some((name, rest.strip_prefix(fixed)?)),
    })
}

struct Audit<'a> {
    redis: &'a mut MultiplexedConnection,
    tag: &'a str,
    /// The state of each job that a set leads to, as the set has it.
    states: HashMap<String, String>,
    found: Vec<String>,
}

type Named<'a> = HashMap<&'a str, Vec<String>>;

impl Audit<'_> {
    /// Each member of a set has a record that says the same, and is in one set.
    async fn sets(&mut self, named: &Named<'_>) -> anyhow::Result<()> {
        let mut sets = vec![("running".to_owned(), "running".to_owned())];
        for lane in arguments(named, "scheduled") {
            sets.push((format!("scheduled:{lane}"), "scheduled".to_owned()));
        }
        for state in arguments(named, "ended") {
            sets.push((state.clone(), state.clone()));
        }
        for (set, state) in sets {
            let ids: Vec<String> = self
                .redis
                .zrange(format!("{}:{set}", self.tag), 0, -1)
                .await?;
            for id in ids {
                let said = self.field(&id, "state").await?;
                if said.as_deref() != Some(&*state) {
                    self.found
                        .push(format!("{set}: its member {id} is {said:?}"));
                }
                if let Some(other) = self.states.insert(id.clone(), state.clone()) {
                    self.found
                        .push(format!("{set}: its member {id} is {other} too"));
                }
            }
        }
        Ok(())
    }

    /// What stands beside a record: it needs the record, or that it is live.
    async fn belongings(&mut self, named: &Named<'_>) -> anyhow::Result<()> {
        for name in ["job", "history"] {
            for id in arguments(named, name) {
                if !self.states.contains_key(id) {
                    self.found
                        .push(format!("{name}:{id}: no set leads to this job"));
                }
            }
        }
        let mut bytes = 0_u64;
        for id in arguments(named, "report") {
            bytes += self
                .redis
                .strlen::<_, u64>(format!("{}:report:{id}", self.tag))
                .await?;
            if !self.is_live(id) {
                self.found.push(format!("report:{id}: its job is not live"));
            }
        }
        let counted: Option<u64> = self
            .redis
            .hget(format!("{}:stats", self.tag), "report_bytes")
            .await?;
        if counted.unwrap_or(0) != bytes {
            self.found.push(format!(
                "stats: {counted:?} report_bytes, but there are {bytes}"
            ));
        }
        for id in arguments(named, "evaluation") {
            // A dead job can be revived, and is graded anew then.
            if !self.is_live(id) && self.states.get(id).is_none_or(|state| state != "dead") {
                self.found
                    .push(format!("evaluation:{id}: its job is neither live nor dead"));
            }
        }
        for scope in arguments(named, "lock") {
            let id: String = self.redis.get(format!("{}:lock:{scope}", self.tag)).await?;
            if !self.is_live(&id) {
                self.found
                    .push(format!("lock:{scope}: its job {id} is not live"));
            }
        }
        Ok(())
    }

    async fn ttls(&mut self, named: &Named<'_>) -> anyhow::Result<()> {
        for name in WITH_TTL {
            let pattern = key_patterns().find(|(known, _)| *known == name);
            let (_, pattern) = pattern.with_context(|| format!("no key is called {name}"))?;
            let fixed = pattern.split('<').next().unwrap_or_default();
            for argument in arguments(named, name) {
                let key = format!("{}:{fixed}{argument}", self.tag);
                // -2: it has gone meanwhile, which is what a TTL is for.
                if self.redis.ttl::<_, i64>(&key).await? == -1 {
                    self.found.push(format!("{key}: no TTL"));
                }
            }
        }
        Ok(())
    }

    fn is_live(&self, id: &str) -> bool {
        let state = self.states.get(id).map(String::as_str);
        matches!(state, Some("scheduled" | "running"))
    }

    async fn field(&mut self, id: &str, field: &str) -> redis::RedisResult<Option<String>> {
        self.redis
            .hget(format!("{}:job:{id}", self.tag), field)
            .await
    }
}

fn arguments<'a>(named: &'a Named<'_>, name: &str) -> &'a [String] {
    named.get(name).map_or(&[], Vec::as_slice)
}
