//! Metronome's back end: contracts, customers, packages and custom fields.
//!
//! Nearly everything is `POST`, reads as well, and replies are wrapped in `data`. Replies are returned with exact
//! numbers; what they mean is the planner's to say.

mod packages;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{CallError, http::Http};
use crate::{
    plan::{
        Call, CallKind,
        metronome::{EDIT_COMMIT, EDIT_CONTRACT, EDIT_CREDIT, ITEM_KEY, KEYED_ENTITIES},
    },
    terms::{Digest, json::parse_exact},
};

/// Contracts on a page of a list, the most that the API gives.
const PAGE: u32 = 20;
/// Most pages that are read of one list; a customer with more contracts than that is an error, not a guess.
const MAX_PAGES: u32 = 500;

/// Keys of the custom fields that say who owns a contract.
pub const STAMP_KEYS: [&str; 4] =
    ["countersign_cluster", "countersign_namespace", "countersign_name", "countersign_revision"];

/// A client of Metronome's API.
#[derive(Debug)]
pub struct Metronome {
    http: Http,
    /// Start of the uniqueness keys that are derived from names.
    pub key_prefix: String,
    /// Name of the cluster that contracts are stamped with, if they are.
    pub stamp_cluster: Option<String>,
    customers: Mutex<HashMap<String, String>>,
    stamp_keys: OnceCell<()>,
}

impl Metronome {
    /// A client over HTTP.
    #[must_use]
    pub fn new(http: Http, key_prefix: String, stamp_cluster: Option<String>) -> Self {
        Self { http, key_prefix, stamp_cluster, customers: Mutex::default(), stamp_keys: OnceCell::new() }
    }

    /// Asks whether the token is accepted; the API has no endpoint of its own for that.
    ///
    /// # Errors
    /// [`CallError::Credentials`] when it is not; the others when that cannot be told.
    pub async fn probe(&self) -> Result<(), CallError> {
        match self.http.get("v1/customers?limit=1").await {
            Ok(_) | Err(CallError::NotFound { .. } | CallError::Rejected { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// ID of the customer that has an ingest alias; asked for once, since a contract cannot change its customer.
    ///
    /// # Errors
    /// By what to do next; [`CallError::NotFound`] when no customer has it.
    pub async fn customer_by_alias(&self, alias: &str) -> Result<String, CallError> {
        if let Some(id) = self.customers.lock().unwrap_or_else(PoisonError::into_inner).get(alias) {
            return Ok(id.clone());
        }
        let query = form_urlencoded(alias);
        let reply = parse(&self.http.get(&format!("v1/customers?limit=2&ingest_alias={query}")).await?)?;
        let id = reply.pointer("/data/0/id").and_then(Value::as_str).ok_or_else(|| CallError::NotFound {
            what: format!("a customer with the ingest alias {alias:?}"),
            message: "no customer has it".to_owned(),
        })?;
        self.customers.lock().unwrap_or_else(PoisonError::into_inner).insert(alias.to_owned(), id.to_owned());
        Ok(id.to_owned())
    }

    /// Registers the custom fields of the owner stamp where they are missing, once.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn register_stamp_keys(&self) -> Result<(), CallError> {
        self.stamp_keys.get_or_try_init(|| self.add_stamp_keys()).await.copied()
    }

    async fn add_stamp_keys(&self) -> Result<(), CallError> {
        let of_contracts = STAMP_KEYS.map(|key| ("contract", key));
        let of_items = KEYED_ENTITIES.map(|entity| (entity, ITEM_KEY));
        let wanted = || of_contracts.iter().chain(&of_items);
        let entities: BTreeSet<_> = wanted().map(|(entity, _)| entity).collect();
        let listed =
            parse(&self.http.query("v1/customFields/listKeys", &json!({"entities": entities})).await?)?;
        let listed = listed.get("data").and_then(Value::as_array).into_iter().flatten();
        let text = |field: &Value, name: &str| field.get(name).and_then(Value::as_str).map(str::to_owned);
        let registered: BTreeSet<_> =
            listed.filter_map(|field| text(field, "entity").zip(text(field, "key"))).collect();
        for (entity, key) in wanted() {
            if registered.contains(&((*entity).to_owned(), (*key).to_owned())) {
                continue;
            }
            let body = json!({"entity": entity, "key": key, "enforce_uniqueness": false});
            let call = Call::new(CallKind::Other, "v1/customFields/addKey", &body, Digest::of(&body))
                .map_err(|refusal| CallError::Unreachable(refusal.message))?;
            match self.http.write(&call).await {
                // Another replica, or an earlier call whose reply was lost, was faster.
                Err(CallError::Rejected { message, .. }) if message.contains("Duplicate") => {}
                result => drop(result?),
            }
        }
        Ok(())
    }

    /// A contract as `v2/contracts/get` has it; nothing when the API does not know it.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn contract(&self, customer_id: &str, contract_id: &str) -> Result<Option<Value>, CallError> {
        let Some(mut contract) = self.named("v2/contracts/get", customer_id, contract_id).await? else {
            return Ok(None);
        };
        for kind in ["commits", "credits"] {
            if contract.pointer(&format!("/has_more/{kind}")) == Some(&Value::Bool(true)) {
                let all = self.balances(kind, customer_id, contract_id).await?;
                if let Some(contract) = contract.as_object_mut() {
                    contract.insert(kind.to_owned(), all.into());
                }
            }
        }
        if let Some(contract) = contract.as_object_mut() {
            contract.remove("has_more");
        }
        Ok(Some(contract))
    }

    /// Every commit or credit of a contract, where the contract itself shows only the first of them.
    async fn balances(
        &self,
        kind: &str,
        customer_id: &str,
        contract_id: &str,
    ) -> Result<Vec<Value>, CallError> {
        let (path, include) = match kind {
            "commits" => ("v1/contracts/customerCommits/list", "include_contract_commits"),
            _ => ("v1/contracts/customerCredits/list", "include_contract_credits"),
        };
        let query =
            json!({"customer_id": customer_id, include: true, "include_archived": true, "limit": PAGE});
        let mut all = self.pages(path, query, ("next_page", "next_page")).await?;
        all.retain(|item| item.pointer("/contract/id").and_then(Value::as_str) == Some(contract_id));
        Ok(all)
    }

    /// Every item of a list: `next` of a reply is sent as `token` to get the page after it.
    async fn pages(
        &self,
        path: &str,
        mut query: Value,
        (next, token): (&str, &str),
    ) -> Result<Vec<Value>, CallError> {
        let mut items = Vec::new();
        for _ in 0..MAX_PAGES {
            let reply = parse(&self.http.query(path, &query).await?)?;
            let page = reply.get("data").and_then(Value::as_array);
            items.extend(page.ok_or_else(|| unreadable("`data` is no list"))?.iter().cloned());
            let Some(cursor) = reply.get(next).and_then(Value::as_str).filter(|next| !next.is_empty()) else {
                return Ok(items);
            };
            if let Some(query) = query.as_object_mut() {
                query.insert(token.to_owned(), json!(cursor));
            }
        }
        Err(unreadable("the list has too many pages"))
    }

    /// A contract as `v1/contracts/get` has it, for what the newer read lacks.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn contract_v1(
        &self,
        customer_id: &str,
        contract_id: &str,
    ) -> Result<Option<Value>, CallError> {
        self.named("v1/contracts/get", customer_id, contract_id).await
    }

    /// ID of the last edit of a contract; empty when it was never edited.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn last_edit(&self, customer_id: &str, contract_id: &str) -> Result<String, CallError> {
        let edits = self.named("v2/contracts/getEditHistory", customer_id, contract_id).await?;
        let time =
            |edit: &Value| edit.get("timestamp").and_then(Value::as_str).unwrap_or_default().to_owned();
        let edits = edits.as_ref().and_then(Value::as_array).into_iter().flatten();
        let last = edits.max_by_key(|edit| time(edit));
        Ok(last.and_then(|edit| edit.get("id")?.as_str()).unwrap_or_default().to_owned())
    }

    /// Who sits on a subscription from a time on, period by period.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn seats(
        &self,
        (customer_id, contract_id): (&str, &str),
        subscription_id: &str,
        from: DateTime<Utc>,
    ) -> Result<Value, CallError> {
        let query = json!({
            "customer_id": customer_id, "contract_id": contract_id, "subscription_id": subscription_id,
            "starting_at": from.to_rfc3339_opts(SecondsFormat::Secs, true),
        });
        let pages = self.pages("v1/contracts/getSubscriptionSeatsHistory", query, ("next_page", "cursor"));
        Ok(pages.await?.into())
    }

    /// Every contract of a customer, archived ones as well.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn contracts(&self, customer_id: &str) -> Result<Vec<Value>, CallError> {
        let query = json!({"customer_id": customer_id, "include_archived": true, "limit": PAGE});
        self.pages("v2/contracts/list", query, ("cursor", "cursor")).await.map_err(|error| match error {
            CallError::NotFound { message, .. } => {
                CallError::NotFound { what: format!("customer {customer_id}"), message }
            }
            error => error,
        })
    }

    /// Carries out one write; the reply is its `data`.
    ///
    /// # Errors
    /// By what to do next. A reply that cannot be read leaves the outcome unknown.
    pub async fn write(&self, call: &Call) -> Result<Value, CallError> {
        let reply = self.http.write(call).await.map_err(|error| refused_edit(call, error))?;
        if reply.trim().is_empty() {
            return Ok(Value::Null);
        }
        let mut reply =
            parse_exact(&reply).map_err(|_| CallError::Unknown("the reply is not JSON".to_owned()))?;
        Ok(reply.get_mut("data").map(Value::take).unwrap_or_default())
    }

    async fn named(
        &self,
        path: &str,
        customer_id: &str,
        contract_id: &str,
    ) -> Result<Option<Value>, CallError> {
        let query = json!({"customer_id": customer_id, "contract_id": contract_id});
        match self.http.query(path, &query).await {
            Ok(reply) => {
                let data = parse(&reply)?.get_mut("data").map(Value::take);
                data.map(Some).ok_or_else(|| unreadable("`data` is missing"))
            }
            Err(CallError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A refused edit, told apart when the account lacks the right to edit. How the API says so is not documented: 403 can
/// mean nothing else, since reads with the same token succeed; otherwise its words are what there is to go by.
fn refused_edit(call: &Call, error: CallError) -> CallError {
    let edits = [EDIT_CONTRACT, EDIT_COMMIT, EDIT_CREDIT].contains(&call.path.as_str());
    match error {
        CallError::Credentials { status: 403, message } if edits => CallError::EditNotEnabled { message },
        CallError::Rejected { message, .. } if edits && message.contains("not enabled") => {
            CallError::EditNotEnabled { message }
        }
        error => error,
    }
}

fn parse(reply: &str) -> Result<Value, CallError> {
    parse_exact(reply).map_err(|_| unreadable("it is not JSON"))
}

fn unreadable(why: &str) -> CallError {
    CallError::Unreachable(format!("the reply cannot be read: {why}"))
}

/// A text as the value of a query parameter.
fn form_urlencoded(text: &str) -> String {
    reqwest::Url::parse_with_params("http://localhost", [("q", text)])
        .ok()
        .and_then(|url| url.query().and_then(|query| query.strip_prefix("q=")).map(str::to_owned))
        .unwrap_or_default()
}
