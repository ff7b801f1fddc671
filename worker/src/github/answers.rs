//! The answers of GitHub that are kept for all workers, and who asks for them.
//!
//! Of all who want one answer at one moment, one asks; the others look again until
//! it is there. A kept answer is used without asking for as long as GitHub allows,
//! and after that with a question that costs nothing of the hour if it still holds.
//! With another token it is used only after GitHub said so to that token.

use std::sync::Arc;
use std::time::Duration;

use hookme_shared::queue::{Asker, Keep, KeptAnswer, Looked, Queue, QueueError};
use hookme_shared::supervisor::Supervisor;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LINK, LOCATION};
use serde::de::IgnoredAny;

use super::help::Help;
use super::patience::Patience;
use super::{Failure, Turn, link};
use crate::pack;
use crate::policy::caching::Keeping;

/// How long an answer is kept after GitHub last confirmed it.
const TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The largest answer that is kept, packed, in bytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// GitHub's largest page, which is what lists are asked for by.
const PAGE: usize = 100;

/// Where answers are kept.
pub(super) struct Answers {
    pub(super) queue: Queue,
    /// The bytes that all may take; 0 keeps none.
    pub(super) max_bytes: u64,
    /// The fingerprint of the token that asks.
    pub(super) token: String,
    /// How long asking may take: waiting for a permit, and the request.
    pub(super) term: Duration,
    /// Ends the asking of those who were dropped.
    pub(super) supervisor: Supervisor,
    pub(super) help: Arc<Help>,
}

/// What is known before GitHub is asked.
pub(super) enum Known {
    /// It need not be asked.
    Fresh(Kept),
    /// It is to be asked; what is said is to be kept with [`Asking`].
    Ask(Box<Asking>),
    /// It is to be asked, and nothing is kept.
    Unkept,
}

/// An answer as it was kept.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The one who asks, or may be. Dropping it lets another ask.
pub(super) struct Asking {
    asker: Asker,
    keep: Keep,
    stale: Option<(KeptAnswer, Kept)>,
    queue: Queue,
    supervisor: Supervisor,
    /// Whether others may wait for its end.
    open: bool,
}

impl Answers {
    /// Looks for the answer to the request with this hash. The kept body has at most
    /// `bytes_max` bytes.
    pub(super) async fn look(
        &self,
        hash: String,
        bytes_max: usize,
        mut patience: Patience,
    ) -> Result<Known, Failure> {
        let mut asking = self.asking(hash);
        loop {
            let looked = asking.look(self.term).await;
            let what = "GitHub's cached answers cannot be looked up";
            let Some(looked) = self.help.helped(what, looked)? else {
                return Ok(Known::Unkept);
            };
            match looked {
                Looked::Fresh(answer) => {
                    return Ok(match unpack(&answer, bytes_max) {
                        Some(kept) => Known::Fresh(kept),
                        None => Known::Unkept,
                    });
                }
                Looked::Stale(answer) => {
                    asking.stale = unpack(&answer, bytes_max).map(|kept| (answer, kept));
                    return Ok(Known::Ask(asking));
                }
                Looked::Missing => return Ok(Known::Ask(asking)),
                Looked::Asked => {
                    if !patience.look_again().await {
                        let reason = "it waits for an answer that another job asks GitHub for";
                        return Err(Failure::in_vain(reason));
                    }
                }
            }
        }
    }

    /// The turn to ask for what this hash stands for, if nobody else has it.
    pub(super) async fn turn(&self, hash: String) -> Result<Option<Turn>, Failure> {
        let mut asking = self.asking(hash);
        let looked = asking.look(self.term).await;
        let what = "others cannot be kept from asking GitHub for the same names";
        Ok(match self.help.helped(what, looked)? {
            Some(Looked::Asked) => None,
            Some(_) => Some(Turn(Some(asking))),
            None => Some(Turn(None)),
        })
    }

    fn asking(&self, hash: String) -> Box<Asking> {
        Box::new(Asking {
            asker: Asker {
                hash,
                token: self.token.clone(),
                name: format!("{:016x}", rand::random::<u64>()),
            },
            keep: Keep {
                ttl: TTL,
                max_bytes: self.max_bytes,
            },
            stale: None,
            queue: self.queue.clone(),
            supervisor: self.supervisor.clone(),
            open: false,
        })
    }
}

impl Asking {
    /// Looks for the answer, and whether it is our turn to ask for it. Until Redis says
    /// otherwise it may be, though the reply is lost or nobody waits for it any more.
    async fn look(&mut self, term: Duration) -> Result<Looked, QueueError> {
        self.open = true;
        let looked = self.queue.github_look(&self.asker, term).await;
        self.open = !matches!(
            looked,
            Ok(Looked::Fresh(_) | Looked::Asked) | Err(QueueError::Refused { .. })
        );
        looked
    }

    /// The headers that make the request a question whether the kept answer holds.
    pub(super) fn condition(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some((answer, kept)) = &self.stale
            && !is_full_last_page(kept)
        {
            let pairs = [
                ("if-none-match", &answer.etag),
                ("if-modified-since", &answer.last_modified),
            ];
            for (name, value) in pairs {
                if let Ok(value) = HeaderValue::from_str(value)
                    && !value.is_empty()
                {
                    headers.insert(HeaderName::from_static(name), value);
                }
            }
        }
        headers
    }

    /// GitHub answered anew: keeps that for all, if it may be kept.
    pub(super) async fn keep(
        mut self,
        keeping: Option<&Keeping>,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
    ) {
        let packed = keeping.map(|keeping| (keeping, pack::pack(0, body)));
        let Some((keeping, packed)) = packed.filter(|(_, packed)| packed.len() <= ANSWER_BYTES_MAX)
        else {
            return self.end(None).await;
        };
        let text = |name| {
            let value = headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let answer = KeptAnswer {
            status,
            etag: keeping.etag.clone().unwrap_or_default(),
            last_modified: keeping.last_modified.clone().unwrap_or_default(),
            link: text(LINK),
            location: text(LOCATION),
            body: packed,
        };
        let kept = self
            .queue
            .github_keep(&self.asker, &self.keep, keeping.fresh_for, &answer);
        match kept.await {
            Ok(()) => self.open = false,
            Err(error) => tracing::debug!(%error, "an answer of GitHub could not be kept"),
        }
    }

    /// GitHub said that the kept answer holds; it need not be asked again for
    /// `fresh`. Returns that answer, `None` if there was none.
    pub(super) async fn confirm(mut self, fresh: Duration) -> Option<Kept> {
        let stale = self.stale.take();
        self.end(stale.as_ref().map(|(answer, _)| (answer, fresh)))
            .await;
        stale.map(|(_, kept)| kept)
    }

    async fn end(&mut self, confirmed: Option<(&KeptAnswer, Duration)>) {
        let ended = self
            .queue
            .github_confirm(&self.asker, &self.keep, confirmed);
        match ended.await {
            Ok(()) => self.open = false,
            Err(error) => {
                tracing::debug!(%error, "the end of a question to GitHub could not be told");
            }
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let (queue, asker, keep) = (self.queue.clone(), self.asker.clone(), self.keep);
        self.supervisor.spawn_short(async move {
            if let Err(error) = queue.github_confirm(&asker, &keep, None).await {
                tracing::debug!(%error, "the end of a question to GitHub could not be told");
            }
        });
    }
}

/// Whether this is a list that fills its page and names no next one. Its next page can
/// come without any change of its own bytes, and GitHub then answers that it is
/// unchanged; so it is asked for anew.
fn is_full_last_page(kept: &Kept) -> bool {
    if link::next(&kept.headers).is_some() {
        return false;
    }
    let items = serde_json::from_slice::<Vec<IgnoredAny>>(&kept.body);
    items.is_ok_and(|items| items.len() >= PAGE)
}

/// `None` if the kept form cannot be used; then GitHub is asked anew.
fn unpack(answer: &KeptAnswer, bytes_max: usize) -> Option<Kept> {
    let (_, body) = pack::unpack(&answer.body, 0, bytes_max).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in [(LINK, &answer.link), (LOCATION, &answer.location)] {
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
    Some(Kept {
        status: answer.status,
        headers,
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_page_without_a_next_one_is_always_asked_for_anew() {
        let list = |items: usize| format!("[{}]", vec!["{}"; items].join(","));
        let next = r#"<https://x.y/z?page=2>; rel="next""#;
        let previous = r#"<https://x.y/z?page=1>; rel="prev""#;
        let table = [
            (list(100), "", true),
            (list(100), previous, true),
            (list(100), next, false),
            (list(99), "", false),
            (list(0), "", false),
            (r#"{"id": 1}"#.to_owned(), "", false),
        ];
        for (body, link, anew) in table {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, HeaderValue::from_static(link));
            let kept = Kept {
                status: 200,
                headers,
                body: body.clone().into_bytes(),
            };
            assert_eq!(is_full_last_page(&kept), anew, "{link} {body}");
        }
    }
}
