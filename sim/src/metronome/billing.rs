//! Billing provider and revenue system configurations of customers, and which of them a contract uses when.

use chrono::{DateTime, Utc};

use super::call::{Answer, Call};
use super::customers::{self, Customer};
use super::failure::Failure;
use super::schedules::fresh;
use super::time::{self, Step};
use super::value::{Fields, Json};

/// The way that invoices take when none is named.
const DIRECT: &str = "direct_to_billing_provider";

/// The most segments that a contract's billing can have.
const MOST_SEGMENTS: usize = 10;

/// Gives a customer the configurations that a request to create it has.
pub(super) fn add_all(customer: &mut Customer, body: &Fields) {
    for sent in body.objects("customer_billing_provider_configurations") {
        add(customer, sent, fresh());
    }
    for sent in body.objects("customer_revenue_system_configurations") {
        let mut made = shared(customer, sent, fresh());
        made.copy(sent, &["provider"]);
        customer.revenue.push(made);
    }
}

/// Adds a billing configuration under a chosen id, in place of one that has it; answers it as it is read.
pub(super) fn add(customer: &mut Customer, sent: &Fields, id: String) -> Fields {
    customer.billing.retain(|configuration| configuration.text("id") != Some(&id));
    let mut made = shared(customer, sent, id);
    made.copy(sent, &["billing_provider"]);
    customer.billing.push(made.clone());
    made
}

fn shared(customer: &Customer, sent: &Fields, id: String) -> Fields {
    Fields::default()
        .with("id", id)
        .with("customer_id", customer.id.as_str())
        .with("configuration", sent.object("configuration").cloned().unwrap_or_default())
        .with("delivery_method", sent.text("delivery_method").unwrap_or(DIRECT))
        .with("delivery_method_id", sent.text("delivery_method_id").map_or_else(fresh, str::to_owned))
        .with("delivery_method_configuration", Fields::default())
}

/// `POST /v1/getCustomerBillingProviderConfigurations`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    let customer = customers::require(call, call.body.text("customer_id").unwrap_or_default())?;
    let archived = call.body.flag("include_archived") == Some(true);
    let shown = customer.billing.into_iter().filter(|it| archived || !it.has("archived_at")).map(Json::from);
    Ok(Answer::data(shown.collect::<Vec<_>>()))
}

/// `POST /v1/setCustomerBillingProviderConfigurations`
pub(super) fn set(call: &Call) -> Result<Answer, Failure> {
    let mut made: Vec<Json> = Vec::new();
    for sent in call.body.objects("data") {
        let id = sent.text("customer_id").unwrap_or_default();
        if customers::find(&call.tx, id)?.is_none() {
            // So it was seen to answer.
            return Err(Failure::internal());
        }
    }
    for sent in call.body.objects("data") {
        let configuration = fresh();
        customers::change(call, sent.text("customer_id").unwrap_or_default(), &|customer| {
            add(customer, sent, configuration.clone());
            Ok(())
        })?;
        let mut shown = sent.clone();
        shown.set("id", configuration);
        made.push(shown.into());
    }
    Ok(Answer::data(made))
}

/// `POST /v1/listConfiguredBillingProviders`
pub(super) fn list_providers() -> Answer {
    let providers = ["stripe", "aws_marketplace"].map(|provider| {
        let method = if provider == "stripe" { DIRECT } else { "aws_sqs" };
        let shown = Fields::default().with("billing_provider", provider).with("delivery_method", method);
        let shown = shown.with("delivery_method_configuration", Fields::default());
        Json::from(shown.with("delivery_method_id", format!("{provider}-{method}")))
    });
    let body = Fields::default().with("data", Vec::from(providers)).with("next_page", Json::Null);
    Answer::Body(body.into())
}

/// Those of the customer's billing configurations that have this provider and way.
pub(super) fn matching<'a>(
    customer: &'a Customer,
    provider: &'a str,
    method: Option<&'a str>,
) -> impl Iterator<Item = &'a Fields> {
    customer.billing.iter().filter(move |configuration| {
        !configuration.has("archived_at")
            && configuration.text("billing_provider") == Some(provider)
            && method.is_none_or(|method| configuration.text("delivery_method") == Some(method))
    })
}

/// The billing configuration that `billing_provider_configuration` names.
fn billing(customer: &Customer, sent: &Fields) -> Result<Fields, Failure> {
    let found = match (sent.text("billing_provider_configuration_id"), sent.text("billing_provider")) {
        (Some(id), None) => {
            customer.billing.iter().find(|configuration| configuration.text("id") == Some(id))
        }
        (None, Some(provider)) => matching(customer, provider, sent.text("delivery_method")).next(),
        _ => {
            let message = "billing_provider_configuration: needs either a configuration id or a provider";
            return Err(Failure::bad_request(message));
        }
    };
    found
        .cloned()
        .ok_or_else(|| Failure::bad_request("the customer has no such billing provider configuration"))
}

fn revenue(customer: &Customer, sent: &Fields) -> Result<Fields, Failure> {
    let id = sent.text("revenue_system_configuration_id");
    let provider = sent.text("provider");
    let found = customer.revenue.iter().find(|configuration| match id {
        Some(id) => configuration.text("id") == Some(id),
        None => configuration.text("provider") == provider,
    });
    found
        .cloned()
        .ok_or_else(|| Failure::bad_request("the customer has no such revenue system configuration"))
}

fn segment(configuration: &str, what: Fields, from: DateTime<Utc>) -> Fields {
    let segment = Fields::default().with(configuration, what).with("effective_at", time::json(from));
    segment.with("effective_until", Json::Null)
}

/// Gives a new contract the schedules of its billing and revenue systems.
pub(super) fn begin(
    customer: &Customer,
    body: &Fields,
    terms: &mut Fields,
    start: DateTime<Utc>,
) -> Result<(), Failure> {
    if let Some(sent) = body.object("billing_provider_configuration") {
        let what = billing(customer, sent)?;
        let first = segment("billing_provider_configuration", what, start);
        terms.extend("billing_provider_configuration_schedule", [first]);
    }
    if let Some(sent) = body.object("revenue_system_configuration") {
        let what = revenue(customer, sent)?;
        let first = segment("revenue_system_configuration", what, start);
        terms.extend("revenue_system_configuration_schedule", [first]);
    }
    Ok(())
}

/// Moves a contract to another billing configuration, from the current or the next period on.
pub(super) fn switch(
    call: &Call,
    customer: &Customer,
    terms: &mut Fields,
    update: &Fields,
) -> Result<(), Failure> {
    const SCHEDULE: &str = "billing_provider_configuration_schedule";
    let what =
        billing(customer, update.object("billing_provider_configuration").unwrap_or(&Fields::default()))?;
    let next = effective_at(update) == Some("START_OF_NEXT_PERIOD");
    let last =
        terms.objects(SCHEDULE).last().and_then(|it| it.object("billing_provider_configuration")).cloned();
    if let Some(last) = last {
        let provider =
            |configuration: &Fields| configuration.text("billing_provider").unwrap_or_default().to_owned();
        let marketplace = [&last, &what].iter().any(|it| provider(it).ends_with("_marketplace"));
        if last.text("id") == what.text("id") {
            return Err(Failure::conflict("the contract already has this billing provider configuration"));
        }
        if marketplace && !next {
            return Err(Failure::bad_request(
                "a marketplace can be left or entered only at START_OF_NEXT_PERIOD",
            ));
        }
        let thresholds = ["spend_threshold_configuration", "prepaid_balance_threshold_configuration"];
        if marketplace && thresholds.iter().any(|name| terms.has(name)) {
            return Err(Failure::bad_request("a marketplace goes without threshold billing"));
        }
        if terms.list(SCHEDULE).len() >= MOST_SEGMENTS {
            return Err(Failure::bad_request(format!("at most {MOST_SEGMENTS} billing provider segments")));
        }
    }
    let from = period_start(call, terms, next);
    // A segment that would begin at the same time or later gives way.
    terms.retain(SCHEDULE, |segment| time::of(segment, "effective_at").is_none_or(|at| at < from));
    if let Some(before) = terms.objects_mut(SCHEDULE).last() {
        before.set("effective_until", time::json(from));
    }
    terms.extend(SCHEDULE, [segment("billing_provider_configuration", what, from)]);
    Ok(())
}

/// Gives a revenue system to a contract that has none.
pub(super) fn add_revenue(
    call: &Call,
    customer: &Customer,
    terms: &mut Fields,
    update: &Fields,
) -> Result<(), Failure> {
    const SCHEDULE: &str = "revenue_system_configuration_schedule";
    if !terms.list(SCHEDULE).is_empty() {
        return Err(Failure::bad_request("the contract already has a revenue system configuration"));
    }
    let what =
        revenue(customer, update.object("revenue_system_configuration").unwrap_or(&Fields::default()))?;
    let from = period_start(call, terms, effective_at(update) == Some("START_OF_NEXT_PERIOD"));
    terms.extend(SCHEDULE, [segment("revenue_system_configuration", what, from)]);
    Ok(())
}

fn effective_at(update: &Fields) -> Option<&str> {
    update.object("schedule")?.text("effective_at")
}

/// The start of the usage statement's period that is now, or of the next one, but not before the contract's.
fn period_start(call: &Call, terms: &Fields, next: bool) -> DateTime<Utc> {
    let schedule = terms.object("usage_statement_schedule").cloned().unwrap_or_default();
    let start = time::of(terms, "starting_at").unwrap_or(call.now);
    let anchor = time::of(&schedule, "billing_anchor_date").unwrap_or(start);
    let Some(step) =
        schedule.text("frequency").and_then(|it| Step::every(it, call.settings.metronome_month_ends))
    else {
        return start;
    };
    let begun = step.starts(anchor, DateTime::<Utc>::MAX_UTC).take_while(|start| *start <= call.now).count();
    let index = if next { begun } else { begun.saturating_sub(1) };
    u32::try_from(index).ok().and_then(|index| step.after(anchor, index)).unwrap_or(start).max(start)
}
