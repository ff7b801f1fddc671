//! Reads Redis's replies: the one place where a reply becomes a type.

pub(super) mod github;

use std::str::FromStr;
use std::time::Duration;

use redis::Value;

use super::types::{
    Advanced, Batch, Cancelled, Claimed, Counts, Cursor, Explanation, HistoryEntry, Loaded, Next,
    Page, Receipt, Renewed, Revived, Settled, Submitted,
};
use crate::job::{Fence, Job, JobId, Kind, Stage, State};

/// What was met where something else should be; becomes
/// [`super::QueueError::Corrupt`].
pub(super) type Read<T> = Result<T, String>;

fn unexpected(value: &Value) -> String {
    format!("an unexpected reply: {value:?}")
        .chars()
        .take(300)
        .collect()
}

fn list(value: Value) -> Read<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(unexpected(&other)),
    }
}

fn text(value: &Value) -> Read<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).map_err(|_| unexpected(value)),
        Value::SimpleString(text) => Ok(text),
        Value::Okay => Ok("OK"),
        other => Err(unexpected(other)),
    }
}

fn number(value: &Value) -> Read<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| unexpected(value)),
        other => parse(text(other)?),
    }
}

fn parse<T: FromStr>(text: &str) -> Read<T> {
    text.parse()
        .map_err(|_| format!("{text:?} is not what belongs there"))
}

fn at(items: &[Value], place: usize) -> Read<&Value> {
    items
        .get(place)
        .ok_or_else(|| format!("a reply of only {} parts", items.len()))
}

fn receipt(items: &[Value]) -> Read<Receipt> {
    Ok(Receipt {
        id: parse(text(at(items, 1)?)?)?,
        state: parse(text(at(items, 2)?)?)?,
        due_ms: number(at(items, 3)?)?,
    })
}

pub(super) fn submitted(value: Value) -> Read<Submitted> {
    let items = list(value)?;
    match text(at(&items, 0)?)? {
        "accepted" => Ok(Submitted::Accepted(receipt(&items)?)),
        "duplicate" => Ok(Submitted::Duplicate(receipt(&items)?)),
        "full" => Ok(Submitted::Full {
            limit: number(at(&items, 1)?)?,
        }),
        "reused" => Ok(Submitted::KeyReused),
        other => Err(format!("the answer {other:?} to submit")),
    }
}

pub(super) fn cancelled(value: Value) -> Read<Cancelled> {
    let items = list(value)?;
    match text(at(&items, 0)?)? {
        "cancelled" => Ok(Cancelled::Done),
        "asked" => Ok(Cancelled::Asked),
        "ended" => Ok(Cancelled::Ended(parse(text(at(&items, 1)?)?)?)),
        "unknown" => Ok(Cancelled::Unknown),
        other => Err(format!("the answer {other:?} to cancel")),
    }
}

pub(super) fn revived(value: Value) -> Read<Revived> {
    let items = list(value)?;
    match text(at(&items, 0)?)? {
        "scheduled" => Ok(Revived::Done(receipt(&items)?)),
        "held" => Ok(Revived::Held {
            by: parse(text(at(&items, 1)?)?)?,
        }),
        "full" => Ok(Revived::Full {
            limit: number(at(&items, 1)?)?,
        }),
        "not_dead" => Ok(Revived::NotDead(parse(text(at(&items, 1)?)?)?)),
        "unknown" => Ok(Revived::Unknown),
        other => Err(format!("the answer {other:?} to revive")),
    }
}

/// Reads what `worker` has claimed.
pub(super) fn batch(worker: &str, value: Value) -> Read<Batch> {
    let items = list(value)?;
    let wait = Duration::from_millis(number(at(&items, 1)?)?);
    let next = match text(at(&items, 0)?)? {
        "now" => Next::Now,
        "in" => Next::In(wait),
        "hint" => Next::Hint,
        "empty" => Next::WhenEmpty,
        other => return Err(format!("the answer {other:?} to claim")),
    };
    let mut batch = Batch {
        jobs: Vec::new(),
        unreadable: Vec::new(),
        next,
    };
    let jobs = items
        .into_iter()
        .nth(2)
        .ok_or("a claim without its batch")?;
    for item in list(jobs)? {
        let parts = list(item)?;
        let id = parse(text(at(&parts, 0)?)?)?;
        let fence = Fence::new(text(at(&parts, 1)?)?.to_owned());
        match claimed(worker, id, fence.clone(), parts) {
            Ok(claimed) => batch.jobs.push(claimed),
            Err(detail) => batch.unreadable.push((id, fence, detail)),
        }
    }
    Ok(batch)
}

/// Reads one claimed job; `told` in `lua/claim.lua` says in which order its parts
/// come.
fn claimed(worker: &str, id: JobId, fence: Fence, mut parts: Vec<Value>) -> Read<Claimed> {
    let report = match parts
        .get_mut(15)
        .map(|part| std::mem::replace(part, Value::Nil))
    {
        Some(Value::BulkString(bytes)) => Some(bytes),
        _ => None,
    };
    let words = |place| Ok::<_, String>(text(at(&parts, place)?)?.to_owned());
    let count = |place| match at(&parts, place)? {
        Value::Nil => Ok(0),
        value => u32::try_from(number(value)?).map_err(|error| error.to_string()),
    };
    let job = Job {
        id,
        kind: parse(text(at(&parts, 5)?)?)?,
        username: words(6)?,
        repository: words(7)?,
        state: State::Running,
        stage: parse(text(at(&parts, 8)?)?)?,
        due_ms: number(at(&parts, 9)?)?,
        created_ms: number(at(&parts, 10)?)?,
        started_ms: Some(number(at(&parts, 4)?)?),
        ended_ms: None,
        attempt: count(3)?,
        failures: count(11)?,
        crashes: count(12)?,
        bodies: count(13)?,
        has_report: *at(&parts, 14)? != Value::Nil,
        worker: Some(worker.to_owned()),
        reason: None,
        cancel_requested: false,
    };
    Ok(Claimed {
        job,
        fence,
        late_ms: number(at(&parts, 2)?)?,
        report,
    })
}

pub(super) fn advanced(value: Value) -> Read<Option<Advanced>> {
    let items = list(value)?;
    match text(at(&items, 0)?)? {
        "ok" => {
            let body = u32::try_from(number(at(&items, 1)?)?).map_err(|error| error.to_string())?;
            Ok(Some(Advanced::Stored { body }))
        }
        "full" => Ok(None),
        "stale" | "gone" => Ok(Some(Advanced::Lost)),
        other => Err(format!("the answer {other:?} to advance")),
    }
}

pub(super) fn loaded(value: Value) -> Read<Loaded> {
    let items = list(value)?;
    match text(at(&items, 0)?)? {
        "ok" => match items.into_iter().nth(1) {
            Some(Value::BulkString(bytes)) => Ok(Loaded::Report(bytes)),
            _ => Err("a report that is no string".to_owned()),
        },
        "none" => Ok(Loaded::Missing),
        "stale" | "gone" => Ok(Loaded::Lost),
        other => Err(format!("the answer {other:?} to load")),
    }
}

pub(super) fn settled(value: Value) -> Read<Vec<Settled>> {
    list(value)?
        .iter()
        .map(|word| match text(word)? {
            "ok" => Ok(Settled::Done),
            "already" => Ok(Settled::Already),
            "cancelled" => Ok(Settled::Cancelled),
            "stale" => Ok(Settled::Stale),
            "gone" => Ok(Settled::Gone),
            other => Err(format!("the answer {other:?} to a settlement")),
        })
        .collect()
}

pub(super) fn renewed(value: Value) -> Read<Vec<Renewed>> {
    list(value)?
        .iter()
        .map(|word| match text(word)? {
            "kept" => Ok(Renewed::Kept),
            "cancel" => Ok(Renewed::CancelAsked),
            "lost" => Ok(Renewed::Lost),
            other => Err(format!("the answer {other:?} to renew")),
        })
        .collect()
}

pub(super) fn reaped(value: Value) -> Read<(u64, u64)> {
    let items = list(value)?;
    Ok((number(at(&items, 0)?)?, number(at(&items, 1)?)?))
}

pub(super) fn explanation(id: JobId, value: Value) -> Read<Option<Explanation>> {
    let items = list(value)?;
    if items.is_empty() {
        return Ok(None);
    }
    let field = |name: &str| {
        items
            .chunks_exact(2)
            .find(|pair| text(&pair[0]) == Ok(name))
            .map(|pair| &pair[1])
    };
    let needed = |name: &str| field(name).ok_or_else(|| format!("an explanation without {name}"));
    let history = list(needed("history")?.clone())?;
    Ok(Some(Explanation {
        why: text(needed("why")?)?.to_owned(),
        until_ms: field("until_ms").map(number).transpose()?,
        ahead: number(needed("ahead")?)?,
        now_ms: number(needed("now_ms")?)?,
        history: history
            .iter()
            .map(|entry| history_entry(text(entry)?))
            .collect::<Read<_>>()?,
        job: job(id, Value::Array(items))?,
    }))
}

/// `<at_ms> <attempt> <event> <stage> <worker or -> <text>`
fn history_entry(line: &str) -> Read<HistoryEntry> {
    let mut parts = line.splitn(6, ' ');
    let mut next = || {
        parts
            .next()
            .ok_or_else(|| format!("a history entry cut short: {line:?}"))
    };
    Ok(HistoryEntry {
        at_ms: parse(next()?)?,
        attempt: parse(next()?)?,
        event: next()?.to_owned(),
        stage: parse(next()?)?,
        worker: Some(next()?).filter(|name| *name != "-").map(str::to_owned),
        text: next()?.to_owned(),
    })
}

pub(super) fn page(value: Value, limit: usize) -> Read<Page> {
    let items = list(value)?;
    let mut page = Page {
        jobs: Vec::with_capacity(items.len()),
        next: None,
    };
    let full = items.len() == limit;
    for item in items {
        let parts = list(item)?;
        let id = parse(text(at(&parts, 0)?)?)?;
        page.next = full.then_some(Cursor {
            score: number(at(&parts, 1)?)?,
            id,
        });
        let record = parts
            .into_iter()
            .nth(2)
            .ok_or("a listing without a record")?;
        match job(id, record) {
            Ok(job) => page.jobs.push(job),
            Err(detail) => {
                tracing::warn!(job.id = %id, detail, "a job's record cannot be read; it is left out of the listing");
            }
        }
    }
    Ok(page)
}

pub(super) fn counts(value: Value) -> Read<Counts> {
    let mut counts = Counts::default();
    for pair in list(value)?.chunks_exact(2) {
        let (name, number) = (text(&pair[0])?, number(&pair[1])?);
        match name.split_once(':') {
            Some(("scheduled", lane)) => counts.scheduled.push((parse(lane)?, number)),
            Some(("due", lane)) => counts.due.push((parse(lane)?, number)),
            Some(("total", counter)) => counts.totals.push((counter.to_owned(), number)),
            _ => match name {
                "oldest_due_age_ms" => counts.oldest_due_age_ms = number,
                "running" => counts.running = number,
                "succeeded" => counts.succeeded = number,
                "dead" => counts.dead = number,
                "cancelled" => counts.cancelled = number,
                "workers" => counts.workers = number,
                "report_bytes" => counts.report_bytes = number,
                "github_answer_bytes" => counts.github_answer_bytes = number,
                "github_paused_ms" => counts.github_paused_ms = number,
                "github_core_remaining" => counts.github_core_remaining = Some(number),
                // A newer version's library may count more than this one knows.
                _ => {}
            },
        }
    }
    Ok(counts)
}

/// Reads a record: a flat list of fields and values, of which the last of a
/// name counts and the unknown are passed over.
fn job(id: JobId, record: Value) -> Read<Job> {
    let fields = list(record)?;
    let mut job = Job {
        id,
        kind: Kind::Report,
        username: String::new(),
        repository: String::new(),
        state: State::Scheduled,
        stage: Stage::Fetch,
        due_ms: 0,
        created_ms: 0,
        started_ms: None,
        ended_ms: None,
        attempt: 0,
        failures: 0,
        crashes: 0,
        bodies: 0,
        has_report: false,
        worker: None,
        reason: None,
        cancel_requested: false,
    };
    let mut missing = REQUIRED.to_vec();
    for pair in fields.chunks_exact(2) {
        let name = text(&pair[0])?;
        missing.retain(|required| *required != name);
        set(&mut job, name, &pair[1]).map_err(|detail| format!("field {name}: {detail}"))?;
    }
    match missing.first() {
        None => Ok(job),
        Some(name) => Err(format!("a record without the field {name}")),
    }
}

/// The fields that no record is without.
const REQUIRED: [&str; 7] = [
    "kind",
    "username",
    "repository",
    "state",
    "stage",
    "due_ms",
    "created_ms",
];

fn set(job: &mut Job, name: &str, value: &Value) -> Read<()> {
    match name {
        "kind" => job.kind = parse(text(value)?)?,
        "username" => text(value)?.clone_into(&mut job.username),
        "repository" => text(value)?.clone_into(&mut job.repository),
        "state" => job.state = parse(text(value)?)?,
        "stage" => job.stage = parse(text(value)?)?,
        "due_ms" => job.due_ms = number(value)?,
        "created_ms" => job.created_ms = number(value)?,
        "started_ms" => job.started_ms = Some(number(value)?),
        "ended_ms" => job.ended_ms = Some(number(value)?),
        "attempt" => job.attempt = parse(text(value)?)?,
        "failures" => job.failures = parse(text(value)?)?,
        "crashes" => job.crashes = parse(text(value)?)?,
        "bodies" => job.bodies = parse(text(value)?)?,
        "report_bytes" => job.has_report = true,
        "worker" => job.worker = Some(text(value)?.to_owned()),
        "reason" => job.reason = Some(text(value)?.to_owned()),
        "cancel_requested" => job.cancel_requested = true,
        _ => {}
    }
    Ok(())
}
