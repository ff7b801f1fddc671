//! The parts of the benchmark that run as processes of their own.

use std::env;

use anyhow::bail;
use hookme_tests::Program;

/// Names the part that a process is.
const VARIABLE: &str = "BENCH_PART";

/// A part that is a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A worker whose handler does nothing.
    EmptyWorker,
    /// A worker that shares nothing of GitHub's with others.
    LoneWorker,
    /// A loop of the HTTP client without anything around it.
    RawLoop,
}

impl Part {
    /// The part that this process was started as; `None` for the benchmark itself.
    pub(crate) fn of_this_process() -> anyhow::Result<Option<Self>> {
        match env::var(VARIABLE).ok().as_deref() {
            None => Ok(None),
            Some("empty-worker") => Ok(Some(Self::EmptyWorker)),
            Some("lone-worker") => Ok(Some(Self::LoneWorker)),
            Some("raw-loop") => Ok(Some(Self::RawLoop)),
            Some(other) => bail!("{VARIABLE}={other} is no part of the benchmark"),
        }
    }

    /// Starts this program again as this part.
    pub(crate) fn start(self, environment: &[(&str, &str)]) -> anyhow::Result<Program> {
        let name = match self {
            Self::EmptyWorker => "empty-worker",
            Self::LoneWorker => "lone-worker",
            Self::RawLoop => "raw-loop",
        };
        let environment = [environment, &[(VARIABLE, name)]].concat();
        Program::start_file(&env::current_exe()?, &environment)
    }
}
