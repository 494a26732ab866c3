//! Commits and credits of the customer, which lie beside its contracts and are made, changed and ended by calls of their
//! own.
//!
//! Each is made with a uniqueness key that follows from the contract's and from its own, and is found again by it, where
//! the API tells keys, or by its id on record. What has the key of another resource is not looked at. The API deletes none:
//! one that leaves the spec is ended, and goes on when it comes back.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Map, Value, json};

use super::{
    CustomerId, Desired, ObservedContract, UniquenessKey,
    defaults::{fill_defaults, prune},
    draft::{Draft, call},
    immutable::Remedy,
    key::key_of_item,
    lists::{Beside, LISTS, List, Writes, item_shape, wire_name},
    matching::Wanted,
    money::{Unit, names_of, unit_names},
    needs::Balances,
    next_hour,
    observed::{ApiId, Ids, Item},
    part::{Members, Part},
    reply::{as_written, ids_of, is_made_by_the_api, is_set},
    schedule, text,
};
use crate::{
    plan::{Added, Call, CallKind, Change, Recorded, Refusal},
    terms::{Decimal, Shape, Timestamp, metronome::CONTRACT, shape::Spelling},
};

/// Member with the contract on whose invoices a commit is billed.
const INVOICE_CONTRACT: &str = "invoiceContractId";
/// Shape of a number outside the terms.
static DECIMAL: Shape = Shape::Decimal;

impl Balances {
    /// The list of the contract's terms that has them.
    #[must_use]
    pub fn list(self) -> &'static str {
        match self {
            Self::Commits => "customerCommits",
            Self::Credits => "customerCredits",
        }
    }

    /// The list of the contract with those that are its own.
    fn own_list(self) -> &'static str {
        match self {
            Self::Commits => "commits",
            Self::Credits => "credits",
        }
    }
}

/// Which balances of the customer a contract that is there is concerned with: those that the spec has, that are on record,
/// or that a write may have made whose reply was lost; all where a spec came and went that may not be on record.
pub(super) fn needed<'a>(
    desired: Option<&'a Desired>,
    recorded: &'a Recorded,
) -> impl Iterator<Item = Balances> + 'a {
    let is_said = move |list: &str| desired.is_some_and(|desired| desired.terms().get(list).is_some());
    let is_lost = |list| recorded.lost.iter().flat_map(|write| &write.adds).any(|path| is_of(path, list));
    let is_recorded = |list| recorded.items.keys().any(|path| is_of(path, list));
    Balances::ALL.into_iter().filter(move |kind| {
        let list = kind.list();
        is_said(list) || is_recorded(list) || is_lost(list) || recorded.may_lack_a_spec
    })
}

/// Whether a path is that of something in a list.
fn is_of(path: &str, list: &str) -> bool {
    path.strip_prefix(list).is_some_and(|rest| rest.starts_with('/'))
}

/// The commits, or credits, of a customer as the API told them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedBalances {
    terms: Vec<Value>,
    ids: Vec<Ids>,
    gone: Vec<(ApiId, Value)>,
    /// Keys that such resources made, by the ids of their items.
    keys: BTreeMap<ApiId, String>,
    unit_names: BTreeMap<String, String>,
    product_names: BTreeMap<String, String>,
}

impl ObservedBalances {
    /// Reads what a list of them tells.
    ///
    /// # Errors
    /// When a part of it has another shape than the API documents; the error names it.
    pub fn read(kind: Balances, data: &Value) -> Result<Self, String> {
        let name = wire_name(&CONTRACT, kind.list());
        let told = data.as_array().ok_or("the reply is no list")?;
        let id = |item: &Value| item.get("id").and_then(Value::as_str).map(ApiId::from);
        let key = |item: &Value| Some((id(item)?, key_of_item(text(item, "uniqueness_key")?)?.to_owned()));
        let items = told.iter().map(as_written).filter(|item| !is_made_by_the_api(item));
        let (gone, live): (Vec<_>, Vec<_>) = items.partition(|item| is_set(item, "archived_at"));
        let wire = json!({name: live});
        let list = LISTS.iter().find(|list| list.name == kind.list()).ok_or("no such list")?;
        let schedule = |name: Option<&str>| name.map(|name| wire_name(item_shape(list.name), name));
        let ids = ids_of(&wire, name, schedule(list.access), schedule(list.invoice))?;
        let mut terms = CONTRACT.canonical(&wire, Spelling::Wire).map_err(|error| error.to_string())?;
        prune(&mut terms);
        fill_defaults(&mut terms);
        let gone = gone.iter().filter_map(|item| {
            Some((id(item)?, item_shape(list.name).canonical(item, Spelling::Wire).ok()?))
        });
        Ok(Self {
            terms: super::list(&terms, list.name).cloned().collect(),
            ids,
            gone: gone.collect(),
            keys: told.iter().filter_map(key).collect(),
            unit_names: unit_names(data),
            product_names: names_of("product", data),
        })
    }
}

impl ObservedContract {
    /// Takes the customer's balances beside the contract, for the resource whose contract has a key. Those with the key of
    /// another resource are left out.
    pub fn merge_balances(&mut self, kind: Balances, told: &ObservedBalances, key: &UniquenessKey) {
        let (name, mark) = (kind.list(), key.mark_of_items());
        let is_anothers = |id: &ApiId| told.keys.get(id).is_some_and(|key| !key.starts_with(&mark));
        let items = told.ids.iter().zip(&told.terms).filter(|(ids, _)| !is_anothers(&ids.own));
        let (ids, terms): (Vec<_>, Vec<_>) = items.map(|(ids, terms)| (ids.clone(), terms.clone())).unzip();
        let gone = told.gone.iter().filter(|(id, _)| !is_anothers(id)).cloned().collect();
        self.not_own(kind.own_list(), &told.ids.iter().map(|ids| ids.own.as_str()).collect());
        if let (false, Some(members)) = (terms.is_empty(), self.terms.as_object_mut()) {
            members.insert(name.to_owned(), terms.into());
        }
        self.ids.insert(name, ids);
        self.gone.insert(name, gone);
        let own = told.keys.iter().filter(|(_, key)| key.starts_with(&mark));
        self.keys.extend(own.map(|(id, key)| (id.clone(), key.clone())));
        self.unit_names.extend(told.unit_names.clone());
        self.product_names.extend(told.product_names.clone());
    }

    /// What the customer has beside the contract that is not over at a moment, each with the key of its item of the spec
    /// where a resource of this contract made it.
    pub fn balances(&self, kind: Balances, at: Timestamp) -> impl Iterator<Item = (Option<&str>, &Value)> {
        let list = LISTS.iter().find(move |list| list.name == kind.list());
        let is_over = move |item: &Item<'_>| list.is_none_or(|list| is_over(list, *item, at));
        let items = self.items(kind.list()).filter(move |item| !is_over(item));
        items.map(|item| {
            let made = self.made_key(&item.ids.own).and_then(|key| key.rsplit_once('/'));
            (made.map(|(_, key)| key), item.terms)
        })
    }

    /// Takes items out of a list of the contract that are not its own, should the API show them there as well.
    fn not_own(&mut self, name: &'static str, others: &HashSet<&str>) {
        let is_other = |ids: &Ids| others.contains(ids.own.as_str());
        let Some(ids) = self.ids.get_mut(name).filter(|ids| ids.iter().any(is_other)) else { return };
        let kept: Vec<_> = ids.iter().map(|ids| !is_other(ids)).collect();
        ids.retain(|ids| !is_other(ids));
        if let Some(items) = self.terms.get_mut(name).and_then(Value::as_array_mut) {
            let mut kept = kept.into_iter();
            items.retain(|_| kept.next().unwrap_or(true));
        }
    }

    /// The key that a resource of this contract made an item of the customer with.
    pub(super) fn made_key(&self, id: &ApiId) -> Option<&str> {
        self.keys.get(id).map(String::as_str)
    }

    /// Whether an archived item holds a key, which the API never frees.
    fn holds_archived(&self, list: &List, key: &str) -> bool {
        let gone = self.gone.get(list.name).into_iter().flatten();
        gone.into_iter().any(|(id, _)| self.made_key(id) == Some(key))
    }
}

/// Whether nothing of an item may be used, or is invoiced, at or after a moment.
pub(super) fn is_over(list: &List, item: Item<'_>, end: Timestamp) -> bool {
    let of = |member: Option<&str>| {
        let schedule = member.and_then(|member| item.terms.get(member));
        schedule.map(schedule::items).unwrap_or_default()
    };
    let goes_on = |part: &Value| {
        let until = text(part, "endingBefore").or_else(|| text(part, "timestamp"));
        let until = until.and_then(|until| until.parse::<Timestamp>().ok());
        let is_late = until
            .is_none_or(|until| if part.get("timestamp").is_some() { until >= end } else { until > end });
        is_late && schedule::amount(part).is_none_or(|amount| amount != Decimal::ZERO)
    };
    !of(list.access).iter().chain(&of(list.invoice)).any(goes_on)
}

/// Makes an item of the spec.
pub(super) fn create(
    draft: &mut Draft<'_>,
    list: &'static List,
    beside: &Beside,
    wanted: &Wanted,
    item: Value,
) {
    let mut item = item;
    let is_invoiced = list.invoice.is_some_and(|invoice| {
        item.get(invoice).is_some_and(|schedule| schedule.get("doNotInvoice") != Some(&Value::Bool(true)))
    });
    if let (true, Some(members)) = (is_invoiced, item.as_object_mut()) {
        members.entry(INVOICE_CONTRACT).or_insert_with(|| json!(draft.observed.contract_id));
    }
    let mut body = Members::from([
        ("customer_id", Part::text(&draft.observed.customer_id)),
        ("uniqueness_key", Part::text(draft.desired.key().of_item(list.name, &wanted.key))),
    ]);
    let shape = item_shape(list.name);
    for (name, member) in
        shape.members().filter(|(_, member)| member.place == crate::terms::shape::Place::Body)
    {
        if let Some(value) = item.get(name) {
            body.insert(member.wire.as_str(), Part::Terms(&member.shape, value.clone()));
        }
    }
    let recorded_as = format!("{}/{}", list.name, wanted.key);
    let made = call(CallKind::Add, beside.create, &body);
    draft.push_call(made.map(|made| Call { adds: vec![Added { verb: beside.create, recorded_as }], ..made }));
}

/// Whether an item of the spec can be made: the API never frees the key of one that somebody archived.
pub(super) fn can_be_made(draft: &Draft<'_>, list: &'static List, wanted: &Wanted) -> bool {
    let key = draft.desired.key().of_item(list.name, &wanted.key);
    !(list.is_beside() && draft.observed.holds_archived(list, &key))
}

/// Whether an item was made and is not shown: the API deletes none, so what it shows is behind.
pub(super) fn is_unseen(draft: &Draft<'_>, list: &'static List, wanted: &Wanted) -> bool {
    let made = draft.recorded(&format!("{}/{}", list.name, wanted.key)).filter(|id| !id.is_empty());
    list.is_beside() && made.is_some_and(|id| !draft.observed.all_ids().contains(id))
}

/// Changes an item in place.
pub(super) fn edit(draft: &mut Draft<'_>, beside: &Beside, mut update: Members) {
    let adds = |member: &str| matches!(update.get(member), Some(Part::Object(verbs)) if verbs.contains_key("add_schedule_items"));
    // The call has no key: what it adds to a schedule, a repeat would add once more.
    let kind =
        if adds("access_schedule") || adds("invoice_schedule") { CallKind::Append } else { CallKind::Other };
    update.insert("customer_id", Part::text(&draft.observed.customer_id));
    draft.push_call(call(kind, beside.edit, &update));
}

/// Ends an item that left the spec.
pub(super) fn take_out(
    draft: &mut Draft<'_>,
    list: &'static List,
    beside: &Beside,
    item: Item<'_>,
    change: &Change,
) {
    let customer_id = draft.observed.customer_id.clone();
    match end(list, beside, &customer_id, item, next_hour(draft.now)) {
        None => draft.reject(change, Unit::Usd, Remedy::Postpaid),
        Some(call) => {
            if draft.change(change, Unit::Usd) {
                draft.push_call(call);
            }
        }
    }
}

/// The call that ends an item at a moment; nothing for one that the API does not end. One that has not begun by then is
/// emptied instead, as an end before its start is none.
fn end(
    list: &List,
    beside: &Beside,
    customer_id: &CustomerId,
    item: Item<'_>,
    at: Timestamp,
) -> Option<Result<Call, Refusal>> {
    let parts = |member: Option<&str>| {
        let schedule = member.and_then(|member| item.terms.get(member));
        schedule.map(schedule::items).unwrap_or_default()
    };
    let (access, invoices) = (parts(list.access), parts(list.invoice));
    let mut body = Members::from([
        ("customer_id", Part::text(customer_id.as_str())),
        (list.id, Part::text(&item.ids.own)),
    ]);
    let has_begun = access.iter().any(|part| schedule::start_of(part).is_some_and(|start| start < at));
    if !has_begun {
        for (member, parts, ids) in [
            ("access_schedule", &access, &item.ids.access),
            ("invoice_schedule", &invoices, &item.ids.invoice),
        ] {
            let emptied =
                parts.iter().zip(ids).filter(|(part, _)| schedule::amount(part) != Some(Decimal::ZERO));
            let zero = || Part::Terms(&DECIMAL, json!("0"));
            let emptied: Vec<_> =
                emptied.map(|(_, id)| Part::object([("id", Part::text(id)), ("amount", zero())])).collect();
            if !emptied.is_empty() {
                body.insert(member, Part::object([("update_schedule_items", Part::List(emptied))]));
            }
        }
        return Some(call(CallKind::Other, beside.edit, &body));
    }
    if text(item.terms, "type") == Some("POSTPAID") {
        return None;
    }
    let ends_later = |part: &Value| {
        text(part, "endingBefore").and_then(|end| end.parse().ok()).is_none_or(|end: Timestamp| end > at)
    };
    if access.iter().any(ends_later) || list.invoice.is_none() {
        body.insert("access_ending_before", Part::time(at));
    }
    if invoices.iter().any(|part| schedule::start_of(part).is_none_or(|due| due >= at)) {
        body.insert("invoices_ending_before", Part::time(at));
    }
    Some(call(CallKind::Other, beside.end, &body))
}

/// The calls that end what a resource has made beside its contract, each with what it is called in plans, and the paths
/// of what the API does not end.
#[derive(Debug, Default)]
pub(super) struct Endings {
    pub calls: Vec<Call>,
    pub changes: Vec<Change>,
    pub without_end: Vec<String>,
}

/// Ends everything that a resource has made beside its contract.
///
/// # Errors
/// When a body cannot be written as JSON.
pub(super) fn end_all(
    observed: &ObservedContract,
    recorded: &Recorded,
    at: Timestamp,
) -> Result<Endings, Refusal> {
    let mut endings = Endings::default();
    for list in &LISTS {
        let Writes::Beside(beside) = &list.writes else { continue };
        let known: BTreeSet<_> = recorded
            .items
            .iter()
            .filter(|(path, _)| is_of(path, list.name) && path.split('/').count() == 2)
            .map(|(_, id)| id.as_str())
            .collect();
        let is_own = |id: &ApiId| known.contains(id.as_str()) || observed.made_key(id).is_some();
        for item in
            observed.items(list.name).filter(|item| is_own(&item.ids.own) && !is_over(list, *item, at))
        {
            let path = format!("/{}/{}", list.name, item.ids.own);
            match end(list, beside, &observed.customer_id, item, at) {
                Some(call) => {
                    endings.calls.push(call?);
                    endings.changes.push(Change::removed(path, item.terms.clone()));
                }
                None => endings.without_end.push(path),
            }
        }
    }
    Ok(endings)
}

/// An item as it is once it has ended: without what may be used, or is invoiced, from then on.
pub(super) fn ended(list: &List, terms: &Value, at: Timestamp) -> Value {
    let mut terms = terms.clone();
    for member in [list.access, list.invoice].into_iter().flatten() {
        if let Some(schedule) = terms.get_mut(member) {
            schedule::cut(schedule, at, at);
        }
    }
    terms
}

/// The customer's balances in terms of a contract, apart from the contract's own terms.
pub(super) fn apart(terms: &Value) -> (Value, Value) {
    let (mut own, mut beside) = (terms.clone(), Map::new());
    if let Some(members) = own.as_object_mut() {
        for kind in Balances::ALL {
            beside.extend(members.remove_entry(kind.list()));
        }
    }
    (own, beside.into())
}
