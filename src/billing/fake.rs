//! Fake on the wire: `GET` and `PUT /customers/{id}`, and `GET /account` to try the token.

use serde_json::Value;

use super::{BillingApi, CallError, Import, Reads, http::Http};
use crate::{
    api::{Api, BillingContract, ContractPackage, provider::BillingProviderSpec, reasons},
    import::Destination,
    plan::{
        Call, NoPackages, Refusal,
        fake::{ContractPlanner, Need},
        rates::Rates,
    },
    terms::{Timestamp, json::parse_exact},
};

/// A client of the Fake billing API.
#[derive(Debug)]
pub struct Fake {
    http: Http,
}

impl Reads for Fake {
    type Need = Need;

    /// A 404 says that there is no contract to see.
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

impl BillingApi for Fake {
    const API: Api = Api::Fake;
    type Contract = ContractPlanner;
    type Package = NoPackages<Need>;

    fn connect(spec: &BillingProviderSpec, http: Http) -> Option<Self> {
        spec.fake.as_ref().map(|_| Self { http })
    }

    fn contract(
        &self,
        contract: &BillingContract,
        _: Option<&ContractPackage>,
        _: Option<String>,
    ) -> Result<ContractPlanner, Refusal> {
        ContractPlanner::new(&contract.spec)
    }

    fn package(&self, _: &ContractPackage, _: i32) -> Result<NoPackages<Need>, Refusal> {
        let message = "the provider is a Fake account, which has no packages";
        Err(Refusal { reason: reasons::INVALID_SPEC, message: message.to_owned() })
    }

    async fn send(&self, call: &Call) -> Result<Value, CallError> {
        let reply = self.http.write(call).await?;
        parse_exact(&reply).map_err(|_| CallError::Unknown(NOT_JSON.to_owned()))
    }

    async fn probe(&self) -> Result<(), CallError> {
        match self.http.get("account").await {
            Ok(reply) if parse_exact(&reply).is_ok_and(|account| account.is_object()) => Ok(()),
            Ok(_) => Err(CallError::Foreign("the reply is no account".to_owned())),
            Err(CallError::NotFound { message, .. }) => Err(CallError::Foreign(message)),
            Err(error) => Err(error),
        }
    }

    async fn customers(&self) -> Result<Option<Vec<String>>, CallError> {
        Ok(None)
    }

    async fn billed_to(&self, _: &str, _: &Destination) -> Result<Vec<Import<BillingContract>>, CallError> {
        Ok(Vec::new())
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

const NOT_JSON: &str = "the reply is not JSON";
