//! Custom fields: the keys that exist, and the values of contracts, their items, customers, rate cards and packages.

use serde::{Deserialize, Serialize};

use super::call::{Answer, Call};
use super::catalog::RATE_CARDS;
use super::failure::Failure;
use super::value::{Fields, Json};
use super::{contract, customers, packages, paging};
use crate::store::Collection;

/// Keys, by entity and name.
const KEYS: Collection<Key> = Collection::new("metronome/custom-keys");
/// Who has a value of a key whose values must be unique, by entity, name and value.
const OWNERS: Collection<String> = Collection::new("metronome/custom-values");

/// The longest value, in characters.
const LONGEST: usize = 200;

/// A key that values can be set for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    entity: String,
    #[serde(rename = "key")]
    name: String,
    #[serde(default)]
    enforce_uniqueness: bool,
}

impl Key {
    fn path(entity: &str, name: &str) -> String {
        format!("{entity}/{name}")
    }

    /// Stores the key; says whether it is new.
    pub(super) fn register(&self, tx: &crate::store::Tx) -> Result<bool, Failure> {
        let path = Self::path(&self.entity, &self.name);
        if tx.get(&KEYS, &path)?.is_some() {
            return Ok(false);
        }
        tx.put(&KEYS, &path, self)?;
        Ok(true)
    }
}

fn owner_path(entity: &str, key: &str, value: &str) -> String {
    format!("{entity}/{key}/{value}")
}

/// Whether an entity may have these values.
pub(super) fn check(call: &Call, entity: &str, id: &str, values: Option<&Fields>) -> Result<(), Failure> {
    for (name, value) in values.iter().flat_map(|values| values.iter()) {
        let value = value.text().unwrap_or_default();
        let key = call.tx.get(&KEYS, &Key::path(entity, name))?;
        let key = key.ok_or_else(|| {
            Failure::bad_request(format!("custom field key `{name}` does not exist for entity `{entity}`"))
        })?;
        if value.chars().count() > LONGEST {
            return Err(Failure::bad_request(format!("custom field `{name}`: at most {LONGEST} characters")));
        }
        let owner = if key.enforce_uniqueness {
            call.tx.get(&OWNERS, &owner_path(entity, name, value))?
        } else {
            None
        };
        if owner.is_some_and(|owner| owner != id) {
            return Err(Failure::bad_request(format!("custom field `{name}`: the value is already in use")));
        }
    }
    Ok(())
}

/// Remembers whose these values are.
pub(super) fn claim(call: &Call, entity: &str, id: &str, values: Option<&Fields>) -> Result<(), Failure> {
    for (name, value) in values.iter().flat_map(|values| values.iter()) {
        let unique = call.tx.get(&KEYS, &Key::path(entity, name))?.is_some_and(|key| key.enforce_uniqueness);
        if unique {
            call.tx.put(
                &OWNERS,
                &owner_path(entity, name, value.text().unwrap_or_default()),
                &id.to_owned(),
            )?;
        }
    }
    Ok(())
}

/// `POST /v1/customFields/addKey`
pub(super) fn add_key(call: &Call) -> Result<Answer, Failure> {
    let text = |name| call.body.text(name).unwrap_or_default().to_owned();
    let enforce_uniqueness = call.body.flag("enforce_uniqueness").unwrap_or(false);
    let key = Key { entity: text("entity"), name: text("key"), enforce_uniqueness };
    if key.register(&call.tx)? {
        Ok(Answer::Empty)
    } else {
        Err(Failure::bad_request("Duplicate custom field key"))
    }
}

/// `POST /v1/customFields/listKeys`
pub(super) fn list_keys(call: &Call) -> Result<Answer, Failure> {
    let wanted: Vec<_> = call.body.texts("entities").collect();
    let keys = call.tx.all(&KEYS)?.into_iter();
    let keys = keys.filter(|(_, key)| wanted.is_empty() || wanted.contains(&key.entity.as_str())).map(
        |(path, key)| {
            let shown = Fields::default().with("entity", key.entity).with("key", key.name);
            (path, shown.with("enforce_uniqueness", key.enforce_uniqueness))
        },
    );
    Ok(paging::by_query(call, keys.collect(), 100)?.answer())
}

/// `POST /v1/customFields/setValues`
pub(super) fn set_values(call: &Call) -> Result<Answer, Failure> {
    let (entity, id) = names(call);
    let values = call.body.object("custom_fields").cloned().unwrap_or_default();
    check(call, entity, id, Some(&values))?;
    change(call, entity, id, &|fields| {
        for (name, value) in values.iter() {
            release(call, entity, name, fields.text(name))?;
            fields.set(name, value.clone());
        }
        Ok(())
    })?;
    claim(call, entity, id, Some(&values))?;
    Ok(Answer::Empty)
}

/// `POST /v1/customFields/deleteValues`
pub(super) fn delete_values(call: &Call) -> Result<Answer, Failure> {
    let (entity, id) = names(call);
    change(call, entity, id, &|fields| {
        for name in call.body.texts("keys") {
            release(call, entity, name, fields.text(name))?;
            fields.take(name);
        }
        Ok(())
    })?;
    Ok(Answer::Empty)
}

fn names(call: &Call) -> (&str, &str) {
    let name = |field| call.body.text(field).unwrap_or_default();
    (name("entity"), name("entity_id"))
}

fn release(call: &Call, entity: &str, name: &str, value: Option<&str>) -> Result<(), Failure> {
    if let Some(value) = value {
        call.tx.remove(&OWNERS, &owner_path(entity, name, value))?;
    }
    Ok(())
}

type Change<'a> = dyn Fn(&mut Fields) -> Result<(), Failure> + 'a;

/// Changes the custom fields of an entity, wherever they are kept.
fn change(call: &Call, entity: &str, id: &str, apply: &Change<'_>) -> Result<(), Failure> {
    let missing = || Failure::not_found(format!("{entity} {id} not found"));
    let list = match entity {
        "contract" => {
            let mut contract = contract::find(&call.tx, id)?.ok_or_else(missing)?;
            edit(&mut contract.terms, apply)?;
            return Ok(contract.save(&call.tx)?);
        }
        "customer" => {
            return customers::change(call, id, &|customer| edit_map(&mut customer.custom_fields, apply));
        }
        "rate_card" => {
            let mut card = call.tx.get(&RATE_CARDS, id)?.ok_or_else(missing)?;
            edit(&mut card, apply)?;
            return Ok(call.tx.put(&RATE_CARDS, id, &card)?);
        }
        "commit" => "commits",
        "contract_credit" => "credits",
        "scheduled_charge" => "scheduled_charges",
        "subscription" => "subscriptions",
        "discount" => "discounts",
        "professional_service" => "professional_services",
        _ => match entity.strip_prefix("package_") {
            Some(what) => {
                return packages::change_item(call, id, &format!("{what}s"), &|item| edit(item, apply));
            }
            None => return Err(missing()),
        },
    };
    let mut contract = contract::of_item(&call.tx, id)?.ok_or_else(missing)?;
    edit(contract.terms.item_mut(list, id).ok_or_else(missing)?, apply)?;
    Ok(contract.save(&call.tx)?)
}

/// Changes the custom fields of an object.
fn edit(owner: &mut Fields, apply: &Change<'_>) -> Result<(), Failure> {
    let mut map = match owner.take("custom_fields") {
        Some(Json::Object(map)) => map,
        _ => Fields::default(),
    };
    edit_map(&mut map, apply)?;
    owner.set("custom_fields", map);
    Ok(())
}

fn edit_map(map: &mut Fields, apply: &Change<'_>) -> Result<(), Failure> {
    apply(map)
}
