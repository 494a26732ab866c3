//! What replies come to, without a server.

use super::*;

#[test]
fn what_is_done_already_is_done_however_the_api_says_so() {
    let call = |path: &str| {
        let body = json!({});
        Call::new(CallKind::Other, path, &body, crate::terms::Digest::of(&body)).unwrap()
    };
    let rejected = |status, message: &str| CallError::Rejected { status, message: message.to_owned() };
    let conflict = |message: &str| CallError::Unknown(format!("HTTP 409: {message}"));
    for (path, error) in [
        (ADD_KEY, rejected(400, "Duplicate custom field key")),
        (ADD_KEY, conflict("This key already exists")),
        (ARCHIVE_PACKAGE, rejected(422, "Package is already archived")),
        (ARCHIVE_PACKAGE, conflict("Already archived")),
    ] {
        assert_eq!(already_done(&call(path), error.clone()), Ok(Value::Null), "{error}");
    }
    for (path, error) in [
        (ADD_KEY, rejected(400, "no such entity")),
        (ADD_KEY, CallError::Unknown("HTTP 500".to_owned())),
        ("v2/contracts/edit", conflict("already archived")),
    ] {
        assert_eq!(already_done(&call(path), error.clone()), Err(error));
    }
}

#[test]
fn a_list_that_names_its_next_page_in_no_way_that_is_known_is_not_taken_for_whole() {
    let next = |token: Value| {
        let reply = json!({"data": [{"id": "a"}], "next_page": token}).to_string();
        take(&mut Pages::default(), &reply, "next_page")
    };
    assert_eq!(next(json!("b")), Ok(Some("b".to_owned())));
    assert_eq!((next(json!("")), next(Value::Null)), (Ok(None), Ok(None)));
    for other in [json!(2), json!({"after": "b"}), json!(true)] {
        assert!(next(other.clone()).is_err(), "{other}");
    }
}

#[test]
fn a_customer_counts_for_an_alias_only_where_it_says_that_the_alias_is_its_own() {
    let customer = |id: &str, aliases: Value| json!({"id": id, "ingest_aliases": aliases});
    let found = |customers: Value| customer_with("acme", &json!({"data": customers}));
    let told = |id: &str| Ok(id.to_owned());
    assert_eq!(found(json!([customer("a", json!(["acme", "acme-eu"]))])), told("a"));
    // A filter that was ignored on the way tells all customers.
    let all = [customer("b", json!(["globex"])), customer("a", json!(["acme"]))];
    assert_eq!(found(json!(all)), told("a"));
    assert_eq!(found(json!([{"id": "a"}])), told("a"), "an account may not tell aliases");
    for none in [json!([]), json!([customer("b", json!(["ACME", "acme "]))])] {
        assert!(matches!(found(none), Err(CallError::NotFound { .. })));
    }
    let two = json!([customer("a", json!(["acme"])), customer("b", json!(["acme"]))]);
    let Err(CallError::Unreachable(why)) = found(two) else { panic!("one of two was taken") };
    assert!(why.contains("customers a and b") && why.contains("`spec.metronome.customerId`"), "{why}");
    let error = customer_with("acme", &json!({"message": "try later"}));
    assert!(matches!(error, Err(CallError::Unreachable(_))), "an error is no word on what exists");
}

#[test]
fn a_balance_is_the_contracts_whatever_letters_its_id_is_told_in() {
    let id = "a1b2c3d4-0000-4000-8000-00000000000f";
    let contract = ContractRef::new(&CustomerId::from("customer"), id);
    let of = |id: &str| is_of(&contract, &json!({"contract": {"id": id}}));
    assert!(of(id) && of(&id.to_uppercase()));
    assert!(!of("a1b2c3d4-0000-4000-8000-00000000000e"));
    assert!(!is_of(&contract, &json!({"contract": null})), "a balance of the customer's own");
}
