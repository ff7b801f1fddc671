//! The product's own programs, as processes of their own.
//!
//! A test that kills a worker must kill a real one. The programs are built
//! beforehand (`cargo build --workspace`): Cargo offers another package's binaries
//! to no test, and a build from inside a test would wait for Cargo's own lock.
//! So a binary that was not built again is an old one; nothing here can tell.

use std::env;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::eventually;
use crate::leash::Leash;

/// Names the directory with the binaries, instead of the one next to this test.
const BIN_DIR_VARIABLE: &str = "HOOKME_BIN_DIR";
/// What a program inherits; everything else is given by the test.
const INHERITED: [&str; 4] = ["PATH", "HOME", "RUST_LOG", "RUST_BACKTRACE"];
/// Where free ports are looked for: below the range (32768 and up on Linux) from
/// which the kernel takes ports for outgoing connections, so that a server which
/// is restarted finds its port free.
const PORTS: std::ops::Range<u16> = 12_000..32_000;
/// How much of a log stands in an error's text.
const LOG_TAIL_BYTES: usize = 4_000;

/// A running `api` or `worker`. Dropping it kills the process and removes its log.
#[derive(Debug)]
pub struct Program {
    // Dropped before the directory: first the process, then its log.
    leash: Leash,
    directory: TempDir,
    name: String,
}

impl Program {
    /// Starts the binary `name` with `environment` and nothing inherited but
    /// `PATH`, `HOME`, `RUST_LOG` and `RUST_BACKTRACE`, which may be overridden.
    ///
    /// It does not wait for the program to be ready; see
    /// [`Program::wait_for_log`].
    ///
    /// # Errors
    ///
    /// When the binary is missing or cannot be started.
    pub fn start(name: &str, environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_file(&find_binary(name)?, environment)
    }

    /// As [`Program::start`], for the executable at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start_file(path: &Path, environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let name = path.file_name().unwrap_or_default().display().to_string();
        let directory = tempfile::Builder::new()
            .prefix("hookme-program-")
            .tempdir()?;
        let inherited = INHERITED
            .iter()
            .filter_map(|name| Some((name, env::var_os(name)?)));
        let mut command = Leash::command(path, directory.path());
        command
            .env_clear()
            .envs(inherited)
            .envs(environment.iter().copied());
        let leash = Leash::start(command, File::create(log_path(&directory))?)?;
        Ok(Self {
            leash,
            directory,
            name,
        })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.leash.pid()
    }

    /// Everything it has written to both outputs so far, in the order written.
    #[must_use]
    pub fn log(&self) -> String {
        let log = std::fs::read(log_path(&self.directory)).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Waits until the log holds `text`, and returns the first line with it.
    ///
    /// # Errors
    ///
    /// At the deadline, or at once when the program ends without having said it;
    /// with the end of the log.
    pub async fn wait_for_log(&self, text: &str, deadline: Duration) -> anyhow::Result<String> {
        let what = format!("{:?} in the log of {}", text, self.name);
        let found = eventually(deadline, &what, async || {
            // The status first: what was written before the end is then seen.
            let ended = self.leash.status().map_err(|error| error.to_string())?;
            let log = self.log();
            match (log.lines().find(|line| line.contains(text)), ended) {
                (Some(line), _) => Ok(Ok(line.to_owned())),
                (None, Some(status)) => Ok(Err(status)),
                (None, None) => Err(tail(&log).to_owned()),
            }
        });
        match found.await? {
            Ok(line) => Ok(line),
            Err(status) => bail!("{what}: it has ended ({status}):\n{}", tail(&self.log())),
        }
    }

    /// Kills it (SIGKILL) and reaps it; harmless when it has ended.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn kill(&self) -> anyhow::Result<ExitStatus> {
        Ok(self.leash.kill()?)
    }

    /// Asks it to end (SIGTERM), as a deploy does.
    ///
    /// # Errors
    ///
    /// When it has ended already.
    pub fn terminate(&self) -> anyhow::Result<()> {
        Ok(self.leash.signal(Signal::TERM)?)
    }

    /// Stops it where it stands (SIGSTOP).
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn pause(&self) -> anyhow::Result<()> {
        Ok(self.leash.signal(Signal::STOP)?)
    }

    /// Lets it go on after [`Program::pause`] (SIGCONT).
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn resume(&self) -> anyhow::Result<()> {
        Ok(self.leash.signal(Signal::CONT)?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// At the deadline, with the end of the log.
    pub async fn wait(&self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        let ended = eventually(deadline, &what, async || {
            let status = self.leash.status().map_err(|error| error.to_string())?;
            status.ok_or_else(|| tail(&self.log()).to_owned())
        });
        ended.await
    }

    /// The processor time it has used so far, in user and kernel mode, to the
    /// kernel's tick (10 ms). Source: proc(5), `/proc/pid/stat`, fields 14 and 15.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        let stat = self.read_proc("stat")?;
        // The second field is the program's name in parentheses and may hold
        // spaces; counting starts behind it, with field 3.
        let (_, fields) = stat
            .rsplit_once(')')
            .context("/proc/pid/stat has no name")?;
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(str::parse::<u64>).sum::<Result<_, _>>()?;
        let per_second = rustix::param::clock_ticks_per_second();
        Ok(Duration::from_millis(ticks * 1_000 / per_second))
    }

    /// How much memory it holds now, in bytes. Source: proc(5), `VmRSS`.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        let status = self.read_proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        let kibibytes: u64 = kibibytes
            .context("/proc/pid/status has no VmRSS")?
            .parse()?;
        Ok(kibibytes * 1_024)
    }

    fn read_proc(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.pid());
        std::fs::read_to_string(&path).with_context(|| format!("{} does not run", self.name))
    }
}

/// A port on 127.0.0.1 that nobody listens on, different at each call of this
/// process. Somebody else can take it before it is used: a server that can be
/// told port 0 should be.
///
/// # Errors
///
/// When every port of the range is taken.
pub fn free_port() -> anyhow::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes start at different places, so that tests running side by side
    // do not race for the same ports.
    let width = PORTS.end - PORTS.start;
    let own_start = u16::try_from(std::process::id().wrapping_mul(7_919) % u32::from(width))?;
    for _ in PORTS {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % width;
        let port = PORTS.start + (own_start + step) % width;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port of {PORTS:?} is free on 127.0.0.1")
}

fn log_path(directory: &TempDir) -> PathBuf {
    directory.path().join("log")
}

/// The end of `log`, cut between two characters.
fn tail(log: &str) -> &str {
    let start = log.len().saturating_sub(LOG_TAIL_BYTES);
    (start..log.len())
        .find_map(|index| log.get(index..))
        .unwrap_or_default()
}

/// The binary `name` in `HOOKME_BIN_DIR`, or where Cargo puts it: next to this
/// program, or one directory up when this program is a test.
///
/// # Errors
///
/// When it was not built.
pub fn find_binary(name: &str) -> anyhow::Result<PathBuf> {
    let places = match env::var_os(BIN_DIR_VARIABLE) {
        Some(directory) => vec![PathBuf::from(directory)],
        None => env::current_exe()?
            .ancestors()
            .skip(1)
            .take(2)
            .map(Path::to_owned)
            .collect(),
    };
    let mut files = places.iter().map(|place| place.join(name));
    files.find(|file| file.is_file()).with_context(|| {
        format!(
            "no program {name} in {places:?}: run `cargo build --workspace` first, or name its directory in {BIN_DIR_VARIABLE}"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A program that says what it got, and ends with 3 when it is asked to end.
    const SCRIPT: &str = r#"#!/bin/sh
trap 'echo "asked to end" >&2; exit 3' TERM
echo "given=$GIVEN user=$USER home=$HOME"
while :; do sleep 0.01; done
"#;

    fn start(script: &str, environment: &[(&str, &str)]) -> (TempDir, Program) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        let program = Program::start_file(&path, environment).unwrap();
        (directory, program)
    }

    #[tokio::test]
    async fn a_program_gets_what_it_is_given_and_ends_when_asked() {
        let (_directory, program) = start(SCRIPT, &[("GIVEN", "a b"), ("HOME", "/here")]);
        let line = program.wait_for_log("given=", PATIENCE).await.unwrap();
        assert_eq!(line, "given=a b user= home=/here");
        assert!(program.resident_bytes().unwrap() > 100_000);
        assert!(program.cpu_time().unwrap() < PATIENCE);
        program.terminate().unwrap();
        assert_eq!(program.wait(PATIENCE).await.unwrap().code(), Some(3));
        assert!(
            program.log().ends_with("asked to end\n"),
            "{}",
            program.log()
        );
        assert!(program.resident_bytes().is_err());
    }

    #[tokio::test]
    async fn a_program_that_ends_early_is_not_waited_for() {
        let (_directory, program) = start("#!/bin/sh\necho no settings; exit 1\n", &[]);
        let error = program
            .wait_for_log("listening", PATIENCE * 100)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("no settings"), "{error}");
    }

    #[tokio::test]
    async fn a_paused_program_uses_no_processor_and_can_be_killed() {
        let (_directory, program) = start("#!/bin/sh\nwhile :; do :; done\n", &[]);
        let busy = eventually(PATIENCE, "some processor time", async || {
            let used = program.cpu_time().map_err(|error| error.to_string())?;
            if used > Duration::ZERO {
                Ok(())
            } else {
                Err(format!("{used:?}"))
            }
        });
        busy.await.unwrap();
        program.pause().unwrap();
        let stopped = eventually(PATIENCE, "the state T of a stopped process", async || {
            let stat = program
                .read_proc("stat")
                .map_err(|error| error.to_string())?;
            if stat.contains(") T ") {
                Ok(())
            } else {
                Err(stat)
            }
        });
        stopped.await.unwrap();
        assert_eq!(program.kill().unwrap().signal(), Some(9));
    }

    #[test]
    fn a_missing_program_says_how_to_build_it() {
        let error = Program::start("no-such-program", &[])
            .unwrap_err()
            .to_string();
        assert!(error.contains("cargo build --workspace"), "{error}");
    }

    #[test]
    fn free_ports_differ_and_can_be_bound() {
        let ports: Vec<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        let distinct: std::collections::HashSet<_> = ports.iter().collect();
        assert_eq!(distinct.len(), ports.len());
        TcpListener::bind((Ipv4Addr::LOCALHOST, ports[0])).unwrap();
    }

    #[test]
    fn a_tail_is_cut_between_characters() {
        let log = "é".repeat(LOG_TAIL_BYTES);
        assert_eq!(tail(&log).len(), LOG_TAIL_BYTES);
        assert_eq!(
            tail(&log[..2 * LOG_TAIL_BYTES - 2]).chars().next(),
            Some('é')
        );
        assert_eq!(tail("short"), "short");
    }
}
