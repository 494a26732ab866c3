//! What contracts refer to by id and Metronome's own people set up: products, rate cards, credit types.

use super::call::{Answer, Call};
use super::failure::Failure;
use super::paging;
use super::switches::Admission;
use super::time;
use super::value::{Fields, Json};
use crate::store::Collection;

/// Names of products, by id.
pub(super) const PRODUCTS: Collection<String> = Collection::new("metronome/products");
/// Rate cards as they are read, by id.
pub(super) const RATE_CARDS: Collection<Fields> = Collection::new("metronome/rate-cards");
/// Names of credit types, by id.
pub(super) const CREDIT_TYPES: Collection<String> = Collection::new("metronome/credit-types");

/// The credit type that money is in unless a contract says otherwise.
pub(super) const USD: &str = "2714e483-4ff1-48e4-9e25-ac732e8f24f2";
const USD_NAME: &str = "USD (cents)";

/// The credit type of what is counted in units instead of money.
pub(super) const NO_CREDIT_TYPE: &str = "00000000-0000-0000-0000-000000000000";

/// A product as contracts show it: `{id, name}`.
pub(super) fn product(call: &Call, id: &str) -> Result<Fields, Failure> {
    let name = call.tx.get(&PRODUCTS, id)?;
    named(call, "product", id, name)
}

/// A credit type as contracts show it: `{id, name}`; US cents when none is given.
pub(super) fn credit_type(call: &Call, id: Option<&str>) -> Result<Fields, Failure> {
    let id = id.unwrap_or(USD);
    let name = match id {
        USD => Some(USD_NAME.to_owned()),
        NO_CREDIT_TYPE => Some(String::new()),
        id => call.tx.get(&CREDIT_TYPES, id)?,
    };
    named(call, "credit type", id, name)
}

fn named(call: &Call, what: &str, id: &str, name: Option<String>) -> Result<Fields, Failure> {
    let name = match (name, call.settings.metronome_unknown_ids) {
        (Some(name), _) => name,
        (None, Admission::Accept) => format!("{what} {id}"),
        (None, Admission::Reject) => return Err(Failure::bad_request(format!("{what} {id} not found"))),
    };
    Ok(Fields::default().with("id", id).with("name", name))
}

/// The id of the rate card that a contract or package names by id or by alias, the alias as of the call.
pub(super) fn rate_card(call: &Call, body: &Fields) -> Result<Option<String>, Failure> {
    match (body.text("rate_card_id"), body.text("rate_card_alias")) {
        (Some(_), Some(_)) => {
            Err(Failure::bad_request("rate_card_id and rate_card_alias exclude each other"))
        }
        (None, None) => Ok(None),
        (Some(id), None) => {
            let known = call.tx.get(&RATE_CARDS, id)?.is_some();
            if known || call.settings.metronome_unknown_ids == Admission::Accept {
                return Ok(Some(id.to_owned()));
            }
            Err(Failure::bad_request(format!("rate card {id} not found")))
        }
        (None, Some(alias)) => {
            let at = time::of(body, "starting_at").unwrap_or(call.now);
            let cards = call.tx.all(&RATE_CARDS)?;
            let card =
                cards.into_iter().find(|(_, card)| card.objects("aliases").any(|it| holds(it, alias, at)));
            card.map(|(id, _)| Some(id))
                .ok_or_else(|| Failure::bad_request(format!("no rate card has the alias {alias}")))
        }
    }
}

/// Whether an alias with optional bounds is `name` at that time.
pub(super) fn holds(alias: &Fields, name: &str, at: chrono::DateTime<chrono::Utc>) -> bool {
    alias.text("name") == Some(name)
        && time::of(alias, "starting_at").is_none_or(|start| start <= at)
        && time::of(alias, "ending_before").is_none_or(|end| at < end)
}

/// `POST /v1/contract-pricing/rate-cards/list`
pub(super) fn list_rate_cards(call: &Call) -> Result<Answer, Failure> {
    let cards = call.tx.all(&RATE_CARDS)?;
    Ok(paging::by_query(call, cards, 100)?.answer())
}

/// `POST /v1/contract-pricing/rate-cards/get`
pub(super) fn get_rate_card(call: &Call) -> Result<Answer, Failure> {
    let id = call.body.text("id").unwrap_or_default();
    let card = call.tx.get(&RATE_CARDS, id)?;
    card.map(Answer::data).ok_or_else(|| Failure::not_found(format!("rate card {id} not found")))
}

/// `GET /v1/credit-types/list`
pub(super) fn list_credit_types(call: &Call) -> Result<Answer, Failure> {
    let mut types = vec![(USD.to_owned(), USD_NAME.to_owned())];
    types.extend(call.tx.all(&CREDIT_TYPES)?);
    let types = types.into_iter().map(|(id, name)| {
        let currency = id == USD;
        let shown = Fields::default().with("name", name).with("is_currency", currency);
        (id.clone(), shown.with("id", id))
    });
    Ok(paging::by_query(call, types.collect(), 100)?.answer())
}

/// `GET /v1/services`
pub(super) fn services() -> Answer {
    let service = |name: &str, usage: &str| {
        let ips = vec![Json::from("192.0.2.1"), Json::from("192.0.2.2")];
        Json::from(Fields::default().with("name", name).with("usage", usage).with("ips", ips))
    };
    let services =
        vec![service("API", "accepts_connections_at"), service("Webhooks", "makes_connections_from")];
    Answer::Body(Fields::default().with("services", services).into())
}
