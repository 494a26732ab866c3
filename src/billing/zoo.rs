//! Zoo on the wire: `GET` and `PUT /orgs/{id}/billing/contract`, and a probe of the token.

use serde_json::Value;

use super::{BillingApi, CallError, Import, Reads, http::Http};
use crate::{
    api::{Api, BillingContract, ContractPackage, provider::BillingProviderSpec, reasons},
    import::{self, Destination},
    plan::{
        Call, NoPackages, Refusal,
        rates::Rates,
        zoo::{ContractPlanner, Need, path},
    },
    terms::{Timestamp, json::parse_exact},
};

/// An organization that cannot exist: asking for its contract tells whether the token is accepted.
const NO_ORGANIZATION: &str = "00000000-0000-0000-0000-000000000000";

/// A client of Zoo's billing API.
#[derive(Debug)]
pub struct Zoo {
    http: Http,
}

impl Reads for Zoo {
    type Need = Need;

    /// A 404 says that there is no contract to see, or no such organization.
    async fn read(&self, need: &Need) -> Result<Option<Value>, CallError> {
        match self.http.get(&need.path()).await {
            Ok(reply) => {
                parse_exact(&reply).map(Some).map_err(|_| CallError::Unreachable(NOT_JSON.to_owned()))
            }
            Err(CallError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl BillingApi for Zoo {
    const API: Api = Api::Zoo;
    type Contract = ContractPlanner;
    type Package = NoPackages<Need>;

    fn connect(spec: &BillingProviderSpec, http: Http) -> Option<Self> {
        spec.zoo.as_ref().map(|_| Self { http: http.numbering_requests() })
    }

    fn contract(
        &self,
        contract: &BillingContract,
        package: Option<&ContractPackage>,
        _: Option<String>,
    ) -> Result<ContractPlanner, Refusal> {
        ContractPlanner::new(&contract.spec, package)
    }

    fn package(&self, _: &ContractPackage, _: i32) -> Result<NoPackages<Need>, Refusal> {
        let message =
            "the provider is a Zoo account, and packages with `spec.metronome` belong to a Metronome account";
        Err(Refusal { reason: reasons::INVALID_SPEC, message: message.to_owned() })
    }

    async fn send(&self, call: &Call) -> Result<Value, CallError> {
        let reply = self.http.write(call).await?;
        parse_exact(&reply).map_err(|_| CallError::Unknown(NOT_JSON.to_owned()))
    }

    /// The API has no endpoint of its own for that. Only an answer in its form counts: that there is no such organization,
    /// that the ID is no good, or a contract.
    async fn probe(&self) -> Result<(), CallError> {
        match self.http.get(&path(NO_ORGANIZATION)).await {
            Ok(reply) if is_contract(&reply) => Ok(()),
            Ok(_) => Err(CallError::Foreign("the reply is no contract".to_owned())),
            Err(CallError::NotFound { .. } | CallError::Rejected { status: 400 | 406 | 422, .. }) => Ok(()),
            Err(CallError::Rejected { status, .. }) => Err(CallError::Foreign(format!("HTTP {status}"))),
            Err(error) => Err(error),
        }
    }

    /// The API has no list of organizations.
    async fn customers(&self) -> Result<Option<Vec<String>>, CallError> {
        Ok(None)
    }

    async fn billed_to(
        &self,
        customer: &str,
        to: &Destination,
    ) -> Result<Vec<Import<BillingContract>>, CallError> {
        let reply = self.read(&Need::Contract { organization_id: customer.to_owned() }).await?;
        Ok(reply.iter().map(|reply| import::zoo_contract(customer, reply, to)).collect())
    }

    async fn rates(
        &self,
        _: &BillingContract,
        _: Option<&ContractPackage>,
        _: &str,
        _: Timestamp,
    ) -> Result<Option<Rates>, CallError> {
        Ok(None)
    }

    async fn packages(&self, _: &Destination) -> Result<Vec<Import<ContractPackage>>, CallError> {
        Ok(Vec::new())
    }
}

/// Whether a reply has what every contract has.
fn is_contract(reply: &str) -> bool {
    let contract = parse_exact(reply).unwrap_or_default();
    let has = |member| contract.get(member).is_some_and(Value::is_string);
    has("contract_id") && has("account_id")
}

const NOT_JSON: &str = "the reply is not a contract: it is not JSON";
