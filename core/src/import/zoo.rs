//! Zoo's contracts as resources.

use serde_json::{Value, json};

use super::{Destination, Imported, Unimportable};
use crate::{
    api::{Api, BillingContract},
    plan::zoo::ObservedContract,
};

/// What billing moves along by itself in a period: a spec that says it would undo that with the next replace.
const MOVED_BY_BILLING: [&str; 3] = ["rolloverInAmount", "rolloverOutAmount", "status"];

/// The contract that an organization shows, from the reply of `GET /orgs/{id}/billing/contract`.
///
/// # Errors
/// When the reply is no contract, or one that no resource can say.
pub fn contract(
    organization_id: &str,
    reply: &Value,
    to: &Destination,
) -> Result<Imported<BillingContract>, Unimportable> {
    let observed = ObservedContract::read(reply).map_err(|why| Unimportable(why.0))?;
    let mut terms = observed.terms;
    for period in terms.get_mut("periods").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(period) = period.as_object_mut() {
            period.retain(|name, _| !MOVED_BY_BILLING.contains(&name.as_str()));
        }
    }
    let name = terms.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(members) = terms.as_object_mut() {
        members.insert("organizationId".to_owned(), json!(organization_id));
    }
    let (resource, left_out) = super::contract(Api::Zoo, &terms, &observed.contract_id, &name, to)?;
    Ok(Imported { id: observed.contract_id, state: observed.state, resource, left_out })
}
