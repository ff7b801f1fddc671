//! What it was measured on.

use std::fs::read_to_string;
use std::process::Command;

/// The machine and the tools.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) memory_gib: f64,
    pub(crate) kernel: String,
    pub(crate) redis: String,
    pub(crate) rustc: String,
}

impl Machine {
    pub(crate) fn look() -> anyhow::Result<Self> {
        let processors = read_to_string("/proc/cpuinfo")?;
        let memory = read_to_string("/proc/meminfo")?;
        let kibibytes = value(&memory, "MemTotal").and_then(|text| text.split(' ').next());
        let kibibytes: f64 = kibibytes.unwrap_or("0").parse()?;
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            processor: value(&processors, "model name")
                .unwrap_or("unknown")
                .to_owned(),
            memory_gib: kibibytes / 1_048_576.0,
            kernel: read_to_string("/proc/sys/kernel/osrelease")?
                .trim()
                .to_owned(),
            redis: version_of("redis-server"),
            rustc: version_of("rustc"),
        })
    }
}

/// The value behind `name :`.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line?.split_once(':').map(|(_, value)| value.trim())
}

/// What a program says of itself: its first line, as far as it matters.
fn version_of(program: &str) -> String {
    let told = Command::new(program).arg("--version").output();
    let told = told.map(|told| String::from_utf8_lossy(&told.stdout).into_owned());
    let line = told.unwrap_or_default();
    let line = line.lines().next().unwrap_or("unknown");
    line.split(" sha=").next().unwrap_or(line).to_owned()
}
