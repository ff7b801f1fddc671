//! How fast all workers together may ask GitHub. Who sets other numbers in one
//! worker sets them in all.

use std::time::Duration;

use hookme_shared::queue::Pace;
use hookme_shared::settings::Mistakes;

/// The longest gap: an hour.
const GAP_MAX: Duration = Duration::from_secs(60 * 60);
/// The most requests at once: GitHub Docs, "About secondary rate limits".
const IN_FLIGHT_MAX: u64 = 100;
/// The most content that a setting can allow; GitHub allows far less.
const CONTENT_MAX: u64 = 100_000;

/// The variables about the pace, as they were given.
#[derive(Debug, Clone, clap::Args)]
pub struct PaceArguments {
    /// The least time between the starts of two requests to GitHub, over all
    /// workers, in ms; 0 is none
    #[arg(
        long = "github-read-gap",
        env = "GITHUB_READ_GAP",
        value_name = "MS",
        default_value = "100"
    )]
    read_gap: String,

    /// The least time between the starts of two requests that change something at
    /// GitHub, over all workers, in ms; 0 is none
    #[arg(
        long = "github-write-gap",
        env = "GITHUB_WRITE_GAP",
        value_name = "MS",
        default_value = "1000"
    )]
    write_gap: String,

    /// How many requests to GitHub may be under way at once, over all workers; 0 is
    /// no limit
    #[arg(
        long = "github-in-flight",
        env = "GITHUB_IN_FLIGHT",
        value_name = "REQUESTS",
        default_value = "1"
    )]
    in_flight: String,

    /// How many comments may be made in any minute, over all workers; 0 is no limit
    #[arg(
        long = "github-content-per-minute",
        env = "GITHUB_CONTENT_PER_MINUTE",
        value_name = "COMMENTS",
        default_value = "40"
    )]
    content_per_minute: String,

    /// How many comments may be made in any hour, over all workers; 0 is no limit
    #[arg(
        long = "github-content-per-hour",
        env = "GITHUB_CONTENT_PER_HOUR",
        value_name = "COMMENTS",
        default_value = "450"
    )]
    content_per_hour: String,
}

impl PaceArguments {
    /// Judges what was given. The result counts only if `mistakes` stays empty.
    #[must_use]
    pub fn check(&self, mistakes: &mut Mistakes) -> Pace {
        let gaps = Duration::ZERO..=GAP_MAX;
        let count = |mistakes: &mut Mistakes, variable, text: &str, max| {
            u32::try_from(mistakes.parse_count(variable, text, 0..=max)).unwrap_or(u32::MAX)
        };
        Pace {
            read_gap: mistakes.parse_ms("GITHUB_READ_GAP", &self.read_gap, gaps.clone()),
            write_gap: mistakes.parse_ms("GITHUB_WRITE_GAP", &self.write_gap, gaps),
            in_flight: count(mistakes, "GITHUB_IN_FLIGHT", &self.in_flight, IN_FLIGHT_MAX),
            content_per_minute: count(
                mistakes,
                "GITHUB_CONTENT_PER_MINUTE",
                &self.content_per_minute,
                CONTENT_MAX,
            ),
            content_per_hour: count(
                mistakes,
                "GITHUB_CONTENT_PER_HOUR",
                &self.content_per_hour,
                CONTENT_MAX,
            ),
        }
    }
}
