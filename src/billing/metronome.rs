//! Metronome on the wire: contracts, customers, packages and custom fields.
//!
//! Nearly everything is `POST`, reads as well, and replies are wrapped in `data`. Replies are returned with exact
//! numbers; what they mean is the planner's to say.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use super::{BillingApi, CallError, Import, Reads, http::Http, pages::Pages};
use crate::{
    api::{Api, BillingContract, ContractPackage, provider::BillingProviderSpec},
    clock,
    import::{self, Destination},
    plan::{
        Call, CallKind, Refusal,
        metronome::{
            ADD_KEY, AccountSettings, Balances, ContractPlanner, ContractRef, CustomerId, EDIT_COMMIT,
            EDIT_CREDIT, Need, RATE_SCHEDULE, entities,
            package::{ARCHIVE_PACKAGE, PackagePlanner},
            query_time, rates, stamp_is_registered,
        },
        rates::Rates,
    },
    terms::{Timestamp, json::parse_exact, shape::in_usual_letters},
};

/// Contracts on a page of a list, the most that the API gives.
const PAGE: u32 = 20;
/// Items on a page of a list whose page is named in the query: customers, packages, and contracts of one; the most that the
/// API gives.
const LONG_PAGE: u32 = 100;

/// A client of Metronome's API.
#[derive(Debug)]
pub struct Metronome {
    http: Http,
    settings: AccountSettings,
    /// Customers by the ingest alias that was asked for.
    customers: Mutex<HashMap<String, String>>,
    /// The keys of custom fields, once all that a stamp needs are registered: nobody takes one away.
    custom_field_keys: Mutex<Option<Value>>,
}

impl Reads for Metronome {
    type Need = Need;

    async fn read(&self, need: &Need) -> Result<Option<Value>, CallError> {
        match need {
            Need::CustomerByAlias { alias, is_fresh } => {
                self.customer_by_alias(alias, *is_fresh).await.map(|id| Some(id.into()))
            }
            Need::Contract(contract) => self.contract_in_full(contract).await,
            Need::LegacyContract(contract) => self.named("v1/contracts/get", contract.query()).await,
            Need::Contracts { customer_id } => self.contracts(customer_id).await.map(|all| Some(all.into())),
            Need::Edits(contract) => self.named("v2/contracts/getEditHistory", contract.query()).await,
            Need::Invoices(contract) => self.final_invoices(contract).await.map(|all| Some(all.into())),
            Need::Seats { contract, subscription_id, from } => {
                let mut query = contract.query();
                if let Some(query) = query.as_object_mut() {
                    query.insert("subscription_id".to_owned(), json!(subscription_id));
                    query.insert("starting_at".to_owned(), json!(query_time(*from)));
                }
                let path = "v1/contracts/getSubscriptionSeatsHistory";
                self.pages(path, query, ("next_page", "cursor")).await.map(|all| Some(all.into()))
            }
            Need::Balances { customer_id, kind } => {
                let (path, _) = balance_lists(*kind);
                let query = json!({"customer_id": customer_id, "include_archived": true, "limit": PAGE});
                self.pages(path, query, ("next_page", "next_page")).await.map(|all| Some(all.into()))
            }
            Need::BillingConfigurations { customer_id } => {
                let query = json!({"customer_id": customer_id});
                let path = "v1/getCustomerBillingProviderConfigurations";
                let data = data(&self.http.query(path, &query).await?)?;
                if data.is_array() { Ok(Some(data)) } else { Err(unreadable("`data` is no list")) }
            }
            Need::CustomFieldKeys => self.custom_field_keys().await.map(Some),
            Need::Package { package_id } => {
                self.named("v1/packages/get", json!({"package_id": package_id})).await
            }
            Need::Packages => {
                let query = json!({"archive_filter": "ALL"});
                self.pages_by_query("v1/packages/list", Some(&query)).await.map(|all| Some(all.into()))
            }
            Need::ContractsOnPackage { package_id } => {
                let query = json!({"package_id": package_id});
                let path = "v1/packages/listContractsOnPackage";
                self.pages_by_query(path, Some(&query)).await.map(|all| Some(all.into()))
            }
        }
    }
}

impl BillingApi for Metronome {
    const API: Api = Api::Metronome;
    type Contract = ContractPlanner;
    type Package = PackagePlanner;

    fn connect(spec: &BillingProviderSpec, http: Http) -> Option<Self> {
        let account = spec.metronome.as_ref()?;
        let settings = AccountSettings {
            key_prefix: account.uniqueness_key_prefix.clone(),
            stamp_cluster: account.owner_stamp.as_ref().map(|stamp| stamp.cluster.clone()),
        };
        Some(Self { http, settings, customers: Mutex::default(), custom_field_keys: Mutex::default() })
    }

    fn contract(
        &self,
        contract: &BillingContract,
        package: Option<&ContractPackage>,
        renews: Option<String>,
    ) -> Result<ContractPlanner, Refusal> {
        ContractPlanner::new(contract, package, renews, &self.settings)
    }

    fn package(&self, package: &ContractPackage, contracts: i32) -> Result<PackagePlanner, Refusal> {
        Ok(PackagePlanner::new(package, contracts, &self.settings))
    }

    async fn send(&self, call: &Call) -> Result<Value, CallError> {
        let reply = match self.http.write(call).await {
            Ok(reply) => reply,
            Err(error) => return already_done(call, refused_edit(call, error)),
        };
        if reply.trim().is_empty() {
            return Ok(Value::Null);
        }
        let mut reply =
            parse_exact(&reply).map_err(|_| CallError::Unknown("the reply is not JSON".to_owned()))?;
        Ok(reply.get_mut("data").map(Value::take).unwrap_or_default())
    }

    /// The API has no endpoint of its own for that. Every account has a list of customers, however short.
    async fn probe(&self) -> Result<(), CallError> {
        match self.http.get("v1/customers?limit=1").await {
            Ok(reply) if is_list_of_customers(&reply) => Ok(()),
            Ok(_) => Err(CallError::Foreign("the reply is no list of customers".to_owned())),
            Err(CallError::NotFound { message, .. }) => {
                Err(CallError::Foreign(format!("{message} (HTTP 404)")))
            }
            Err(CallError::Rejected { status, message }) => {
                Err(CallError::Foreign(format!("{message} (HTTP {status})")))
            }
            Err(error) => Err(error),
        }
    }

    async fn customers(&self) -> Result<Option<Vec<String>>, CallError> {
        let listed = self.pages_by_query("v1/customers", None).await?;
        let id = |customer: &Value| customer.get("id")?.as_str().map(str::to_owned);
        Ok(Some(listed.iter().filter_map(id).collect()))
    }

    async fn billed_to(
        &self,
        customer: &str,
        to: &Destination,
    ) -> Result<Vec<Import<BillingContract>>, CallError> {
        let mut imports = Vec::new();
        let is_archived = |contract: &&Value| contract.get("archived_at").is_some_and(|at| !at.is_null());
        let customer = CustomerId::from(customer);
        let listed = self.contracts(&customer).await?;
        let live: Vec<_> = listed.iter().filter(|contract| !is_archived(contract)).collect();
        let mut told = BTreeMap::new();
        if !live.is_empty() {
            for kind in Balances::ALL {
                let need = Need::Balances { customer_id: customer.clone(), kind };
                told.extend(self.read(&need).await?.map(|told| (kind, told)));
            }
        }
        for (index, contract) in live.into_iter().enumerate() {
            let id = contract.get("id").and_then(Value::as_str).unwrap_or_default();
            // A list may cut a contract short.
            let contract = ContractRef::new(&customer, id);
            let Some(data) = self.contract_in_full(&contract).await? else { continue };
            let (mut seats, now) = (BTreeMap::new(), clock::now());
            for subscription_id in import::seat_based(&data).map(str::to_owned) {
                let need = Need::Seats {
                    contract: contract.clone(),
                    subscription_id: subscription_id.clone(),
                    from: now,
                };
                seats.extend(self.read(&need).await?.map(|told| (subscription_id, told)));
            }
            let beside = import::Beside { told: &told, takes_unbilled: index == 0 };
            imports.push(import::metronome_contract(&data, &seats, beside, to, now));
        }
        Ok(imports)
    }

    async fn rates(
        &self,
        contract: &BillingContract,
        package: Option<&ContractPackage>,
        contract_id: &str,
        at: Timestamp,
    ) -> Result<Option<Rates>, CallError> {
        let Some(terms) = contract.spec.metronome.as_deref() else { return Ok(None) };
        let customer = match (&terms.customer_id, &terms.customer_alias) {
            (Some(id), _) => id.to_string(),
            (None, Some(alias)) => self.customer_by_alias(alias.as_str(), false).await?,
            (None, None) => return Ok(None),
        };
        let mut query = ContractRef::new(&CustomerId::from(customer.as_str()), contract_id).query();
        if let Some(query) = query.as_object_mut() {
            query.insert("at".to_owned(), json!(query_time(at.0)));
        }
        let told = self.pages_by_query(RATE_SCHEDULE, Some(&query)).await?;
        let is_unknown = contract.spec.package_ref.is_some() && package.is_none();
        let package = package.and_then(|package| package.spec.metronome.as_deref());
        let rates = rates(terms, package, &told, at);
        Ok(Some(Rates { knows_package: rates.knows_package && !is_unknown, ..rates }))
    }

    async fn packages(&self, to: &Destination) -> Result<Vec<Import<ContractPackage>>, CallError> {
        let listed = self.read(&Need::Packages).await?;
        let listed = listed.as_ref().and_then(Value::as_array).into_iter().flatten();
        Ok(listed.map(|data| import::metronome_package(data, to)).collect())
    }
}

impl Metronome {
    /// ID of the customer that has an ingest alias.
    async fn customer_by_alias(&self, alias: &str, is_fresh: bool) -> Result<String, CallError> {
        let known = self.customers.lock().unwrap_or_else(PoisonError::into_inner).get(alias).cloned();
        if let Some(id) = known.filter(|_| !is_fresh) {
            return Ok(id);
        }
        let query = form_urlencoded(alias);
        let reply = parse(&self.http.get(&format!("v1/customers?limit=2&ingest_alias={query}")).await?)?;
        let id = customer_with(alias, &reply)?;
        self.customers.lock().unwrap_or_else(PoisonError::into_inner).insert(alias.to_owned(), id.clone());
        Ok(id)
    }

    /// Keys of custom fields of the entities that are stamped.
    async fn custom_field_keys(&self) -> Result<Value, CallError> {
        let known = self.custom_field_keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known {
            return Ok(known);
        }
        let query = json!({"entities": entities()});
        let listed = data(&self.http.query("v1/customFields/listKeys", &query).await?)?;
        if stamp_is_registered(&listed) {
            *self.custom_field_keys.lock().unwrap_or_else(PoisonError::into_inner) = Some(listed.clone());
        }
        Ok(listed)
    }

    /// A contract as `v2/contracts/get` has it, with all commits and credits where it shows only the first of them.
    async fn contract_in_full(&self, contract: &ContractRef) -> Result<Option<Value>, CallError> {
        let Some(mut data) = self.named("v2/contracts/get", contract.query()).await? else {
            return Ok(None);
        };
        for (name, kind) in [("commits", Balances::Commits), ("credits", Balances::Credits)] {
            if data.pointer(&format!("/has_more/{name}")) == Some(&Value::Bool(true)) {
                let all = self.balances(kind, contract).await?;
                if let Some(data) = data.as_object_mut() {
                    data.insert(name.to_owned(), all.into());
                }
            }
        }
        if let Some(data) = data.as_object_mut() {
            data.remove("has_more");
        }
        Ok(Some(data))
    }

    /// Every commit or credit of a contract.
    async fn balances(&self, kind: Balances, contract: &ContractRef) -> Result<Vec<Value>, CallError> {
        let (path, include) = balance_lists(kind);
        let query = json!({
            "customer_id": contract.customer_id, include: true, "include_archived": true, "limit": PAGE,
        });
        let mut all = self.pages(path, query, ("next_page", "next_page")).await?;
        all.retain(|item| is_of(contract, item));
        Ok(all)
    }

    /// The final invoices of a contract. An account may ignore the filters: whoever reads them looks for itself.
    async fn final_invoices(&self, contract: &ContractRef) -> Result<Vec<Value>, CallError> {
        let customer = form_urlencoded(contract.customer_id.as_str());
        let filters =
            [("contract_id", contract.contract_id.as_str()), ("status", "FINALIZED"), ("sort", "date_desc")];
        let filters = filters.map(|(name, value)| format!("&{name}={}", form_urlencoded(value))).concat();
        self.pages_by(&format!("v1/customers/{customer}/invoices"), &filters, None).await
    }

    /// Every contract of a customer, archived ones as well.
    async fn contracts(&self, customer_id: &CustomerId) -> Result<Vec<Value>, CallError> {
        let query = json!({"customer_id": customer_id, "include_archived": true, "limit": PAGE});
        self.pages("v2/contracts/list", query, ("cursor", "cursor")).await.map_err(|error| match error {
            CallError::NotFound { message, .. } => {
                CallError::NotFound { what: format!("customer {customer_id}"), message }
            }
            error => error,
        })
    }

    /// `data` of a reply about one thing; nothing when the API does not know it.
    async fn named(&self, path: &str, query: Value) -> Result<Option<Value>, CallError> {
        match self.http.query(path, &query).await {
            Ok(reply) => data(&reply).map(Some),
            Err(CallError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every item of a list: `next` of a reply is sent as `token` to get the page after it.
    async fn pages(
        &self,
        path: &str,
        mut query: Value,
        (next, token): (&str, &str),
    ) -> Result<Vec<Value>, CallError> {
        let mut pages = Pages::default();
        while let Some(cursor) = take(&mut pages, &self.http.query(path, &query).await?, next)? {
            if let Some(query) = query.as_object_mut() {
                query.insert(token.to_owned(), json!(cursor));
            }
        }
        Ok(pages.items)
    }

    /// Every item of a list whose page is named in the query; asked by `GET` when there is no body.
    async fn pages_by_query(&self, path: &str, body: Option<&Value>) -> Result<Vec<Value>, CallError> {
        self.pages_by(path, "", body).await
    }

    /// The same with further parameters, as `&name=value`.
    async fn pages_by(
        &self,
        path: &str,
        parameters: &str,
        body: Option<&Value>,
    ) -> Result<Vec<Value>, CallError> {
        let (mut pages, mut token) = (Pages::default(), String::new());
        loop {
            let path = format!("{path}?limit={LONG_PAGE}{parameters}{token}");
            let reply = match body {
                Some(body) => self.http.query(&path, body).await?,
                None => self.http.get(&path).await?,
            };
            match take(&mut pages, &reply, "next_page")? {
                Some(next) => token = format!("&next_page={}", form_urlencoded(&next)),
                None => return Ok(pages.items),
            }
        }
    }
}

/// Path of the list of a customer's balances, and the member of a query by which it has those of contracts as well.
const fn balance_lists(kind: Balances) -> (&'static str, &'static str) {
    match kind {
        Balances::Commits => ("v1/contracts/customerCommits/list", "include_contract_commits"),
        Balances::Credits => ("v1/contracts/customerCredits/list", "include_contract_credits"),
    }
}

/// Whether a balance is of a contract, whatever letters it tells the contract's ID in.
fn is_of(contract: &ContractRef, balance: &Value) -> bool {
    let of = balance.pointer("/contract/id").and_then(Value::as_str).map(in_usual_letters);
    of.is_some_and(|id| id == in_usual_letters(contract.contract_id.as_str()))
}

/// A refused edit, told apart when the account lacks the right to edit. How the API says so is not documented: 403 can
/// mean nothing else, since reads with the same token succeed; otherwise its words are what there is to go by.
fn refused_edit(call: &Call, error: CallError) -> CallError {
    let edits = call.kind == CallKind::Edit || [EDIT_COMMIT, EDIT_CREDIT].contains(&call.path.as_str());
    match error {
        CallError::Credentials { status: 403, message } if edits => CallError::EditNotEnabled { message },
        CallError::Rejected { message, .. } if edits && message.contains("not enabled") => {
            CallError::EditNotEnabled { message }
        }
        error => error,
    }
}

/// A refusal that says that what was to be done is done: by another replica, or by a call whose reply was lost.
fn already_done(call: &Call, error: CallError) -> Result<Value, CallError> {
    let words: &[&str] = match call.path.as_str() {
        ADD_KEY => &["duplicate", "already exists"],
        ARCHIVE_PACKAGE => &["already archived"],
        _ => return Err(error),
    };
    let said = match &error {
        CallError::Rejected { message, .. } => message,
        CallError::Unknown(why) if why.starts_with("HTTP 409") => why,
        _ => return Err(error),
    };
    let said = said.to_lowercase();
    if words.iter().any(|word| said.contains(word)) { Ok(Value::Null) } else { Err(error) }
}

fn page(reply: &Value) -> Result<Vec<Value>, CallError> {
    let page = reply.get("data").and_then(Value::as_array);
    page.cloned().ok_or_else(|| unreadable("`data` is no list"))
}

fn is_list_of_customers(reply: &str) -> bool {
    let reply = parse_exact(reply).unwrap_or_default();
    let customers = reply.get("data").and_then(Value::as_array);
    let is_customer = |customer: &Value| customer.get("id").is_some_and(Value::is_string);
    customers.is_some_and(|customers| customers.iter().all(is_customer))
}

/// ID of the customer that a list has for an ingest alias. A filter that is ignored on the way tells somebody else, so a
/// customer counts only where it says that the alias is its own.
fn customer_with(alias: &str, reply: &Value) -> Result<String, CallError> {
    let aliases = |customer: &Value| customer.get("ingest_aliases").and_then(Value::as_array).cloned();
    let has_it = |customer: &&Value| {
        aliases(customer).is_none_or(|aliases| aliases.iter().any(|found| found.as_str() == Some(alias)))
    };
    let ids: BTreeSet<_> = page(reply)?
        .iter()
        .filter(has_it)
        .filter_map(|customer| customer.get("id")?.as_str().map(str::to_owned))
        .collect();
    let mut ids = ids.into_iter();
    match (ids.next(), ids.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(CallError::NotFound {
            what: format!("a customer with the ingest alias {alias:?}"),
            message: "no customer has it".to_owned(),
        }),
        (Some(one), Some(other)) => Err(unreadable(&format!(
            "customers {one} and {other} both answer for the ingest alias {alias:?}; say `spec.metronome.customerId` instead"
        ))),
    }
}

/// Takes a page of a list, and gives the token of the next one.
fn take(pages: &mut Pages, reply: &str, next: &str) -> Result<Option<String>, CallError> {
    let read = parse(reply)?;
    let token = read.get(next).filter(|token| !token.is_null());
    // A list that is taken for whole and is not hides what is on its other pages.
    if token.is_some_and(|token| !token.is_string()) {
        return Err(unreadable(&format!("`{next}` is no text")));
    }
    pages.take(reply.len(), page(&read)?, token.and_then(Value::as_str)).map_err(unreadable)
}

fn data(reply: &str) -> Result<Value, CallError> {
    let data = parse(reply)?.get_mut("data").map(Value::take);
    data.ok_or_else(|| unreadable("`data` is missing"))
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

#[cfg(test)]
mod tests;
