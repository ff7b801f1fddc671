//! What stays in Redis after a busy day.

use std::collections::HashSet;
use std::time::Duration;

use hookme_shared::queue::{Class, Resource, key_patterns};
use hookme_tests::by_hand;
use redis::AsyncCommands;

use super::answers::{answer, asker};
use super::crew::{Crew, USUAL, left};
use super::{HOUR, MINUTE, PATIENCE, TERM, ms};

/// What may stand without a TTL: what belongs to jobs, and the sums.
const LASTING: [&str; 8] = [
    "job",
    "history",
    "lock",
    "scheduled",
    "running",
    "wake",
    "stats",
    "report",
];

/// Which of the listed keys this is.
fn name_of(key: &str) -> Option<&'static str> {
    key_patterns()
        .filter(|(_, pattern)| !pattern.starts_with('<'))
        .find(|(_, pattern)| match pattern.split_once('<') {
            None => pattern == key,
            Some((fixed, _)) => key.strip_prefix(fixed).is_some_and(|rest| !rest.is_empty()),
        })
        .map(|(name, _)| name)
}

/// Every key of the crew's namespace with the name of its kind, if it has one, and
/// whether it has a TTL.
async fn all_keys(crew: &mut Crew) -> Vec<(String, Option<&'static str>, bool)> {
    let tag = crew.house.key("");
    let keys: Vec<String> = crew.redis.keys(format!("{tag}*")).await.unwrap();
    let mut all = Vec::new();
    for key in keys {
        let rest = key.strip_prefix(&tag).unwrap().to_owned();
        let ttl_ms: i64 = crew.redis.pttl(&key).await.unwrap();
        if rest != "clock" {
            // -2: it has gone meanwhile, which is what a TTL is for.
            all.push((rest.clone(), name_of(&rest), ttl_ms != -1));
        }
    }
    all
}

async fn an_hour(crew: &mut Crew, hour: u64) {
    for minute in 0..6 {
        for (worker, class) in [
            ("a", Class::Read),
            ("b", Class::Write),
            ("a", Class::Content),
        ] {
            let asked = crew.ask_for(worker, class, Resource::Core, PATIENCE).await;
            let Ok(start) = asked else { continue };
            crew.set(start.at_ms).await;
            match (hour % 4, minute) {
                (1, 3) => drop(crew.refused(&start, "all", None).await),
                (2, 3) => drop(crew.refused(&start, "content", Some(ms(MINUTE))).await),
                (3, 3) => drop(crew.refused(&start, "token", None).await),
                (0, 3) => {}
                _ => crew.answered(&start).await,
            }
            crew.told(left("core", 5_000, 4_000, HOUR)).await;
        }
        let (hash, kept) = (format!("answer-{hour}"), answer("\"1\"", 100));
        let asking = asker(&hash, &crew.identity.token, "us");
        let keep = hookme_shared::queue::Keep {
            ttl: ms(HOUR),
            max_bytes: 2_000,
        };
        let queue = crew.queue.clone();
        queue.github_look(&asking, TERM).await.unwrap();
        if minute == 0 {
            queue
                .github_keep(&asking, &keep, ms(MINUTE), &kept)
                .await
                .unwrap();
        }
        if minute < 5 {
            let confirmed = Some((&kept, ms(MINUTE)));
            queue
                .github_confirm(&asking, &keep, confirmed)
                .await
                .unwrap();
        }
        let name = (hour, ms(HOUR), "Ada".to_owned());
        queue
            .know_github_names("api.github.com", &[name])
            .await
            .unwrap();
        crew.pass(10 * MINUTE).await;
    }
}

#[tokio::test]
async fn after_a_busy_day_every_key_is_listed_and_has_a_ttl_unless_it_belongs_to_a_job() {
    let mut crew = Crew::new(USUAL).await;
    let mut seen = HashSet::new();
    for hour in 0..24 {
        if hour % 6 == 0 {
            crew.become_somebody_else();
        }
        let repository = format!("repository-{hour}");
        by_hand::submit(&crew.queue, &repository, Duration::ZERO)
            .await
            .unwrap();
        let known = crew
            .queue
            .know_github_identity("print", &crew.identity.name, ms(HOUR));
        known.await.unwrap();
        an_hour(&mut crew, hour).await;
        // Two who ask at once, so that one waits for its turn.
        crew.ask("a", Class::Read).await.ok();
        crew.ask("b", Class::Read).await.ok();
        for (key, name, has_ttl) in all_keys(&mut crew).await {
            let name = name.unwrap_or_else(|| panic!("{key}: no such key is listed"));
            assert!(has_ttl || LASTING.contains(&name), "{key} has no TTL");
            seen.insert(name);
        }
    }
    for (name, _) in key_patterns().filter(|(name, _)| name.starts_with("github_")) {
        assert!(
            seen.contains(name),
            "the day was not busy enough for a {name}"
        );
    }
}

/// Redis may have lost everything while a request was under way.
#[tokio::test]
async fn what_a_release_writes_where_nothing_is_known_has_a_ttl() {
    let mut crew = Crew::new(USUAL).await;
    let start = crew.read().await;
    let at = format!("github:limits:{}", crew.identity.name);
    let () = crew.redis.del(crew.house.key(&at)).await.unwrap();
    crew.refused(&start, "all", None).await;
    for (key, _, has_ttl) in all_keys(&mut crew).await {
        assert!(has_ttl, "{key} has no TTL");
    }
}

/// The list may have ended or been evicted before the answer.
#[tokio::test]
async fn what_a_confirmation_writes_where_no_list_is_has_a_ttl() {
    let mut crew = Crew::new(USUAL).await;
    let (us, kept) = (asker("h", "t", "us"), answer("\"1\"", 100));
    let keep = hookme_shared::queue::Keep {
        ttl: ms(HOUR),
        max_bytes: 2_000,
    };
    crew.queue
        .github_keep(&us, &keep, ms(MINUTE), &kept)
        .await
        .unwrap();
    let () = crew
        .redis
        .del(crew.house.key("github:answers"))
        .await
        .unwrap();
    let confirmed = Some((&kept, ms(MINUTE)));
    crew.queue
        .github_confirm(&us, &keep, confirmed)
        .await
        .unwrap();
    for (key, name, has_ttl) in all_keys(&mut crew).await {
        assert!(has_ttl || name == Some("stats"), "{key} has no TTL");
    }
}
