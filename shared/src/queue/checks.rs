//! Looks whether a Redis can be trusted with jobs.

use std::time::{Duration, Instant};

use redis::Value;
use tokio::sync::Mutex;

use super::{Queue, QueueError, Role, keys};
use crate::job::Stage;
use crate::span::whole_ms;

/// The oldest Redis that has all that the functions use.
const REDIS_FLOOR: (u32, u32) = (7, 0);

/// How much a [`Complaint`] weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Worth mending; nothing waits for it.
    Note,
    /// Redis does not take what the program must write. It is not ready until Redis does.
    NotNow,
    /// Jobs can be lost. A program neither starts nor is ready, unless the operator
    /// chose to live with it.
    Unsafe,
    /// The queue cannot work on this Redis. A program neither starts nor is ready.
    Unusable,
}

/// Something about this Redis or its settings that an operator should mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong and what to do, in a sentence.
    pub text: String,
    /// How much it weighs.
    pub severity: Severity,
}

impl Complaint {
    fn new(severity: Severity, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            severity,
        }
    }

    fn unsafe_because(text: impl Into<String>) -> Self {
        Self::new(Severity::Unsafe, text)
    }

    fn note(text: impl Into<String>) -> Self {
        Self::new(Severity::Note, text)
    }

    /// What is told where Redis could not even be looked at.
    #[must_use]
    pub fn of(error: &QueueError) -> Self {
        let text = match error {
            QueueError::Unavailable { .. } => {
                "Redis at REDIS_URL does not answer; is it running and reachable from here?"
                    .to_owned()
            }
            QueueError::Refused { .. } | QueueError::Failed { .. } | QueueError::Corrupt { .. } => {
                error.to_string()
            }
        };
        Self::new(Severity::NotNow, text)
    }

    /// Whether it keeps a program from starting; `allow_unsafe` is the operator's choice.
    #[must_use]
    pub fn forbids_start(&self, allow_unsafe: bool) -> bool {
        match self.severity {
            Severity::Note | Severity::NotNow => false,
            Severity::Unsafe => !allow_unsafe,
            Severity::Unusable => true,
        }
    }

    /// Whether it keeps a program from being ready.
    #[must_use]
    pub fn forbids_ready(&self, allow_unsafe: bool) -> bool {
        self.severity == Severity::NotNow || self.forbids_start(allow_unsafe)
    }
}

/// The last try to write, and when it was. It is shared by all who ask within
/// [`PROBE_INTERVAL`], so that whoever asks often costs Redis no more writes.
#[derive(Debug, Default)]
pub(super) struct WriteProbe(Mutex<Option<(Instant, Result<(), QueueError>)>>);

/// What is said of functions that are not there and that the user may not load.
const ABOUT_LOADING: &str = "the queue's functions are not in this Redis, so that all jobs wait, and the user of REDIS_URL may not load them; somebody who may loads them with: api --load-functions";
/// How long one try to write is good for.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// How long what was written stays.
const PROBE_TTL: Duration = Duration::from_secs(10);

impl Queue {
    /// Looks at the rights that `role` needs, at version, eviction policy,
    /// persistence and settings, and whether Redis takes writes. Empty when all is well;
    /// where a right is missing, nothing else is looked at.
    pub async fn complaints(&self, role: Role) -> Result<Vec<Complaint>, QueueError> {
        if let Some(complaint) = self.denied(role).await? {
            return Ok(vec![complaint]);
        }
        let info: String = self
            .send("check redis", redis::cmd("INFO").arg("everything"))
            .await?;
        let mut complaints = about_info(&info);
        // The right to read the configuration may be missing, and need not be there.
        let fsync: Result<Vec<String>, _> = self
            .send(
                "check redis",
                redis::cmd("CONFIG").arg("GET").arg("appendfsync"),
            )
            .await;
        if let Ok(values) = fsync {
            complaints.extend(values.get(1).and_then(|policy| about_fsync(policy)));
        }
        complaints.extend(self.about_settings().await?);
        complaints.extend(about_write(self.probe_write().await, role)?);
        complaints.extend(about_functions(self.counts().await)?);
        Ok(complaints)
    }

    /// What to do about rights that `role` needs and that this user lacks, if there are any.
    pub async fn denied(&self, role: Role) -> Result<Option<Complaint>, QueueError> {
        match self.missing_rights(role).await {
            Ok(missing) if missing.is_empty() => Ok(None),
            Ok(missing) => Ok(Some(Complaint::unsafe_because(self.about_rights(&missing)))),
            Err(error) if error.is_denied() => {
                Ok(Some(Complaint::new(Severity::NotNow, ABOUT_LOADING)))
            }
            Err(error) => Err(error),
        }
    }

    async fn about_settings(&self) -> Result<Vec<Complaint>, QueueError> {
        let key = keys::settings(&self.0.tag);
        let settings = redis::cmd("HGETALL").arg(&key).to_owned();
        let settings: Result<Vec<(String, String)>, _> =
            self.send("check the settings", &settings).await;
        match settings {
            Ok(settings) => {
                let about = |(name, value): &(String, String)| about_setting(name, value);
                Ok(settings.iter().filter_map(about).collect())
            }
            Err(error) if error.passes() => Err(error),
            Err(error) => Ok(vec![Complaint::note(format!(
                "the settings in {key} cannot be read and are ignored ({error}); run: redis-cli DEL '{key}'"
            ))]),
        }
    }

    /// Writes something, at most once in [`PROBE_INTERVAL`].
    async fn probe_write(&self) -> Result<(), QueueError> {
        let mut last = self.0.write_probe.0.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < PROBE_INTERVAL
        {
            return answer.clone();
        }
        let set = redis::cmd("SET")
            .arg(keys::probe(&self.0.tag))
            .arg("")
            .arg("PX")
            .arg(whole_ms(PROBE_TTL))
            .to_owned();
        let answer = self.send::<Value>("write", &set).await.map(|_| ());
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

/// What a try to write says. A worker goes on with full memory: what it must write is
/// allowed then.
fn about_write(
    answer: Result<(), QueueError>,
    role: Role,
) -> Result<Option<Complaint>, QueueError> {
    let error = match answer {
        Ok(()) => return Ok(None),
        Err(error @ (QueueError::Unavailable { .. } | QueueError::Corrupt { .. })) => {
            return Err(error);
        }
        Err(error) => error,
    };
    Ok(Some(match (error.code(), role) {
        (Some("OOM"), Role::Worker) => Complaint::note(
            "memory is full: no task is taken, and what is in Redis drains; raise maxmemory",
        ),
        (Some("OOM"), Role::Api) => Complaint::new(
            Severity::NotNow,
            "memory is full: no task is taken, and what is in Redis drains; raise maxmemory",
        ),
        _ => Complaint::new(
            Severity::NotNow,
            format!("Redis takes no writes, so that all jobs wait: {error}"),
        ),
    }))
}

/// What a call that reads all of the queue's own keys says.
fn about_functions<T>(answer: Result<T, QueueError>) -> Result<Option<Complaint>, QueueError> {
    match answer {
        Ok(_) => Ok(None),
        Err(error) if error.passes() => Err(error),
        Err(error) => Ok(Some(Complaint::new(
            Severity::NotNow,
            format!(
                "the queue's functions fail; somebody may have put something else under one of its keys: {error}"
            ),
        ))),
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

fn about_info(info: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let version = field(info, "redis_version").unwrap_or("unknown");
    if !is_new_enough(version) {
        let (major, minor) = REDIS_FLOOR;
        complaints.push(Complaint::unsafe_because(format!(
            "this is Redis {version}; {major}.{minor} or newer is needed for its functions"
        )));
    }
    if field(info, "cluster_enabled") == Some("1") {
        complaints.push(Complaint::new(
            Severity::Unusable,
            "this is a node of a Redis Cluster, which is not supported: a slot that moves would tear the queue in two; point REDIS_URL at a single Redis, with Sentinel for failover",
        ));
    }
    let policy = field(info, "maxmemory_policy").unwrap_or("unknown");
    if policy != "noeviction" {
        complaints.push(Complaint::unsafe_because(format!(
            "maxmemory-policy is {policy}, which throws jobs away when memory is full; run: redis-cli CONFIG SET maxmemory-policy noeviction"
        )));
    }
    if field(info, "aof_enabled") != Some("1") {
        complaints.push(Complaint::unsafe_because(
            "appendonly is off, so that a restart of Redis loses jobs; run: redis-cli CONFIG SET appendonly yes",
        ));
    }
    complaints
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else {
        return false;
    };
    (major, minor) >= REDIS_FLOOR
}

fn about_fsync(policy: &str) -> Option<Complaint> {
    match policy {
        "always" => None,
        "everysec" => Some(Complaint::note(
            "appendfsync is everysec: up to about 2 s of accepted tasks can go down with Redis's machine; always loses none",
        )),
        other => Some(Complaint::unsafe_because(format!(
            "appendfsync is {other}: accepted tasks are lost when Redis's machine goes down; run: redis-cli CONFIG SET appendfsync always"
        ))),
    }
}

/// A setting that is not understood is ignored by the functions; here it is
/// named. What is understood is decided by `whole` and `is_paused` in
/// `lua/prelude.lua`.
fn about_setting(name: &str, value: &str) -> Option<Complaint> {
    let wrong = match name {
        "rate_limit_max_simultaneous_jobs" | "max_running_jobs" | "jobs_per_interval" => {
            whole(value).is_none().then_some("not a whole number")
        }
        "jobs_interval" => whole(value)
            .is_none_or(|interval| interval < 1)
            .then_some("not a whole number from 1"),
        "paused" => (!value.split_whitespace().all(is_lane_or_all))
            .then_some("not all, or lanes with spaces between"),
        _ => {
            return Some(Complaint::note(format!(
                "there is no setting {name:?}; it is ignored"
            )));
        }
    };
    wrong.map(|wrong| {
        Complaint::note(format!(
            "the setting {name} is {value:?}, {wrong}, and is ignored"
        ))
    })
}

/// The longest whole number that is taken, in characters: Lua's numbers are exact
/// up to there.
const WHOLE_MAX: usize = 15;

fn whole(value: &str) -> Option<i64> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let is_whole = value.len() <= WHOLE_MAX && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_whole.then(|| value.parse().ok()).flatten()
}

fn is_lane_or_all(word: &str) -> bool {
    word == "all" || word.parse::<Stage>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n";

    #[test]
    fn a_good_redis_gets_no_complaint() {
        assert_eq!(about_info(GOOD), []);
        assert_eq!(about_fsync("always"), None);
    }

    #[test]
    fn each_danger_is_named() {
        for (good, bad, word) in [
            ("7.0.15", "6.2.7", "6.2.7"),
            ("noeviction", "allkeys-lru", "allkeys-lru"),
            ("aof_enabled:1", "aof_enabled:0", "appendonly"),
        ] {
            let complaints = about_info(&GOOD.replace(good, bad));
            assert_eq!(complaints.len(), 1, "{bad}");
            assert!(complaints[0].forbids_start(false) && !complaints[0].forbids_start(true));
            assert!(complaints[0].text.contains(word));
        }
        assert!(about_fsync("no").is_some_and(|complaint| complaint.forbids_ready(false)));
        assert!(about_fsync("everysec").is_some_and(|complaint| !complaint.forbids_ready(false)));
    }

    #[test]
    fn a_cluster_is_refused_whatever_the_operator_allows() {
        let complaints = about_info(&format!("{GOOD}cluster_enabled:1\r\n"));
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].forbids_start(true) && complaints[0].text.contains("Cluster"));
        assert_eq!(about_info(&format!("{GOOD}cluster_enabled:0\r\n")), []);
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(is_new_enough("7.0.0") && is_new_enough("10.1") && is_new_enough("7.2.4"));
        assert!(!is_new_enough("6.9.9") && !is_new_enough("x"));
    }

    #[test]
    fn an_unreadable_setting_is_named() {
        assert!(about_setting("max_running_jobs", "many").is_some());
        assert!(about_setting("max_runing_jobs", "5").is_some());
        for (name, value) in [
            ("jobs_per_interval", "1e3"),
            ("max_running_jobs", "+5"),
            ("max_running_jobs", "-"),
            ("max_running_jobs", "1234567890123456"),
            ("jobs_interval", "0"),
            ("paused", "featch"),
        ] {
            assert!(about_setting(name, value).is_some(), "{name} {value}");
        }
        for (name, value) in [
            ("max_running_jobs", "5"),
            ("jobs_per_interval", "-1"),
            ("paused", "all"),
            ("paused", " fetch deliver"),
        ] {
            assert_eq!(about_setting(name, value), None);
        }
    }
}
