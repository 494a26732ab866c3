//! What a customer has beside its contracts: commits and credits, made with keys that are taken once, changed and ended by
//! calls of their own.
//!
//! Kept as the items of a contract that is shown nowhere, so that changes and invoices treat both alike.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Map, Value, json};

use super::{Contract, Metronome, Reply, Request, find_mut, view};
use crate::{billing::items::Item, time};

/// Path and list of the calls that make one.
const MAKE: [(&str, &str); 2] =
    [("v1/contracts/customerCommits/create", "commits"), ("v1/contracts/customerCredits/create", "credits")];
/// Path, list and name of the ID of the calls that change one.
const CHANGE: [(&str, &str, &str); 2] = [
    ("v2/contracts/commits/edit", "commits", "commit_id"),
    ("v2/contracts/credits/edit", "credits", "credit_id"),
];
/// The same of the calls that end one.
const END: [(&str, &str, &str); 2] = [
    ("v1/contracts/customerCommits/updateEndDate", "commits", "commit_id"),
    ("v1/contracts/customerCredits/updateEndDate", "credits", "credit_id"),
];

/// ID of the contract that has what a customer has beside its contracts.
fn place(customer: &str) -> String {
    format!("beside {customer}")
}

impl Contract {
    fn beside(customer: &str) -> Self {
        Self {
            id: place(customer),
            customer: customer.to_owned(),
            key: None,
            created: 0,
            from: 0,
            to: None,
            archived: None,
            name: None,
            payment_days: None,
            rest: Map::new(),
            items: Vec::new(),
            edits: Vec::new(),
            maker: None,
            is_beside: true,
        }
    }
}

impl Metronome {
    /// `data` of the list of a customer's own commits or credits, as of so long ago.
    pub(crate) fn balances(&self, customer: &str, list: &str, now: i64, lag: i64) -> Vec<Value> {
        let found = self.as_of(now, lag).get(&place(customer));
        found.map(|all| view::beside(all, list, self.manner)).unwrap_or_default()
    }

    /// Carries out a call about what lies beside contracts; nothing when it is none.
    pub(super) fn call_beside(
        &mut self,
        request: &Request,
        now: i64,
        findings: &mut Vec<String>,
    ) -> Option<Result<Value, Reply>> {
        let path = request.path.as_str();
        if let Some((_, list)) = MAKE.iter().find(|(of, _)| *of == path) {
            return Some(self.make_beside(list, request, now, findings));
        }
        let change = CHANGE.iter().find(|(of, ..)| *of == path);
        let end = END.iter().find(|(of, ..)| *of == path);
        let (_, list, id_name) = change.or(end)?;
        Some(self.change_beside((list, id_name), request, end.is_some(), findings))
    }

    fn make_beside(
        &mut self,
        list: &'static str,
        request: &Request,
        now: i64,
        findings: &mut Vec<String>,
    ) -> Result<Value, Reply> {
        let mut sent = request.body.clone();
        let key = format!("beside {}", sent["uniqueness_key"]);
        if self.keys.contains(&key) {
            return Err(Reply::error(409, "This uniqueness key has already been used."));
        }
        if sent["invoice_schedule"].is_object() && !sent["invoice_contract_id"].is_string() {
            return Err(Reply::error(400, "`invoice_contract_id` is required where the commit is invoiced"));
        }
        let customer = as_told(&mut sent);
        let made = Item::made(list, &sent, Some(request.slot), now, &mut self.minter);
        let mut item = made.map_err(|why| Reply::error(400, &why))?;
        item.may_bill_past = request.is_approved;
        let mut all =
            self.state.get(&place(&customer)).cloned().unwrap_or_else(|| Contract::beside(&customer));
        let is_like = |other: &Item| (other.list, &other.product) == (list, &item.product);
        if all.items.iter().any(is_like) {
            findings.push(format!("{} of {customer} was made twice beside its contracts", item.product));
        }
        let id = item.id.clone();
        all.items.push(item);
        self.keys.insert(key);
        Arc::make_mut(&mut self.state).insert(all.id.clone(), all);
        Ok(json!({"id": id}))
    }

    fn change_beside(
        &mut self,
        (list, id_name): (&str, &str),
        request: &Request,
        is_end: bool,
        findings: &mut Vec<String>,
    ) -> Result<Value, Reply> {
        let mut sent = request.body.clone();
        let customer = as_told(&mut sent);
        let missing = || Reply::error(404, "no such balance");
        let mut all = self.state.get(&place(&customer)).cloned().ok_or_else(missing)?;
        let lines: BTreeSet<_> =
            self.lines.keys().filter(|(of, ..)| *of == all.id).map(|(_, item, _)| item.clone()).collect();
        let is_final = |id: &str| lines.contains(id);
        let item = find_mut(&mut all, list, &sent[id_name]).map_err(|_| missing())?;
        if item.maker != Some(request.slot) {
            findings.push(format!("deal {} changes {}, which it did not make", request.slot, item.id));
        }
        let changed = if is_end {
            end(item, &sent, &is_final)
        } else {
            item.change(&sent, id_name, &is_final, &mut self.minter)
        };
        changed.map_err(|why| Reply::error(400, &why))?;
        let id = item.id.clone();
        Arc::make_mut(&mut self.state).insert(all.id.clone(), all);
        Ok(json!({"id": id}))
    }

    /// Somebody adds a balance to a customer in the console, or changes the name of one that a deal made; false when there is
    /// nothing to change.
    pub(crate) fn beside_by_hand(&mut self, customer: &str, slot: usize, now: i64, r: u32) -> bool {
        let mut all = self.state.get(&place(customer)).cloned().unwrap_or_else(|| Contract::beside(customer));
        if r.is_multiple_of(2) {
            let at = time::next_month(now);
            let until = time::text(time::month(at + 1));
            let sent = json!({"product_id": format!("foreign-{r}"), "name": "by hand", "priority": 3,
                "access_schedule": {"schedule_items": [
                    {"amount": 5, "starting_at": time::text(time::month(at)), "ending_before": until}]}});
            let list = if r.is_multiple_of(4) { "commits" } else { "credits" };
            all.items.extend(Item::made(list, &sent, None, now, &mut self.minter));
        } else {
            let Some(item) = all.items.iter_mut().find(|item| item.maker == Some(slot)) else { return false };
            item.rest.insert("name".to_owned(), json!(format!("By hand {r}")));
        }
        Arc::make_mut(&mut self.state).insert(all.id.clone(), all);
        self.remember(now);
        true
    }
}

/// Turns what is sent into what is told, and takes the customer out of it.
fn as_told(sent: &mut Value) -> String {
    let Some(members) = sent.as_object_mut() else { return String::new() };
    if let Some(id) = members.remove("invoice_contract_id") {
        members.insert("invoice_contract".to_owned(), json!({"id": id}));
    }
    let customer = members.remove("customer_id").unwrap_or_default();
    customer.as_str().unwrap_or_default().to_owned()
}

/// Ends what may be used, and what is invoiced, at the moments that are sent.
fn end(item: &mut Item, sent: &Value, is_final: &dyn Fn(&str) -> bool) -> Result<(), String> {
    if let Some(at) = time::parse(&sent["access_ending_before"]) {
        if item.access.iter().all(|access| access.to < at) {
            return Err("`access_ending_before` can only end the access earlier".to_owned());
        }
        if item.access.iter().all(|access| access.from >= at) {
            return Err("`access_ending_before` must be after the access begins".to_owned());
        }
        item.access.retain(|access| access.from < at);
        item.access.iter_mut().for_each(|access| access.to = access.to.min(at));
    }
    if let Some(at) = time::parse(&sent["invoices_ending_before"]) {
        item.invoices.retain(|invoice| invoice.at < at || is_final(&invoice.id));
    }
    Ok(())
}
