//! `countersign validate`: everything that is wrong with resources in files, found by the code that the operator runs.
//!
//! In the order of the cluster: YAML, schema, CEL rules, the operator's own validation. Beyond it: references and
//! duplicates across files, and what deserves a question.

mod findings;
mod formats;
mod report;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};

pub use self::{
    findings::findings,
    report::{Entry, Report},
};
use super::{Failure, files::Files, git, out};

/// Checks resources in files.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Exit status: 0 when everything is sound, 1 when nothing could be checked, 2 when something is invalid.\n\n\
    Examples:\n  countersign validate contracts/\n  kustomize build . | countersign validate -\n  \
    countersign validate --base origin/main --output github contracts/"
)]
pub struct Validate {
    /// Files with resources, folders with such files, or patterns such as 'contracts/**/*.yaml'; `-` is the standard
    /// input. The packages that the contracts refer to must be among them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A Git revision that the files are changed from: what must not change is checked against it, and money that is ten
    /// times what it was is asked about.
    #[arg(long, value_name = "REVISION")]
    base: Option<String>,
    /// What deserves a question is invalid, too.
    #[arg(long)]
    strict: bool,
    /// How findings are written.
    #[arg(long, short, value_enum, default_value_t = Output::Human)]
    output: Output,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people, each with its line.
    Human,
    /// One JSON object.
    Json,
    /// `JUnit` XML, which most CI systems show as tests.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Annotations of GitHub Actions.
    Github,
    /// A code quality report of GitLab.
    Gitlab,
}

impl Validate {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let files = Files::read(&self.files)?;
        let base = match &self.base {
            Some(revision) => {
                let sources = git::Repository::around(&self.files)?.files(revision, &self.files)?;
                Some(Files::before(sources, &files))
            }
            None => None,
        };
        let report = Report::new(&files, findings(&files, base.as_ref()), self.strict);
        out::print(&formats::write(&report, self.output)?)?;
        if self.output != Output::Json {
            report
                .skipped
                .iter()
                .for_each(|skipped| out::say(&format!("skipped {}: {}", skipped.file, skipped.reason)));
        }
        if report.is_empty() {
            return Err("nothing was checked: there is no resource of billing.countersign.dev".into());
        }
        match report.errors() {
            0 => Ok(ExitCode::SUCCESS),
            errors => {
                out::say(&format!("countersign: {}", out::count(errors, "violation")));
                Ok(ExitCode::from(2))
            }
        }
    }
}

/// Prints whatever is wrong.
///
/// # Errors
/// When anything is.
pub(super) fn sound(files: &Files) -> Result<(), Failure> {
    let mut report = Report::new(files, findings(files, None), false);
    report.leave_out_warnings();
    match report.errors() {
        0 => Ok(()),
        errors => {
            out::print(&formats::write(&report, Output::Human)?)?;
            Err(out::count(errors, "violation").into())
        }
    }
}
