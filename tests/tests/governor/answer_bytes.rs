//! The room that all kept answers take together.

use std::collections::HashMap;

use hookme_shared::queue::{Keep, KeptAnswer, Looked};
use proptest::prelude::*;
use redis::AsyncCommands;

use super::answers::{answer, asker};
use super::crew::{Crew, OPEN};
use super::{HOUR, MINUTE, TERM, ms, run};

const TTL_MS: u64 = 24 * HOUR;
/// What an answer takes beside its parts; `lua/github_keep.lua` has the number.
const ANSWER_BYTES: u64 = 256;
/// As many answers as one call throws out: so each call makes the count exact.
const HASHES: u8 = 16;

fn room(max_bytes: u64) -> Keep {
    Keep {
        ttl: ms(TTL_MS),
        max_bytes,
    }
}

fn bytes_of(answer: &KeptAnswer) -> u64 {
    let words = [
        &answer.etag,
        &answer.last_modified,
        &answer.link,
        &answer.location,
    ];
    let words: usize = words.iter().map(|word| word.len()).sum();
    ANSWER_BYTES + (words + answer.body.len()) as u64
}

/// A crew, and when each answer and their list would be gone by their TTLs: Redis's
/// own clock does not follow the test's.
struct Cabinet {
    crew: Crew,
    gone_ms: HashMap<String, u64>,
}

impl Cabinet {
    async fn new() -> Self {
        Self {
            crew: Crew::new(OPEN).await,
            gone_ms: HashMap::new(),
        }
    }

    async fn pass(&mut self, ms: u64) {
        self.crew.pass(ms).await;
        let now_ms = self.crew.now_ms;
        let over = self.gone_ms.extract_if(|_, gone_ms| *gone_ms <= now_ms);
        for (key, _) in over.collect::<Vec<_>>() {
            let () = self
                .crew
                .redis
                .del(self.crew.house.key(&key))
                .await
                .unwrap();
        }
    }

    /// Notes what Redis would end when, as its TTLs say.
    async fn note(&mut self, hash: &str) {
        for key in [
            format!("github:answer:{hash}"),
            "github:answers".to_owned(),
            "github:sizes".to_owned(),
        ] {
            let ttl_ms: i64 = self
                .crew
                .redis
                .pttl(self.crew.house.key(&key))
                .await
                .unwrap();
            assert_ne!(ttl_ms, -1, "{key} has no TTL");
            // A TTL that was set just now has its whole length still.
            let whole_ms = i64::try_from(2 * TTL_MS).unwrap();
            if ttl_ms > whole_ms - 600_000 {
                self.gone_ms.insert(key, self.crew.now_ms + 2 * TTL_MS);
            }
        }
    }

    async fn keep(&mut self, hash: &str, answer: &KeptAnswer, max_bytes: u64) {
        let (us, room) = (asker(hash, "t", "us"), room(max_bytes));
        let kept = self.crew.queue.github_keep(&us, &room, ms(MINUTE), answer);
        kept.await.unwrap();
        self.note(hash).await;
    }

    async fn confirm(&mut self, hash: &str, answer: &KeptAnswer) {
        let (us, room) = (asker(hash, "t", "us"), room(0));
        let confirmed = Some((answer, ms(MINUTE)));
        let renewed = self.crew.queue.github_confirm(&us, &room, confirmed);
        renewed.await.unwrap();
        self.note(hash).await;
    }

    async fn holds(&self, hash: &str) -> bool {
        let us = asker(hash, "t", "us");
        let looked = self.crew.queue.github_look(&us, TERM).await.unwrap();
        matches!(looked, Looked::Fresh(_) | Looked::Stale(_))
    }

    /// The bytes that the answers in Redis take.
    async fn real_bytes(&mut self) -> u64 {
        let pattern = self.crew.house.key("github:answer:*");
        let keys: Vec<String> = self.crew.redis.keys(pattern).await.unwrap();
        let mut bytes = 0;
        for key in keys {
            let parts: HashMap<String, Vec<u8>> = self.crew.redis.hgetall(key).await.unwrap();
            let sized = ["etag", "last_modified", "link", "location", "body"];
            bytes += sized
                .iter()
                .map(|part| parts[*part].len() as u64)
                .sum::<u64>();
            bytes += ANSWER_BYTES;
        }
        bytes
    }

    async fn counted_bytes(&self) -> u64 {
        self.crew.queue.counts().await.unwrap().github_answer_bytes
    }
}

#[tokio::test]
async fn the_oldest_answers_make_room_for_the_newest() {
    let mut cabinet = Cabinet::new().await;
    let kept = answer("\"1\"", 500);
    let most = 3 * bytes_of(&kept);
    for hash in ["a", "b", "c"] {
        cabinet.keep(hash, &kept, most).await;
        cabinet.pass(1).await;
    }
    cabinet.confirm("a", &kept).await;
    cabinet.pass(1).await;
    cabinet.keep("d", &kept, most).await;
    for (hash, holds) in [("a", true), ("b", false), ("c", true), ("d", true)] {
        assert_eq!(cabinet.holds(hash).await, holds, "{hash}");
    }
    assert_eq!(cabinet.counted_bytes().await, most);
}

#[tokio::test]
async fn an_answer_that_is_too_large_drives_out_only_its_own_forerunner() {
    let mut cabinet = Cabinet::new().await;
    let kept = answer("\"1\"", 500);
    let most = 2 * bytes_of(&kept);
    cabinet.keep("a", &kept, most).await;
    cabinet.keep("b", &kept, most).await;
    cabinet.keep("a", &answer("\"2\"", 2_000), most).await;
    assert!(!cabinet.holds("a").await && cabinet.holds("b").await);
    assert_eq!(cabinet.counted_bytes().await, bytes_of(&kept));
}

#[tokio::test]
async fn nothing_is_kept_where_there_is_no_room_at_all() {
    let mut cabinet = Cabinet::new().await;
    cabinet.keep("a", &answer("\"1\"", 0), 0).await;
    assert!(!cabinet.holds("a").await);
    assert_eq!(cabinet.counted_bytes().await, 0);
}

/// Nobody came for days, so the answer's own TTL ended it before the list did.
#[tokio::test]
async fn an_answer_that_ended_by_itself_is_not_counted_any_longer() {
    let mut cabinet = Cabinet::new().await;
    let kept = answer("\"1\"", 500);
    cabinet.keep("a", &kept, 1_000_000).await;
    cabinet.pass(TTL_MS - 1).await;
    cabinet.keep("b", &kept, 1_000_000).await;
    cabinet.pass(TTL_MS + HOUR).await;
    cabinet.keep("c", &kept, 1_000_000).await;
    let real = cabinet.real_bytes().await;
    assert_eq!(
        (cabinet.counted_bytes().await, real),
        (bytes_of(&kept), bytes_of(&kept))
    );
}

#[derive(Debug, Clone)]
enum Step {
    Keep { hash: u8, body_bytes: usize },
    Confirm(u8),
    Look(u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![4 => 0_usize..3_000, 1 => Just(20_000_usize)];
    let pass = prop_oneof![
        4 => 0_u64..HOUR,
        1 => Just(TTL_MS - 1),
        1 => Just(TTL_MS),
        1 => Just(2 * TTL_MS),
    ];
    prop_oneof![
        6 => (0_u8..HASHES, size).prop_map(|(hash, body_bytes)| Step::Keep { hash, body_bytes }),
        2 => (0_u8..HASHES).prop_map(Step::Confirm),
        1 => (0_u8..HASHES).prop_map(Step::Look),
        2 => pass.prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_bound_holds_whatever_is_kept_and_the_counted_bytes_are_those_that_are_there(
        max_bytes in prop_oneof![Just(10_000_u64), Just(40_000)],
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        run(async {
            let mut cabinet = Cabinet::new().await;
            for step in &steps {
                match step {
                    Step::Keep { hash, body_bytes } => {
                        let kept = answer("\"1\"", *body_bytes);
                        cabinet.keep(&hash.to_string(), &kept, max_bytes).await;
                        let (counted, real) = (cabinet.counted_bytes().await, cabinet.real_bytes().await);
                        assert_eq!(counted, real, "after {step:?}");
                        assert!(real <= max_bytes, "{real}");
                    }
                    Step::Confirm(hash) => {
                        cabinet.confirm(&hash.to_string(), &answer("\"1\"", 0)).await;
                    }
                    Step::Look(hash) => drop(cabinet.holds(&hash.to_string()).await),
                    Step::Pass(ms) => cabinet.pass(*ms).await,
                }
            }
        });
    }
}

#[tokio::test]
async fn more_answers_than_one_call_throws_out_never_exceed_the_bound() {
    let mut cabinet = Cabinet::new().await;
    for index in 0..60 {
        cabinet
            .keep(&format!("small-{index}"), &answer("\"1\"", 100), 100_000)
            .await;
    }
    let large = answer("\"2\"", 30_000);
    // The bound was lowered, and there is much to throw out.
    for _ in 0..5 {
        cabinet.keep("large", &large, 31_000).await;
        assert_eq!(cabinet.counted_bytes().await, cabinet.real_bytes().await);
    }
    assert!(cabinet.holds("large").await);
    assert!(cabinet.real_bytes().await <= 31_000);
}
