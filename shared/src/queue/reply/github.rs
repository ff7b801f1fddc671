//! Reads the replies of the functions about GitHub.

use std::time::Duration;

use redis::Value;

use super::super::types::{Granted, KeptAnswer, Looked};
use super::{Read, at, list, number, text};

pub(in super::super) fn granted(value: Value) -> Read<Vec<Granted>> {
    list(value)?
        .into_iter()
        .map(|item| {
            let parts = list(item)?;
            let after = Duration::from_millis(number(at(&parts, 1)?)?);
            match text(at(&parts, 0)?)? {
                "ok" => Ok(Granted::Start {
                    after,
                    noted: number(at(&parts, 2)?)? == 1,
                }),
                "wait" => Ok(Granted::Wait {
                    ask_after: after,
                    awaited: text(at(&parts, 2)?)?.to_owned(),
                }),
                other => Err(format!("the answer {other:?} to github_acquire")),
            }
        })
        .collect()
}

pub(in super::super) fn released(value: Value) -> Read<Vec<Duration>> {
    list(value)?
        .iter()
        .map(|wait| number(wait).map(Duration::from_millis))
        .collect()
}

pub(in super::super) fn looked(value: Value) -> Read<Looked> {
    let parts = list(value)?;
    match text(at(&parts, 0)?)? {
        "fresh" => Ok(Looked::Fresh(kept(parts)?)),
        "stale" => Ok(Looked::Stale(kept(parts)?)),
        "none" => Ok(Looked::Missing),
        "asked" => Ok(Looked::Asked),
        other => Err(format!("the answer {other:?} to github_look")),
    }
}

fn kept(mut parts: Vec<Value>) -> Read<KeptAnswer> {
    let Some(Value::BulkString(body)) = parts.pop() else {
        return Err("a kept answer without a body".to_owned());
    };
    let words = |place| Ok::<_, String>(text(at(&parts, place)?)?.to_owned());
    Ok(KeptAnswer {
        status: u16::try_from(number(at(&parts, 1)?)?).map_err(|error| error.to_string())?,
        etag: words(2)?,
        last_modified: words(3)?,
        link: words(4)?,
        location: words(5)?,
        body,
    })
}

pub(in super::super) fn names(value: Value) -> Read<Vec<Option<String>>> {
    list(value)?
        .iter()
        .map(|name| match name {
            Value::Nil => Ok(None),
            known => Ok(Some(text(known)?.to_owned())),
        })
        .collect()
}
