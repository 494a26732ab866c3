//! Reading Zoo's replies. A reply that is none must never be taken for a contract that lacks everything.

use serde_json::Value;

use super::ObservedContract;
use crate::{
    plan::{Unreadable, told},
    terms::{
        shape::{Spelling, in_usual_letters},
        zoo::SHAPE,
    },
};

impl ObservedContract {
    /// Reads a `BillingContractView` that was parsed with its exact numbers.
    ///
    /// # Errors
    /// When a part that every contract has is missing or has another shape.
    pub fn read(reply: &Value) -> Result<Self, Unreadable> {
        let unreadable = |why: String| Unreadable(format!("the reply is not a contract: {why}"));
        let mut terms =
            SHAPE.canonical(reply, Spelling::Wire).map_err(|error| unreadable(error.to_string()))?;
        // No other letters are meant by a code in small ones.
        if let Some(Value::String(currency)) = terms.get_mut("currency") {
            currency.make_ascii_uppercase();
        }
        for required in ["name", "currency", "effectiveAt", "termEndAt", "items", "periods"] {
            if terms.get(required).is_none() {
                return Err(unreadable(format!("`{required}` is missing")));
            }
        }
        let id = |name: &str| told::id(reply, name).map(in_usual_letters).map_err(unreadable);
        // In the words of the terms, whatever letters the reply has it in.
        let state = terms.get("status").and_then(Value::as_str).filter(|state| !state.trim().is_empty());
        let state = state.ok_or_else(|| unreadable("`status` is missing".to_owned()))?.to_owned();
        told::is_word("status", &state).map_err(unreadable)?;
        Ok(Self { contract_id: id("contract_id")?, account_id: id("account_id")?, state, terms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::json::parse_exact;
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
        let observed =
            ObservedContract::read(&parse_exact(&reply().to_string().replace("10", "10.50")).unwrap())
                .unwrap();
        assert_eq!((observed.contract_id.as_str(), observed.state.as_str()), ("c", "active"));
        assert_eq!(
            observed.terms["items"],
            json!([{"code": "fde", "active": true, "fixedFeeAmount": "10.5"}])
        );
        assert_eq!(observed.terms.get("notes"), None);
    }

    #[test]
    fn a_reply_of_which_a_status_could_not_tell_is_not_believed() {
        for (member, odd) in [
            ("contract_id", "i".repeat(129)),
            ("account_id", "あ".repeat(129)),
            ("contract_id", "a\u{0}".to_owned()),
            ("status", "s".repeat(65)),
            ("status", "act\nive".to_owned()),
            ("status", "\u{202e}evitca".to_owned()),
        ] {
            let mut reply = reply();
            reply[member] = json!(odd);
            let why = ObservedContract::read(&reply).unwrap_err().0;
            assert!(why.contains(&format!("`{member}` of the reply")) && why.len() < 200, "{why}");
        }
    }

    #[test]
    fn a_state_that_says_nothing_is_none() {
        for nothing in ["", " ", "\t"] {
            let mut reply = reply();
            reply["status"] = json!(nothing);
            assert!(ObservedContract::read(&reply).unwrap_err().0.contains("`status` is missing"));
        }
    }

    #[test]
    fn a_reply_that_is_no_contract_is_not_taken_for_an_empty_one() {
        for part in ["contract_id", "account_id", "status", "items", "periods", "currency"] {
            let mut reply = reply();
            reply.as_object_mut().unwrap().remove(part);
            assert!(ObservedContract::read(&parse_exact(&reply.to_string()).unwrap()).is_err(), "{part}");
        }
        assert!(ObservedContract::read(&json!({})).is_err());
    }
}
