//! The template of a comment: Jinja, with what an evaluator found as its variables.
//!
//! The one who writes a template is trusted; what stands in the variables is not.
//! So every text that a template prints is escaped, unless the template itself says
//! `|safe` or `{% autoescape false %}`. A rendering ends after a bounded number of
//! steps and reads neither a file nor the environment. How much text a template puts
//! into its own variables in these steps is not bounded.

use std::borrow::Cow;
use std::fmt;

use hookme_shared::feedback::{Evaluation, Requirement};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use serde::Serialize;

use super::markdown::escape;
use super::text::Text;
pub use super::text::{COMMENT_CHARS_MAX, Rendered};
use crate::policy::excerpt::excerpt;

/// The longest description that a template sees, in characters. A longer one ends
/// with `…`, so that one requirement does not push out the others.
pub const DESCRIPTION_CHARS_MAX: usize = 500;

/// How many steps of the template language one rendering may take. A thousand
/// requirements need a seventieth of it in the built-in template, and a loop without
/// an end is stopped within half a second in a debug build. It counts steps, not
/// how much text one step makes.
const FUEL: u64 = 1_000_000;

/// The longest that a mistake's words may be, in characters: they can hold some
/// of the template.
const MISTAKE_CHARS_MAX: usize = 200;

/// A template that has been checked.
#[derive(Clone)]
pub struct Template {
    source: Cow<'static, str>,
}

/// Why a template makes no comment. All of it is for an operator to mend.
///
/// The library's own error is not kept: it holds the values that the template saw.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The template is not right, or not for this data.
    #[error("line {line}: {what}")]
    Wrong {
        /// The line in the template, from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// It took too many steps.
    #[error("line {line}: this takes too many steps; a loop may be too long")]
    Endless {
        /// The line in the template where it was stopped, from 1.
        line: usize,
    },
    /// Nothing is left but white space, which GitHub refuses.
    #[error(
        "the comment is empty; it must have words for every evaluation, also without requirements"
    )]
    Empty,
}

/// What a comment is about.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The owner of the repository.
    pub owner: &'a str,
    /// The repository's name.
    pub repository: &'a str,
    /// The number of the pull request.
    pub pull_request: u32,
    /// The whole SHA of the commit.
    pub commit: &'a str,
    /// What the evaluator found.
    pub evaluation: &'a Evaluation,
}

impl Default for Template {
    fn default() -> Self {
        Self {
            source: Cow::Borrowed(include_str!("default.md.j2")),
        }
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Template");
        shown.field("bytes", &self.source.len()).finish()
    }
}

impl Template {
    /// Checks `source` by rendering it for made-up evaluations: some requirements
    /// met, all met, and none there.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        // A byte order mark before the first heading would make it plain text.
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        let template = Self {
            source: Cow::Owned(source.to_owned()),
        };
        for grades in [&[3.0, 1.0][..], &[3.0], &[]] {
            let evaluation = sample(grades);
            let context = Context {
                owner: "octocat",
                repository: "hello-world",
                pull_request: 7,
                commit: "6dcb09b5b57875f334f61aebed695e2e4193db5e",
                evaluation: &evaluation,
            };
            template.render(&context, "")?;
        }
        Ok(template)
    }

    /// The comment about `context`: a line that holds `marker`, then the template's
    /// text. It is cut at [`COMMENT_CHARS_MAX`].
    ///
    /// - `marker`: one line that GitHub does not show, to find the comment again.
    ///
    /// It works on the thread of the caller: a long comment takes tens of milliseconds,
    /// a template that goes astray can take far longer.
    pub fn render(&self, context: &Context<'_>, marker: &str) -> Result<Rendered, TemplateError> {
        let environment = environment()?;
        let template = environment.template_from_str(&self.source)?;
        let mut comment = Text::start(marker);
        let variables = Value::from(Serde(Variables::of(context)));
        let failed = template.render_captured_to(variables, &mut comment).err();
        match failed {
            Some(error) if !comment.is_full() => Err(error.into()),
            Some(_) | None => comment.finish(),
        }
    }
}

impl From<Error> for TemplateError {
    fn from(error: Error) -> Self {
        let line = error.line().unwrap_or(1);
        let what = match (error.kind(), error.detail()) {
            (ErrorKind::OutOfFuel, _) => return Self::Endless { line },
            (ErrorKind::UndefinedError, Some(detail)) => detail.to_owned(),
            (kind, Some(detail)) => format!("{kind}: {detail}"),
            (kind, None) => kind.to_string(),
        };
        let what = excerpt(what.as_bytes(), MISTAKE_CHARS_MAX);
        Self::Wrong { line, what }
    }
}

/// An evaluation whose requirements have these grades.
fn sample(grades: &[f64]) -> Evaluation {
    let requirement = |grade: &f64| Requirement {
        description: "The server answers".to_owned(),
        grade: *grade,
    };
    Evaluation {
        username: "student".to_owned(),
        requirements: grades.iter().map(requirement).collect(),
    }
}

/// What templates can use. The README describes it.
#[derive(Serialize)]
struct Variables<'a> {
    username: &'a str,
    owner: &'a str,
    repository: &'a str,
    pull_request: u32,
    commit: &'a str,
    requirements: Vec<Row<'a>>,
    passed: u32,
    total: u32,
    percentage: f64,
}

#[derive(Serialize)]
struct Row<'a> {
    description: Cow<'a, str>,
    grade: f64,
    is_met: bool,
}

impl<'a> Variables<'a> {
    fn of(context: &Context<'a>) -> Self {
        let evaluation = context.evaluation;
        let grade = evaluation.grade();
        let rows = evaluation.requirements.iter().map(|requirement| Row {
            description: shortened(&requirement.description),
            grade: requirement.grade,
            is_met: requirement.is_met(),
        });
        Self {
            username: &evaluation.username,
            owner: context.owner,
            repository: context.repository,
            pull_request: context.pull_request,
            commit: context.commit,
            requirements: rows.collect(),
            passed: grade.passed,
            total: grade.total,
            percentage: grade.percentage(),
        }
    }
}

fn shortened(description: &str) -> Cow<'_, str> {
    let end = description.char_indices().nth(DESCRIPTION_CHARS_MAX);
    end.map_or(Cow::Borrowed(description), |(end, _)| {
        Cow::Owned(format!("{}…", &description[..end]))
    })
}

/// Where templates are rendered. It has no loader, so a template reaches nothing
/// but its variables.
fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    // A line that holds only a tag leaves no line behind: it would end a table.
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    environment.set_syntax(syntax.build()?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("markdown".into()));
    environment.set_formatter(print);
    environment.set_fuel(Some(FUEL));
    // Only so does an error name the variable that is unknown.
    environment.set_debug(true);
    Ok(environment)
}

/// Prints a value: a number in its shortest form, and anything that may hold text escaped.
fn print(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let is_plain = value.is_safe() || matches!(state.auto_escape(), AutoEscape::None);
    match value.kind() {
        ValueKind::Number if !value.is_integer() => {
            write!(output, "{}", f64::try_from(value.clone())?)?;
        }
        ValueKind::Number | ValueKind::Bool => write!(output, "{value}")?,
        _ if is_plain => write!(output, "{value}")?,
        _ => output.write_str(&escape(&value.to_string()))?,
    }
    Ok(())
}

#[cfg(test)]
mod tests;
