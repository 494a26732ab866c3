//! `countersign status`: how contracts stand, and why.

use chrono::Utc;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::{
    super::{
        Failure,
        cluster::Target,
        out,
        paint::{Paint, When},
    },
    text::{self, Detail},
};
use crate::overview::{customers::RENEWAL_DAYS, tree::Tree};

/// Shows how contracts stand, why they are not ready and what to do: a tree of providers, packages and contracts.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl countersign status                 what is in the context's namespace\n  \
    kubectl countersign status acme-2026       one contract, with the whole plan that waits\n  \
    kubectl countersign status -A | less -R    everything; --color always keeps the colours\n  \
    kubectl countersign status -A -o json | jq '.. | objects | select(.standing.mark? == \"Refused\") | .name'"
)]
pub struct Status {
    /// A contract; all of them when left out.
    name: Option<String>,
    #[command(flatten)]
    target: Target,
    /// Everything in every namespace.
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    all_namespaces: bool,
    /// How many days before its end a contract that nothing follows is due to be renewed.
    #[arg(long, value_name = "DAYS", default_value_t = RENEWAL_DAYS)]
    renewals_within: u32,
    /// How it is written.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// When there are colours.
    #[arg(long, value_enum, default_value_t = When::Auto)]
    color: When,
}

/// How the tree is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For a terminal.
    Text,
    /// One JSON object.
    Json,
}

impl Status {
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let cluster = self.target.connect().await?;
        let resources = cluster.resources(self.all_namespaces).await?;
        let tree = Tree::of(&resources, Utc::now(), self.renewals_within);
        let (tree, detail) = match &self.name {
            None => (tree, Detail::Mentioned),
            Some(name) => {
                let place = if self.all_namespaces { "any namespace" } else { &cluster.namespace };
                let found = tree.only(name).ok_or_else(|| {
                    format!("there is no BillingContract {name} in {place}; -A looks in all namespaces")
                })?;
                (found, Detail::Whole)
            }
        };
        match self.output {
            Output::Text => out::print(&text::tree(&tree, detail, Paint::of_stdout(self.color))),
            Output::Json => {
                // `version` changes when a member changes its meaning or goes.
                let mut value = json!({"version": 1});
                if let (Some(members), serde_json::Value::Object(tree)) =
                    (value.as_object_mut(), serde_json::to_value(&tree)?)
                {
                    members.extend(tree);
                }
                out::print(&(serde_json::to_string_pretty(&value)? + "\n"))
            }
        }
    }
}
