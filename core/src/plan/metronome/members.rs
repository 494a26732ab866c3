//! The contract's own members: what an edit changes, and what is immutable once it exists.

use serde_json::{Map, Value, json};

use super::{
    draft::Draft,
    immutable::Remedy,
    leaving,
    lists::shape_at,
    money::Unit,
    observed::Planned,
    part::{Members, Part},
    tables::{CLEARABLE, REMEMBERED, THRESHOLD_NAMES, UNSEEN},
    text,
};
use crate::{
    plan::{
        Change,
        diff::{covers, diff},
    },
    terms::{Digest, Timestamp, metronome::CONTRACT},
};

/// Members that no call changes.
pub(super) const IMMUTABLE: [&str; 11] = [
    "hierarchyConfiguration",
    "multiplierOverridePrioritization",
    "netsuiteSalesOrderId",
    "packageId",
    "rateCardId",
    "salesforceOpportunityId",
    "scheduledChargesOnUsageInvoices",
    "startingAt",
    "totalContractValue",
    "transition",
    "usageStatementSchedule",
];
/// Most characters of a record; a digest stands for what is longer.
const RECORD_LENGTH: usize = 128;
/// Immutable places that the API may answer in another form: they count only once the spec has changed.
pub(super) const ANSWERED_OTHERWISE: &str = "/usageStatementSchedule/billingAnchorDate";

/// Compares the members of the contract itself.
pub(super) fn compare(draft: &mut Draft<'_>) {
    compare_immutable(draft);
    for (name, verb) in CLEARABLE {
        compare_clearable(draft, name, verb);
    }
    compare_left(draft);
    compare_usage_filter(draft);
    compare_billing(draft);
    compare_revenue(draft);
}

/// Differences of some members of the contract.
fn differences(draft: &Draft<'_>, names: &[&str]) -> Vec<Change> {
    let wanted = draft.desired.terms().as_object().into_iter().flatten();
    let wanted: Map<_, _> = wanted
        .filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    diff(&CONTRACT, &wanted.into(), &draft.observed.terms)
}

fn compare_immutable(draft: &mut Draft<'_>) {
    let changed =
        draft.recorded.applied_spec.as_ref().is_some_and(|applied| *applied != draft.desired.digest);
    let is_unknown = |path: &str| path == "/packageId" && draft.observed.terms.get("packageId").is_none();
    let found: Vec<_> = differences(draft, &IMMUTABLE)
        .into_iter()
        .filter(|change| !UNSEEN.iter().any(|place| covers(place, &change.path)))
        .filter(|change| !is_unknown(&change.path) && (changed || change.path != ANSWERED_OTHERWISE))
        .collect();
    for change in found {
        draft.reject(&change, Unit::Usd, Remedy::Contract);
    }
    compare_remembered(draft);
    let customer =
        if draft.desired.terms().get("customerAlias").is_some() { "/customerAlias" } else { "/customerId" };
    let texts = [
        (customer, Some(draft.observed.customer_id.as_str()), Some(draft.desired.customer_id().as_str())),
        (
            "/uniquenessKey",
            draft.observed.uniqueness_key.as_deref(),
            text(draft.desired.terms(), "uniquenessKey"),
        ),
    ];
    for (path, from, to) in texts {
        let (Some(from), Some(to)) = (from, to) else { continue };
        let same = from == to || (path == "/uniquenessKey" && draft.desired.key().matches(from));
        if !same {
            let change = Change::new(path.to_owned(), Some(json!(from)), Some(json!(to)));
            draft.reject(&change, Unit::Other, Remedy::Contract);
        }
    }
}

/// What the spec had set of the contract itself and no longer says. Thresholds are compared by themselves.
fn compare_left(draft: &mut Draft<'_>) {
    for change in leaving::of_contract(draft.desired, draft.observed, &draft.known) {
        let is_at = |name: &str| covers(&format!("/{name}"), &change.path);
        if THRESHOLD_NAMES.into_iter().any(is_at) {
            continue;
        }
        let is_changed = ["billingProviderConfiguration", "usageFilter"].into_iter().any(is_at);
        let remedy = if is_changed { Remedy::Say } else { Remedy::Contract };
        draft.reject(&change, Unit::Usd, remedy);
    }
}

/// What a place that no reply shows is recorded as.
pub(super) fn remembered(terms: &Value, place: &str) -> Option<String> {
    let value = terms.pointer(place)?.as_str()?;
    let fits = value.chars().count() <= RECORD_LENGTH;
    Some(if fits { value.to_owned() } else { Digest::of(&json!(value)).to_string() })
}

/// Places that no reply shows, against what the contract was made with.
fn compare_remembered(draft: &mut Draft<'_>) {
    if draft.recorded.contract_id.as_ref() != Some(&draft.observed.contract_id) {
        return;
    }
    for place in REMEMBERED {
        let Some(from) = draft.recorded(place.trim_start_matches('/')) else { continue };
        let said = remembered(draft.desired.terms(), place);
        let to = match &said {
            Some(said) => Some(said.clone()),
            None => match place {
                // The ID is compared with what the contract has, whatever it was looked up by.
                "/packageAlias" if draft.desired.terms().get("packageId").is_some() => continue,
                "/rateCardAlias" if draft.desired.terms().get("rateCardId").is_some() => continue,
                "/transition/futureInvoiceBehavior/trueup" => Some("AS_IS".to_owned()),
                "/usageStatementSchedule/day" => Some("FIRST_OF_MONTH".to_owned()),
                "/usageStatementSchedule/invoiceGenerationStartingAt" => {
                    Some(draft.observed.starting_at.to_string())
                }
                _ => None,
            },
        };
        if to.as_deref() != Some(from) {
            let change = Change::new(place.to_owned(), Some(json!(from)), to.map(Value::from));
            draft.reject(&change, Unit::Other, Remedy::Contract);
        }
    }
}

/// A member that can be changed and cleared. It is cleared when the spec says an empty text, or no longer says what it
/// is recorded to have said.
fn compare_clearable(draft: &mut Draft<'_>, name: &'static str, verb: &'static str) {
    let path = format!("/{name}");
    let (wanted, found) = (draft.desired.terms().get(name), draft.observed.terms.get(name));
    let is_text = |value: &&Value| **value != json!("");
    let cleared = match wanted {
        Some(wanted) => !is_text(&wanted),
        None => draft.was_set(name),
    };
    if cleared {
        if let Some(from) = found.filter(is_text) {
            let change = Change::removed(path, from.clone());
            if draft.change(&change, Unit::Other) {
                draft.set(verb, Part::Null);
            }
        }
        return;
    }
    for change in differences(draft, &[name]) {
        if let (true, Some(written)) = (draft.change(&change, Unit::Other), draft.desired.written.get(name)) {
            draft.set(verb, Part::Terms(shape_at(&CONTRACT, &path), written.clone()));
        }
    }
}

/// Which usage belongs to the contract: a call of its own starts a new segment.
fn compare_usage_filter(draft: &mut Draft<'_>) {
    let start = |terms: &Value| terms.pointer("/usageFilter/startingAt")?.as_str()?.parse::<Timestamp>().ok();
    let in_force = start(&draft.observed.terms);
    let is_too_early = start(&draft.desired.written).zip(in_force).is_some_and(|(start, last)| start < last);
    let mut counts = false;
    let changes = differences(draft, &["usageFilter"]);
    if changes.is_empty()
        && let Some(change) = left_filter_start(draft)
    {
        draft.reject(&change, Unit::Other, Remedy::Restore);
    }
    report_planned(draft, "usageFilter", &draft.observed.planned_filters);
    for change in changes {
        if is_too_early {
            // A segment that begins before the one in force changes nothing from then on, however often it is written.
            draft.reject(&change, Unit::Other, Remedy::Restore);
        } else {
            counts |= draft.change(&change, Unit::Other);
        }
    }
    let Some(filter) = draft.desired.written.get("usageFilter").filter(|_| counts) else { return };
    let start = text(filter, "startingAt").and_then(|start| start.parse::<Timestamp>().ok());
    let start = start.unwrap_or_else(|| draft.soonest(in_force));
    let values = filter.get("groupValues").cloned().unwrap_or_default();
    let body = Members::from([
        ("contract_id", Part::text(&draft.observed.contract_id)),
        ("customer_id", Part::text(&draft.observed.customer_id)),
        ("group_key", Part::text(text(filter, "groupKey").unwrap_or_default())),
        ("group_values", Part::Terms(shape_at(&CONTRACT, "/usageFilter/groupValues"), values)),
        ("starting_at", Part::time(start)),
    ]);
    draft.call("v1/contracts/setUsageFilter", &body);
}

/// Reports what is planned for later and is not what the spec says: it changes nothing until then, and no call takes it back.
fn report_planned(draft: &mut Draft<'_>, name: &str, planned: &[Planned]) {
    let Some(mut wanted) = draft.desired.terms().get(name).cloned() else { return };
    if let Some(members) = wanted.as_object_mut() {
        members.remove("startingAt");
    }
    let shape = shape_at(&CONTRACT, &format!("/{name}"));
    for (time, found) in planned.iter().filter(|(_, found)| !diff(shape, &wanted, found).is_empty()) {
        draft.report(&Change::removed(format!("/{name}/updates/{time}"), found.clone()), Unit::Other);
    }
}

/// The start of the filter in force, if the spec had set it and no longer does: it means the contract's start then.
fn left_filter_start(draft: &Draft<'_>) -> Option<Change> {
    let place = format!("/{}", leaving::FILTER_START);
    let start = |terms: &Value| terms.pointer(&place).and_then(Value::as_str).map(str::to_owned);
    let (wanted, found) = (start(draft.desired.terms()), start(&draft.observed.terms)?);
    let to = draft.observed.starting_at.to_string();
    let is_left = draft.desired.terms().get("usageFilter").is_some()
        && wanted.is_none()
        && draft.recorded(leaving::FILTER_START) == Some(&found)
        && found != to;
    is_left.then(|| Change::new(place, Some(json!(found)), Some(json!(to))))
}

/// Where invoices go. The first configuration applies to the current period; a switch to the next one, which the API
/// takes from and to every provider and which splits no period between two.
fn compare_billing(draft: &mut Draft<'_>) {
    let name = "billingProviderConfiguration";
    let start = if draft.observed.terms.get(name).is_none() {
        "START_OF_CURRENT_PERIOD"
    } else {
        "START_OF_NEXT_PERIOD"
    };
    report_planned(draft, name, &draft.observed.planned_billing);
    let mut counts = false;
    for change in differences(draft, &[name]) {
        counts |= draft.change(&change, Unit::Other);
    }
    if let Some(written) = draft.desired.written.get(name).filter(|_| counts) {
        let configuration =
            Part::Terms(shape_at(&CONTRACT, "/billingProviderConfiguration"), written.clone());
        let update =
            Part::object([("billing_provider_configuration", configuration), ("schedule", effective(start))]);
        draft.set("add_billing_provider_configuration_update", update);
    }
}

/// Where revenue goes: set once, on a contract that has none.
fn compare_revenue(draft: &mut Draft<'_>) {
    let name = "revenueSystemConfiguration";
    let changes = differences(draft, &[name]);
    if draft.observed.terms.get(name).is_some() {
        for change in changes {
            draft.reject(&change, Unit::Other, Remedy::Contract);
        }
        return;
    }
    let mut counts = false;
    for change in changes {
        counts |= draft.change(&change, Unit::Other);
    }
    if let Some(written) = draft.desired.written.get(name).filter(|_| counts) {
        let configuration = Part::Terms(shape_at(&CONTRACT, "/revenueSystemConfiguration"), written.clone());
        let schedule = effective("START_OF_CURRENT_PERIOD");
        let update = Part::object([("revenue_system_configuration", configuration), ("schedule", schedule)]);
        draft.set("add_revenue_system_configuration_update", update);
    }
}

fn effective(at: &str) -> Part {
    Part::object([("effective_at", Part::text(at))])
}
