//! What may follow the words of a command that is being typed. kubectl asks for it through `kubectl_complete-countersign`, in
//! the form that its own completion has: a line each, and how to go on after a colon in the last one.

use std::{collections::BTreeMap, ffi::OsString, time::Duration};

use clap::{Arg, Args, Command};
use kube::{Api, ResourceExt, api::ListParams};
use tokio::time::timeout;

use super::{Failure, cluster::Target, out};
use crate::api::BillingContract;

/// How the shell goes on: with names of files where nothing fits, or not.
const FILES: u8 = 0;
const NO_FILES: u8 = 4;
/// Commands whose argument is a contract of the cluster.
const OF_CONTRACTS: [&str; 6] = ["status", "reconcile", "suspend", "resume", "approve", "deny"];
/// How long a cluster may take to name its contracts; somebody waits with a finger on the key.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most contracts that are named.
const MOST: u32 = 500;

/// Says what may follow, for `kubectl_complete-countersign`.
#[derive(Debug, Args)]
pub struct Complete {
    /// The words so far; the last one is what is being typed.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl Complete {
    pub(super) async fn run(self, mut commands: Command) -> Result<(), Failure> {
        commands.build();
        let words: Vec<String> = self.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let (last, words) = words.split_last().map_or(("", &[][..]), |(last, rest)| (last.as_str(), rest));
        let (mut found, command) = known(&commands, words, last);
        let asks_for_contracts = OF_CONTRACTS.contains(&command.as_str());
        if let Found { is_argument: true, candidates, .. } = &mut found
            && asks_for_contracts
        {
            // Without a cluster, nothing can be suggested, and nobody is to be told so in the middle of a line.
            let contracts = timeout(PATIENCE, contracts(words)).await.ok().and_then(Result::ok);
            candidates.extend(contracts.unwrap_or_default());
        }
        let takes_files = found.is_argument && !asks_for_contracts && found.candidates.is_empty();
        let directive = if takes_files || found.is_open_value { FILES } else { NO_FILES };
        let lines = found.candidates.iter().filter(|(word, _)| word.starts_with(last)).map(|(word, help)| {
            let help = help.lines().next().unwrap_or_default();
            if help.is_empty() { format!("{word}\n") } else { format!("{word}\t{help}\n") }
        });
        out::print(&format!("{}:{directive}\n", lines.collect::<String>()))
    }
}

/// What fits after some words.
#[derive(Debug, Default)]
struct Found {
    /// Each with what it means.
    candidates: BTreeMap<String, String>,
    /// Whether it is an argument of a command that is being typed, and not an option or a command.
    is_argument: bool,
    /// Whether it is the value of an option that may be anything, such as a file.
    is_open_value: bool,
}

/// What the commands themselves know, and the name of the command that the words lead to.
fn known(commands: &Command, words: &[String], last: &str) -> (Found, String) {
    let (mut command, mut takes_value) = (commands, None);
    for word in words {
        let option = takes_value.take().is_none().then(|| option(command, word)).flatten();
        if let Some(option) = option {
            takes_value =
                Some(option).filter(|option| option.get_action().takes_values() && !word.contains('='));
        } else if let Some(inner) = command.find_subcommand(word) {
            command = inner;
        }
    }
    let help = |help: Option<&clap::builder::StyledStr>| help.map(ToString::to_string).unwrap_or_default();
    let mut found = Found::default();
    if let Some(option) = takes_value {
        let values = option.get_possible_values();
        found.is_open_value = values.is_empty();
        found.candidates =
            values.iter().map(|value| (value.get_name().to_owned(), help(value.get_help()))).collect();
    } else if last.starts_with('-') {
        let options = command.get_arguments().filter(|option| !option.is_hide_set());
        let named =
            options.filter_map(|option| Some((format!("--{}", option.get_long()?), help(option.get_help()))));
        found.candidates = named.collect();
    } else if command.has_subcommands() {
        let inner = command.get_subcommands().filter(|command| !command.is_hide_set());
        found.candidates =
            inner.map(|command| (command.get_name().to_owned(), help(command.get_about()))).collect();
    } else {
        found.is_argument = true;
        let argument = command.get_positionals().next();
        let values = argument.map(Arg::get_possible_values).unwrap_or_default();
        found.candidates =
            values.iter().map(|value| (value.get_name().to_owned(), help(value.get_help()))).collect();
    }
    (found, command.get_name().to_owned())
}

/// The option of a command that a word is.
fn option<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let name = word.split('=').next().unwrap_or(word);
    command.get_arguments().find(|option| {
        let is_long = option.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long));
        let is_short = option.get_short().is_some_and(|short| name == format!("-{short}"));
        is_long || is_short
    })
}

/// Names of the contracts in the namespace that the words name, as the user's own rights show them.
async fn contracts(words: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let value = |names: &[&str]| {
        words.iter().enumerate().find_map(|(index, word)| match word.split_once('=') {
            Some((name, value)) if names.contains(&name) => Some(value.to_owned()),
            None if names.contains(&word.as_str()) => words.get(index + 1).cloned(),
            _ => None,
        })
    };
    let target = Target::of(value(&["--context"]), value(&["--kubeconfig"]), value(&["--namespace", "-n"]));
    let cluster = target.connect().await?;
    let api = Api::<BillingContract>::namespaced(cluster.client, &cluster.namespace);
    let found = api.list_metadata(&ListParams::default().limit(MOST)).await?;
    Ok(found.iter().map(|contract| (contract.name_any(), String::new())).collect())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn fitting(words: &[&str]) -> Found {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let (last, words) = words.split_last().unwrap();
        let mut commands = Cli::command();
        commands.build();
        known(&commands, words, last).0
    }

    #[test]
    fn commands_options_and_their_values_are_named_with_what_they_mean() {
        let commands = fitting(&[""]).candidates;
        assert_eq!(commands["approve"], "Shows the plan that waits, asks, and approves it");
        assert!(!commands.keys().any(|command| command.starts_with('_')), "{commands:?}");
        assert!(fitting(&["status", "--"]).candidates.contains_key("--renewals-within"));
        assert!(fitting(&["validate", "--output", ""]).candidates.contains_key("sarif"));
        assert!(fitting(&["completion", "z"]).candidates.contains_key("zsh"));
    }

    #[test]
    fn what_is_no_word_of_the_commands_is_an_argument_or_an_open_value() {
        assert!(fitting(&["status", "-n", "billing", "ac"]).is_argument);
        assert!(fitting(&["status", "--namespace=billing", "ac"]).is_argument);
        assert!(fitting(&["approve", "acme", "--note", ""]).is_open_value);
        assert!(!fitting(&["approve", "acme", "--yes", ""]).is_open_value);
    }
}
