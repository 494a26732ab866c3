//! Zoo's back end: `GET` and `PUT /orgs/{id}/billing/contract`, and a probe of the token.

use serde_json::Value;

use super::{CallError, http::Http};
use crate::{
    plan::{
        Call,
        zoo::{View, path},
    },
    terms::{json::parse_exact, shape::Spelling, zoo::SHAPE},
};

/// An organization that cannot exist: asking for its contract tells whether the token is accepted.
const NO_ORGANIZATION: &str = "00000000-0000-0000-0000-000000000000";

/// A client of Zoo's billing API.
#[derive(Debug)]
pub struct Zoo {
    http: Http,
}

impl Zoo {
    /// A client over HTTP.
    #[must_use]
    pub fn new(http: Http) -> Self {
        Self { http }
    }

    /// Asks whether the token is accepted; the API has no endpoint of its own for that.
    ///
    /// # Errors
    /// [`CallError::Credentials`] when it is not; the others when that cannot be told.
    pub async fn probe(&self) -> Result<(), CallError> {
        match self.http.get(&path(NO_ORGANIZATION)).await {
            Ok(_) | Err(CallError::NotFound { .. } | CallError::Rejected { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The contract that an organization shows: the active one, or else the latest draft.
    ///
    /// # Errors
    /// By what to do next. A 404 is no error: it says that there is no contract to see, or no such organization.
    pub async fn observe(&self, organization_id: &str) -> Result<Option<View>, CallError> {
        match self.http.get(&path(organization_id)).await {
            Ok(reply) => read_view(&reply).map(Some).map_err(CallError::Unreachable),
            Err(CallError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces an organization's contract; the reply is the contract as it is now.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn write(&self, call: &Call) -> Result<View, CallError> {
        read_view(&self.http.write(call).await?).map_err(CallError::Unknown)
    }
}

/// Reads a `BillingContractView`. A reply that is not one must never be taken for a contract that lacks everything.
fn read_view(reply: &str) -> Result<View, String> {
    let unreadable = |why: String| format!("the reply is not a contract: {why}");
    let reply = parse_exact(reply).map_err(|_| unreadable("it is not JSON".to_owned()))?;
    let terms = SHAPE.canonical(&reply, Spelling::Wire).map_err(|error| unreadable(error.to_string()))?;
    for required in ["name", "currency", "effectiveAt", "termEndAt", "items", "periods"] {
        if terms.get(required).is_none() {
            return Err(unreadable(format!("`{required}` is missing")));
        }
    }
    let text = |name: &str| {
        let text = reply.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| unreadable(format!("`{name}` is missing")))
    };
    Ok(View {
        contract_id: text("contract_id")?,
        account_id: text("account_id")?,
        state: text("status")?,
        terms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reply() -> Value {
        json!({
            "contract_id": "c", "account_id": "a", "name": "Acme", "status": "active", "currency": "USD",
            "effective_at": "2026-01-01T00:00:00.000000Z", "term_end_at": "2027-01-01T00:00:00Z",
            "items": [{"id": "i", "code": "fde", "active": true, "fixed_fee_amount": 10, "billing_unit_granularity": null}],
            "periods": [], "notes": null,
        })
    }

    #[test]
    fn a_reply_is_read_into_canonical_terms() {
        let view = read_view(&reply().to_string().replace("10", "10.50")).unwrap();
        assert_eq!((view.contract_id.as_str(), view.state.as_str()), ("c", "active"));
        assert_eq!(view.terms["items"], json!([{"code": "fde", "active": true, "fixedFeeAmount": "10.5"}]));
        assert_eq!(view.terms.get("notes"), None);
    }

    #[test]
    fn a_reply_that_is_no_contract_is_not_taken_for_an_empty_one() {
        for part in ["contract_id", "account_id", "status", "items", "periods", "currency"] {
            let mut reply = reply();
            reply.as_object_mut().unwrap().remove(part);
            assert!(read_view(&reply.to_string()).is_err(), "{part}");
        }
        assert!(read_view("{}").is_err());
        assert!(read_view("<html></html>").is_err());
    }
}
