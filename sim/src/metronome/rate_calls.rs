//! Rates and quantities told: what a contract's products and subscriptions cost.

use super::call::{Answer, Call};
use super::contract::Missing;
use super::failure::Failure;
use super::value::{Fields, Json};
use super::{paging, rates, schedules, shown, time};

/// `POST /v1/contracts/getContractRateSchedule`
pub(super) fn schedule(call: &Call) -> Result<Answer, Failure> {
    let contract = shown::named_to_show(call, Missing::V1)?;
    let at = time::of(&call.body, "at").unwrap_or(call.now);
    let mut rows = Vec::new();
    for (index, rate) in rates::in_force(call, &contract, at)?.iter().enumerate() {
        if selected(&call.body, rate) {
            rows.push((index.to_string(), rates::row(call, &contract, rate, at)?));
        }
    }
    Ok(paging::by_query(call, rows, 100)?.answer())
}

fn selected(body: &Fields, rate: &Fields) -> bool {
    let groups = |selector: &Fields, name: &str, whole: bool| {
        let Some(wanted) = selector.object(name) else { return true };
        let of_rate = rate.object("pricing_group_values").cloned().unwrap_or_default();
        wanted.iter().all(|(key, value)| of_rate.get(key) == Some(value))
            && (!whole || wanted.iter().count() == of_rate.iter().count())
    };
    let admits = |selector: &Fields| {
        let is = |name: &str| !selector.has(name) || selector.text(name) == rate.text(name);
        let mut tags = selector.texts("product_tags");
        is("product_id")
            && is("billing_frequency")
            && (!selector.has("product_tags")
                || tags.any(|tag| rate.texts("product_tags").any(|it| it == tag)))
            && groups(selector, "pricing_group_values", true)
            && groups(selector, "partial_pricing_group_values", false)
    };
    let mut selectors = body.objects("selectors").peekable();
    selectors.peek().is_none() || selectors.any(admits)
}

/// `POST /v1/contracts/getSubscriptionQuantityHistory`
pub(super) fn quantities(call: &Call) -> Result<Answer, Failure> {
    let contract = shown::named_to_show(call, Missing::V1)?;
    let id = call.body.text("subscription_id").unwrap_or_default();
    let missing = || Failure::not_found(format!("Subscription {id} not found"));
    let subscription = contract.terms.item("subscriptions", id).ok_or_else(missing)?;
    let mut history = Vec::new();
    for segment in subscription.objects("quantity_schedule") {
        let start = time::of(segment, "starting_at").unwrap_or(contract.created_at);
        let quantity = segment.number("quantity").unwrap_or("0");
        let price = rates::subscription_price(call, &contract, subscription, start)?;
        let data = Fields::default()
            .with("quantity", Json::Number(quantity.to_owned()))
            .with("total", schedules::product(&price, quantity)?)
            .with("unit_price", Json::Number(price));
        let entry =
            Fields::default().with("starting_at", time::json(start)).with("data", vec![Json::from(data)]);
        history.push(Json::from(entry));
    }
    let mut data = Fields::default().with("subscription_id", id).with("history", history);
    data.copy(subscription, &["fiat_credit_type_id"]);
    Ok(Answer::data(data))
}
