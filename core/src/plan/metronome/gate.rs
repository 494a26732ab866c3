//! The payment that a commit waits for: it is said when the commit is added, no reply tells it, and no call changes it. So
//! what was sent is on record, as a digest, and a spec that says something else is refused.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    draft::Draft,
    lists::{LISTS, List, Writes, item_shape, wire_name},
    matching::Wanted,
    tables::PAYMENT_GATE,
};
use crate::{
    plan::{Call, Change, Recorded},
    terms::{Digest, json::parse_exact, shape::Spelling},
};

/// What the gate of an item is recorded by.
fn path(item: &str) -> String {
    format!("{item}/{PAYMENT_GATE}")
}

fn digest(list: &List, gate: &Value, spelling: Spelling) -> Option<String> {
    let gate = item_shape(list.name).member(PAYMENT_GATE)?.canonical(gate, spelling).ok()?;
    Some(Digest::of(&gate).to_string())
}

fn wanted_digest(list: &List, wanted: &Wanted) -> Option<String> {
    digest(list, wanted.written.get(PAYMENT_GATE)?, Spelling::Spec)
}

/// The gates that a call has sent, by what each is recorded as.
pub(super) fn sent(call: &Call) -> BTreeMap<String, String> {
    let body = parse_exact(&call.body).unwrap_or_default();
    let mut gates = BTreeMap::new();
    for list in &LISTS {
        let Writes::Edit { add, .. } = &list.writes else { continue };
        let items = body.get(*add).and_then(Value::as_array).into_iter().flatten();
        for (item, added) in items.zip(call.adds.iter().filter(|added| added.verb == *add)) {
            let gate = item.get(wire_name(item_shape(list.name), PAYMENT_GATE));
            let gate = gate.and_then(|gate| digest(list, gate, Spelling::Wire));
            gates.extend(gate.map(|gate| (path(&added.recorded_as), gate)));
        }
    }
    gates
}

/// What is to be on record of the gate of an item: what was sent, or, of one that is seen for the first time, what the spec
/// says.
pub(super) fn record(recorded: &Recorded, list: &List, wanted: &Wanted) -> Option<(String, String)> {
    let item = format!("{}/{}", list.name, wanted.key);
    let path = path(&item);
    let before = recorded.items.get(&path).cloned();
    let is_new = !recorded.items.contains_key(&item);
    Some((path, before.or_else(|| wanted_digest(list, wanted).filter(|_| is_new))?))
}

/// How the gate that the spec says differs from the one that was sent.
pub(super) fn difference(draft: &Draft<'_>, list: &List, wanted: &Wanted) -> Option<Change> {
    let item = format!("{}/{}", list.name, wanted.key);
    draft.recorded(&item)?;
    let (from, to) = (draft.recorded(&path(&item)), wanted_digest(list, wanted));
    let from_text = from.map(|_| json!("as it was sent"));
    let differs = from != to.as_deref();
    differs.then(|| {
        Change::new(format!("/{PAYMENT_GATE}"), from_text, wanted.written.get(PAYMENT_GATE).cloned())
    })
}
