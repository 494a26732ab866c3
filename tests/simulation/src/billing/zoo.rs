//! Zoo: one contract an organization that is in force, replaced as a whole.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde_json::{Map, Value, json};

use super::{LONGEST_LAG, Manner, Reply, Request, Seen};
use crate::time;

/// Members that a request must have.
const REQUIRED: [&str; 11] = [
    "name",
    "status",
    "provider",
    "billing_cadence",
    "commitment_scope",
    "rollover_policy",
    "currency",
    "effective_at",
    "term_end_at",
    "items",
    "periods",
];

/// A contract as Zoo keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Contract {
    pub(crate) id: String,
    /// Everything that was written, and what Zoo fills in.
    pub(crate) terms: Value,
    /// The deal that made it.
    maker: Option<usize>,
    /// Its other IDs, where a replace gives another.
    before: Vec<String>,
    /// Its terms before the last replace.
    replaced: Option<Value>,
}

impl Contract {
    pub(crate) fn status(&self) -> &str {
        self.terms["status"].as_str().unwrap_or_default()
    }

    fn is_shown(&self) -> bool {
        matches!(self.status(), "active" | "draft")
    }

    fn is_over(&self) -> bool {
        matches!(self.status(), "closed" | "canceled")
    }
}

type Organizations = BTreeMap<String, Vec<Contract>>;

/// What there is before the first contract.
static NOTHING: Organizations = BTreeMap::new();

/// A Zoo account.
pub(crate) struct Zoo {
    manner: Manner,
    state: Arc<Organizations>,
    /// What was so for a while, for reads that are behind.
    past: VecDeque<(i64, Arc<Organizations>)>,
    minted: u64,
    /// What its IDs begin with: no two accounts give the same.
    word: &'static str,
}

impl Zoo {
    pub(super) fn new(manner: Manner, url: &str) -> Self {
        Self {
            manner,
            state: Arc::default(),
            past: VecDeque::new(),
            minted: 0,
            word: if url.contains("other") { "other" } else { "zoo" },
        }
    }

    /// What a read shows of an organization, as of so long ago.
    pub(crate) fn get(&self, organization: &str, now: i64, lag: i64) -> Option<Value> {
        let state = self.as_of(now, lag);
        let contract = shown(state.get(organization)?)?;
        Some(self.view(contract))
    }

    /// A contract by any ID that it ever had.
    pub(crate) fn by_id(&self, id: &str) -> Option<&Contract> {
        self.state
            .values()
            .flatten()
            .find(|contract| contract.id == id || contract.before.iter().any(|before| before == id))
    }

    pub(super) fn maker(&self, id: &str) -> Option<usize> {
        self.by_id(id)?.maker
    }

    pub(super) fn live_of(&self, slot: usize) -> usize {
        let made = self.state.values().flatten().filter(|contract| contract.maker == Some(slot));
        made.filter(|contract| !contract.is_over()).count()
    }

    /// `PUT /orgs/{id}/billing/contract`.
    pub(super) fn put(&mut self, request: &Request, now: i64, findings: &mut Vec<String>) -> Reply {
        let mut parts = request.path.split('/');
        let (Some("orgs"), Some(organization)) = (parts.next(), parts.next()) else {
            return Reply::error(404, "Not Found");
        };
        if let Some(missing) = REQUIRED.iter().find(|name| request.body.get(**name).is_none()) {
            return Reply::error(400, &format!("missing field `{missing}`"));
        }
        let terms = filled(&request.body);
        let (manner, word) = (self.manner, self.word);
        let mut minted = self.minted;
        let contracts = Arc::make_mut(&mut self.state).entry(organization.to_owned()).or_default();
        let place = place_of_current(contracts);
        let contract = if let Some(contract) = place.and_then(|index| contracts.get_mut(index)) {
            reset(contract, &terms, request, findings);
            contract.replaced = Some(std::mem::replace(&mut contract.terms, terms));
            if manner.renumbered {
                minted += 1;
                let id = std::mem::replace(&mut contract.id, format!("{word}-{minted}"));
                contract.before.push(id);
            }
            contract.clone()
        } else {
            minted += 1;
            let id = format!("{word}-{minted}");
            let contract =
                Contract { id, terms, maker: Some(request.slot), before: Vec::new(), replaced: None };
            contracts.push(contract.clone());
            contract
        };
        self.minted = minted;
        self.remember(now);
        Reply::ok(self.view(&contract))
    }

    /// Periods that are over are closed by the API, with what is carried out of them, and contracts start in time.
    pub(super) fn pass(&mut self, now: i64) {
        let is_due = |contract: &Contract| !due(contract, now).is_empty() || starts(contract, now);
        if !self.state.values().flatten().any(is_due) {
            return;
        }
        for contract in Arc::make_mut(&mut self.state).values_mut().flatten() {
            if starts(contract, now) {
                contract.terms["status"] = json!("active");
            }
            for index in due(contract, now) {
                contract.terms["periods"][index]["status"] = json!("closed");
                contract.terms["periods"][index]["rollover_out_amount"] = json!(500);
            }
        }
        self.remember(now);
    }

    /// Somebody changes the contract in the console; nothing when there is none.
    pub(crate) fn by_hand(&mut self, organization: &str, now: i64, change: impl FnOnce(&mut Value)) -> bool {
        let Some(contracts) = Arc::make_mut(&mut self.state).get_mut(organization) else { return false };
        let Some(contract) = place_of_current(contracts).and_then(|index| contracts.get_mut(index)) else {
            return false;
        };
        change(&mut contract.terms);
        self.remember(now);
        true
    }

    /// Somebody takes the last replace back in the console.
    pub(crate) fn undo(&mut self, organization: &str, now: i64) -> bool {
        let contracts = self.state.get(organization);
        let current = contracts.and_then(|contracts| contracts.get(place_of_current(contracts)?));
        let Some(before) = current.and_then(|contract| contract.replaced.clone()) else { return false };
        self.by_hand(organization, now, |terms| *terms = before)
    }

    fn remember(&mut self, now: i64) {
        self.past.push_back((now, Arc::clone(&self.state)));
        while self.past.get(1).is_some_and(|(since, _)| *since < now - 2 * LONGEST_LAG) {
            self.past.pop_front();
        }
    }

    fn as_of(&self, now: i64, lag: i64) -> &Organizations {
        if lag == 0 {
            return &self.state;
        }
        let before = self.past.iter().rev().find(|(since, _)| *since <= now - lag);
        before.map_or(&NOTHING, |(_, state)| state)
    }

    fn view(&self, contract: &Contract) -> Value {
        let mut view = contract.terms.clone();
        view["contract_id"] = json!(contract.id);
        view["account_id"] = json!("account-1");
        for list in ["items", "periods"] {
            let Some(entries) = view[list].as_array_mut() else { continue };
            for (index, entry) in entries.iter_mut().enumerate() {
                entry["id"] = json!(format!("{list}-{index}"));
            }
            if self.manner.reversed {
                entries.reverse();
            }
        }
        if self.manner.nulls {
            for name in ["notes", "external_customer_id", "discount_description"] {
                if view.get(name).is_none() {
                    view[name] = Value::Null;
                }
            }
        }
        if self.manner.extras {
            view["created_by_staff"] = json!("somebody");
        }
        if self.manner.offsets {
            for name in ["effective_at", "term_end_at"] {
                let offset = view[name].as_str().map(|text| text.replace('Z', ".000000+00:00"));
                view[name] = json!(offset);
            }
        }
        view
    }
}

/// What `GET` shows: the active contract, or else the latest draft.
fn shown(contracts: &[Contract]) -> Option<&Contract> {
    let active = contracts.iter().find(|contract| contract.status() == "active");
    active.or_else(|| contracts.iter().rev().find(|contract| contract.is_shown()))
}

/// The contract that a `PUT` replaces.
fn place_of_current(contracts: &[Contract]) -> Option<usize> {
    let active = contracts.iter().position(|contract| contract.status() == "active");
    let draft = || contracts.iter().rposition(Contract::is_shown);
    active.or_else(draft).or_else(|| contracts.iter().rposition(|contract| !contract.is_over()))
}

/// What Zoo fills in where a request says nothing.
fn filled(body: &Value) -> Value {
    let mut terms = body.clone();
    let fill = |entries: &mut Value, defaults: &[(&str, Value)]| {
        for entry in entries.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            for (name, default) in defaults {
                if entry.get(*name).is_none_or(Value::is_null) {
                    entry.insert((*name).to_owned(), default.clone());
                }
            }
        }
    };
    fill(
        &mut terms["items"],
        &[("active", json!(true)), ("is_commitment_eligible", json!(false)), ("rate_tiers", json!([]))],
    );
    fill(
        &mut terms["periods"],
        &[("rollover_in_amount", json!(0)), ("rollover_out_amount", json!(0)), ("status", json!("open"))],
    );
    if let Some(members) = terms.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    terms
}

/// Places of periods that are over and not closed yet.
fn due(contract: &Contract, now: i64) -> Vec<usize> {
    if contract.status() != "active" {
        return Vec::new();
    }
    let periods = contract.terms["periods"].as_array().into_iter().flatten().enumerate();
    let is_due = |period: &Value| {
        period["status"] == "open" && time::parse(&period["period_end_at"]).is_some_and(|end| end <= now)
    };
    periods.filter(|(_, period)| is_due(period)).map(|(index, _)| index).collect()
}

fn starts(contract: &Contract, now: i64) -> bool {
    contract.status() == "scheduled"
        && time::parse(&contract.terms["effective_at"]).is_some_and(|at| at <= now)
}

/// Notes what a replace took away that the operator knew of. A period that closed, or a note that was made, after it had
/// looked is beyond its knowledge: Zoo takes no version of what was read.
fn reset(contract: &Contract, terms: &Value, request: &Request, findings: &mut Vec<String>) {
    let slot = request.slot;
    let is_its = |id: &String| *id == contract.id || contract.before.contains(id);
    let seen = match &request.seen {
        Seen::Shown(seen) => seen,
        Seen::Absent if contract.is_shown() && request.holds.as_ref().is_some_and(is_its) => {
            findings.push(format!(
                "deal {slot}: {} was replaced as if there were none, since a read did not show it",
                contract.id
            ));
            return;
        }
        Seen::Absent | Seen::Nothing => return,
    };
    if seen["contract_id"] != json!(contract.id)
        && !seen["contract_id"].as_str().is_some_and(|id| is_its(&id.to_owned()))
    {
        return;
    }
    let periods = |terms: &Value| -> Map<String, Value> {
        let periods = terms["periods"].as_array().cloned().unwrap_or_default();
        periods.into_iter().map(|period| (period["period_index"].to_string(), period)).collect()
    };
    let after = periods(terms);
    for (index, before) in periods(seen) {
        let is_reset = before["status"] == "closed"
            && after.get(&index).is_some_and(|after| {
                after["status"] != "closed" || after["rollover_out_amount"] != before["rollover_out_amount"]
            });
        if is_reset {
            findings.push(format!(
                "deal {slot}: a replace of {} opened period {index} again, which was shown as closed",
                contract.id
            ));
        }
    }
    for name in ["notes", "external_customer_id"] {
        let has_left = name == "notes" && request.may_clear_notes;
        if seen[name].is_string() && terms.get(name).is_none() && !has_left {
            findings
                .push(format!("deal {slot}: a replace of {} took out {name}, which was shown", contract.id));
        }
    }
}
