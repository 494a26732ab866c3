//! What a read would tell, had files been carried out.

use serde_json::Value;

use super::{ContractPlanner, Need};
use crate::{
    api::Api,
    plan::{
        Refusal,
        facts::{Facts, Side},
    },
};

/// An organization of Zoo.
#[derive(Debug, Default)]
pub struct Billed {
    reply: Option<Value>,
    state: Option<String>,
}

impl Facts for Billed {
    const API: Api = Api::Zoo;
    type Planner = ContractPlanner;

    fn planner(side: &Side<'_>) -> Result<ContractPlanner, Refusal> {
        ContractPlanner::new(&side.contract.spec, side.package)
    }

    fn of(side: &Side<'_>, id: &str) -> Result<Self, Refusal> {
        let status = side.contract.spec.zoo.as_ref().and_then(|terms| terms.terms.status);
        let given = side.package.and_then(|package| package.spec.zoo.as_ref()?.terms.status);
        Ok(Self {
            reply: Self::planner(side)?.meant(id)?,
            state: status.or(given).map(|status| status.to_string()),
        })
    }

    fn told(&self, need: &Need, _: &Side<'_>) -> Option<Value> {
        match need {
            Need::Contract { .. } => self.reply.clone(),
        }
    }

    fn unseen_state(&self) -> Option<String> {
        self.state.clone()
    }
}
