//! Admission, as far as it can be decided without the queue: from a body's bytes
//! to a [`Submission`]. Rules only; the queue decides whether there is room and
//! whether the repository has a live task already.

use std::time::Duration;

use hookme_shared::job::{JobId, Kind};
use hookme_shared::names::{NameError, RepositoryName, Username};
use hookme_shared::queue::{Idempotency, Submission, Work};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// The longest a task may be put off.
pub(crate) const DELAY_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    username: Username,
    repository: RepositoryName,
    /// `None` if the client left it to the settings.
    delay: Option<Duration>,
    kind: Kind,
}

/// The body's members, not judged yet. Unknown ones are ignored, as Hookme did.
#[derive(Deserialize)]
struct Members {
    username: Option<Value>,
    repository: Option<Value>,
    delay_ms: Option<Value>,
    kind: Option<Value>,
    webhook_url: Option<Value>,
}

impl Wish {
    /// Reads a body. The first mistake is told, `username` being looked at first
    /// and `repository` second.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let members = Members::parse(body)?;
        let wish = Self {
            username: name(members.username.as_ref(), "username", Username::parse)?,
            repository: name(
                members.repository.as_ref(),
                "repository",
                RepositoryName::parse,
            )?,
            delay: members.delay_ms.as_ref().map(delay).transpose()?,
            kind: members.kind.as_ref().map_or(Ok(Kind::Report), kind)?,
        };
        match members.webhook_url {
            None => Ok(wish),
            // To ignore it would send the report to somebody else.
            Some(_) => Err(Problem::Invalid(
                "field webhook_url is not supported yet: leave it out".into(),
            )),
        }
    }

    /// The task for the queue.
    ///
    /// - `id`: the id it will have.
    /// - `key`: the client's `Idempotency-Key`.
    /// - `default_delay`: how long a task waits whose client did not say.
    pub(crate) fn into_submission(
        self,
        id: JobId,
        key: Option<&str>,
        default_delay: Duration,
    ) -> Submission {
        let idempotency = key.map(|key| Idempotency {
            key_hash: sha256(key),
            body_hash: sha256(&self.canonical()),
        });
        Submission {
            id,
            username: self.username,
            repository: self.repository,
            work: Work::Report,
            delay: self.delay.unwrap_or(default_delay),
            idempotency,
        }
    }

    /// One text for all bodies that ask for the same. Names differ in nothing
    /// but case for GitHub. A delay that was left to the settings stays that,
    /// so that a key survives a change of the settings.
    fn canonical(&self) -> String {
        let delay = self
            .delay
            .map_or("default".to_owned(), |delay| delay.as_millis().to_string());
        let (username, repository) = (self.username.as_str(), self.repository.as_str());
        format!("{username}/{repository}\n{delay}\n{}", self.kind).to_ascii_lowercase()
    }
}

impl Members {
    fn parse(body: &[u8]) -> Result<Self, Problem> {
        // serde would also read an array, taking its values for the members in
        // the order of their declaration.
        let is_object = body.trim_ascii_start().starts_with(b"{");
        let members = is_object
            .then(|| serde_json::from_slice(body).ok())
            .flatten();
        members.ok_or(Problem::Invalid(
            "the body must be one JSON object that names no field twice".into(),
        ))
    }
}

/// Reads a name by its rule. A text is required, whatever else is there.
fn name<T>(
    value: Option<&Value>,
    field: &str,
    parse: fn(&str) -> Result<T, NameError>,
) -> Result<T, Problem> {
    let text = value.and_then(Value::as_str);
    let text = text.ok_or_else(|| Problem::Invalid(format!("field {field} is required").into()))?;
    parse(text).map_err(|error| Problem::Invalid(error.to_string().into()))
}

fn delay(value: &Value) -> Result<Duration, Problem> {
    let delay = value
        .as_u64()
        .map(Duration::from_millis)
        .filter(|delay| *delay <= DELAY_MAX);
    delay.ok_or_else(|| {
        let most = DELAY_MAX.as_millis();
        Problem::Invalid(
            format!("field delay_ms must be a whole number of milliseconds from 0 to {most}")
                .into(),
        )
    })
}

fn kind(value: &Value) -> Result<Kind, Problem> {
    match value.as_str().map(str::parse) {
        Some(Ok(Kind::Report)) => Ok(Kind::Report),
        Some(Ok(Kind::Feedback) | Err(_)) | None => {
            Err(Problem::Invalid("field kind must be report".into()))
        }
    }
}

/// The SHA-256 of `text`, in hexadecimal.
fn sha256(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = Sha256::digest(text)
        .into_iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .map(|digit| char::from(DIGITS[usize::from(digit)]));
    digits.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEFAULT: Duration = Duration::from_millis(10_800);

    fn refusal(body: &str) -> String {
        match Wish::parse(body.as_bytes()) {
            Err(Problem::Invalid(error)) => error.into_owned(),
            other => panic!("{body} gave {other:?}"),
        }
    }

    fn submission(body: &str, key: Option<&str>) -> Submission {
        Wish::parse(body.as_bytes())
            .unwrap()
            .into_submission(JobId::random(), key, DEFAULT)
    }

    fn body_hash(body: &str) -> String {
        submission(body, Some("key")).idempotency.unwrap().body_hash
    }

    #[test]
    fn a_body_of_two_names_is_a_report_after_the_default_delay() {
        let submission = submission(
            r#"{"username": "OctoCat", "repository": "Hello-World"}"#,
            None,
        );
        assert_eq!(submission.username.as_str(), "OctoCat");
        assert_eq!(submission.repository.as_str(), "Hello-World");
        assert_eq!(submission.delay, DEFAULT);
        assert_eq!(submission.work, Work::Report);
        assert_eq!(submission.idempotency, None);
    }

    #[test]
    fn members_that_nobody_knows_are_ignored_and_null_is_like_absent() {
        let body = r#" {"x": [{}], "username": "a", "repository": "b", "delay_ms": null, "kind": null, "webhook_url": null} "#;
        assert_eq!(submission(body, None).delay, DEFAULT);
    }

    #[test]
    fn a_missing_name_is_told_in_hookme_s_words_and_username_comes_first() {
        for body in [
            "{}",
            r#"{"username": null}"#,
            r#"{"username": 7, "repository": "b"}"#,
            r#"{"username": false, "repository": ".."}"#,
            r#"{"username": ["a"], "repository": null}"#,
        ] {
            assert_eq!(refusal(body), "field username is required", "{body}");
        }
        for body in [
            r#"{"username": "a"}"#,
            r#"{"username": "a", "repository": null}"#,
            r#"{"username": "a", "repository": {}}"#,
        ] {
            assert_eq!(refusal(body), "field repository is required", "{body}");
        }
    }

    #[test]
    fn a_name_that_github_would_not_give_out_is_refused() {
        let (username, repository) = ("field username must be", "field repository must be");
        assert!(refusal(r#"{"username": "", "repository": "b"}"#).starts_with(username));
        assert!(refusal(r#"{"username": "a/b", "repository": "c"}"#).starts_with(username));
        assert!(refusal(r#"{"username": "a", "repository": "../x"}"#).starts_with(repository));
        assert!(refusal(r#"{"username": "a", "repository": "b\u0000"}"#).starts_with(repository));
    }

    #[test]
    fn only_one_json_object_is_a_body() {
        let nested = "[".repeat(10_000);
        for body in [
            "",
            "null",
            "\"a\"",
            // As many values as there are members.
            r#"["octocat", "hello-world", null, null, null]"#,
            "{",
            "{} {}",
            r#"{"username": "a", "username": "b", "repository": "c"}"#,
            r#"{"username": "a", "repository": "b"} trailing"#,
            &nested,
            &format!(r#"{{"x": {nested}"#),
        ] {
            assert!(
                refusal(body).starts_with("the body must be one JSON object"),
                "{body}"
            );
        }
        assert!(Wish::parse(b"{\"username\": \"\xff\"}").is_err());
    }

    #[test]
    fn a_delay_is_a_whole_number_up_to_30_days() {
        let body =
            |delay: &str| format!(r#"{{"username": "a", "repository": "b", "delay_ms": {delay}}}"#);
        for (delay, expected) in [("0", 0), ("1", 1), ("2592000000", 2_592_000_000)] {
            assert_eq!(
                submission(&body(delay), None).delay,
                Duration::from_millis(expected)
            );
        }
        for delay in [
            "-1",
            "2592000001",
            "1.5",
            "1e3",
            "\"1\"",
            "true",
            "[]",
            "18446744073709551616",
        ] {
            assert_eq!(
                refusal(&body(delay)),
                "field delay_ms must be a whole number of milliseconds from 0 to 2592000000",
                "{delay}"
            );
        }
    }

    #[test]
    fn an_unknown_kind_and_a_webhook_are_refused_and_not_ignored() {
        for kind in ["\"feedback\"", "\"REPORT\"", "1"] {
            let body = format!(r#"{{"username": "a", "repository": "b", "kind": {kind}}}"#);
            assert_eq!(refusal(&body), "field kind must be report");
        }
        let body = r#"{"username": "a", "repository": "b", "webhook_url": "https://example.com"}"#;
        assert!(refusal(body).starts_with("field webhook_url is not supported yet"));
    }

    #[test]
    fn hashes_are_sha_256_in_hexadecimal() {
        // FIPS 180-4's example.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256("abc"), expected);
        let body = r#"{"username": "a", "repository": "b"}"#;
        assert_eq!(
            submission(body, Some("abc")).idempotency.unwrap().key_hash,
            expected
        );
    }

    #[test]
    fn bodies_that_ask_for_the_same_have_one_hash() {
        let first = body_hash(r#"{"username": "OctoCat", "repository": "Hello"}"#);
        for same in [
            r#"{"repository":"hello","username":"octocat"}"#,
            r#"{"username": "octocat", "repository": "HELLO", "kind": "report", "x": 1}"#,
        ] {
            assert_eq!(body_hash(same), first, "{same}");
        }
        for other in [
            r#"{"username": "octocat", "repository": "hello2"}"#,
            r#"{"username": "octocat2", "repository": "hello"}"#,
            r#"{"username": "octocat", "repository": "hello", "delay_ms": 10800}"#,
        ] {
            assert_ne!(body_hash(other), first, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..256)) {
            prop_assert!(Wish::parse(&body).is_err());
        }

        #[test]
        fn bodies_have_one_hash_only_if_they_ask_for_the_same(
            a in ("[a-c]{1,2}", "[a-c._-]{1,3}", 0..3_u64),
            b in ("[a-c]{1,2}", "[a-c._-]{1,3}", 0..3_u64),
        ) {
            let body = |(username, repository, delay_ms): &(String, String, u64)| {
                serde_json::json!({"username": username, "repository": repository, "delay_ms": delay_ms}).to_string()
            };
            let parsed = [&a, &b].map(|wish| Wish::parse(body(wish).as_bytes()));
            if let [Ok(first), Ok(second)] = parsed {
                prop_assert_eq!(a == b, first.canonical() == second.canonical());
            }
        }
    }
}
