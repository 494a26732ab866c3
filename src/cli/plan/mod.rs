//! `countersign plan`: what a change of files does in billing, without the billing API and without a token.
//!
//! What the files said before is taken for what is billed. So it shows what the change does, and nothing of what somebody
//! has changed in billing since.

mod build;
mod json;
mod markdown;
mod pairs;
mod text;

use std::{path::PathBuf, process::ExitCode};

use chrono::Utc;
use clap::{Args, ValueEnum};

use self::pairs::Planned;
use super::{
    Failure,
    files::{Files, Source},
    git::Repository,
    out,
};

/// Shows what a change of files does in billing.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Exit status: 0 when nothing changes, 1 when nothing could be planned, 2 when something is refused, 3 when \
    something changes.\n\nExamples:\n  countersign plan --base origin/main contracts/\n  \
    countersign plan --base v1 --head v2 --output markdown contracts/\n  \
    countersign plan --base origin/main --build 'kustomize build .' clusters/production"
)]
pub struct Plan {
    /// Files and folders with the resources: contracts, and the packages and providers that they refer to. The current
    /// folder when left out.
    files: Vec<PathBuf>,
    /// Git revision before the change; in a pull request, where it branched off.
    #[arg(long, value_name = "REVISION")]
    base: String,
    /// Git revision after the change; the files as they are when left out.
    #[arg(long, value_name = "REVISION")]
    head: Option<String>,
    /// A command that prints the resources, run in each of the folders, before and after the change: 'kustomize build .'.
    #[arg(long, value_name = "COMMAND")]
    build: Option<String>,
    /// How the plan is written.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For a terminal.
    Text,
    /// One JSON object.
    Json,
    /// A comment for a pull request.
    Markdown,
}

impl Plan {
    pub(super) fn run(mut self) -> Result<ExitCode, Failure> {
        if self.files.is_empty() {
            self.files.push(PathBuf::from("."));
        }
        let repository = Repository::around(&self.files)?;
        let base = repository.commit(&self.base)?;
        let before = self.at(&repository, Some(&base))?;
        let after = match &self.head {
            Some(head) => self.at(&repository, Some(&repository.commit(head)?))?,
            None => self.at(&repository, None)?,
        };
        if before.is_empty() && after.is_empty() {
            let paths: Vec<_> = self.files.iter().map(|path| path.display().to_string()).collect();
            return Err(
                format!("there are no files in {}, before or after the change", paths.join(", ")).into()
            );
        }
        let planned = Planned::of(&Files::of(before), &mut Files::of(after), Utc::now());
        let text = match self.output {
            Output::Text => text::write(&planned),
            Output::Json => json::write(&planned, &base)?,
            Output::Markdown => markdown::write(&planned),
        };
        out::print(&text)?;
        Ok(ExitCode::from(planned.code()))
    }

    /// The texts at a commit, or as they are.
    fn at(&self, repository: &Repository, commit: Option<&str>) -> Result<Vec<Source>, Failure> {
        match (&self.build, commit) {
            (Some(command), commit) => build::sources(repository, commit, &self.files, command),
            (None, Some(commit)) => repository.files(commit, &self.files),
            (None, None) => {
                // A path that is gone is a change like another one.
                let there: Vec<_> = self.files.iter().filter(|path| path.exists()).cloned().collect();
                Ok(Files::read(&there)?.sources)
            }
        }
    }
}
