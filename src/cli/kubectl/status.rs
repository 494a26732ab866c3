//! `countersign status`: how contracts stand, and why.

use chrono::Utc;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::{
    super::{
        Failure,
        cluster::{self, Target, name_of},
        out,
        paint::{Paint, When},
        plan::{
            cluster::{Cluster, Settings},
            lookup::Found,
            rates,
        },
    },
    text::{self, Detail},
};
use crate::{
    api::BillingContract,
    overview::{Resources, customers::RENEWAL_DAYS, tree::Tree},
    plan::render::plain,
    review::document::RatesOf,
};

/// Shows how contracts stand, why they are not ready and what to do: a tree of providers, packages and contracts.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl countersign status                 what is in the context's namespace\n  \
    kubectl countersign status acme-2026       one contract, with the whole plan that waits\n  \
    kubectl countersign status acme --rates    what its use costs now, and what of that its spec does not say\n  \
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
    /// Shows what use of the contract costs now as well: the rates that billing has after all overrides, beside what the spec
    /// says, and apart those that it does not explain. Asks the billing API, with the token of the provider's Secret.
    #[arg(long, requires = "name")]
    rates: bool,
    #[command(flatten)]
    operator: Settings,
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
        let resources = cluster.shown(self.all_namespaces).await?;
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
        let rates = match self.name.as_ref().filter(|_| self.rates) {
            Some(name) => self.rates_of(&cluster, &resources, name).await?,
            None => Vec::new(),
        };
        match self.output {
            Output::Text => {
                let mut text = text::tree(&tree, detail, Paint::of_stdout(self.color));
                for told in &rates {
                    text.extend([format!(
                        "\nWhat use of BillingContract {} costs now:\n",
                        plain(&told.name)
                    )]);
                    text.extend(rates::lines(told).iter().map(|line| format!("  {line}\n")));
                }
                out::print(&text)
            }
            Output::Json => {
                // `version` changes when a member changes its meaning or goes.
                let mut value = json!({"version": 1});
                if let (Some(members), serde_json::Value::Object(tree)) =
                    (value.as_object_mut(), serde_json::to_value(&tree)?)
                {
                    members.extend(tree);
                    if self.rates {
                        members.insert("rates".to_owned(), serde_json::to_value(&rates)?);
                    }
                }
                out::print(&(serde_json::to_string_pretty(&value)? + "\n"))
            }
        }
    }

    /// What use of the contracts of a name costs.
    async fn rates_of(
        &self,
        target: &cluster::Cluster,
        resources: &Resources,
        name: &str,
    ) -> Result<Vec<RatesOf>, Failure> {
        let mut cluster = Cluster::load(target).await?;
        let contracts =
            resources.contracts.iter().filter(|found| found.metadata.name.as_deref() == Some(name));
        let contracts: Vec<&BillingContract> = contracts.collect();
        let references = contracts
            .iter()
            .map(|contract| (&contract.spec.provider_ref, contract.metadata.namespace.as_deref()));
        self.operator.connect_accounts(&mut cluster, &target.client, references).await;
        let mut told = Vec::new();
        for contract in contracts {
            let namespace = contract.metadata.namespace.as_deref();
            // The one that gave it its terms; an alias may have moved on since.
            let used = contract.status.as_ref().and_then(|status| status.package.as_ref());
            let named = contract.spec.package_ref.as_ref().and_then(|package| package.name.as_deref());
            let package = used.map(|package| package.name.as_str()).or(named);
            let package = package.and_then(|package| cluster.package((namespace, package)));
            let id = contract.status.as_ref().and_then(|status| status.contract_id.as_deref());
            told.push(match cluster.account(&contract.spec.provider_ref, namespace) {
                Found::Ready(account) => rates::read(name_of(contract), contract, package, account, id).await,
                Found::Other => continue,
                Found::Missing(why) | Found::NotReady(why) => {
                    RatesOf { name: name_of(contract), rates: None, why: Some(why) }
                }
            });
        }
        Ok(told)
    }
}
