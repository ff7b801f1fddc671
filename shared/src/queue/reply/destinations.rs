//! Reads the replies of the functions about places that results go to.

use std::time::Duration;

use redis::Value;

use super::super::types::{Enabled, Entered, Known, Left};
use super::{Read, at, list, number, parse, text};

pub(in super::super) fn entered(value: Value) -> Read<Vec<Entered>> {
    list(value)?
        .into_iter()
        .map(|item| {
            let parts = list(item)?;
            let ms = number(at(&parts, 1)?)?;
            let words = text(at(&parts, 2)?)?;
            match text(at(&parts, 0)?)? {
                "go" => Ok(Entered::Go { started_ms: ms }),
                "wait" => Ok(Entered::Wait {
                    delay: Duration::from_millis(ms),
                    state: parse(words)?,
                }),
                "full" => Ok(Entered::Full),
                "disabled" => Ok(Entered::Disabled {
                    reason: words.to_owned(),
                }),
                other => Err(format!("the answer {other:?} to destination_enter")),
            }
        })
        .collect()
}

pub(in super::super) fn left(value: Value) -> Read<Vec<Left>> {
    list(value)?
        .into_iter()
        .map(|item| {
            let parts = list(item)?;
            let wait = Duration::from_millis(number(at(&parts, 1)?)?);
            match text(at(&parts, 0)?)? {
                "" => Ok(Left::Nothing),
                "open" => Ok(Left::Opened(wait)),
                "closed" => Ok(Left::Closed),
                "slow" => Ok(Left::Slowed(wait)),
                "disabled" => Ok(Left::Disabled),
                other => Err(format!("the answer {other:?} to destination_leave")),
            }
        })
        .collect()
}

pub(in super::super) fn enabled(value: &Value) -> Read<Enabled> {
    match text(value)? {
        "ok" => Ok(Enabled::Done),
        "enabled" => Ok(Enabled::Already),
        "unknown" => Ok(Enabled::Unknown),
        other => Err(format!("the answer {other:?} to destination_enable")),
    }
}

/// Why nothing may be sent to a place; `None` if it may.
pub(in super::super) fn declared(value: &Value) -> Read<Option<String>> {
    match text(value)? {
        "enabled" => Ok(None),
        reason => Ok(Some(reason.to_owned())),
    }
}

pub(in super::super) fn swept(value: Value) -> Read<(String, u64)> {
    let parts = list(value)?;
    Ok((text(at(&parts, 0)?)?.to_owned(), number(at(&parts, 1)?)?))
}

pub(in super::super) fn known(value: Value) -> Read<Vec<Known>> {
    list(value)?
        .into_iter()
        .map(|item| {
            let parts = list(item)?;
            let words = |place| Ok::<_, String>(text(at(&parts, place)?)?.to_owned());
            let (disabled_ms, state) = (words(3)?, words(6)?);
            let until_ms = Some(number(at(&parts, 7)?)?).filter(|ms| *ms > 0);
            Ok(Known {
                id: words(0)?,
                used_ms: number(at(&parts, 1)?)?,
                url: words(2)?,
                disabled: match &*disabled_ms {
                    "" => None,
                    ms => Some((parse(ms)?, words(4)?)),
                },
                origin: words(5)?,
                state: match &*state {
                    "" => None,
                    state => Some((parse(state)?, until_ms)),
                },
                under_way: number(at(&parts, 8)?)?,
            })
        })
        .collect()
}
