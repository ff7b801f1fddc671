//! What holds for every answer, whatever its numbers.

use std::time::{SystemTime, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

/// An answer whose times can all be moved by the same span.
#[derive(Debug, Clone)]
struct Shape {
    status: u16,
    body: String,
    remaining: Option<u64>,
    /// From the answer's `Date`, in seconds.
    reset: Option<i64>,
    retry_seconds: Option<u64>,
    /// The same, but told as an HTTP date and only if there are no seconds.
    retry_date: Option<i64>,
    marked: bool,
}

impl Shape {
    fn headers(&self, dated: bool, moved_by: u64) -> HeaderMap {
        let at = |offset: i64| (DATE_SECONDS + moved_by).saturating_add_signed(offset);
        let http =
            |seconds: u64| httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
        let retry = self.retry_seconds.map(|seconds| seconds.to_string());
        let retry = retry.or_else(|| self.retry_date.map(|offset| http(at(offset))));
        let told = [
            ("date", dated.then(|| http(at(0)))),
            (
                "x-ratelimit-remaining",
                self.remaining.map(|count| count.to_string()),
            ),
            (
                "x-ratelimit-reset",
                self.reset.map(|offset| at(offset).to_string()),
            ),
            ("retry-after", retry),
            ("gh-limited-by", self.marked.then(|| "x".to_owned())),
        ];
        let told: Vec<_> = told
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
            .collect();
        headers(&told)
    }

    fn read(
        &self,
        dated: bool,
        moved_by: u64,
    ) -> (Result<Reading, Refusal>, Result<GraphqlReading, Refusal>) {
        let status = StatusCode::from_u16(self.status).unwrap();
        let (headers, body) = (self.headers(dated, moved_by), self.body.as_bytes());
        let rest = read("x", Call::Create, status, &headers, body);
        (rest, read_graphql("x", status, &headers, body))
    }

    /// The refusals that the two readings hold.
    fn refusals(&self, dated: bool) -> Vec<Refusal> {
        let (rest, graphql) = self.read(dated, 0);
        rest.err().into_iter().chain(graphql.err()).collect()
    }
}

fn body() -> impl Strategy<Value = String> {
    let haste = r#"{"message":"was submitted too quickly"}"#;
    let bodies = [
        SECONDARY, CONTENT, PRIMARY, LOGINS, TOO_LARGE, haste, "{}", "<html>",
    ];
    proptest::sample::select(bodies.map(str::to_owned).to_vec())
}

fn shape() -> impl Strategy<Value = Shape> {
    let status = proptest::sample::select(vec![200_u16, 401, 403, 403, 429, 422, 404, 503]);
    let seconds = || prop_oneof![-5_i64..70, -5_000_i64..200_000];
    (
        (status, body(), any::<bool>()),
        option::of(prop_oneof![Just(0_u64), 0_u64..6_000]),
        option::of(seconds()),
        option::of(prop_oneof![0_u64..5, 0_u64..200_000, any::<u64>()]),
        option::of(seconds()),
    )
        .prop_map(
            |((status, body, marked), remaining, reset, retry_seconds, retry_date)| Shape {
                status,
                body,
                remaining,
                reset,
                retry_seconds,
                retry_date,
                marked,
            },
        )
}

fn header_value() -> impl Strategy<Value = Vec<u8>> {
    let digits = "[0-9]{0,20}".prop_map(String::into_bytes);
    prop_oneof![digits, vec(b' '..=b'~', 0..40), vec(0x80_u8..=0xff, 1..40)]
}

proptest! {
    #[test]
    fn a_named_wait_lies_between_a_second_and_a_day(shape in shape(), dated: bool) {
        for refusal in shape.refusals(dated) {
            if let Some(wait) = refusal.wait {
                let bounds = Duration::from_secs(1)..=Duration::from_secs(86_400);
                prop_assert!(bounds.contains(&wait), "{wait:?}");
            }
        }
    }

    #[test]
    fn a_reset_counts_for_nothing_while_requests_remain(shape in shape(), left in 1_u64..9_999) {
        let told = Shape { remaining: Some(left), ..shape };
        let untold = Shape { reset: None, ..told.clone() };
        prop_assert_eq!(told.read(true, 0), untold.read(true, 0));
    }

    #[test]
    fn without_retry_after_a_secondary_limit_names_no_wait_below_a_minute(shape in shape()) {
        let shape = Shape { retry_seconds: None, retry_date: None, ..shape };
        for refusal in shape.refusals(true) {
            if matches!(refusal.limit, Limit::Secondary | Limit::Content) {
                prop_assert!(refusal.wait.is_none_or(|wait| wait >= PAUSE_MIN), "{refusal:?}");
            }
        }
    }

    #[test]
    fn secondary_words_win_over_every_header(
        shape in shape(), limited in prop_oneof![Just(403_u16), Just(429)], dated: bool,
    ) {
        for (body, limit) in [(SECONDARY, Limit::Secondary), (CONTENT, Limit::Content)] {
            let shape = Shape { status: limited, body: body.to_owned(), ..shape.clone() };
            let limits: Vec<_> = shape.refusals(dated).into_iter().map(|refusal| refusal.limit).collect();
            prop_assert_eq!(limits, [limit.clone(), limit]);
        }
    }

    #[test]
    fn moving_all_times_alike_changes_nothing(shape in shape(), moved_by in 0_u64..1_000_000_000) {
        prop_assert_eq!(shape.read(true, 0), shape.read(true, moved_by));
        let budget = |moved_by| {
            let mut headers = shape.headers(true, moved_by);
            headers.extend(super::headers(&[("x-ratelimit-limit", "60"), ("x-ratelimit-resource", "core")]));
            super::super::budget(&headers)
        };
        prop_assert_eq!(budget(0), budget(moved_by));
    }

    #[test]
    fn no_answer_panics_and_every_reason_is_one_line(
        status in 100_u16..600, body: Vec<u8>, values in vec(header_value(), 9), create: bool,
    ) {
        let names = [
            "retry-after", "x-ratelimit-reset", "x-ratelimit-remaining", "x-ratelimit-limit", "date",
            "x-ratelimit-resource", "x-github-request-id", "location", "content-type",
        ];
        let pairs = names.iter().zip(&values).map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap())
        });
        let headers: HeaderMap = pairs.collect();
        let status = StatusCode::from_u16(status).unwrap();
        let call = if create { Call::Create } else { Call::Read };
        drop((super::super::budget(&headers), read_graphql("x", status, &headers, &body)));
        let reason = match read("x", call, status, &headers, &body) {
            Ok(Reading::Final { reason } | Reading::Later { reason, .. }) => reason,
            Err(refusal) => refusal.reason,
            Ok(Reading::Body | Reading::Created | Reading::Empty | Reading::Unchanged
                | Reading::Moved { .. } | Reading::TooLarge) => String::new(),
        };
        prop_assert!(!reason.chars().any(char::is_control), "{reason:?}");
    }

    #[test]
    fn any_number_in_a_header_is_read_without_overflow(reset: u64, remaining in 0_u64..2, asked: u64) {
        let (reset, remaining, asked) = (reset.to_string(), remaining.to_string(), asked.to_string());
        let told = [
            DATE, ("x-ratelimit-reset", reset.as_str()), ("x-ratelimit-remaining", &remaining), ("retry-after", &asked),
        ];
        prop_assert!(refused(403, &told, SECONDARY).wait.is_some());
        let reset_in = super::super::budget(&headers(&told)).map(|budget| budget.reset_in);
        prop_assert!(reset_in.is_none_or(|span| span <= Duration::from_secs(86_400)));
    }
}

#[test]
fn the_date_of_the_examples_is_what_it_says() {
    let date: SystemTime = httpdate::parse_http_date(DATE.1).unwrap();
    assert_eq!(date, UNIX_EPOCH + Duration::from_secs(DATE_SECONDS));
}
