//! Answers of GitHub that are kept for all workers.

use std::time::Duration;

use hookme_shared::queue::{Asker, Keep, KeptAnswer, Looked};
use hookme_tests::eventually;
use redis::AsyncCommands;

use super::crew::{Crew, OPEN};
use super::{HOUR, MINUTE, SECOND, TERM, ms};

pub(crate) const KEEP: Keep = Keep {
    ttl: Duration::from_secs(24 * 60 * 60),
    max_bytes: 1_000_000,
};
const DAY: u64 = 24 * HOUR;

pub(crate) fn asker(hash: &str, token: &str, name: &str) -> Asker {
    Asker {
        hash: hash.to_owned(),
        token: token.to_owned(),
        name: name.to_owned(),
    }
}

pub(crate) fn answer(etag: &str, body_bytes: usize) -> KeptAnswer {
    KeptAnswer {
        status: 200,
        etag: etag.to_owned(),
        last_modified: "Tue, 14 Nov 2023 22:13:20 GMT".to_owned(),
        link: "<https://api.github.com/x?page=2>; rel=\"next\"".to_owned(),
        location: String::new(),
        body: vec![0xff; body_bytes],
    }
}

/// Keeps an answer that is fresh for a minute.
async fn keep(crew: &Crew, asker: &Asker, keep: &Keep, answer: &KeptAnswer) {
    let kept = crew.queue.github_keep(asker, keep, ms(MINUTE), answer);
    kept.await.unwrap();
}

async fn look(crew: &Crew, asker: &Asker) -> Looked {
    crew.queue.github_look(asker, TERM).await.unwrap()
}

#[tokio::test]
async fn an_answer_is_fresh_within_its_time_and_for_the_token_that_got_it_only() {
    let mut crew = Crew::new(OPEN).await;
    let (ours, theirs) = (asker("h", "token-1", "us"), asker("h", "token-2", "them"));
    let kept = answer("\"1\"", 100);
    keep(&crew, &ours, &KEEP, &kept).await;
    for (token, other) in [("token-2", "x"), ("", "y")] {
        let other = asker("h", token, other);
        assert_eq!(look(&crew, &other).await, Looked::Stale(kept.clone()));
        crew.queue
            .github_confirm(&other, &KEEP, None)
            .await
            .unwrap();
    }
    crew.pass(MINUTE - 1).await;
    assert_eq!(look(&crew, &ours).await, Looked::Fresh(kept.clone()));
    crew.pass(1).await;
    assert_eq!(look(&crew, &ours).await, Looked::Stale(kept));
    assert_eq!(look(&crew, &theirs).await, Looked::Asked);
    let missing = look(&crew, &asker("another", "token-1", "us")).await;
    assert_eq!(missing, Looked::Missing);
}

#[tokio::test]
async fn an_answer_that_cannot_be_confirmed_is_asked_for_anew_when_it_is_old() {
    let crew = Crew::new(OPEN).await;
    let bare = KeptAnswer {
        status: 404,
        ..KeptAnswer::default()
    };
    let ours = asker("h", "token-1", "us");
    keep(&crew, &ours, &KEEP, &bare).await;
    assert_eq!(look(&crew, &ours).await, Looked::Fresh(bare));
    let theirs = asker("h", "token-2", "them");
    assert_eq!(look(&crew, &theirs).await, Looked::Missing);
}

#[tokio::test]
async fn of_all_who_look_one_asks_until_it_is_done() {
    let crew = Crew::new(OPEN).await;
    let (first, second) = (asker("h", "t", "first"), asker("h", "t", "second"));
    assert_eq!(look(&crew, &first).await, Looked::Missing);
    assert_eq!(look(&crew, &second).await, Looked::Asked);
    assert_eq!(look(&crew, &first).await, Looked::Missing);
    // Who does not ask cannot end the asking.
    crew.queue
        .github_confirm(&second, &KEEP, None)
        .await
        .unwrap();
    assert_eq!(look(&crew, &second).await, Looked::Asked);
    crew.queue
        .github_confirm(&first, &KEEP, None)
        .await
        .unwrap();
    assert_eq!(look(&crew, &second).await, Looked::Missing);
    let kept = answer("\"1\"", 10);
    keep(&crew, &second, &KEEP, &kept).await;
    assert_eq!(look(&crew, &first).await, Looked::Fresh(kept.clone()));
    let other = asker("h", "u", "other");
    assert_eq!(look(&crew, &other).await, Looked::Stale(kept));
}

#[tokio::test]
async fn after_the_term_of_an_asker_that_is_lost_the_next_one_asks() {
    let crew = Crew::new(OPEN).await;
    let lost = asker("h", "t", "lost");
    let looked = crew.queue.github_look(&lost, ms(30)).await.unwrap();
    assert_eq!(looked, Looked::Missing);
    let next = asker("h", "t", "next");
    let deadline = Duration::from_secs(30);
    eventually(deadline, "the asker's term", async || {
        match look(&crew, &next).await {
            Looked::Missing => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
    // By then the lost one cannot end what is no longer its asking.
    crew.queue.github_confirm(&lost, &KEEP, None).await.unwrap();
    assert_eq!(look(&crew, &lost).await, Looked::Asked);
}

#[tokio::test]
async fn an_answer_that_github_confirmed_holds_on_for_the_one_who_asked() {
    let mut crew = Crew::new(OPEN).await;
    let (ours, theirs) = (asker("h", "token-1", "us"), asker("h", "token-2", "them"));
    let kept = answer("\"1\"", 100);
    keep(&crew, &ours, &KEEP, &kept).await;
    crew.pass(HOUR).await;
    let confirmed = Some((&kept, ms(MINUTE)));
    crew.queue
        .github_confirm(&theirs, &KEEP, confirmed)
        .await
        .unwrap();
    crew.pass(MINUTE - 1).await;
    assert_eq!(look(&crew, &theirs).await, Looked::Fresh(kept.clone()));
    assert_eq!(look(&crew, &ours).await, Looked::Stale(kept));
}

#[tokio::test]
async fn only_the_very_answer_that_was_confirmed_is_renewed() {
    let mut crew = Crew::new(OPEN).await;
    let ours = asker("h", "token-1", "us");
    let replacement = answer("\"2\"", 100);
    keep(&crew, &ours, &KEEP, &replacement).await;
    crew.pass(HOUR).await;
    let other_time = KeptAnswer {
        last_modified: "Mon, 13 Nov 2023 22:13:20 GMT".to_owned(),
        ..replacement.clone()
    };
    for other in [answer("\"1\"", 100), other_time] {
        let confirmed = Some((&other, ms(MINUTE)));
        crew.queue
            .github_confirm(&ours, &KEEP, confirmed)
            .await
            .unwrap();
        assert_eq!(look(&crew, &ours).await, Looked::Stale(replacement.clone()));
    }
    let gone = asker("gone", "token-1", "us");
    let confirmed = Some((&replacement, ms(MINUTE)));
    crew.queue
        .github_confirm(&gone, &KEEP, confirmed)
        .await
        .unwrap();
    assert_eq!(look(&crew, &gone).await, Looked::Missing);
}

#[tokio::test]
async fn what_nobody_confirmed_for_its_ttl_goes_when_the_next_answer_comes() {
    let mut crew = Crew::new(OPEN).await;
    let (old, renewed) = (asker("old", "t", "x"), asker("renewed", "t", "x"));
    let kept = answer("\"1\"", 100);
    keep(&crew, &old, &KEEP, &kept).await;
    keep(&crew, &renewed, &KEEP, &kept).await;
    crew.pass(SECOND).await;
    let confirmed = Some((&kept, ms(MINUTE)));
    crew.queue
        .github_confirm(&renewed, &KEEP, confirmed)
        .await
        .unwrap();
    crew.pass(DAY - SECOND).await;
    keep(&crew, &asker("new", "t", "x"), &KEEP, &kept).await;
    assert_eq!(look(&crew, &old).await, Looked::Missing);
    assert_eq!(look(&crew, &renewed).await, Looked::Stale(kept));
}

/// Else the list would end before what it lists, and the bound with it.
#[tokio::test]
async fn the_list_of_answers_lives_as_long_as_an_answer_that_was_confirmed() {
    let mut crew = Crew::new(OPEN).await;
    let (ours, kept) = (asker("h", "t", "us"), answer("\"1\"", 100));
    keep(&crew, &ours, &KEEP, &kept).await;
    let (list, one) = (
        crew.house.key("github:answers"),
        crew.house.key("github:answer:h"),
    );
    for key in [&list, &one] {
        let _: bool = crew.redis.pexpire(key, 60_000).await.unwrap();
    }
    let confirmed = Some((&kept, ms(MINUTE)));
    crew.queue
        .github_confirm(&ours, &KEEP, confirmed)
        .await
        .unwrap();
    let list_ms: i64 = crew.redis.pttl(&list).await.unwrap();
    let one_ms: i64 = crew.redis.pttl(&one).await.unwrap();
    assert!(
        one_ms > 60_000 && list_ms > one_ms - 10_000,
        "{list_ms} and {one_ms}"
    );
}
