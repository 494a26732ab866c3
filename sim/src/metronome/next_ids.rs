//! Ids that a test has chosen for the items that are made next, whoever makes them.

use std::collections::BTreeMap;

use super::call::Call;
use super::contract;
use super::failure::Failure;
use crate::store::{Collection, StoreError};

/// Ids in the order of their use, by entity.
const NEXT: Collection<Vec<String>> = Collection::new("metronome/next-ids");

/// The lists that ids can be chosen for, with the entity that their items are.
const ENTITIES: [(&str, &str); 4] = [
    ("commits", "commit"),
    ("credits", "contract_credit"),
    ("scheduled_charges", "scheduled_charge"),
    ("subscriptions", "subscription"),
];

/// The ids that are left for an entity.
pub(super) fn of(call: &Call, entity: &str) -> Result<Vec<String>, StoreError> {
    Ok(call.tx.get(&NEXT, entity)?.unwrap_or_default())
}

/// Chooses ids by the name of the list, after those that are left.
pub(super) fn seed(call: &Call, chosen: &BTreeMap<String, Vec<String>>) -> Result<(), Failure> {
    for (list, ids) in chosen {
        let entity = ENTITIES.iter().find(|(name, _)| name == list).map(|(_, entity)| *entity);
        let entity = entity.ok_or_else(|| {
            let lists = ENTITIES.map(|(list, _)| list).join(", ");
            Failure::bad_request(format!("{list}: must be one of {lists}"))
        })?;
        let mut next = of(call, entity)?;
        for id in ids {
            if next.contains(id) || contract::of_item(&call.tx, id)?.is_some() {
                return Err(Failure::bad_request(format!("{list}: the id {id} is taken")));
            }
            next.push(id.clone());
        }
        call.tx.put(&NEXT, entity, &next)?;
    }
    Ok(())
}

/// Takes an id out that has been used.
pub(super) fn used(call: &Call, entity: &str, id: &str) -> Result<(), StoreError> {
    let mut next = of(call, entity)?;
    if next.iter().any(|it| it == id) {
        next.retain(|it| it != id);
        call.tx.put(&NEXT, entity, &next)?;
    }
    Ok(())
}
