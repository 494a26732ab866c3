//! `countersign completion` and `countersign man`: what shells and `man` know of the commands.

use std::{fs, path::PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;

use super::{Failure, out};

/// Writes the completions of a shell.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  countersign completion bash > /etc/bash_completion.d/countersign\n  \
    countersign completion zsh > \"${fpath[1]}/_countersign\"\n  source <(countersign completion bash)"
)]
pub struct Completion {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completion {
    pub(super) fn run(self, mut commands: Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut commands, "countersign", &mut script);
        out::print(&String::from_utf8(script)?)
    }
}

/// Writes the pages of the manual, one a command.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  countersign man --dir /usr/local/share/man/man1\n  countersign man | man -l -"
)]
pub struct Man {
    /// Folder to write to; without it, the page of the whole goes to the standard output.
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, commands: Command) -> Result<(), Failure> {
        let Some(folder) = self.dir else {
            let mut page = Vec::new();
            clap_mangen::Man::new(commands).render(&mut page)?;
            return out::print(&String::from_utf8(page)?);
        };
        let failed = |error: std::io::Error| format!("cannot write pages to {}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        clap_mangen::generate_to(commands, &folder).map_err(failed)?;
        Ok(())
    }
}
