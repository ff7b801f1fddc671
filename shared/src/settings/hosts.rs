//! The hosts that listeners without keys answer to, as given.

use super::Mistakes;
use crate::keyless::AllowedHosts;

/// The variable about hosts.
#[derive(Debug, Clone, clap::Args)]
pub struct HostArguments {
    /// The names by which listeners that ask for no key may be asked, with commas between,
    /// beside IP addresses and localhost
    #[arg(long, env, value_name = "HOSTS", default_value = "")]
    allowed_hosts: String,
}

impl HostArguments {
    /// Judges what was given. The result counts only if `mistakes` stays empty.
    #[must_use]
    pub fn check(&self, mistakes: &mut Mistakes) -> AllowedHosts {
        self.allowed_hosts.parse().unwrap_or_else(|_| {
            mistakes.add(
                "ALLOWED_HOSTS",
                "names of hosts with commas between, like api,hookme.example.org; without http:// and *",
            );
            AllowedHosts::default()
        })
    }
}
