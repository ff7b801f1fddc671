//! Room for as many connections as a program means to serve.
//!
//! Most systems start a process with 1,024 open files at most, for the sake of programs
//! that use `select`, and let it raise that by itself. Without that, a thousand clients
//! that send nothing would keep out all others until they are closed.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of files that this process may open as far as the system lets it,
/// and warns if that is less than `wanted`.
pub fn make_room(wanted: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the number of open files");
    }
    // None is no limit.
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if most < wanted as u64 {
        tracing::warn!(
            most,
            wanted,
            "fewer files may be open than connections are served: raise the limit (ulimit -Hn)"
        );
    }
}
