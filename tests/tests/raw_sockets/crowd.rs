//! Thousands of sockets on which nothing happens, and a client among them.
//!
//! How many there are is for the program's own files to say: a socket that the kernel
//! has no room for in the queue before the program looks open to its client.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hookme_tests::process::find_binary;
use hookme_tests::{Program, eventually};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Api, BOUND, LATE, PATIENCE};

/// How many idle sockets are asked for, and how many there are at least on a machine
/// that allows fewer open files.
const IDLE: usize = 5_000;
const IDLE_MIN: usize = 1_000;
/// Files that the processes open beside them.
const OTHER_FILES: u64 = 500;
/// How many files a program may open at first that is to raise that itself.
const FEW: usize = 200;
const REQUESTS: usize = 2_000;
/// How often they are made again while they take too long.
const ROUNDS: usize = 3;
/// What the slowest of a hundred answers may take.
const P99_MAX: Duration = Duration::from_millis(100);
/// What needs an answer of Redis.
const REQUEST: &str =
    "GET /tasks/3f2b8c0e9d4a4b6f8e1c2d3a4b5c6d7e HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// Raises the number of files that this process and those it starts may open, and says
/// how many idle sockets that allows.
fn room_for_sockets() -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )
    .unwrap();
    let most = limit
        .maximum
        .unwrap_or(u64::MAX)
        .saturating_sub(OTHER_FILES);
    let idle = usize::try_from(most).unwrap_or(IDLE).min(IDLE);
    assert!(
        idle >= IDLE_MIN,
        "this machine allows {idle} sockets; raise `ulimit -n`"
    );
    if idle < IDLE {
        println!("this machine allows only {idle} idle sockets of {IDLE}");
    }
    idle
}

/// Sockets that are opened again whenever the program closes them, until they are told
/// to stop.
struct Crowd {
    stop: Arc<AtomicBool>,
    sockets: JoinSet<()>,
}

impl Crowd {
    fn gather(address: &str, size: usize) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let mut sockets = JoinSet::new();
        for _ in 0..size {
            let (address, stop) = (address.to_owned(), Arc::clone(&stop));
            sockets.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let Ok(mut stream) = TcpStream::connect(&address).await else {
                        continue;
                    };
                    // One byte, so that the kernel tells a socket that it dropped.
                    stream.write_all(b"G").await.ok();
                    stream.read_to_end(&mut Vec::new()).await.ok();
                }
            });
        }
        Self { stop, sockets }
    }
}

/// Waits until the program holds that many sockets, but for those that are just being
/// opened again.
async fn crowded(api: &Api, size: usize) {
    let all = eventually(PATIENCE, "the whole crowd", async || {
        let held = held_sockets(api);
        let most_are_there = held >= size * 9 / 10;
        most_are_there
            .then_some(())
            .ok_or(format!("{held} of {size}"))
    });
    all.await.unwrap();
}

/// How long each request took, on a connection of its own, the shortest first.
async fn times(api: &Api) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..REQUESTS {
        let began = Instant::now();
        let answers = api.exchange(REQUEST).await;
        times.push(began.elapsed());
        // 503 says that Redis took longer than an answer may, and counts as such.
        let statuses = answers.statuses();
        assert!(statuses == [404] || statuses == [503], "{answers:?}");
    }
    times.sort_unstable();
    times
}

fn p99(times: &[Duration]) -> Duration {
    times[times.len() * 99 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_idle_sockets_hold_up_nobody_and_are_closed_in_the_end() {
    let size = room_for_sockets();
    let api = Api::start().await;
    let alone = times(&api).await;
    let mut crowd = Crowd::gather(&api.address, size);
    crowded(&api, size).await;
    let mut among = Vec::new();
    // What else this machine does at the moment is not the program's fault.
    while among.len() < ROUNDS && among.last().is_none_or(|p99| *p99 >= P99_MAX) {
        among.push(p99(&times(&api).await));
        let (alone, last, held) = (p99(&alone), among.last(), held_sockets(&api));
        println!("p99 of {REQUESTS} requests: {alone:?} alone, {last:?} among {held} sockets");
    }
    assert!(among.last().is_some_and(|p99| *p99 < P99_MAX), "{among:?}");

    crowd.stop.store(true, Ordering::Relaxed);
    let gone = async { while crowd.sockets.join_next().await.is_some() {} };
    let gone = tokio::time::timeout(BOUND + LATE, gone).await;
    assert!(gone.is_ok(), "{} are still open", held_sockets(&api));
    let held = held_sockets(&api);
    assert!(held < 100, "the program still holds {held}");
}

#[tokio::test]
async fn a_program_that_may_open_few_files_opens_as_many_as_it_can_be_let() {
    room_for_sockets();
    let directory = tempfile::tempdir().unwrap();
    let api = Api::with(|name, variables| {
        let script = directory.path().join(name);
        let binary = find_binary(name)?;
        let text = format!("#!/bin/sh\nulimit -Sn {FEW}\nexec '{}'\n", binary.display());
        std::fs::write(&script, text)?;
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755))?;
        Program::start_file(&script, variables)
    })
    .await;
    let crowd = Crowd::gather(&api.address, 2 * FEW);
    crowded(&api, 2 * FEW).await;
    api.assert_alive().await;
    drop(crowd);
}

/// How many sockets the program holds open.
fn held_sockets(api: &Api) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", api.program.pid())).unwrap();
    let files = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    files
        .filter(|file| file.display().to_string().starts_with("socket:"))
        .count()
}
