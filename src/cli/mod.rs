//! The commands.

pub mod account;
pub mod cluster;
pub mod complete;
pub mod crds;
pub mod files;
pub mod generate;
mod git;
pub mod import;
pub mod kubectl;
mod many;
mod out;
pub mod paint;
pub mod plan;
pub mod render;
pub mod report;
pub mod run;
pub mod validate;

use std::{ffi::OsString, path::Path, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// Keeps a billing API in step with the contracts a company keeps in Git.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the operator.
    Run(run::Run),
    /// Checks resources in files: everything that is wrong with them, without a cluster.
    Validate(validate::Validate),
    /// Shows what files do in billing, before anything is applied.
    Plan(Box<plan::Plan>),
    /// Prints the contracts that packages give terms to, in full.
    Render(render::Render),
    /// Writes what is billed already as files, one a contract.
    Import(import::Import),
    /// Writes contracts as one page of HTML: terms by customer, money by month, what is not ready.
    Report(report::Report),
    /// Serves that page of the cluster to this machine alone.
    View(report::view::View),
    /// Shows how contracts stand, why they are not ready and what to do.
    Status(kubectl::status::Status),
    /// Asks for a look at a contract, a package or a provider now.
    Reconcile(kubectl::act::Reconcile),
    /// Stops all work on a contract.
    Suspend(kubectl::act::Suspend),
    /// Takes work on a suspended contract up again.
    Resume(kubectl::act::Resume),
    /// Shows the plan that waits, asks, and approves it.
    Approve(kubectl::decide::Approve),
    /// Shows the plan that waits, asks, and denies it.
    Deny(kubectl::decide::Deny),
    /// Says what is missing before contracts can work.
    Check(kubectl::check::Check),
    /// Writes the custom resource definitions.
    Crds(crds::Crds),
    /// Writes the completions of a shell.
    Completion(generate::Completion),
    /// Writes the pages of the manual.
    Man(generate::Man),
    /// Says what may follow the words of a command.
    #[command(name = "__complete", hide = true)]
    Complete(complete::Complete),
}

/// What the program is called as a plugin of kubectl, which finds it by this name.
const PLUGIN: &str = "kubectl-countersign";

impl Cli {
    /// Reads the arguments of the process, the first of which is the name that the program was called by: as a plugin it
    /// speaks of itself as kubectl does. What cannot be read ends the process with 1, a question for help with 0.
    #[must_use]
    pub fn of(arguments: impl IntoIterator<Item = OsString>) -> Self {
        let mut arguments = arguments.into_iter().peekable();
        let name = arguments.peek().and_then(|name| Path::new(name).file_stem().map(ToOwned::to_owned));
        let mut commands = Self::command();
        if name.is_some_and(|name| name == PLUGIN) {
            commands = commands.bin_name("kubectl countersign");
        }
        let matches = commands.try_get_matches_from(arguments);
        matches.and_then(|matches| Self::from_arg_matches(&matches)).unwrap_or_else(|error| {
            // Whoever reads it may have stopped reading: that is no error.
            let _ = error.print();
            // By itself it would be 2, which means here that something was refused.
            std::process::exit(i32::from(error.use_stderr()))
        })
    }

    /// Does what the arguments say.
    pub async fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Run(run) => Box::pin(run.run()).await.map(|()| ExitCode::SUCCESS),
            Command::Validate(validate) => validate.run(),
            Command::Plan(plan) => Box::pin(plan.run()).await,
            Command::Render(render) => render.run().map(|()| ExitCode::SUCCESS),
            Command::Import(import) => Box::pin(import.run()).await.map(|()| ExitCode::SUCCESS),
            Command::Report(report) => Box::pin(report.run()).await.map(|()| ExitCode::SUCCESS),
            Command::View(view) => Box::pin(view.run()).await.map(|()| ExitCode::SUCCESS),
            Command::Status(status) => Box::pin(status.run()).await.map(|()| ExitCode::SUCCESS),
            Command::Reconcile(reconcile) => Box::pin(reconcile.run()).await,
            Command::Suspend(suspend) => Box::pin(suspend.run()).await.map(|()| ExitCode::SUCCESS),
            Command::Resume(resume) => Box::pin(resume.run()).await.map(|()| ExitCode::SUCCESS),
            Command::Approve(approve) => Box::pin(approve.run()).await,
            Command::Deny(deny) => Box::pin(deny.run()).await,
            Command::Check(check) => Box::pin(check.run()).await,
            Command::Crds(crds) => crds.run().map(|()| ExitCode::SUCCESS),
            Command::Completion(completion) => completion.run(Self::command()).map(|()| ExitCode::SUCCESS),
            Command::Complete(complete) => complete.run(Self::command()).await.map(|()| ExitCode::SUCCESS),
            Command::Man(man) => man.run(Self::command()).map(|()| ExitCode::SUCCESS),
        };
        match result {
            Ok(code) => code,
            Err(error) => {
                out::say(&format!("countersign: {error}"));
                ExitCode::FAILURE
            }
        }
    }
}

/// An error for people.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_says_what_it_does() {
        let mut cli = Cli::command();
        let mut help = cli.render_long_help().to_string();
        for command in
            cli.get_subcommands_mut().filter(|command| command.get_name() != "help" && !command.is_hide_set())
        {
            let name = command.get_name().to_owned();
            help = format!("{help}\n== countersign {name}\n\n{}", command.render_long_help());
        }
        insta::assert_snapshot!(help);
    }
}
