//! What reads of each billing API would tell, had files been carried out.

use serde_json::{Value, json};

use super::Side;
use crate::{
    api::{Api, ContractPackage, provider::BillingProviderSpec},
    plan::{ContractSnapshot, Planner, Refusal, metronome, zoo},
};

/// What is billed, as reads would tell it; by default nothing.
pub(super) trait Facts: Default {
    /// The billing API.
    const API: Api;
    /// Its planner.
    type Planner: Planner<Snapshot = ContractSnapshot>;

    /// A planner for what files say.
    fn planner(side: &Side<'_>) -> Result<Self::Planner, Refusal>;

    /// What is billed when that is carried out, as the contract with this id.
    fn of(side: &Side<'_>, id: &str) -> Result<Self, Refusal>;

    /// What a read would tell while `side` is planned.
    fn told(&self, need: &<Self::Planner as Planner>::Need, side: &Side<'_>) -> Option<Value>;

    /// The state of a contract that reads do not show.
    fn unseen_state(&self) -> Option<String>;
}

/// An organization of Zoo.
#[derive(Debug, Default)]
pub(super) struct Zoo {
    reply: Option<Value>,
    state: Option<String>,
}

impl Facts for Zoo {
    const API: Api = Api::Zoo;
    type Planner = zoo::ContractPlanner;

    fn planner(side: &Side<'_>) -> Result<zoo::ContractPlanner, Refusal> {
        zoo::ContractPlanner::new(&side.contract.spec, side.package)
    }

    fn of(side: &Side<'_>, id: &str) -> Result<Self, Refusal> {
        let status = side.contract.spec.zoo.as_ref().and_then(|terms| terms.terms.status);
        let given = side.package.and_then(|package| package.spec.zoo.as_ref()?.terms.status);
        Ok(Self {
            reply: Self::planner(side)?.meant(id)?,
            state: status.or(given).map(|status| status.to_string()),
        })
    }

    fn told(&self, need: &zoo::Need, _: &Side<'_>) -> Option<Value> {
        match need {
            zoo::Need::Contract { .. } => self.reply.clone(),
        }
    }

    fn unseen_state(&self) -> Option<String> {
        self.state.clone()
    }
}

/// A customer of Metronome.
#[derive(Debug, Default)]
pub(super) struct Metronome {
    id: String,
    shown: Option<metronome::Shown>,
}

/// What a Metronome account says about contracts; what it says by default where it is not known.
pub(super) fn settings(account: Option<&BillingProviderSpec>) -> metronome::AccountSettings {
    let account = account.and_then(|account| account.metronome.as_ref());
    metronome::AccountSettings {
        key_prefix: account
            .map_or_else(|| "countersign".to_owned(), |account| account.uniqueness_key_prefix.clone()),
        stamp_cluster: account.and_then(|account| Some(account.owner_stamp.as_ref()?.cluster.clone())),
    }
}

/// How the customer of a contract is billed, where its package says how it has to be.
fn configurations(package: Option<&ContractPackage>) -> Value {
    let terms = package.and_then(|package| serde_json::to_value(package.spec.metronome.as_ref()?).ok());
    let billing = terms.as_ref().and_then(metronome::package::Billing::of);
    billing.map_or_else(|| json!([]), |billing| billing.configuration())
}

impl Facts for Metronome {
    const API: Api = Api::Metronome;
    type Planner = metronome::ContractPlanner;

    fn planner(side: &Side<'_>) -> Result<metronome::ContractPlanner, Refusal> {
        let renews = side.contract.spec.renews().map(str::to_owned);
        metronome::ContractPlanner::new(side.contract, side.package, renews, &settings(side.account))
    }

    fn of(side: &Side<'_>, id: &str) -> Result<Self, Refusal> {
        let shown = Self::planner(side)?.shown(id)?;
        Ok(Self { id: id.to_owned(), shown: Some(shown) })
    }

    fn told(&self, need: &metronome::Need, side: &Side<'_>) -> Option<Value> {
        use metronome::Need;
        let shown = self.shown.as_ref();
        match need {
            Need::CustomerByAlias { alias, .. } => Some(alias.as_str().into()),
            Need::Contract(contract) => {
                shown.filter(|_| contract.contract_id.as_str() == self.id).map(|shown| shown.contract.clone())
            }
            Need::LegacyContract(_) => shown.map(|shown| shown.legacy.clone()),
            Need::Contracts { .. } => Some(shown.map(|shown| shown.contract.clone()).into_iter().collect()),
            Need::LastEdit(_) => Some("".into()),
            Need::Seats { subscription_id, .. } => shown.map(|shown| shown.seats(subscription_id)),
            // Whether the customer is billed as the package says is billing's to tell.
            Need::BillingConfigurations { .. } => Some(configurations(side.package)),
            Need::CustomFieldKeys => Some(metronome::registered()),
            Need::Package { .. } => None,
            Need::Packages | Need::ContractsOnPackage { .. } => Some(json!([])),
        }
    }

    fn unseen_state(&self) -> Option<String> {
        None
    }
}
