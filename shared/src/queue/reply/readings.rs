//! Reads the replies of the functions that people call too: jobs as they stand, lists of
//! them, and counts.

use redis::Value;

use super::super::types::{Counts, Cursor, Explanation, HistoryEntry, Page};
use super::{Read, at, destination, list, number, parse, text};
use crate::job::{FeedbackRecord, Job, JobId, Kind, Stage, State, Truncated};

pub(in super::super) fn explanation(id: JobId, value: Value) -> Read<Option<Explanation>> {
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

/// `<at_ms> <attempt> <event> <stage> <worker or -> <duration_ms or -> <status or -> <text>`
fn history_entry(line: &str) -> Read<HistoryEntry> {
    let mut parts = line.splitn(8, ' ');
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
        worker: known(next()?).map(str::to_owned),
        duration_ms: known(next()?).map(parse).transpose()?,
        status: known(next()?).map(parse).transpose()?,
        text: next()?.to_owned(),
    })
}

/// Reads a page of a listing, and where it ended.
pub(in super::super) fn page(value: Value) -> Read<Page> {
    let parts = list(value)?;
    let next = match parts.get(1) {
        None => None,
        Some(score) => Some(Cursor {
            score: number(score)?,
            id: parse(text(at(&parts, 2)?)?)?,
        }),
    };
    let jobs = parts.into_iter().next().ok_or("a page without jobs")?;
    Ok(Page {
        jobs: found(jobs)?,
        next,
    })
}

/// A word that is not there is a hyphen.
fn known(word: &str) -> Option<&str> {
    Some(word).filter(|word| *word != "-")
}

/// Reads the jobs of a listing: of each its id, its score and its record.
pub(in super::super) fn found(value: Value) -> Read<Vec<Job>> {
    let mut jobs = Vec::new();
    for item in list(value)? {
        let parts = list(item)?;
        let id = parse(text(at(&parts, 0)?)?)?;
        let record = parts
            .into_iter()
            .nth(2)
            .ok_or("a listing without a record")?;
        match job(id, record) {
            Ok(job) => jobs.push(job),
            Err(detail) => {
                tracing::warn!(job.id = %id, detail, "a job's record cannot be read; it is left out of the listing");
            }
        }
    }
    Ok(jobs)
}

pub(in super::super) fn counts(value: Value) -> Read<Counts> {
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
        truncated: Truncated::default(),
        has_report: false,
        worker: None,
        reason: None,
        cancel_requested: false,
        owner: None,
        destination: None,
        feedback: None,
    };
    let mut feedback = FeedbackRecord::default();
    let mut missing = REQUIRED.to_vec();
    for pair in fields.chunks_exact(2) {
        let name = text(&pair[0])?;
        missing.retain(|required| *required != name);
        set(&mut job, name, &pair[1])
            .and_then(|()| set_feedback(&mut feedback, name, &pair[1]))
            .map_err(|detail| format!("field {name}: {detail}"))?;
    }
    job.feedback = (job.kind == Kind::Feedback).then_some(feedback);
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
        "truncated" => job.truncated = Truncated::read(text(value)?),
        "report_bytes" => job.has_report = true,
        "worker" => job.worker = Some(text(value)?.to_owned()),
        "reason" => job.reason = Some(text(value)?.to_owned()),
        "cancel_requested" => job.cancel_requested = true,
        "owner" => job.owner = Some(parse(text(value)?)?),
        "webhook_url" => job.destination = Some(destination(value)?),
        _ => {}
    }
    Ok(())
}

fn set_feedback(feedback: &mut FeedbackRecord, name: &str, value: &Value) -> Read<()> {
    match name {
        "pull_request" => feedback.pull_request = parse(text(value)?)?,
        "commit" => text(value)?.clone_into(&mut feedback.commit),
        "passed" => feedback.grade.get_or_insert_default().passed = parse(text(value)?)?,
        "total" => feedback.grade.get_or_insert_default().total = parse(text(value)?)?,
        "comment_tries" => feedback.comment_tries = parse(text(value)?)?,
        "comment_tried_ms" => feedback.comment_tried_ms = Some(number(value)?),
        "comment_url" => feedback.comment_url = Some(text(value)?.to_owned()),
        "superseded_by" => feedback.superseded_by = Some(parse(text(value)?)?),
        _ => {}
    }
    Ok(())
}
