//! The steps, in the order in which they are shown.
//!
//! Each one checks what it shows, so that a demo which ends well has seen it.

use std::time::Instant;

use anyhow::{Context, ensure};
use hookme_tests::eventually;
use hookme_tests::receiver::{Answer as Reply, Delivery};
use hookme_tests::site::TAG;
use redis::AsyncCommands;
use reqwest::StatusCode;

use crate::feedback;
use crate::screen::Style;
use crate::stage::{EMPTY, MISSING, SLOW, UNLUCKY, USUAL};
use crate::tour::{PATIENCE, Tour};

/// The keys that exist only while a job is live.
const LIVE_KEYS: [&str; 5] = ["evaluation:", "lock:", "report:", "running", "scheduled:"];

/// Shows everything, and ends with a report.
pub(super) async fn run(tour: &mut Tour) -> anyhow::Result<()> {
    show_parts(tour)?;
    let id = ask_twice(tour).await?;
    look_into_redis(tour, &id).await?;
    let report = receive(tour, &id).await?;
    report_an_empty_repository(tour).await?;
    miss_a_repository(tour).await?;
    fail_once(tour).await?;
    kill_a_worker(tour).await?;
    feedback::replace_an_older_commit(tour).await?;
    feedback::lose_an_answer(tour).await?;
    list_keys(tour).await?;
    show_report(tour, &report)
}

fn show_parts(tour: &mut Tour) -> anyhow::Result<()> {
    let site = &tour.site;
    let row = |name: &str, place: String, about: &str| [name.to_owned(), place, about.to_owned()];
    let process = |program: &hookme_tests::Program| format!("process {}", program.pid());
    let rows = [
        row(
            "redis",
            format!("127.0.0.1:{}", site.redis.port()),
            "private, append-only file with appendfsync always",
        ),
        row("api", tour.url.clone(), "takes tasks"),
        row("worker 1", process(&site.workers[0]), "takes jobs"),
        row("worker 2", process(&site.workers[1]), "takes jobs"),
        row(
            "github",
            site.github.url(),
            "a stand-in with made-up repositories",
        ),
        row("receiver", site.receiver.url(), "where the webhook goes"),
    ];
    tour.screen.step("All parts run")?;
    tour.screen.table(&rows)?;
    let (api, github) = (&tour.url, tour.site.github.url());
    let variables = format!("API={api} GITHUB={github}");
    Ok(tour.screen.command(variables)?)
}

/// Returns the id of the one job that came of two requests.
async fn ask_twice(tour: &mut Tour) -> anyhow::Result<String> {
    tour.screen
        .step("A client asks for a report, in two seconds from now")?;
    let delay = r#", "delay_ms": 2000"#;
    let first = tour.post(USUAL, delay).await?;
    ensure!(first.status == StatusCode::ACCEPTED, "{}", first.text);
    tour.screen.json(&first.text)?;
    tour.screen
        .say("\nAnd asks once more: no second job, but the id of the one that is live.")?;
    let second = tour.post(USUAL, delay).await?;
    tour.screen.json(&second.text)?;
    ensure!(
        second.status == StatusCode::OK && second.body["id"] == first.body["id"],
        "a repeated request was not answered as a duplicate: {}",
        second.text
    );
    first.id()
}

async fn look_into_redis(tour: &mut Tour, id: &str) -> anyhow::Result<()> {
    tour.screen
        .step("Redis holds the job, and a person can read it")?;
    let key = format!("{TAG}:job:{id}");
    let command = tour.redis_cli(&format!("HGETALL '{key}' | paste - -"));
    tour.screen.command(command)?;
    let fields: Vec<(String, String)> = tour.redis.hgetall(&key).await?;
    ensure!(!fields.is_empty(), "there is no {key}");
    let rows: Vec<_> = fields.into_iter().map(<[String; 2]>::from).collect();
    tour.screen.table(&rows)?;
    let task = tour.task_in(id, "scheduled").await?;
    tour.show(id, &task, &["state", "why"])
}

/// Waits for the first report; it is shown at the end.
async fn receive(tour: &mut Tour, id: &str) -> anyhow::Result<Delivery> {
    tour.screen
        .step("Two seconds later a worker fetches and delivers the report")?;
    let deliveries = tour.site.receiver.wait_for(1, PATIENCE).await?;
    let report = deliveries.into_iter().next().context("no delivery")?;
    let task = tour.task_in(id, "succeeded").await?;
    tour.show(id, &task, &["state", "due_at", "ended_at", "worker"])?;
    let asked = tour.site.github.requests();
    let asked: Vec<_> = asked
        .iter()
        .map(|request| format!("{} {}", request.method, request.target))
        .collect();
    tour.screen
        .say("\nThis is what GitHub was asked. The last request is for all names at once.")?;
    tour.screen.lines(Style::Faint, asked.join("\n"))?;
    Ok(report)
}

async fn report_an_empty_repository(tour: &mut Tour) -> anyhow::Result<()> {
    tour.screen
        .step("A repository without issues and commits: a report like any other")?;
    let before = tour.site.receiver.count();
    let id = tour.post(EMPTY, "").await?.id()?;
    let deliveries = tour.site.receiver.wait_for(before + 1, PATIENCE).await?;
    tour.task_in(&id, "succeeded").await?;
    tour.screen.say("\nThis is what the receiver got.")?;
    tour.screen
        .json(std::str::from_utf8(&deliveries[before].body)?)?;
    Ok(())
}

async fn miss_a_repository(tour: &mut Tour) -> anyhow::Result<()> {
    tour.screen
        .step("A repository that is not there: the job ends dead, and says why")?;
    let before = tour.site.receiver.count();
    let id = tour.post(MISSING, "").await?.id()?;
    let task = tour.task_in(&id, "dead").await?;
    tour.show(&id, &task, &["state", "attempts", "why"])?;
    let last = &task["history"][0]["text"];
    tour.screen.say(format_args!(
        "In full: {}.",
        last.as_str().context("a dead job without a reason")?
    ))?;
    ensure!(
        tour.site.receiver.count() == before,
        "a report about a missing repository was delivered"
    );
    Ok(())
}

async fn fail_once(tour: &mut Tour) -> anyhow::Result<()> {
    tour.screen
        .step("A webhook that fails once: the same bytes come again, under the same id")?;
    tour.site.receiver.answer(vec![Reply::status(503)]);
    let before = tour.site.receiver.count();
    let id = tour.post(UNLUCKY, "").await?.id()?;
    let waits = |task: &serde_json::Value| task["failures"] == 1 && task["state"] == "scheduled";
    let task = tour
        .task_when(&id, "waiting to be tried again", waits)
        .await?;
    tour.show(&id, &task, &["state", "stage", "why"])?;
    let asked = tour.site.github.requests().len();
    let deliveries = tour.site.receiver.wait_for(before + 2, PATIENCE).await?;
    let row = |attempt: &str, delivery: &Delivery, answer: &str| {
        let id = delivery.id().unwrap_or("none").to_owned();
        let bytes = format!("{} bytes", delivery.body.len());
        [attempt.to_owned(), id, bytes, answer.to_owned()]
    };
    let (first, second) = (&deliveries[before], &deliveries[before + 1]);
    tour.screen.say("\n")?;
    tour.screen.table(&[
        row("delivery 1", first, "answered 503"),
        row("delivery 2", second, "answered 200"),
    ])?;
    tour.task_in(&id, "succeeded").await?;
    let again = tour.site.github.requests().len() - asked;
    ensure!(again == 0, "GitHub was asked {again} times again");
    ensure!(first.body == second.body, "the bodies differ");
    tour.site.receiver.one_body_per_id()?;
    Ok(tour
        .screen
        .say("GitHub was not asked again: Redis had kept the report.")?)
}

async fn kill_a_worker(tour: &mut Tour) -> anyhow::Result<()> {
    tour.screen
        .step("A worker is killed while GitHub keeps it waiting: the other one takes over")?;
    let before = tour.site.receiver.count();
    let id = tour.post(SLOW, "").await?.id()?;
    let path = format!("/repos/{}/{SLOW}", crate::stage::OWNER);
    tour.site.github.wait_for(&path, 1, PATIENCE).await?;
    let task = tour.task_in(&id, "running").await?;
    tour.show(&id, &task, &["state", "why"])?;

    let worker = task["worker"].as_str().unwrap_or_default();
    let holds = |pid: u32| worker.contains(&format!("-{pid}-"));
    let mut workers = tour.site.workers.iter();
    let index = workers.position(|program| holds(program.pid()));
    let victim = tour
        .site
        .workers
        .remove(index.context("nobody holds the job")?);
    tour.screen
        .command(format_args!("kill -KILL {}", victim.pid()))?;
    victim.kill()?;
    let killed = Instant::now();

    tour.site.receiver.wait_for(before + 1, PATIENCE).await?;
    let seconds = killed.elapsed().as_secs_f32();
    tour.screen.lines(
        Style::Good,
        format_args!("delivered {seconds:.1} s later; a lease is 2 s here, and 15 s by default"),
    )?;
    let task = tour.task_in(&id, "succeeded").await?;
    tour.show(&id, &task, &["state", "attempts", "worker"])?;
    let crash = &task["history"][0]["text"];
    tour.screen.say(format_args!(
        "Its history says of attempt 1: {}.",
        crash.as_str().unwrap_or_default()
    ))?;
    ensure!(
        task["worker"] != worker,
        "the dead worker still has the job"
    );
    Ok(())
}

async fn list_keys(tour: &mut Tour) -> anyhow::Result<()> {
    tour.screen.step("What is left in Redis")?;
    let site = &tour.site;
    eventually(PATIENCE, "no key without a reason", async || {
        let found = site.left_over_keys().await;
        let found = found.map_err(|error| error.to_string())?;
        if found.is_empty() {
            Ok(())
        } else {
            Err(found.join("\n"))
        }
    })
    .await?;
    let command = tour.redis_cli("--scan | sort");
    tour.screen.command(command)?;
    let mut keys: Vec<String> = tour.redis.keys("*").await?;
    keys.sort();
    tour.screen.lines(Style::Faint, keys.join("\n"))?;
    let live = |key: &&String| {
        let name = key
            .strip_prefix(TAG)
            .and_then(|rest| rest.strip_prefix(':'));
        name.is_some_and(|name| LIVE_KEYS.iter().any(|live| name.starts_with(live)))
    };
    let left = keys.iter().find(live);
    ensure!(left.is_none(), "no job is live, and yet there is {left:?}");
    tour.screen.say(
        "\nNo lock, no report, no evaluation, nothing scheduled or running. What is here\n\
         is kept for days, or runs out by itself: the records of ended jobs, the jobs\n\
         of each pull request, counters, and the workers' presence.",
    )?;
    Ok(())
}

fn show_report(tour: &mut Tour, report: &Delivery) -> anyhow::Result<()> {
    tour.screen
        .step("The first report, as the receiver got it")?;
    tour.screen
        .lines(Style::Good, format_args!("POST {}", report.target))?;
    let headers = report.headers.iter();
    let headers = headers.filter(|(name, _)| *name != "accept" && *name != "host");
    let headers: Vec<_> = headers
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")))
        .collect();
    tour.screen.say(headers.join("\n"))?;
    tour.screen.say("\n")?;
    Ok(tour.screen.json(std::str::from_utf8(&report.body)?)?)
}
