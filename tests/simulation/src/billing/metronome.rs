//! Metronome: contracts that are edited item by item, keys that are taken once, and the invoices that follow.

mod beside;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use serde_json::{Map, Value, json};

use super::{
    LONGEST_LAG, Manner, Reply, Request, Seen,
    items::{Invoice, Item, LISTS, Minter},
    view,
};
use crate::time;

/// A contract as Metronome keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Contract {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) key: Option<String>,
    pub(crate) created: i64,
    pub(crate) from: i64,
    pub(crate) to: Option<i64>,
    pub(crate) archived: Option<i64>,
    pub(crate) name: Option<String>,
    pub(crate) payment_days: Option<i64>,
    pub(crate) rest: Map<String, Value>,
    pub(crate) items: Vec<Item>,
    edits: Vec<Value>,
    maker: Option<usize>,
    /// It is none, and has what the customer has beside its contracts.
    is_beside: bool,
}

impl Contract {
    /// What somebody's resource has put beyond the end of the contract. An edit that was under way when somebody else set
    /// the end may do so, and is put right at the next look, unless it was invoiced by then.
    pub(crate) fn late(&self, now: i64) -> Option<String> {
        let invoices = self.items.iter().filter(|item| !item.is_archived);
        let invoices = invoices.flat_map(|item| item.invoices.iter().map(move |invoice| (item, invoice)));
        let mut invoices = invoices.filter(|(item, invoice)| !item.is_unaware || invoice.at > now);
        invoices.find_map(|(item, invoice)| self.invoiced_late(item, invoice))
    }

    fn invoiced_late(&self, item: &Item, invoice: &Invoice) -> Option<String> {
        let is_late = item.maker.is_some() && self.to.is_some_and(|end| invoice.at >= end);
        is_late.then(|| {
            let at = time::text(invoice.at);
            format!("{}: {} is to be invoiced at {at}, after the contract's end", self.id, item.id)
        })
    }

    /// Whether it is in force, or will be.
    pub(crate) fn is_live(&self, now: i64) -> bool {
        self.archived.is_none() && self.to.is_none_or(|to| to > now)
    }
}

/// A line of an invoice: what a customer was charged, once and for all.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The list of the item that it is for, and its ID as the contract shows it.
    pub(super) list: &'static str,
    pub(super) item: String,
    pub(super) product: String,
    pub(super) customer: String,
    at: i64,
}

type Contracts = BTreeMap<String, Contract>;

/// What there is before the first.
static NOTHING: Contracts = BTreeMap::new();

/// A Metronome account.
pub(crate) struct Metronome {
    manner: Manner,
    state: Arc<Contracts>,
    past: VecDeque<(i64, Arc<Contracts>)>,
    minter: Minter,
    /// Keys of creates and edits; none is ever free again.
    keys: BTreeSet<String>,
    /// By contract, item of a contract or of a schedule, and moment.
    lines: BTreeMap<(String, String, i64), Line>,
    /// How often each customer was charged for a product and moment.
    charged: BTreeMap<(String, String, i64), u32>,
    /// Lines are up to date at this moment.
    settled: i64,
}

impl Metronome {
    pub(super) fn new(manner: Manner) -> Self {
        Self {
            manner,
            state: Arc::default(),
            past: VecDeque::new(),
            minter: Minter(0),
            keys: BTreeSet::new(),
            lines: BTreeMap::new(),
            charged: BTreeMap::new(),
            settled: 0,
        }
    }

    /// A contract, in truth.
    pub(crate) fn contract(&self, id: &str) -> Option<&Contract> {
        self.state.get(id)
    }

    pub(super) fn maker(&self, id: &str) -> Option<usize> {
        self.state.get(id)?.maker
    }

    pub(super) fn live_of(&self, slot: usize, now: i64) -> usize {
        self.state.values().filter(|contract| contract.maker == Some(slot) && contract.is_live(now)).count()
    }

    /// Lines of invoices that were made.
    pub(crate) fn charges(&self) -> usize {
        self.lines.len()
    }

    /// `data` of `v2/contracts/get`, as of so long ago.
    pub(crate) fn get(&self, customer: &str, id: &str, now: i64, lag: i64) -> Option<Value> {
        let contract = self.as_of(now, lag).get(id).filter(|contract| contract.customer == customer)?;
        Some(view::contract(contract, self.manner, now))
    }

    /// `data` of `v2/contracts/list`, archived ones included.
    pub(crate) fn list(&self, customer: &str, now: i64, lag: i64) -> Vec<Value> {
        let contracts = self.as_of(now, lag).values();
        let contracts = contracts.filter(|contract| contract.customer == customer && !contract.is_beside);
        let mut listed: Vec<_> =
            contracts.map(|contract| view::contract(contract, self.manner, now)).collect();
        if self.manner.reversed {
            listed.reverse();
        }
        listed
    }

    /// `data` of `v2/contracts/getEditHistory`.
    pub(crate) fn history(&self, id: &str, now: i64, lag: i64) -> Option<Vec<Value>> {
        self.as_of(now, lag).get(id).map(|contract| contract.edits.clone())
    }

    /// Carries a write out.
    pub(super) fn write(&mut self, request: &Request, now: i64, findings: &mut Vec<String>) -> Reply {
        let before = Arc::clone(&self.state);
        let reply = match request.path.as_str() {
            "v1/contracts/create" => self.create(request, now),
            "v2/contracts/edit" => self.edit(request, now, findings),
            "v1/contracts/updateEndDate" => self.update(request, |contract, body| {
                contract.to = time::parse(&body["ending_before"]);
            }),
            "v1/contracts/archive" => self.update(request, |contract, _| contract.archived = Some(now)),
            path => self.call_beside(request, now, findings).unwrap_or_else(|| {
                findings.push(format!("the model has no {path}"));
                Err(Reply::error(404, "Not Found"))
            }),
        };
        match reply {
            Ok(data) => {
                self.cut_off();
                self.settled = 0;
                self.remember(now);
                Reply::ok(json!({"data": data}))
            }
            Err(reply) => {
                // A refused request leaves nothing behind.
                self.state = Arc::clone(&before);
                reply
            }
        }
    }

    fn create(&mut self, request: &Request, now: i64) -> Result<Value, Reply> {
        let body = &request.body;
        let key = body["uniqueness_key"].as_str().map(str::to_owned);
        if key.as_ref().is_some_and(|key| !self.keys.insert(format!("create {key}"))) {
            return Err(Reply::error(409, "This uniqueness key has already been used."));
        }
        let mut items = Vec::new();
        let mut made = || -> Result<(), String> {
            for (list, _) in LISTS {
                for sent in body[list].as_array().into_iter().flatten() {
                    items.push(Item::made(list, sent, Some(request.slot), now, &mut self.minter)?);
                }
            }
            Ok(())
        };
        if let Err(why) = made() {
            // The key of a refused create is free.
            self.keys.remove(&format!("create {}", key.unwrap_or_default()));
            return Err(Reply::error(400, &why));
        }
        let mut rest = body.as_object().cloned().unwrap_or_default();
        rest.retain(|name, _| name == "rate_card_id");
        let contract = Contract {
            id: self.minter.mint("contract"),
            customer: body["customer_id"].as_str().unwrap_or_default().to_owned(),
            key,
            created: now,
            from: time::parse(&body["starting_at"]).unwrap_or(now),
            to: time::parse(&body["ending_before"]),
            archived: None,
            name: body["name"].as_str().map(str::to_owned),
            payment_days: body["net_payment_terms_days"].as_i64(),
            rest,
            items,
            edits: Vec::new(),
            maker: Some(request.slot),
            is_beside: false,
        };
        let id = contract.id.clone();
        Arc::make_mut(&mut self.state).insert(id.clone(), contract);
        Ok(json!({"id": id}))
    }

    fn edit(&mut self, request: &Request, now: i64, findings: &mut Vec<String>) -> Result<Value, Reply> {
        let body = &request.body;
        let id = body["contract_id"].as_str().unwrap_or_default();
        let key = format!("edit {id} {}", body["uniqueness_key"]);
        if self.keys.contains(&key) {
            return Err(Reply::error(409, "This uniqueness key has already been used."));
        }
        let Some(mut contract) = self.state.get(id).cloned() else {
            return Err(Reply::error(404, "Contract not found"));
        };
        if contract.archived.is_some() {
            return Err(Reply::error(400, "The contract is archived"));
        }
        let mut edit = json!({
            "id": self.minter.mint("edit"), "timestamp": time::text(now), "uniqueness_key": body["uniqueness_key"],
        });
        // Edits within one second still have an order.
        edit["timestamp"] =
            json!(format!("{}.{:06}Z", time::text(now).trim_end_matches('Z'), contract.edits.len()));
        for (verb, value) in body.as_object().into_iter().flatten() {
            self.verb(&mut contract, verb, value, request, now, &mut edit).map_err(|why| {
                if why.starts_with("no such verb") {
                    findings.push(format!("the model has {why}"));
                }
                Reply::error(400, &why)
            })?;
        }
        self.keys.insert(key);
        contract.edits.push(edit.clone());
        Arc::make_mut(&mut self.state).insert(id.to_owned(), contract);
        let mut data = json!({"id": id});
        if !self.manner.terse {
            data["edit"] = edit;
        }
        Ok(data)
    }

    fn verb(
        &mut self,
        contract: &mut Contract,
        verb: &str,
        value: &Value,
        request: &Request,
        now: i64,
        edit: &mut Value,
    ) -> Result<(), String> {
        let of = |prefix: &str| LISTS.iter().find(|(list, _)| verb.strip_prefix(prefix) == Some(list));
        let sent = || value.as_array().into_iter().flatten();
        if let Some((list, _)) = of("add_") {
            let mut told = Vec::new();
            for sent in sent() {
                let mut item = Item::made(list, sent, Some(request.slot), now, &mut self.minter)?;
                item.may_bill_past = request.is_approved;
                item.is_unaware = match &request.seen {
                    Seen::Shown(view) => time::parse(&view["ending_before"]) != contract.to,
                    Seen::Nothing | Seen::Absent => false,
                };
                told.push(
                    json!({"id": item.id, "product": {"id": item.product}, "name": item.rest.get("name")}),
                );
                contract.items.push(item);
            }
            edit[verb] = told.into();
        } else if let Some((list, _)) = of("archive_") {
            for gone in sent() {
                let item = find(contract, list, &gone["id"])?;
                if item.invoices.iter().any(|invoice| self.is_final(&contract.id, &invoice.id)) {
                    return Err("an invoice is final".to_owned());
                }
                find_mut(contract, list, &gone["id"])?.is_archived = true;
            }
            edit[verb] = value.clone();
        } else if let Some((list, id_name)) = of("update_") {
            for update in sent() {
                let lines: BTreeSet<_> = self
                    .lines
                    .keys()
                    .filter(|(of, ..)| *of == contract.id)
                    .map(|(_, item, _)| item.clone())
                    .collect();
                let is_final = |id: &str| lines.contains(id);
                let item = find_mut(contract, list, &update[*id_name])?;
                item.change(update, id_name, &is_final, &mut self.minter)?;
            }
        } else {
            match verb {
                "contract_id" | "customer_id" | "uniqueness_key" => {}
                "update_contract_name" => contract.name = value.as_str().map(str::to_owned),
                "update_contract_end_date" => contract.to = time::parse(value),
                "update_net_payment_terms_days" => contract.payment_days = value.as_i64(),
                _ => return Err(format!("no such verb: {verb}")),
            }
        }
        Ok(())
    }

    fn update(
        &mut self,
        request: &Request,
        change: impl FnOnce(&mut Contract, &Value),
    ) -> Result<Value, Reply> {
        let id = request.body["contract_id"].as_str().unwrap_or_default();
        match Arc::make_mut(&mut self.state).get_mut(id) {
            Some(contract) => {
                change(contract, &request.body);
                Ok(json!({"id": id}))
            }
            None => Err(Reply::error(404, "Contract not found")),
        }
    }

    /// Somebody changes a contract in the console.
    pub(crate) fn by_hand(&mut self, id: &str, now: i64, change: impl FnOnce(&mut Contract, &mut Minter)) {
        let Some(contract) = Arc::make_mut(&mut self.state).get_mut(id) else { return };
        let before: BTreeSet<_> = contract.items.iter().map(|item| item.id.clone()).collect();
        change(contract, &mut self.minter);
        let mut edit = json!({"id": self.minter.mint("edit"), "timestamp": format!("{}.{:06}Z",
            time::text(now).trim_end_matches('Z'), contract.edits.len())});
        for (list, _) in LISTS {
            let added = contract.items.iter().filter(|item| item.list == list && !before.contains(&item.id));
            let told: Vec<_> =
                added.map(|item| json!({"id": item.id, "product": {"id": item.product}})).collect();
            if !told.is_empty() {
                edit[format!("add_{list}")] = told.into();
            }
        }
        contract.edits.push(edit);
        self.cut_off();
        self.settled = 0;
        self.remember(now);
    }

    /// What lies after the end of its contract goes when the end is set; what is added there later stays.
    fn cut_off(&mut self) {
        let state = Arc::clone(&self.state);
        for (id, contract) in state.iter() {
            let before = self.past.back().and_then(|(_, past)| past.get(id)).and_then(|before| before.to);
            if let Some(end) =
                contract.to.filter(|end| Some(*end) != before && before.is_none_or(|before| *end < before))
                && let Some(contract) = Arc::make_mut(&mut self.state).get_mut(id)
            {
                contract.items.iter_mut().for_each(|item| item.end(end));
            }
        }
    }

    fn is_final(&self, contract: &str, item: &str) -> bool {
        let from = (contract.to_owned(), item.to_owned(), i64::MIN);
        let next = self.lines.range(from..).next();
        next.is_some_and(|((of, found, _), _)| of == contract && found == item)
    }

    /// Makes the invoices that are due, and notes what must never be on one.
    pub(super) fn pass(&mut self, now: i64, findings: &mut Vec<String>) {
        if now == self.settled {
            return;
        }
        self.settled = now;
        let state = Arc::clone(&self.state);
        for contract in state.values().filter(|contract| contract.archived.is_none()) {
            for item in contract.items.iter().filter(|item| !item.is_archived) {
                for invoice in &item.invoices {
                    if invoice.at <= now {
                        let late = contract.invoiced_late(item, invoice).filter(|_| !item.is_unaware);
                        findings.extend(late.map(|what| format!("{what}, and was")));
                        self.charge(contract, item, (&invoice.id, &item.id), invoice.at, findings);
                    }
                }
                for (index, at) in item.beginnings(now, contract.to).into_iter().enumerate() {
                    let minted = view::minted_id(item, index);
                    self.charge(contract, item, (&item.id, &minted), at, findings);
                }
            }
        }
    }

    /// Final invoices of a contract, one a line.
    pub(crate) fn invoices(&self, contract: &str) -> Vec<Value> {
        let lines = self.lines.iter().filter(|((of, ..), _)| of == contract);
        lines.map(|((_, id, at), line)| view::invoice(contract, id, *at, line, self.manner)).collect()
    }

    /// Notes what is charged by something with an ID, for an item that is shown by another.
    fn charge(
        &mut self,
        contract: &Contract,
        item: &Item,
        (id, shown): (&str, &str),
        at: i64,
        findings: &mut Vec<String>,
    ) {
        let place = (contract.id.clone(), id.to_owned(), at);
        if self.lines.contains_key(&place) {
            return;
        }
        let (product, customer) = (item.product.clone(), contract.customer.clone());
        let line = Line { list: item.list, item: shown.to_owned(), product, customer, at };
        let what = format!("{} of {} for {}", line.product, line.customer, time::text(at));
        let is_past = at < item.added - time::HOUR && item.added > contract.created;
        let was_there = |other: &Item| other.product == item.product && other.id != item.id;
        if is_past && item.maker.is_some() && !item.may_bill_past && contract.items.iter().any(was_there) {
            findings.push(format!(
                "{what} was added again at {} and charged for the past",
                time::text(item.added)
            ));
        }
        let times = self.charged.entry((line.customer.clone(), line.product.clone(), line.at)).or_default();
        *times += 1;
        if *times > 1 && item.maker.is_some() {
            findings.push(format!("{what} is charged {times} times"));
        }
        self.lines.insert(place, line);
    }

    fn remember(&mut self, now: i64) {
        self.past.push_back((now, Arc::clone(&self.state)));
        while self.past.get(1).is_some_and(|(since, _)| *since < now - 2 * LONGEST_LAG) {
            self.past.pop_front();
        }
    }

    fn as_of(&self, now: i64, lag: i64) -> &Contracts {
        if lag == 0 {
            return &self.state;
        }
        let before = self.past.iter().rev().find(|(since, _)| *since <= now - lag);
        before.map_or(&NOTHING, |(_, state)| state)
    }
}

fn find<'c>(contract: &'c Contract, list: &str, id: &Value) -> Result<&'c Item, String> {
    let found = contract.items.iter().find(|item| item.list == list && *id == json!(item.id));
    found.ok_or_else(|| format!("no {list} {id}"))
}

fn find_mut<'c>(contract: &'c mut Contract, list: &str, id: &Value) -> Result<&'c mut Item, String> {
    let found = contract.items.iter_mut().find(|item| item.list == list && *id == json!(item.id));
    found.ok_or_else(|| format!("no {list} {id}"))
}
