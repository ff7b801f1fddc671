//! The clients that are compared.

/// A client of GitHub, by the rule that it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// GitHub's documented least gap between writes, and nothing else.
    OneASecond,
    /// The setting of Trybe's delivery processor.
    Trybe,
    /// The gaps of octokit's throttling plugin.
    Octokit,
    /// The governor of this project, with the worker's default settings.
    Ours,
}

impl Client {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 4] = [Self::OneASecond, Self::Trybe, Self::Octokit, Self::Ours];

    /// What the table calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OneASecond => "one a second",
            Self::Trybe => "Trybe's setting",
            Self::Octokit => "octokit's gaps",
            Self::Ours => "Hookme",
        }
    }
}
