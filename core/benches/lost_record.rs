//! A contract of 500 commits, credits and overrides each whose record is lost: it must be found again without a write, in
//! less than [`MOST`] of CPU. It fails where it takes more, or writes. Beside it, what the status of it takes. Run it by
//! `make bench`.
//!
//! The whole protocol runs, against what billing would show.

use std::{fs, process::ExitCode, time::Duration};

use chrono::{DateTime, Utc};
use countersign_core::{
    api::{Api, BillingContract},
    plan::{
        ContractSnapshot, Policy, Recorded,
        facts::{Facts, Side},
        metronome::Billed,
    },
    protocol::{Goal, Outcome, ReconcileResult, Reconciliation, Step},
    status,
};
use serde_json::{Value, json};

/// Items of each kind.
const ITEMS: usize = 500;
/// CPU that it may take to find the contract again.
const MOST: Duration = Duration::from_secs(2);
/// The account that contracts are in.
const ACCOUNT: &str = "https://api.metronome.com";
const START: &str = "2026-01-01T00:00:00Z";
const END: &str = "2027-01-01T00:00:00Z";

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let all: Result<Vec<bool>, Failure> = WAYS.iter().map(|(name, differ)| measure(name, *differ)).collect();
    match all {
        Ok(all) if all.iter().all(|is_within| *is_within) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("lost_record: {error}");
            ExitCode::FAILURE
        }
    }
}

/// By what the items of a contract differ.
type Differ = fn(usize, &mut Value);

/// Contracts that are told apart in different ways.
const WAYS: [(&str, Differ); 4] = [
    ("that differ by name", |number, item| item["name"] = json!(format!("Item {number}"))),
    ("that differ by amount", |number, item| {
        item["accessSchedule"]["scheduleItems"][0]["amount"] = json!(format!("{}.50", 1000 + number));
    }),
    ("that are all alike", |_, _| {}),
    ("that say one of 64 sets of fields", |number, item| {
        let fields = [
            ("name", json!(format!("Item {number}"))),
            ("description", json!("a note")),
            ("netsuiteSalesOrderId", json!("SO-1")),
            ("rateType", json!("COMMIT_RATE")),
            ("priority", json!("7")),
            ("rolloverFraction", json!("0.5")),
        ];
        for (bit, (field, value)) in fields.into_iter().enumerate() {
            if (number >> bit) & 1 == 1 {
                item[field] = value;
            }
        }
    }),
];

/// Measures one contract; whether it is within its bounds.
fn measure(name: &str, differ: Differ) -> Result<bool, Failure> {
    let now: DateTime<Utc> = "2026-06-01T10:30:00Z".parse()?;
    let mut contract = large(differ)?;
    let side = Side { contract: &contract, package: None, account: None };
    let billed = Billed::of(&side, "contract-1").map_err(|refusal| refusal.message)?;
    let before = cpu()?;
    let result = reconcile(&contract, &billed, now)?;
    let took = cpu()?.saturating_sub(before);
    let Outcome::InSync { applied, .. } = &result.outcome else {
        return Err(format!("{name}: {:?}", result.outcome).into());
    };
    let writes = applied.len();
    contract.status = Some(status::contract::status(&contract, &result, None, now));
    let status = contract.status.as_ref().ok_or("no status")?;
    let [whole, items, fields] =
        [json!(status), json!(status.items), json!(status.set_fields)].map(|part| part.to_string().len());
    println!(
        "{ITEMS} commits, credits and overrides each, {name}: found again in {took:.1?} of CPU, {writes} writes; status \
         {whole} bytes, of which ids {items} and fields {fields}"
    );
    let before = cpu()?;
    let again = reconcile(&contract, &billed, now)?;
    let took_again = cpu()?.saturating_sub(before);
    let is_same = status::contract::status(&contract, &again, None, now) == *status;
    println!(
        "  a look with its record: {took_again:.1?} of CPU, status {}",
        if is_same { "as it was" } else { "changed" }
    );
    if took > MOST {
        println!("  beyond {MOST:?}");
    }
    Ok(took <= MOST && writes == 0 && is_same)
}

/// Runs the protocol to its end, which must not write.
fn reconcile(
    contract: &BillingContract,
    billed: &Billed,
    now: DateTime<Utc>,
) -> Result<ReconcileResult<ContractSnapshot>, Failure> {
    let side = Side { contract, package: None, account: None };
    let planner = Billed::planner(&side).map_err(|refusal| refusal.message)?;
    let (recorded, policy) = (Recorded::of(contract, ACCOUNT), Policy::of(contract));
    let mut machine = Reconciliation::new(Api::Metronome, planner, Goal::InForce, recorded, policy);
    loop {
        match machine.next(now) {
            Step::Read(need) => machine.told(&need, Ok(billed.told(&need, &side)), now),
            Step::Confirm => machine.confirmed(true),
            Step::Announce(_) => machine.announced(Ok(())),
            Step::Withdraw => machine.withdrawn(),
            Step::Send(call) => return Err(format!("{} would be written: {}", call.path, call.body).into()),
            Step::Done(result) => {
                return Ok(ReconcileResult { account: Some(ACCOUNT.to_owned()), ..*result });
            }
        }
    }
}

/// A contract of many items.
fn large(differ: Differ) -> Result<BillingContract, Failure> {
    let segments = json!([{"amount": "120000", "startingAt": START, "endingBefore": END}]);
    let items = |commit: bool| -> Vec<Value> {
        let item = |number| {
            let mut item = json!({"key": format!("item-{number}"), "productId": "product",
                "accessSchedule": {"scheduleItems": segments}});
            if commit {
                item["type"] = json!("PREPAID");
                item["invoiceSchedule"] =
                    json!({"scheduleItems": [{"timestamp": START, "amount": "120000"}]});
            }
            differ(number, &mut item);
            item
        };
        (0..ITEMS).map(item).collect()
    };
    let multiplied = |number| {
        json!({"startingAt": START, "type": "MULTIPLIER", "multiplier": "0.8",
            "overrideSpecifiers": [{"productId": format!("product-{number}")}]})
    };
    let overrides: Vec<Value> = (0..ITEMS).map(multiplied).collect();
    let contract = json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
        "metadata": {"name": "large", "namespace": "billing", "uid": "1", "generation": 1},
        "spec": {"providerRef": {"name": "metronome"}, "metronome": {
            "customerId": "customer-1", "startingAt": START, "endingBefore": END, "rateCardId": "card",
            "commits": items(true), "credits": items(false), "overrides": overrides}},
    });
    Ok(serde_json::from_value(contract)?)
}

/// CPU that this thread has used, which other work on the machine leaves alone.
fn cpu() -> Result<Duration, Failure> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().ok_or("no CPU time is told")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}
