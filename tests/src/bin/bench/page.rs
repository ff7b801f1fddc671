//! The results as a page.

use std::fmt::{self, Write};

use crate::figure::{Goal, Samples};
use crate::machine::Machine;
use crate::rounds::{Rated, Results};
use crate::sizes::Sizes;
use crate::{raw_loop, submit};

/// Writes the page.
pub(crate) fn write(
    results: &Results,
    sizes: &Sizes,
    machine: &Machine,
) -> Result<String, fmt::Error> {
    let mut page = String::new();
    writeln!(page, "# Benchmarks\n")?;
    writeln!(
        page,
        "Written by `make bench`; `make bench QUICK=1` only shows that it runs. Each figure is the median of {} rounds or more, with the least and the greatest in brackets. The speed of a machine drifts, so the rates are held against a raw loop of the HTTP client before and after each of them: {} requests in flight, POSTs of {} bytes to the same receiver, nothing else. GitHub has no limits there and its answers are not kept, unless said. Everything runs on the same cores: Redis, the programs, the receiver, the stand-in for GitHub and the clients.\n",
        sizes.rounds,
        raw_loop::IN_FLIGHT,
        raw_loop::BODY_BYTES,
    )?;
    about(&mut page, machine)?;
    rates(&mut page, results, sizes)?;
    others(&mut page, results, sizes)?;
    costs(&mut page, results)?;
    Ok(page)
}

fn about(page: &mut String, machine: &Machine) -> fmt::Result {
    let Machine {
        cores,
        processor,
        memory_gib,
        kernel,
        redis,
        rustc,
    } = machine;
    writeln!(
        page,
        "- {cores} cores of {processor}, {memory_gib:.0} GiB, Linux {kernel}"
    )?;
    writeln!(page, "- {redis}, without persistence unless said")?;
    writeln!(
        page,
        "- {rustc}, `cargo run --release -p hookme-tests --bin bench`\n"
    )
}

fn rates(page: &mut String, results: &Results, sizes: &Sizes) -> fmt::Result {
    writeln!(page, "## Rates\n")?;
    writeln!(page, "| what | per second | of the raw loop | goal | met |")?;
    writeln!(page, "|---|---|---|---|---|")?;
    writeln!(page, "| raw loop | {} | 1 | | |", results.raw.show(0, ""))?;
    let jobs = sizes.jobs;
    let taken = format!(
        "tasks taken by one API process, {} connections, {jobs} repositories",
        submit::CONNECTIONS
    );
    rate(page, &taken, &results.submit, Some(0.45))?;
    let empty = format!("empty jobs by one worker, {jobs} ready");
    rate(page, &empty, &results.empty, Some(1.0))?;
    let delivered = format!("deliveries by one worker, {jobs} ready with their reports kept");
    rate(page, &delivered, &results.delivery, Some(0.6))?;
    let reports = format!(
        "full reports by one worker: 2 issues and 2 contributors fetched, delivered; {} ready",
        sizes.reports
    );
    rate(page, &reports, &results.report, Some(0.12))?;
    let kept = "full reports, with GitHub's answers kept in Redis";
    rate(page, kept, &results.kept, None)?;
    for durable in &results.durable {
        let name = durable.name;
        rate(page, &format!("tasks taken, {name}"), &durable.submit, None)?;
        rate(page, &format!("empty jobs, {name}"), &durable.empty, None)?;
    }
    writeln!(page)
}

fn rate(page: &mut String, what: &str, rated: &Rated, least: Option<f64>) -> fmt::Result {
    let goal = least.map(Goal::AtLeast);
    writeln!(
        page,
        "| {what} | {} | {} | {} | {} |",
        rated.per_second.show(0, ""),
        rated.ratio.show(2, ""),
        goal.map_or_else(String::new, |goal| goal.show(2, "")),
        met(goal, &rated.ratio),
    )
}

fn others(page: &mut String, results: &Results, sizes: &Sizes) -> fmt::Result {
    writeln!(page, "## Latency, memory, idleness\n")?;
    writeln!(page, "| what | value | goal | met |")?;
    writeln!(page, "|---|---|---|---|")?;
    let late = |part| {
        format!(
            "from due to the handler's start, {part} of {} jobs at random moments within {} s, idle worker",
            sizes.late_jobs,
            sizes.late_over.as_secs()
        )
    };
    let rows: [(String, &Samples, usize, &str, Option<Goal>); 8] = [
        (late("p50"), &results.late_p50_ms, 2, " ms", None),
        (late("p99"), &results.late_p99_ms, 2, " ms", Some(Goal::Below(5.0))),
        (
            format!("memory in Redis for a waiting job that never ran, its lock included, {} jobs", sizes.jobs),
            &results.bytes_per_job,
            0,
            " bytes",
            Some(Goal::AtMost(650.0)),
        ),
        ("memory of an idle worker".to_owned(), &results.resident_idle_mb, 1, " MB", Some(Goal::AtMost(30.0))),
        (
            "memory of a worker after the deliveries or the reports".to_owned(),
            &results.resident_after_mb,
            1,
            " MB",
            Some(Goal::AtMost(30.0)),
        ),
        (
            format!("calls a minute of an idle worker, beside renew and reap, over {} s", sizes.idle.as_secs()),
            &results.idle_calls,
            0,
            "",
            Some(Goal::AtMost(60.0)),
        ),
        (
            "cost of a limit on running jobs that does not bind: time of a drain of empty jobs with it, beyond one without".to_owned(),
            &results.limit_cost_percent,
            1,
            " %",
            Some(Goal::Below(5.0)),
        ),
        (
            "cost of the governor that holds nothing back: reports of two requests in a second, fewer than by a worker without it".to_owned(),
            &results.governor_cost_percent,
            1,
            " %",
            Some(Goal::Below(15.0)),
        ),
    ];
    for (what, samples, decimals, unit, goal) in rows {
        writeln!(
            page,
            "| {what} | {} | {} | {} |",
            samples.show(decimals, unit),
            goal.map_or_else(String::new, |goal| goal.show(0, unit)),
            met(goal, samples),
        )?;
    }
    writeln!(page)
}

fn costs(page: &mut String, results: &Results) -> fmt::Result {
    writeln!(page, "## Cost of one job\n")?;
    writeln!(
        page,
        "A function call is one round trip; the commands are all that Redis carries out, those within functions too.\n"
    )?;
    writeln!(
        page,
        "| what | function calls | Redis commands | processor time of Redis | of the API or the worker |"
    )?;
    writeln!(page, "|---|---|---|---|---|")?;
    for (what, rated) in [
        ("task taken", &results.submit),
        ("empty job", &results.empty),
        ("delivery", &results.delivery),
        ("full report", &results.report),
    ] {
        writeln!(
            page,
            "| {what} | {} | {} | {} | {} |",
            rated.functions.show(2, ""),
            rated.commands.show(1, ""),
            rated.redis_us.show(1, " µs"),
            rated.program_us.show(1, " µs"),
        )?;
    }
    Ok(())
}

fn met(goal: Option<Goal>, samples: &Samples) -> &'static str {
    match goal {
        None => "",
        Some(_) if samples.is_empty() => "not measured",
        Some(goal) if goal.is_met(samples) => "yes",
        Some(_) => "**no**",
    }
}
