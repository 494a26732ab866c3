//! Packages of a Metronome account, and what contracts from one need of their customer.

use serde_json::{Value, json};

use super::{MAX_PAGES, Metronome, form_urlencoded, parse, unreadable};
use crate::{billing::CallError, plan::Call};

/// Items on a page of a list of packages, or of their contracts; the most that the API gives.
const PAGE: u32 = 100;

impl Metronome {
    /// A package; nothing when the API does not know it.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn package(&self, package_id: &str) -> Result<Option<Value>, CallError> {
        match self.http.query("v1/packages/get", &json!({"package_id": package_id})).await {
            Ok(reply) => {
                let data = parse(&reply)?.get_mut("data").map(Value::take);
                data.map(Some).ok_or_else(|| unreadable("`data` is missing"))
            }
            Err(CallError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every package of the account, archived ones as well.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn packages(&self) -> Result<Vec<Value>, CallError> {
        self.pages_by_query("v1/packages/list", &json!({"archive_filter": "ALL"})).await
    }

    /// Every contract from a package that is not archived.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn contracts_on_package(&self, package_id: &str) -> Result<Vec<Value>, CallError> {
        let query = json!({"package_id": package_id});
        self.pages_by_query("v1/packages/listContractsOnPackage", &query).await
    }

    /// How a customer is billed: its billing configurations.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn billing_configurations(&self, customer_id: &str) -> Result<Value, CallError> {
        let query = json!({"customer_id": customer_id});
        let reply = self.http.query("v1/getCustomerBillingProviderConfigurations", &query).await?;
        let data = parse(&reply)?.get_mut("data").map(Value::take);
        data.filter(Value::is_array).ok_or_else(|| unreadable("`data` is no list"))
    }

    /// Archives a package; one that is archived already is as it should be.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn archive_package(&self, call: &Call) -> Result<(), CallError> {
        match self.write(call).await {
            Err(CallError::Rejected { message, .. }) if message.contains("already archived") => Ok(()),
            result => result.map(drop),
        }
    }

    /// Every item of a list whose page is named in the query.
    async fn pages_by_query(&self, path: &str, body: &Value) -> Result<Vec<Value>, CallError> {
        let (mut items, mut page) = (Vec::new(), String::new());
        for _ in 0..MAX_PAGES {
            let reply = parse(&self.http.query(&format!("{path}?limit={PAGE}{page}"), body).await?)?;
            let data = reply.get("data").and_then(Value::as_array);
            items.extend(data.ok_or_else(|| unreadable("`data` is no list"))?.iter().cloned());
            match reply.get("next_page").and_then(Value::as_str).filter(|next| !next.is_empty()) {
                Some(next) => page = format!("&next_page={}", form_urlencoded(next)),
                None => return Ok(items),
            }
        }
        Err(unreadable("the list has too many pages"))
    }
}
