//! Reads Redis's replies: the one place where a reply becomes a type.

pub(super) mod destinations;
pub(super) mod github;
pub(super) mod readings;

use std::str::FromStr;
use std::time::Duration;

use redis::Value;

use super::types::{
    Advanced, Batch, Cancelled, Claimed, Loaded, Next, Receipt, Renewed, Revived, Settled,
    Submitted,
};
use crate::destination::Destination;
use crate::feedback::Grade;
use crate::job::{FeedbackRecord, Fence, Job, JobId, State, Truncated};

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

pub(super) fn words(value: Value) -> Read<Vec<String>> {
    let items = list(value)?;
    items
        .iter()
        .map(|item| Ok(text(item)?.to_owned()))
        .collect()
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
        "disabled" => Ok(Submitted::Disabled {
            destination: text(at(&items, 1)?)?.to_owned(),
        }),
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
        "disabled" => Ok(Revived::Disabled {
            destination: text(at(&items, 1)?)?.to_owned(),
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
    let feedback = parts.get(17).map(feedback).transpose()?;
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
        // Only people ask for it.
        truncated: Truncated::default(),
        has_report: *at(&parts, 14)? != Value::Nil,
        worker: Some(worker.to_owned()),
        reason: None,
        cancel_requested: false,
        owner: None,
        destination: match at(&parts, 16)? {
            Value::Nil => None,
            url => Some(destination(url)?),
        },
        feedback,
    };
    Ok(Claimed {
        job,
        fence,
        late_ms: number(at(&parts, 2)?)?,
        report,
    })
}

fn destination(url: &Value) -> Read<Destination> {
    Ok(Destination::new(parse(text(url)?)?))
}

/// Reads what only feedback has; `told_of_feedback` in `lua/claim.lua` says in which
/// order its parts come.
fn feedback(value: &Value) -> Read<FeedbackRecord> {
    let Value::Array(parts) = value else {
        return Err(unexpected(value));
    };
    let known = |place| at(parts, place).map(|value| Some(value).filter(|one| **one != Value::Nil));
    let count = |place| match known(place)? {
        None => Ok(None),
        Some(value) => {
            let number = u32::try_from(number(value)?);
            number.map(Some).map_err(|error| error.to_string())
        }
    };
    let words = |place| match known(place)? {
        None => Ok::<_, String>(None),
        Some(value) => Ok(Some(text(value)?.to_owned())),
    };
    Ok(FeedbackRecord {
        pull_request: count(0)?.ok_or("feedback on no pull request")?,
        commit: words(1)?.ok_or("feedback on no commit")?,
        grade: count(2)?
            .zip(count(3)?)
            .map(|(passed, total)| Grade { passed, total }),
        comment_tries: count(4)?.unwrap_or_default(),
        comment_tried_ms: known(5)?.map(number).transpose()?,
        comment_url: words(6)?,
        superseded_by: None,
    })
}

pub(super) fn comment_opened(value: Value) -> Read<Option<u32>> {
    let items = list(value)?;
    match text(at(&items, 0)?)? {
        "ok" => {
            let tries = u32::try_from(number(at(&items, 1)?)?);
            tries.map(Some).map_err(|error| error.to_string())
        }
        "stale" | "gone" => Ok(None),
        other => Err(format!("the answer {other:?} to comment_open")),
    }
}

pub(super) fn comment_closed(value: Value) -> Read<bool> {
    match text(at(&list(value)?, 0)?)? {
        "ok" => Ok(true),
        "stale" | "gone" => Ok(false),
        other => Err(format!("the answer {other:?} to comment_close")),
    }
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
            Some(Value::BulkString(bytes)) => Ok(Loaded::Kept(bytes)),
            _ => Err("kept bytes that are no string".to_owned()),
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
