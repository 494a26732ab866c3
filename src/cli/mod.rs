//! The commands.

pub mod account;
pub mod crds;
pub mod files;
mod git;
pub mod import;
mod out;
pub mod plan;
pub mod render;
pub mod run;
pub mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    Plan(plan::Plan),
    /// Prints the contracts that packages give terms to, in full.
    Render(render::Render),
    /// Writes what is billed already as files, one a contract.
    Import(import::Import),
    /// Writes the custom resource definitions.
    Crds(crds::Crds),
}

impl Cli {
    /// Does what the arguments say.
    pub async fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Run(run) => run.run().await.map(|()| ExitCode::SUCCESS),
            Command::Validate(validate) => validate.run(),
            Command::Plan(plan) => Box::pin(plan.run()).await,
            Command::Render(render) => render.run().map(|()| ExitCode::SUCCESS),
            Command::Import(import) => Box::pin(import.run()).await.map(|()| ExitCode::SUCCESS),
            Command::Crds(crds) => crds.run().map(|()| ExitCode::SUCCESS),
        };
        match result {
            Ok(code) => code,
            Err(error) => {
                eprintln!("countersign: {error}");
                ExitCode::FAILURE
            }
        }
    }
}

/// An error for people.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_says_what_it_does() {
        let mut cli = Cli::command();
        let mut help = cli.render_long_help().to_string();
        for command in cli.get_subcommands_mut().filter(|command| command.get_name() != "help") {
            let name = command.get_name().to_owned();
            help = format!("{help}\n== countersign {name}\n\n{}", command.render_long_help());
        }
        insta::assert_snapshot!(help);
    }
}
