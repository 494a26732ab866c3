//! Invoices listed, got, voided and regenerated.

use super::call::{Answer, Call};
use super::contract::{self, Contract, Invoice, Missing};
use super::failure::Failure;
use super::value::Fields;
use super::{customers, decimal, invoices, paging, shown, time};

fn of_customer(call: &Call) -> Result<Vec<Fields>, Failure> {
    let customer = call.path("customer_id");
    customers::require(call, customer).map_err(|_| Missing::V1.customer(customer))?;
    let mut invoices = Vec::new();
    let contracts = shown::observe_all(call, customer)?;
    for contract in contracts.iter().chain(&shown::beside_to_show(call, customer)?) {
        invoices.extend(invoices::of_contract(call, contract)?);
    }
    if call.query.get("skip_zero_qty_line_items").is_some_and(|skip| skip == "true") {
        for invoice in &mut invoices {
            invoice.retain("line_items", |line| !line.number("quantity").is_some_and(decimal::is_zero));
        }
    }
    Ok(invoices)
}

/// `GET /v1/customers/{customer_id}/invoices`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    let asked = |name: &str| call.query.get(name).map(String::as_str);
    let time_of = |name: &str| match asked(name) {
        Some(text) => {
            let wrong = || Failure::bad_request(format!("{name}: `{text}` is not an RFC 3339 time"));
            time::parse(text).map(Some).ok_or_else(wrong)
        }
        None => Ok(None),
    };
    let (from, until) = (time_of("starting_on")?, time_of("ending_before")?);
    let mut invoices = of_customer(call)?;
    invoices.retain(|invoice| {
        let issued = time::of(invoice, "issued_at");
        let (start, end) =
            (time::of(invoice, "start_timestamp").or(issued), time::of(invoice, "end_timestamp").or(issued));
        let is =
            |field: &str, wanted: &str| invoice.text(field).is_some_and(|it| it.eq_ignore_ascii_case(wanted));
        asked("contract_id").is_none_or(|id| invoice.text("contract_id") == Some(id))
            && asked("status").is_none_or(|status| is("status", status))
            && asked("type").is_none_or(|kind| is("type", kind))
            && asked("credit_type_id")
                .is_none_or(|id| invoice.object("credit_type").and_then(|unit| unit.text("id")) == Some(id))
            && from.is_none_or(|from| start >= Some(from))
            && until.is_none_or(|until| end < Some(until))
    });
    invoices.sort_by_cached_key(|invoice| {
        (time::of(invoice, "issued_at"), invoice.text("id").map(str::to_owned))
    });
    match asked("sort") {
        Some("date_desc") => invoices.reverse(),
        Some("date_asc") | None => {}
        Some(other) => {
            return Err(Failure::bad_request(format!("sort: `{other}` must be one of date_asc, date_desc")));
        }
    }
    let invoices =
        invoices.into_iter().map(|invoice| (invoice.text("id").unwrap_or_default().to_owned(), invoice));
    Ok(paging::by_query(call, invoices.collect(), 100)?.answer())
}

/// `GET /v1/customers/{customer_id}/invoices/{invoice_id}`
pub(super) fn get(call: &Call) -> Result<Answer, Failure> {
    let id = call.path("invoice_id");
    let invoice = of_customer(call)?.into_iter().find(|invoice| invoice.text("id") == Some(id));
    invoice.map(Answer::data).ok_or_else(|| missing(id))
}

fn missing(id: &str) -> Failure {
    Failure::not_found(format!("Invoice {id} not found"))
}

/// The contract of the invoice that the body names, with the invoice's keys and status.
fn named(call: &Call) -> Result<(Contract, Vec<String>, String), Failure> {
    let id = call.body.text("id").unwrap_or_default();
    for contract in contract::all_with_beside(&call.tx)? {
        for (keys, invoice) in invoices::told(call, &contract)? {
            if invoice.text("id") == Some(id) {
                return Ok((contract, keys, invoice.text("status").unwrap_or_default().to_owned()));
            }
        }
    }
    Err(missing(id))
}

/// `POST /v1/invoices/void`
pub(super) fn void(call: &Call) -> Result<Answer, Failure> {
    let (mut contract, keys, status) = named(call)?;
    if status != "FINALIZED" {
        return Err(Failure::bad_request(format!("the invoice is {status} and can't be voided")));
    }
    for key in keys {
        contract.invoices.insert(key, Invoice::Voided);
    }
    contract.save(&call.tx)?;
    Ok(Answer::data(Fields::default().with("id", call.body.text("id").unwrap_or_default())))
}

/// `POST /v1/invoices/regenerate`: the voided invoice stays, and what it was for is on a new one, which follows the
/// contract.
pub(super) fn regenerate(call: &Call) -> Result<Answer, Failure> {
    let (mut contract, keys, status) = named(call)?;
    if status != "VOID" {
        return Err(Failure::bad_request(format!(
            "the invoice is {status}; only a voided one is regenerated"
        )));
    }
    let new = invoices::regenerate(call, &mut contract, keys)?;
    contract.save(&call.tx)?;
    Ok(Answer::data(Fields::default().with("id", new)))
}
