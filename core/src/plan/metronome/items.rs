//! Items with keys: what an edit adds, changes and takes out.

use serde_json::{Map, Value, json};

use super::{
    balances,
    create::stamp_item,
    draft::Draft,
    fields, gate,
    immutable::Remedy,
    leaving,
    lists::{List, Removal, USAGE, Writes, item_shape, shape_at},
    matching::{Differences, Matched, Pairs, Wanted, differences, end_of, has_ended},
    money::{Unit, units_at},
    next_hour,
    observed::{AddedItem, Item},
    part::{Members, Part, insert},
    past::{self, Past},
    schedule::{self, Difference, Kind, Step},
    subscriptions, text,
};
use crate::{
    api::contract::ManagementPolicy,
    plan::{Change, diff::covers},
    terms::{Timestamp, shape::Spelling},
};

/// Compares the items of every list with keys.
pub(super) fn compare(draft: &mut Draft<'_>, matched: &Matched<'_>) {
    let past = Past::of(draft, matched);
    for pairs in &matched.lists {
        for (wanted, item) in &pairs.wanted {
            match item {
                None => add(draft, &past, pairs.list, wanted),
                Some(item) => edit(draft, pairs.list, wanted, *item),
            }
        }
        compare_left(draft, pairs);
    }
}

/// Path of an item, or of a place in it.
fn path(list: &List, key: &str, place: &str) -> String {
    format!("/{}/{key}{place}", list.name)
}

fn add(draft: &mut Draft<'_>, past: &Past, list: &'static List, wanted: &Wanted) {
    let change = Change::added(path(list, &wanted.key, ""), canonical(list, wanted));
    if balances::is_unseen(draft, list, wanted) {
        draft.unseen.push(change.path);
        return;
    }
    if !balances::can_be_made(draft, list, wanted) {
        draft.reject(&change, Unit::Usd, Remedy::Archived);
        return;
    }
    if let Some(before) = missing(draft, list, wanted) {
        let path = path(list, &wanted.key, &format!("/added before as {before}"));
        draft.reject(&Change::added(path, canonical(list, wanted)), Unit::Usd, Remedy::Unseen);
        return;
    }
    if past.is_waited_for(list, wanted) {
        draft.reject(&change, Unit::Usd, Remedy::Begin);
        return;
    }
    let Ok(backdated) = past.admit(draft, list, wanted) else {
        draft.reject(&change, Unit::Usd, Remedy::Past);
        return;
    };
    if draft.change(&change, Unit::Usd) {
        if let Some(backdated) = backdated {
            draft.change(&backdated, Unit::Other);
        }
        push_item(draft, list, wanted);
    }
}

/// The id of an item for the same product that an edit of this resource has added, that is not on record, and that billing
/// shows neither in force nor archived: to add another could bill twice. Whoever approves plans may say that it is gone.
fn missing<'d>(draft: &Draft<'d>, list: &List, wanted: &Wanted) -> Option<&'d str> {
    if draft.policy.management != ManagementPolicy::Apply {
        return None;
    }
    let product = list.identity.iter().find(|place| place.ends_with("/productId"));
    let product = product.and_then(|place| wanted.compared.pointer(place)?.as_str());
    let is_like = |item: &&AddedItem| {
        item.list == Some(list.name) && item.product.as_deref().is_none_or(|found| Some(found) == product)
    };
    let mut missing = draft.observed.missing.iter().filter(is_like);
    missing.find(|item| draft.recorded_as(list.name, &item.id).is_none()).map(|item| item.id.as_str())
}

impl Draft<'_> {
    /// The key, or else the ID, of an item that is the resource's own: on record, or added by an edit of the resource, or made
    /// by its create, though the reply was lost and the spec has changed.
    pub(super) fn own_key(&self, list: &List, item: Item<'_>) -> Option<String> {
        let id = &item.ids.own;
        let is_ours = || {
            self.observed.is_ours(id)
                || (self.observed.came_with_own(self.desired, self.recorded, list.name)
                    && !is_recharge(self, list, item))
        };
        let recorded = self.recorded_as(list.name, id).map(str::to_owned);
        recorded.or_else(|| is_ours().then(|| id.to_string()))
    }

    /// Whether the contract is over as soon as a change can apply: what would be ended then bills nothing any more.
    fn is_over(&self) -> bool {
        let end = self.desired.end_in(self.observed, self.recorded);
        end.is_some_and(|end| end <= self.soonest(None)) && end == self.observed.ending_before
    }

    /// When an item ends that goes out: as soon as a change can apply, or, where its contract was over and goes on again, with
    /// that, as it would be billed for the time between.
    fn end_of_what_goes(&self, start: Option<Timestamp>) -> Timestamp {
        let over = self.observed.ending_before.filter(|end| end.0 <= self.now);
        let over = over.filter(|end| start.is_none_or(|start| start < *end));
        over.unwrap_or_else(|| self.soonest(start))
    }
}

/// Adds an item in the edit, as the spec says.
fn push_item(draft: &mut Draft<'_>, list: &'static List, wanted: &Wanted) {
    let mut item = wanted.written.clone();
    stamp_item(draft.desired, &mut item);
    schedule::as_sent(&mut item);
    let recorded_as = format!("{}/{}", list.name, wanted.key);
    match &list.writes {
        Writes::Edit { add, .. } => draft.add(add, recorded_as, Part::Terms(item_shape(list.name), item)),
        Writes::Beside(beside) => balances::create(draft, list, beside, wanted, item),
    }
}

/// Changes an item in place where the API can; else it is replaced, or refused.
fn edit(draft: &mut Draft<'_>, list: &'static List, wanted: &Wanted, item: Item<'_>) {
    let mut differences = differences(list, wanted, item);
    let left = leaving::of_item(draft.shown, &draft.known, list, wanted, item).into_iter();
    let is_new = |change: &Change| differences.members.iter().all(|found| found.path != change.path);
    let left: Vec<_> = left.filter(is_new).collect();
    differences.members.extend(left);
    differences.members.extend(gate::difference(draft, list, wanted));
    if leaving::is_free_of_charge(&draft.known, list, wanted, item) {
        let invoice = list.invoice.and_then(|invoice| item.terms.get(invoice));
        differences.invoice = schedule::differences(Kind::Invoice, &json!({}), invoice, &item.ids.invoice);
    }
    let mut update = Members::new();
    if differences.members.iter().all(|change| change.path != "/endingBefore") {
        differences.members.extend(reopened(draft, list, wanted, item));
    }
    if differences.members.iter().all(|change| change.path != "/endingBefore") {
        goes_on_with_contract(draft, list, wanted, item);
    }
    if list.name == "subscriptions" {
        subscriptions::edit(draft, wanted, item, &mut differences.members, &mut update);
    }
    // What left the spec is counted in what billing has it in.
    let units = |place: &str| {
        let name = place.split('/').nth(1).unwrap_or_default();
        let to = if wanted.written.get(name).is_some() { &wanted.written } else { item.terms };
        units_at(item.terms, to, place)
    };
    let updatable = |change: &Change| list.updatable.iter().find(|(place, _)| covers(place, &change.path));
    let place = |change: &Change| {
        updatable(change).filter(|(place, _)| leaving::can_leave(place, &wanted.written, change))
    };
    let stuck: Vec<_> = differences.members.iter().filter(|change| place(change).is_none()).collect();
    let counts = |change: &&&Change| draft.counts(&path(list, &wanted.key, &change.path));
    // Half of a change is never written: an item with a member that cannot change is replaced whole, or refused.
    let is_stuck =
        stuck.iter().any(|change| counts(&change)) || (item.ids.own.is_empty() && differs(&differences));
    if is_stuck && matches!(list.removal, Removal::Archive { replaces: true, .. }) {
        match past::replaced(draft, list, wanted) {
            Ok(backdated) => replace(draft, list, wanted, item, &differences, backdated.as_ref()),
            Err(_) => reject_all(draft, list, wanted, item, &differences),
        }
        return;
    }
    for change in stuck {
        let whole = Change { path: path(list, &wanted.key, &change.path), ..change.clone() };
        let is_kept = updatable(change).is_some() && change.path != "/endingBefore";
        let remedy = if is_kept { Remedy::Say } else { Remedy::Item };
        draft.reject(&whole, units(&change.path), remedy);
    }
    if item.ids.own.is_empty() {
        let change = Change::new(path(list, &wanted.key, ""), None, Some(json!("the API gives it no id")));
        if differs(&differences) {
            draft.reject(&change, Unit::Other, Remedy::Item);
        }
        return;
    }
    let mut usage = Vec::new();
    for change in &differences.members {
        let Some((place, names)) = place(change) else { continue };
        let whole = Change { path: path(list, &wanted.key, &change.path), ..change.clone() };
        if change.path == "/endingBefore" && !may_go_on(draft, list, wanted, item, &whole) {
            continue;
        }
        if !draft.change(&whole, units(&change.path)) {
            continue;
        }
        let part = match leaving::sent(place, &wanted.written, &differences.members) {
            Some(value) => Part::Terms(shape_at(item_shape(list.name), place), value),
            None => Part::Null,
        };
        if USAGE.iter().any(|name| change.path == format!("/{name}")) {
            usage.push((*names, part));
        } else {
            insert(&mut update, names, part);
        }
    }
    edit_usage(draft, list, item, usage, &mut update);
    for (member, found) in
        [("access_schedule", differences.access), ("invoice_schedule", differences.invoice)]
    {
        if let Some(part) = edit_schedule(draft, list, wanted, item, member, found) {
            update.insert(member, part);
        }
    }
    if !update.is_empty() {
        update.insert(list.id, Part::text(&item.ids.own));
        match &list.writes {
            Writes::Edit { update: verb, .. } => draft.push(verb, Part::Object(update)),
            Writes::Beside(beside) => balances::edit(draft, beside, update),
        }
    }
    if let Some(entity) = list.entity {
        let place = format!("{}/{}", list.name, wanted.key);
        let own = wanted.written.get("key").cloned().map(|key| (super::ITEM_KEY.to_owned(), key));
        let own: Map<_, _> = own.filter(|_| draft.desired.resolved.stamp.is_some()).into_iter().collect();
        fields::compare_of(draft, entity, item.ids.own.as_str(), &place, &wanted.written, item.terms, &own);
    }
}

/// The end of an item that ends, or has ended, before its contract does, although the spec has one that goes on: what has no
/// end goes on for as long as the contract. An end of the contract that was set and taken back leaves its items cut off.
fn reopened(draft: &Draft<'_>, list: &List, wanted: &Wanted, item: Item<'_>) -> Option<Change> {
    let goes_on = list.removal == Removal::End && wanted.written.get("endingBefore").is_none();
    let end = end_of(item).filter(|_| goes_on)?;
    let of_contract = draft.desired.end_in(draft.observed, draft.recorded);
    let is_cut_off = of_contract.is_none_or(|of_contract| end < of_contract);
    is_cut_off.then(|| Change::removed("/endingBefore".to_owned(), json!(end)))
}

/// Names, or refuses, the periods that an item has missed while its contract was over, where the contract goes on again.
fn goes_on_with_contract(draft: &mut Draft<'_>, list: &List, wanted: &Wanted, item: Item<'_>) {
    let until = text(&wanted.written, "endingBefore").and_then(|end| end.parse().ok());
    let Some(missed) = past::missed_with_contract(draft, list, item, until) else { return };
    if let Ok(backdated) = past::named(draft, list, wanted, missed) {
        draft.change(&backdated, Unit::Other);
        return;
    }
    let path = path(list, &wanted.key, "/endingBefore");
    let change =
        Change::new(path, Some(json!(draft.observed.ending_before)), until.map(|until| json!(until)));
    draft.reject(&change, Unit::Other, Remedy::Past);
}

/// Whether an item may go on after it has ended. Periods that it has missed since would be billed at once.
fn may_go_on(draft: &mut Draft<'_>, list: &List, wanted: &Wanted, item: Item<'_>, change: &Change) -> bool {
    let end: Option<Timestamp> =
        wanted.written.get("endingBefore").and_then(Value::as_str).and_then(|end| end.parse().ok());
    let missed = past::first_missed(draft, item).filter(|missed| end.is_none_or(|end| *missed < end));
    let Some(missed) = missed else { return true };
    if let Ok(backdated) = past::named(draft, list, wanted, missed) {
        draft.change(&backdated, Unit::Other);
        return true;
    }
    draft.reject(change, Unit::Other, Remedy::Past);
    false
}

fn differs(differences: &Differences) -> bool {
    !differences.members.is_empty() || !differences.access.is_empty() || !differences.invoice.is_empty()
}

/// Changes which usage draws a balance down: in the edit, or, with filters, all at once in their own call.
fn edit_usage(
    draft: &mut Draft<'_>,
    list: &List,
    item: Item<'_>,
    usage: Vec<(&'static [&'static str], Part)>,
    update: &mut Members,
) {
    let filters = usage.iter().any(|(names, _)| *names == ["specifiers"]);
    let Some((call, id)) = list.specifiers.filter(|_| filters) else {
        for (names, part) in usage {
            insert(update, names, part);
        }
        return;
    };
    let mut body = Members::from([
        ("customer_id", Part::text(&draft.observed.customer_id)),
        (id, Part::text(&item.ids.own)),
    ]);
    for (names, part) in usage {
        insert(&mut body, names, part);
    }
    draft.call(call, &body);
}

/// The part of an edit that changes a schedule, nothing when no difference counts.
fn edit_schedule(
    draft: &mut Draft<'_>,
    list: &'static List,
    wanted: &Wanted,
    item: Item<'_>,
    member: &str,
    found: Vec<Difference>,
) -> Option<Part> {
    let name = if member == "access_schedule" { list.access } else { list.invoice }?;
    let shape = shape_at(item_shape(list.name), &format!("/{name}/scheduleItems"));
    let crate::terms::Shape::List { item: shape, .. } = shape else { return None };
    let units = units_at(item.terms, &wanted.written, &format!("/{name}"));
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    let mut updated: Vec<(String, Map<String, Value>)> = Vec::new();
    let is_invoiced = wanted.written.pointer(&format!("/{name}/doNotInvoice")) != Some(&Value::Bool(true));
    for Difference { change, step } in found {
        let whole = Change { path: path(list, &wanted.key, &format!("/{name}{}", change.path)), ..change };
        let begins = match &step {
            Step::Add(added) => schedule::start_of(added),
            // What was still to come and is put into the past is billed there, as what is added is.
            Step::Update(_, members) => {
                let is_to_come = time_of(whole.from.as_ref()).is_some_and(|from| from.0 >= draft.now);
                schedule::start_of(&Value::Object(members.clone())).filter(|_| is_to_come)
            }
            Step::Remove(_) => None,
        };
        if let Some(start) = begins.filter(|start| start.0 < draft.now && is_invoiced) {
            let Ok(backdated) = past::named(draft, list, wanted, start) else {
                draft.reject(&whole, units.clone(), Remedy::Past);
                continue;
            };
            draft.change(&backdated, Unit::Other);
        }
        if !draft.change(&whole, units.clone()) {
            continue;
        }
        match step {
            Step::Add(item) => added.push(Part::Terms(shape, item)),
            Step::Remove(id) => removed.push(Part::object([("id", Part::Text(id))])),
            Step::Update(id, members) => match updated.iter_mut().find(|(found, _)| *found == id) {
                Some((_, all)) => all.extend(members),
                None => updated.push((id, members)),
            },
        }
    }
    let updated = updated.into_iter().map(|(id, members)| {
        let mut update = Members::from([("id", Part::Text(id))]);
        for (name, value) in members {
            let wire = super::lists::wire_name(shape, &name);
            update
                .insert(wire, Part::Terms(shape.member(&name).unwrap_or(&crate::terms::Shape::Plain), value));
        }
        Part::Object(update)
    });
    let verbs = [
        ("add_schedule_items", added),
        ("remove_schedule_items", removed),
        ("update_schedule_items", updated.collect()),
    ];
    let verbs: Members = verbs
        .into_iter()
        .filter(|(_, parts)| !parts.is_empty())
        .map(|(verb, parts)| (verb, Part::List(parts)))
        .collect();
    (!verbs.is_empty()).then_some(Part::Object(verbs))
}

fn time_of(value: Option<&Value>) -> Option<Timestamp> {
    value?.as_str()?.parse().ok()
}

/// Archives an item and adds it again as the spec says.
fn replace(
    draft: &mut Draft<'_>,
    list: &'static List,
    wanted: &Wanted,
    item: Item<'_>,
    differences: &Differences,
    backdated: Option<&Change>,
) {
    for (place, whole) in all_of(list, wanted, differences) {
        draft.change(&whole, units_at(item.terms, &wanted.written, &place));
    }
    // What is done is more than what differs: one item is archived, and another, with another id, is added.
    let whole = path(list, &wanted.key, "");
    draft.change(&Change::removed(whole.clone(), item.terms.clone()), Unit::Usd);
    draft.change(&Change::added(whole, canonical(list, wanted)), Unit::Usd);
    if let Some(backdated) = backdated {
        draft.change(backdated, Unit::Other);
    }
    // Both go in one edit, so that there is never a time with both charges, nor one with none.
    if let Removal::Archive { verb, .. } = list.removal {
        draft.push(verb, Part::object([("id", Part::text(&item.ids.own))]));
    }
    push_item(draft, list, wanted);
}

/// Refuses all that differs of an item.
fn reject_all(
    draft: &mut Draft<'_>,
    list: &'static List,
    wanted: &Wanted,
    item: Item<'_>,
    differences: &Differences,
) {
    for (place, whole) in all_of(list, wanted, differences) {
        draft.reject(&whole, units_at(item.terms, &wanted.written, &place), Remedy::Item);
    }
}

/// All that differs of an item: the place in it, and the difference as one of the contract.
fn all_of(list: &'static List, wanted: &Wanted, differences: &Differences) -> Vec<(String, Change)> {
    let schedules = [(list.access, &differences.access), (list.invoice, &differences.invoice)];
    let schedules = schedules.into_iter().flat_map(|(name, found)| {
        found
            .iter()
            .map(move |found| (name.map(|name| format!("/{name}")).unwrap_or_default(), &found.change))
    });
    let members = differences.members.iter().map(|change| (String::new(), change));
    let all = members.chain(schedules).map(|(prefix, change)| {
        let place = format!("{prefix}{}", change.path);
        let whole = Change { path: path(list, &wanted.key, &place), ..change.clone() };
        (place, whole)
    });
    all.collect()
}

/// Takes out items that left the spec, and reports those that it does not explain.
fn compare_left(draft: &mut Draft<'_>, pairs: &Pairs<'_>) {
    let list = pairs.list;
    for item in &pairs.left {
        let key = draft.own_key(list, *item);
        let is_beyond = key.as_ref().is_some_and(|key| draft.desired.is_beyond(list.name, key));
        let ends = match list.removal {
            Removal::End => has_ended(draft.shown, *item, draft.now) || draft.is_over(),
            Removal::Shorten => balances::is_over(list, *item, next_hour(draft.now)),
            Removal::Archive { .. } => false,
        };
        let ends = ends || is_beyond;
        match key {
            Some(key) if !ends => take_out(draft, list, &key, *item),
            // What else the customer has is no affair of this contract.
            None if !list.is_beside()
                && draft.reports_foreign(list.name, &item.ids.own)
                && !ends
                && !is_recharge(draft, list, *item) =>
            {
                let path = path(list, item.ids.own.as_str(), "");
                draft.report(&Change::removed(path, item.terms.clone()), Unit::Usd);
            }
            Some(_) | None => {}
        }
    }
}

fn take_out(draft: &mut Draft<'_>, list: &'static List, key: &str, item: Item<'_>) {
    let change = Change::removed(path(list, key, ""), item.terms.clone());
    let update = match &list.writes {
        Writes::Edit { update, .. } => update,
        Writes::Beside(beside) => return balances::take_out(draft, list, beside, item, &change),
    };
    let start = text(item.terms, "startingAt").and_then(|start| start.parse().ok());
    let end = draft.end_of_what_goes(start);
    if list.removal == Removal::End && start.is_some_and(|start| end <= start) {
        // The API takes no end at or before the start, and an end after it would bill the first period.
        draft.reject(&change, Unit::Usd, Remedy::Begin);
        return;
    }
    if !draft.change(&change, Unit::Usd) {
        return;
    }
    let id = Part::text(&item.ids.own);
    match list.removal {
        Removal::Archive { verb, .. } => draft.push(verb, Part::object([("id", id)])),
        Removal::End | Removal::Shorten => {
            draft.push(update, Part::object([(list.id, id), ("ending_before", Part::time(end))]));
        }
    }
}

/// Whether a commit is one that a threshold makes: it has the product of its commits.
fn is_recharge(draft: &Draft<'_>, list: &List, item: Item<'_>) -> bool {
    let product = item.terms.get("productId");
    let thresholds = ["spendThresholdConfiguration", "prepaidBalanceThresholdConfiguration"];
    let of_threshold = |name: &&str| {
        let product_of = |terms: &Value| terms.pointer(&format!("/{name}/commit/productId")).cloned();
        [&draft.observed.terms, draft.desired.terms()]
            .into_iter()
            .any(|terms| product.is_some() && product_of(terms).as_ref() == product)
    };
    list.name == "commits" && thresholds.iter().any(of_threshold)
}

/// An item of the spec in canonical form.
fn canonical(list: &List, wanted: &Wanted) -> Value {
    let canonical = item_shape(list.name).canonical(&wanted.written, Spelling::Spec);
    canonical.unwrap_or_else(|_| wanted.written.clone())
}
