//! Where canaries are looked for.

use std::fmt::Write;
use std::path::Path;

use hookme_tests::Site;
use redis::Value;
use redis::aio::MultiplexedConnection;

use super::{CLIENTS_URL, canaries};

/// A secret that was given to the programs.
pub(super) struct Canary {
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// The canaries in a text, with the line that each is in.
pub(super) fn found_in(place: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        for canary in canaries() {
            if line.contains(&canary.text) {
                found.push(format!("{} in {place}: {line}", canary.name));
            }
        }
    }
    found
}

/// Every key of Redis with what it holds, a line each. The one field that holds a
/// client's URL whole, by design, is left out.
pub(super) async fn everything_in_redis(connection: &mut MultiplexedConnection) -> String {
    let keys: Vec<String> = ask(connection, &["KEYS", "*"]).await;
    let mut all = String::new();
    for key in keys {
        let kind: String = ask(connection, &["TYPE", &key]).await;
        let command: &[&str] = match &*kind {
            "string" => &["GET", &key],
            "hash" => &["HGETALL", &key],
            "list" => &["LRANGE", &key, "0", "-1"],
            "set" => &["SMEMBERS", &key],
            "zset" => &["ZRANGE", &key, "0", "-1", "WITHSCORES"],
            // It went away in between.
            "none" => continue,
            other => panic!("{key} is a {other}, which this test cannot read"),
        };
        let mut value: Value = ask(connection, command).await;
        if key.starts_with("{hookme}:job:") {
            value = without_field(value, "webhook_url");
        }
        let mut shown = Vec::new();
        flatten(&value, &mut shown);
        writeln!(all, "{key} {}", String::from_utf8_lossy(&shown)).unwrap();
    }
    all
}

async fn ask<T: redis::FromRedisValue>(
    connection: &mut MultiplexedConnection,
    words: &[&str],
) -> T {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(connection).await.unwrap()
}

/// A hash without one field.
fn without_field(hash: Value, field: &str) -> Value {
    let Value::Array(members) = hash else {
        panic!("{hash:?} is no hash");
    };
    let is_it = |pair: &[Value]| pair[0] == Value::BulkString(field.as_bytes().to_vec());
    let pairs = members.chunks(2).filter(|pair| !is_it(pair));
    Value::Array(pairs.flatten().cloned().collect())
}

/// All bytes of a reply, with a space before each part and no line's end in them.
fn flatten(value: &Value, shown: &mut Vec<u8>) {
    match value {
        Value::BulkString(bytes) => {
            shown.push(b' ');
            shown.extend(bytes.iter().map(|byte| match byte {
                b'\n' => b' ',
                byte => *byte,
            }));
        }
        Value::Array(parts) => parts.iter().for_each(|part| flatten(part, shown)),
        Value::Nil => {}
        other => panic!("{other:?} is no stored value"),
    }
}

/// All files of a directory and those below it, as text.
fn files_below(directory: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &files_below(&path);
        } else {
            text += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
        }
    }
    text
}

/// Fails if a canary is in a log, in Redis, in its files, or in what the API and the
/// operators' listeners were heard to say.
pub(super) async fn assert_nothing_left(site: &Site, heard: &str) {
    let mut found = found_in("what was answered", heard);
    for program in site.workers.iter().chain([&site.api]) {
        let log = program.log();
        assert!(log.contains("taking "), "no log: {log}");
        found.extend(found_in("a log", &log));
    }
    // The API has nothing to say so low; its level is the worker's.
    let log = site.workers[0].log();
    assert!(log.contains("TRACE"), "not everything is logged: {log}");
    let mut connection = site.connection().await.unwrap();
    let stored = everything_in_redis(&mut connection).await;
    assert!(stored.contains("{hookme}:job:"), "{stored}");
    found.extend(found_in("Redis", &stored));
    let files = files_below(site.redis.dir());
    assert!(files.contains("{hookme}:job:"), "Redis wrote no file");
    let mut in_files = found_in("a file of Redis", &files);
    // The field that was left out above was written there too.
    in_files.retain(|line| !line.starts_with(CLIENTS_URL));
    found.extend(in_files);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
