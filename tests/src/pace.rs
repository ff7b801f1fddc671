//! The pace of comments, measured: how long a client takes to clear a backlog, and how
//! often GitHub refuses it, by the rule that it keeps.
//!
//! Each run has one client, and a GitHub of its own that enforces GitHub's limits and
//! answers at once. They speak real HTTP, in virtual time: whoever has to wait moves
//! the clock, so that hours pass in seconds and the result is always the same. It does
//! not measure how fast any program is; the benchmark does that.

mod backlog;
mod client;
mod fixed;
mod governed;
mod page;
mod scene;
mod table;
mod wire;

use std::{io, thread};

use anyhow::bail;
use tokio::runtime::Builder;

use backlog::Backlog;
pub use client::Client;
pub use page::with_table;
pub use scene::Measured;
use scene::Scene;
pub use table::{Row, table};

/// How many comments wait at the start of the runs.
pub const BACKLOGS: [usize; 2] = [300, 2_000];

/// All clients with each of the [`BACKLOGS`], side by side; in the order of the table.
/// `done` hears of each client that has ended.
///
/// # Errors
///
/// When a part does not start or answer, a backlog is not cleared within reason, not
/// every comment exists exactly once at the end, or `done` fails.
pub fn rows(done: impl Fn(Client) -> io::Result<()> + Sync) -> anyhow::Result<Vec<Row>> {
    // A thread each, because a client waits for each of its answers.
    thread::scope(|scope| {
        let row = |client| {
            let row = row(client)?;
            done(client)?;
            Ok(row)
        };
        let running = Client::ALL.map(|client| scope.spawn(move || row(client)));
        let ended = running.into_iter().map(|running| match running.join() {
            Ok(row) => row,
            Err(_) => bail!("a client has panicked"),
        });
        ended.collect()
    })
}

fn row(client: Client) -> anyhow::Result<Row> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let [small, large] = BACKLOGS;
    let runs = [
        runtime.block_on(measure(client, small))?,
        runtime.block_on(measure(client, large))?,
    ];
    Ok(Row { client, runs })
}

/// Lets a client clear a backlog of so many comments.
async fn measure(client: Client, comments: usize) -> anyhow::Result<Measured> {
    let mut scene = Scene::open().await?;
    let mut backlog = Backlog::new(comments, scene.now_ms());
    match client {
        Client::OneASecond => fixed::ONE_A_SECOND.clear(&mut backlog, &mut scene).await?,
        Client::Trybe => fixed::TRYBE.clear(&mut backlog, &mut scene).await?,
        Client::Octokit => fixed::OCTOKIT.clear(&mut backlog, &mut scene).await?,
        Client::Ours => governed::clear(&mut backlog, &mut scene).await?,
    }
    scene.close(comments)
}
