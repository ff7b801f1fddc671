//! Lists and ranges in the functions: no command is given an empty list, and no range is
//! without an end.

use super::commands::files;

/// The functions of `prelude.lua` that give a command a list of any length.
const HELPERS: [&str; 4] = ["in_chunks", "delete_many", "read_fields", "read_many"];
/// What a call of Redis begins with; each way to call it ends in this.
const WAYS: [&str; 4] = ["call(", "look(", "put(", "put_for("];
/// The keys that `redis.call` may read and write: the sets that lead to all jobs, and a job's
/// record, which is read with `look` first. A value of another type under any other gives
/// way.
const NEEDED: [&str; 4] = ["scheduled", "running", "ended", "job"];
/// Commands that take a value of any type.
const TYPELESS: [&str; 5] = ["DEL", "EXISTS", "MGET", "PEXPIRE", "SET"];
/// Commands that read or remove what may be long and take no limit, and where it is short or
/// paid for before.
const BOUNDED_OTHERWISE: [(&str, &str, &str); 9] = [
    (
        "prelude",
        "HGETALL",
        "records of jobs and of what is known have few fields",
    ),
    (
        "counts",
        "HGETALL",
        "there are as many counters as kinds of event",
    ),
    ("claim", "ZREMRANGEBYSCORE", "each start is removed once"),
    (
        "destination_enter",
        "ZREMRANGEBYSCORE",
        "each lost delivery is removed once",
    ),
    (
        "github_acquire",
        "ZREMRANGEBYSCORE",
        "each request and worker is removed once",
    ),
    ("renew", "ZREMRANGEBYSCORE", "each worker is removed once"),
    ("moves", "ZREMRANGEBYRANK", "as many as were just read"),
    (
        "destination",
        "ZREMRANGEBYRANK",
        "as many as were just read",
    ),
    ("pull_request", "ZREMRANGEBYRANK", "one is added at a time"),
];

/// A call of Redis: its file without the ending, the command, and the other arguments.
struct Call {
    file: String,
    command: String,
    arguments: Vec<String>,
}

/// The arguments that begin `text`, up to the bracket that ends the call.
fn arguments(text: &str) -> Vec<String> {
    let (mut all, mut depth, mut is_text) = (vec![String::new()], 0_u32, false);
    for letter in text.chars() {
        is_text ^= letter == '\'';
        match letter {
            _ if is_text => {}
            ')' | '}' | ']' if depth == 0 => break,
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth -= 1,
            ',' if depth == 0 => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        all.last_mut().unwrap().push(letter);
    }
    all.iter().map(|one| one.trim().to_owned()).collect()
}

/// A file without its comments.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("--").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// The calls of Redis that a file makes itself.
fn calls_of(file: &str, text: &str) -> Vec<Call> {
    let code = code(text);
    let calls = WAYS.iter().flat_map(|way| code.split(way).skip(1));
    let read = calls.map(|rest| {
        let mut arguments = arguments(rest);
        Call {
            file: file.trim_end_matches(".lua").to_owned(),
            command: arguments.remove(0).trim_matches('\'').to_owned(),
            arguments,
        }
    });
    read.collect()
}

/// The calls of all files.
fn calls() -> Vec<Call> {
    let files = files("lua", "lua");
    files
        .iter()
        .flat_map(|(file, text)| calls_of(file, text))
        .collect()
}

/// Whether a list that may be empty is all that a command gets beside its key.
fn may_be_bare(call: &Call) -> bool {
    let list = call
        .arguments
        .iter()
        .position(|argument| argument.starts_with("unpack("));
    list.is_some_and(|place| place < 3)
}

/// Whether nothing says where a range ends.
fn is_endless(call: &Call) -> bool {
    let has = |word: &str| call.arguments.iter().any(|argument| argument == word);
    match &*call.command {
        "ZRANGE" if has("'BYSCORE'") => !has("'LIMIT'"),
        "ZRANGE" | "LRANGE" => {
            let (from, to) = (&call.arguments[1], &call.arguments[2]);
            to == "-1" && !from.starts_with('-')
        }
        "ZSCAN" | "HSCAN" | "SSCAN" | "SCAN" => !has("'COUNT'"),
        "HGETALL" | "HKEYS" | "HVALS" | "SMEMBERS" | "KEYS" | "SORT" | "ZREVRANGE"
        | "ZRANGEBYSCORE" | "ZREVRANGEBYSCORE" | "ZRANGEBYLEX" | "ZREMRANGEBYSCORE"
        | "ZREMRANGEBYLEX" | "ZREMRANGEBYRANK" | "ZUNIONSTORE" | "ZINTERSTORE" => true,
        _ => false,
    }
}

#[test]
fn no_command_is_given_a_list_that_may_be_empty_but_by_the_helpers() {
    let prelude = files("lua", "lua").remove("prelude.lua").unwrap();
    let mut in_helpers = 0;
    for helper in HELPERS {
        let (_, body) = prelude
            .split_once(&format!("local function {helper}("))
            .unwrap();
        let (body, _) = body.split_once("\nend").unwrap();
        assert!(body.contains("for first = "), "{helper} cuts no chunks");
        in_helpers += calls_of("prelude.lua", body)
            .iter()
            .filter(|call| may_be_bare(call))
            .count();
    }
    assert_eq!(in_helpers, HELPERS.len());
    let bare: Vec<String> = calls()
        .iter()
        .filter(|call| may_be_bare(call))
        .map(|call| format!("{}: {} {:?}", call.file, call.command, call.arguments))
        .collect();
    assert_eq!(bare.len(), in_helpers, "{bare:#?}");
    assert!(
        bare.iter().all(|call| call.starts_with("prelude:")),
        "{bare:#?}"
    );
}

#[test]
fn every_range_has_an_end() {
    let calls = calls();
    let ranges = calls.iter().filter(|call| call.command == "ZRANGE").count();
    assert!(ranges > 20, "{ranges} ranges");
    for call in calls.iter().filter(|call| is_endless(call)) {
        let spared = BOUNDED_OTHERWISE.iter().any(|(file, command, _)| {
            (call.file.as_str(), call.command.as_str()) == (*file, *command)
        });
        assert!(
            spared,
            "{}: {} {:?}",
            call.file, call.command, call.arguments
        );
    }
    for (file, command, why) in BOUNDED_OTHERWISE {
        let is_used = calls
            .iter()
            .any(|call| call.file == file && call.command == command);
        assert!(
            is_used && !why.is_empty(),
            "{file} uses no {command} any more"
        );
    }
}

/// The kind of key, `running` of `key.running(ns)`, that a call names itself.
fn key_of(call: &Call) -> Option<&str> {
    let (kind, _) = call
        .arguments
        .first()?
        .strip_prefix("key.")?
        .split_once('(')?;
    Some(kind)
}

#[test]
fn what_leads_to_one_thing_alone_is_read_and_written_so_that_another_type_gives_way() {
    let mut seen = 0;
    for (file, text) in files("lua", "lua") {
        let direct = code(&text).replace("call_many(", "redis.call(");
        for rest in direct.split("redis.call(").skip(1) {
            let mut arguments = arguments(rest);
            let command = arguments.remove(0).trim_matches('\'').to_owned();
            let call = Call {
                file: file.clone(),
                command,
                arguments,
            };
            let Some(kind) = key_of(&call) else { continue };
            seen += 1;
            assert!(
                TYPELESS.contains(&&*call.command) || NEEDED.contains(&kind),
                "{file}: {} {:?}: look or put",
                call.command,
                call.arguments
            );
        }
    }
    assert!(seen > 20, "{seen} calls");
}

#[test]
fn what_is_looked_for_is_found() {
    let bare = [
        "redis.call('HDEL', at, unpack(gone))",
        "redis.call('DEL', unpack(keys(1, 2)))",
        "look('HMGET', key.job(ns, id), unpack(fields))",
        "put('HDEL', at, unpack(gone))",
    ];
    for text in bare {
        assert!(calls_of("x.lua", text).iter().any(may_be_bare), "{text}");
    }
    for text in [
        "redis.call('HSET', at, 'a', 1, unpack(more))",
        "call_many('HDEL', at, gone, 1)",
    ] {
        assert!(!calls_of("x.lua", text).iter().any(may_be_bare), "{text}");
    }
    let endless = [
        "redis.call('ZRANGE', key.running(ns), 0, -1)",
        "redis.call('ZRANGE', set, '-inf', at_ms, 'BYSCORE')",
        "redis.call('LRANGE', list, 0, -1)",
        "redis.call('ZSCAN', set, cursor)",
        "redis.call('HGETALL', at)",
    ];
    for text in endless {
        assert!(calls_of("x.lua", text).iter().any(is_endless), "{text}");
    }
    for text in [
        "redis.call('ZRANGE', set, '(' .. a, b, 'BYSCORE', 'LIMIT', 0, 1)",
        "redis.call('ZRANGE', set, 0, most - 1)",
    ] {
        assert!(!calls_of("x.lua", text).iter().any(is_endless), "{text}");
    }
}
