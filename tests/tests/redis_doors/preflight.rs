//! A right that is missing is named at the start.

use hookme_shared::queue::Role;
use redis::aio::MultiplexedConnection;

use super::users::{Guarded, line_of, queue, send};

/// The rights of a user's line that can be missed: its keys and its commands.
fn rights_of(user: &str) -> Vec<String> {
    let line = line_of(user);
    let rights = line.split(' ').filter(|word| word.starts_with(['~', '+']));
    rights.map(str::to_owned).collect()
}

/// Gives `user` the password of the tests and these rights, and no other.
async fn set_rights(admin: &mut MultiplexedConnection, user: &str, rights: &[&String]) {
    let words = rights.iter().map(|right| right.as_str());
    let words = words.collect::<Vec<_>>().join(" ");
    let command = format!("ACL SETUSER {user} resetkeys -@all {words}");
    send(admin, &command).await.unwrap();
}

#[tokio::test]
async fn each_right_that_is_taken_away_is_named_alone_with_the_command_that_gives_it_back() {
    let guarded = Guarded::start().await;
    let mut admin = guarded.redis.connection().await.unwrap();
    queue(guarded.redis.url()).load_functions().await.unwrap();
    for (user, role) in [("hookme_api", Role::Api), ("hookme_worker", Role::Worker)] {
        let own = queue(guarded.url_of(user));
        let rights = rights_of(user);
        assert!(rights.len() > 20, "{rights:?}");
        for missed in &rights {
            let others: Vec<_> = rights.iter().filter(|right| *right != missed).collect();
            set_rights(&mut admin, user, &others).await;
            let missing = own.missing_rights(role).await.unwrap();
            // Without the namespace's own key nothing can be asked about the others.
            let named = match &**missed {
                "~{hookme}" => vec!["~{hookme}", "~{hookme}:*"],
                alone => vec![alone],
            };
            assert_eq!(missing, named, "{user}");
            let complaints = own.complaints(role).await.unwrap();
            assert_eq!(complaints.len(), 1, "{complaints:?}");
            let remedy = format!("ACL SETUSER {user} {}", named.join(" "));
            assert!(
                complaints[0].forbids_start(false) && complaints[0].text.ends_with(&remedy),
                "{complaints:?}"
            );
            // The remedy is one.
            send(&mut admin, &remedy).await.unwrap();
            assert_eq!(own.missing_rights(role).await.unwrap(), [""; 0], "{missed}");
        }
    }
}

#[tokio::test]
async fn all_rights_that_are_missing_are_named_together() {
    let guarded = Guarded::start().await;
    let mut admin = guarded.redis.connection().await.unwrap();
    queue(guarded.redis.url()).load_functions().await.unwrap();
    let rights = ["~{hookme}", "+fcall", "+get", "+set"].map(str::to_owned);
    set_rights(&mut admin, "hookme_worker", &rights.each_ref()).await;
    let own = queue(guarded.url_of("hookme_worker"));
    let missing = own.missing_rights(Role::Worker).await.unwrap();
    let expected = rights_of("hookme_worker");
    let (mut missing, mut expected): (Vec<_>, Vec<_>) = (
        missing,
        expected
            .into_iter()
            .filter(|right| !rights.contains(right))
            .collect(),
    );
    missing.sort();
    expected.sort();
    assert_eq!(missing, expected);
}

#[tokio::test]
async fn a_user_who_may_only_read_the_keys_lacks_them() {
    let guarded = Guarded::start().await;
    let mut admin = guarded.redis.connection().await.unwrap();
    queue(guarded.redis.url()).load_functions().await.unwrap();
    let command = "ACL SETUSER hookme_api resetkeys ~{hookme} %R~{hookme}:*";
    send(&mut admin, command).await.unwrap();
    let own = queue(guarded.url_of("hookme_api"));
    let missing = own.missing_rights(Role::Api).await.unwrap();
    assert_eq!(missing, ["~{hookme}:*"]);
}

#[tokio::test]
async fn a_user_who_may_do_everything_lacks_nothing_and_nothing_is_written_to_find_out() {
    let guarded = Guarded::start().await;
    let own = queue(guarded.redis.url());
    for role in [Role::Api, Role::Worker] {
        assert_eq!(own.missing_rights(role).await.unwrap(), [""; 0]);
    }
    let mut admin = guarded.redis.connection().await.unwrap();
    let size: u64 = redis::cmd("DBSIZE").query_async(&mut admin).await.unwrap();
    assert_eq!(size, 0);
}
