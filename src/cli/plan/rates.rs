//! What use of contracts costs now, as their billing APIs tell it: read only where it is asked for.

use chrono::Utc;

use super::lookup::Account;
use crate::{
    api::{BillingContract, ContractPackage},
    plan::render::plain,
    review::document::RatesOf,
    terms::Timestamp,
};

/// Reads the rates of a contract from its account.
pub(in crate::cli) async fn read(
    name: String,
    contract: &BillingContract,
    package: Option<&ContractPackage>,
    account: &Account,
    contract_id: Option<&str>,
) -> RatesOf {
    let Some(id) = contract_id else {
        return RatesOf { name, rates: None, why: Some("billing has no contract of it yet".to_owned()) };
    };
    let now = Timestamp::whole_seconds(Utc::now());
    match account.client.rates(contract, package, id, now).await {
        Ok(Some(rates)) => RatesOf { name, rates: Some(rates), why: None },
        Ok(None) => {
            let why = "use costs what the terms of the contract say: this billing API has no other rates";
            RatesOf { name, rates: None, why: Some(why.to_owned()) }
        }
        Err(error) => RatesOf { name, rates: None, why: Some(format!("they could not be read: {error}")) },
    }
}

/// The rates of a contract, line by line.
pub(in crate::cli) fn lines(told: &RatesOf) -> Vec<String> {
    let why = told.why.as_deref().map(plain);
    told.rates.iter().flat_map(crate::plan::rates::Rates::lines).chain(why).collect()
}
