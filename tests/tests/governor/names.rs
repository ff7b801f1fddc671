//! The names that accounts show, believed for a while and so many at most.

use super::crew::{Crew, OPEN};
use super::{MINUTE, ms};

const HOST: &str = "api.github.com";
/// `lua/github_name.lua` has the number.
const NAMES_MAX: u64 = 100_000;

fn name(id: u64, believed_ms: u64) -> (u64, std::time::Duration, String) {
    (id, ms(believed_ms), format!("Ada {id}\nLovelace"))
}

#[tokio::test]
async fn a_name_is_believed_until_its_time_is_over() {
    let mut crew = Crew::new(OPEN).await;
    let names = [name(1, MINUTE), name(2, 2 * MINUTE)];
    crew.queue.know_github_names(HOST, &names).await.unwrap();
    let (first, second) = (Some(names[0].2.clone()), Some(names[1].2.clone()));
    for (after_ms, expected) in [
        (0, [second.clone(), None, first.clone()]),
        (MINUTE - 1, [second.clone(), None, first]),
        (1, [second.clone(), None, None]),
        (MINUTE - 1, [second, None, None]),
        (1, [None, None, None]),
    ] {
        crew.pass(after_ms).await;
        let known = crew.queue.github_names(HOST, &[2, 3, 1]).await.unwrap();
        assert_eq!(known, expected);
    }
}

#[tokio::test]
async fn a_newer_name_takes_the_place_of_an_older_one_and_hosts_do_not_share() {
    let crew = Crew::new(OPEN).await;
    for shown in ["Old", "New"] {
        let names = [(1, ms(MINUTE), shown.to_owned())];
        crew.queue.know_github_names(HOST, &names).await.unwrap();
    }
    let known = crew.queue.github_names(HOST, &[1]).await.unwrap();
    assert_eq!(known, [Some("New".to_owned())]);
    let other = crew.queue.github_names("ghe.example", &[1]).await.unwrap();
    assert_eq!(other, [None]);
}

#[tokio::test]
async fn more_names_than_one_command_takes_are_answered_in_their_order() {
    let crew = Crew::new(OPEN).await;
    let even: Vec<_> = (0..2_500).map(|id| name(2 * id, MINUTE)).collect();
    crew.queue.know_github_names(HOST, &even).await.unwrap();
    let ids: Vec<u64> = (0..5_000).collect();
    let known = crew.queue.github_names(HOST, &ids).await.unwrap();
    for (id, known) in ids.iter().zip(known) {
        assert_eq!(known, (id % 2 == 0).then(|| name(*id, 0).2));
    }
}

#[tokio::test]
async fn no_more_names_are_kept_than_there_is_room_for_however_many_come_at_once() {
    let crew = Crew::new(OPEN).await;
    let names: Vec<_> = (0..NAMES_MAX + 3_000).map(|id| name(id, MINUTE)).collect();
    for some in names.chunks(5_000) {
        crew.queue.know_github_names(HOST, some).await.unwrap();
        let at = crew.house.key(&format!("github:names:{HOST}"));
        let mut count = redis::cmd("HLEN");
        let kept: u64 = count
            .arg(at)
            .query_async(&mut crew.redis.clone())
            .await
            .unwrap();
        assert!(kept <= NAMES_MAX, "{kept}");
    }
}
