//! The demo: everything that Hookme does, on one machine, in a few seconds.
//!
//! It starts a private Redis, the real API, two real workers, a stand-in for GitHub
//! and a webhook's receiver, posts a few tasks and shows what becomes of them. With
//! the variable `STAY` set it then stays up until Ctrl-C. It leaves nothing running
//! and no file behind, however it ends; [`hookme_tests::leash`] says why.

mod feedback;
mod json;
mod screen;
mod stage;
mod stay;
mod steps;
mod tour;

use std::io;
use std::pin::{Pin, pin};
use std::process::ExitCode;

use anyhow::Context;
use hookme_tests::Program;
use tokio::signal::unix::{SignalKind, signal};

use crate::screen::{Screen, Style};
use crate::tour::Tour;

/// The exit code of a demo that was interrupted, as shells have it for Ctrl-C.
const INTERRUPTED: u8 = 130;
/// How many of its last lines each program shows when a step fails.
const LOG_LINES: usize = 8;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut asked = pin!(asked_to_end()?);
    // What is not finished is dropped, and what it started ends with it.
    let Some(mut tour) = unless(asked.as_mut(), show()).await? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    if std::env::var_os("STAY").is_some_and(|value| !value.is_empty() && value != "0") {
        unless(asked, stay::show_deliveries(&mut tour)).await?;
    }
    let Tour {
        mut screen, site, ..
    } = tour;
    stage::clear(site).await.context("a program ended badly")?;
    let seconds = screen.seconds();
    screen.headline(&format!(
        "All went as it should, in {seconds:.1} s. Nothing is left running."
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The parts at work, step by step. Returns them as they are at the end.
async fn show() -> anyhow::Result<Tour> {
    let mut screen = Screen::new();
    screen.headline("Hookme: from a request to a webhook. All of it runs on this machine.")?;
    let site = stage::set().await.context("not all parts have started")?;
    let mut tour = Tour::new(screen, site).await?;
    if let Err(error) = steps::run(&mut tour).await {
        // That there is nobody to show them to is no news beside the failure.
        show_logs(&mut tour).ok();
        return Err(error.context("the demo's last step failed"));
    }
    Ok(tour)
}

/// What `work` comes to; nothing, if a person asked for the end before.
async fn unless<T>(
    asked: Pin<&mut impl Future<Output = ()>>,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Option<T>> {
    tokio::select! {
        () = asked => Ok(None),
        done = work => done.map(Some),
    }
}

/// What the programs said last; the error itself is shown by `main`.
fn show_logs(tour: &mut Tour) -> anyhow::Result<()> {
    let name = |index| format!("worker {}", index + 1);
    let workers = tour.site.workers.iter().enumerate();
    let workers = workers.map(|(index, program)| (name(index), program));
    let programs = workers.chain([("api".to_owned(), &tour.site.api)]);
    for (name, program) in programs {
        tour.screen
            .say(format_args!("\nthe log of {name} ends with"))?;
        tour.screen.lines(Style::Faint, last_lines(program))?;
    }
    Ok(())
}

fn last_lines(program: &Program) -> String {
    let log = program.log();
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

/// Takes over the signals for which a person presses Ctrl-C, closes the terminal or
/// ends a process; the result waits for the first of them.
fn asked_to_end() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}
