//! How a contract is told: by v2 as it stands, by v1 with what it said at first.

use chrono::{DateTime, Utc};

use super::call::Call;
use super::contract::Contract;
use super::switches::{ArchivedItems, ContractKeys, View};
use super::time::{self, Step};
use super::value::{Fields, Json};
use super::{balances, retold};

/// A contract with `terms`, as v2 tells it.
pub(super) fn v2(call: &Call, contract: &Contract, terms: &Fields) -> Fields {
    let mut view = headed(call, contract, body(call, terms));
    for commit in view.objects_mut("commits") {
        commit.take("amount");
    }
    let limit = call.settings.metronome_embedded_limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(usize::MAX);
    let mut more = Fields::default();
    for list in ["commits", "credits"] {
        let all = view.list(list).to_vec();
        more.set(list, all.len() > limit);
        view.set(list, all.into_iter().take(limit).collect::<Vec<_>>());
    }
    view.set("has_more", more);
    told(call, view)
}

/// A contract as v1 tells it.
pub(super) fn v1(call: &Call, contract: &Contract) -> Fields {
    let mut view = headed(call, contract, Fields::default())
        .with("amendments", Vec::new())
        .with("initial", without_amendments(call, contract, &contract.initial))
        .with("current", without_amendments(call, contract, &contract.terms));
    let body = body(call, &contract.terms);
    view.copy(&body, &["custom_fields", "customer_billing_provider_configuration", "spend_trackers"]);
    view.copy(&body, &["spend_threshold_configuration", "prepaid_balance_threshold_configuration"]);
    view.copy(&body, &["scheduled_charges_on_usage_invoices", "subscriptions"]);
    told(call, view)
}

fn told(call: &Call, view: Fields) -> Fields {
    match call.settings.metronome_view {
        View::AsSent => view,
        View::Retold => retold::fields(view),
    }
}

fn headed(call: &Call, contract: &Contract, mut view: Fields) -> Fields {
    view.set("id", contract.id.as_str());
    view.set("customer_id", contract.customer_id.as_str());
    view.set("created_at", time::json(contract.created_at));
    view.set("created_by", contract.created_by.as_str());
    if let Some(at) = contract.archived_at {
        view.set("archived_at", time::json(at));
    }
    if let Some(id) = &contract.package_id {
        view.set("package_id", id.as_str());
    }
    if let Some(key) = &contract.uniqueness_key {
        view.set(
            "uniqueness_key",
            match call.settings.metronome_contract_keys {
                ContractKeys::Plain => key.clone(),
                ContractKeys::Prefixed => format!("contract:{key}"),
            },
        );
    }
    view
}

/// The terms with what depends on the time and on what was asked for.
fn body(call: &Call, terms: &Fields) -> Fields {
    let mut view = terms.clone();
    for list in ["commits", "credits", "scheduled_charges"] {
        if call.settings.metronome_archived_items == ArchivedItems::Hidden {
            view.retain(list, |item| !item.has("archived_at"));
        }
    }
    for list in ["commits", "credits"] {
        for balance in view.objects_mut(list) {
            balances::show(call, balance);
        }
    }
    for subscription in view.objects_mut("subscriptions") {
        let periods = billing_periods(call, subscription);
        subscription.set("billing_periods", periods);
    }
    let now =
        view.objects("billing_provider_configuration_schedule").filter(|segment| in_force(segment, call.now));
    let now = now.last().and_then(|segment| segment.object("billing_provider_configuration")).cloned();
    if let Some(now) = now {
        view.set("customer_billing_provider_configuration", now);
    }
    view
}

fn in_force(segment: &Fields, at: DateTime<Utc>) -> bool {
    time::of(segment, "effective_at").is_none_or(|start| start <= at)
        && time::of(segment, "effective_until").is_none_or(|end| at < end)
}

fn without_amendments(call: &Call, contract: &Contract, terms: &Fields) -> Fields {
    let mut view = body(call, terms);
    view.set("created_at", time::json(contract.created_at));
    view.set("created_by", contract.created_by.as_str());
    for not_in_v1 in [
        "billing_provider_configuration_schedule",
        "custom_fields",
        "customer_billing_provider_configuration",
        "multiplier_override_prioritization",
        "revenue_system_configuration_schedule",
        "subscriptions",
    ] {
        view.take(not_in_v1);
    }
    let mut segments = view.list("usage_filter").to_vec().into_iter();
    view.take("usage_filter");
    if let Some(first) = segments.next() {
        let updates: Vec<_> = segments.collect();
        let filter = Fields::default()
            .with("current", updates.last().cloned().unwrap_or_else(|| first.clone()))
            .with("initial", first)
            .with("updates", updates);
        view.set("usage_filter", filter);
    }
    let royalties: Vec<Json> =
        view.objects("reseller_royalties").flat_map(|royalty| royalty.list("segments").to_vec()).collect();
    if !royalties.is_empty() {
        view.set("reseller_royalties", royalties);
    }
    view
}

/// The billing periods of a subscription: the one that is now, the one before and the one after.
pub(super) fn billing_periods(call: &Call, subscription: &Fields) -> Fields {
    let mut periods = Fields::default();
    let step = subscription.object("subscription_rate").and_then(|rate| rate.text("billing_frequency"));
    let (Some(step), Some(start)) = (
        step.and_then(|it| Step::every(it, call.settings.metronome_month_ends)),
        time::of(subscription, "starting_at"),
    ) else {
        return periods;
    };
    let end = time::of(subscription, "ending_before").unwrap_or(DateTime::<Utc>::MAX_UTC);
    let begun = step.starts(start, end).take_while(|start| *start <= call.now).count();
    let begun = u32::try_from(begun).unwrap_or(u32::MAX);
    let period = |index: u32| {
        let from = step.after(start, index).filter(|from| *from < end)?;
        let until = step.after(start, index + 1)?.min(end);
        let period = Fields::default().with("starting_at", time::json(from));
        Some((period.with("ending_before", time::json(until)), until))
    };
    let last = begun.checked_sub(1).and_then(period);
    let (current, previous) = match last {
        Some((period, until)) if until <= call.now => (None, Some(period)),
        Some((current, _)) => {
            (Some(current), begun.checked_sub(2).and_then(period).map(|(period, _)| period))
        }
        None => (None, None),
    };
    for (name, period) in
        [("current", current), ("previous", previous), ("next", period(begun).map(|(period, _)| period))]
    {
        if let Some(period) = period {
            periods.set(name, period);
        }
    }
    periods
}
