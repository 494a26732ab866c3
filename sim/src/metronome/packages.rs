//! A package as it is kept and told, and the ways to find it: by id, key, alias, and the id of an item. A package never
//! changes but for its aliases.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::failure::Failure;
use super::switches::{Offsets, PackageKeys, View};
use super::value::{Fields, Json};
use super::{catalog, retold, time};
use crate::store::{Collection, StoreError, Tx};

const PACKAGES: Collection<Package> = Collection::new("metronome/packages");
/// Ids of packages by the key they were created with, for ever.
const BY_KEY: Collection<String> = Collection::new("metronome/package-keys");
/// Ids of packages by the id of one of their items.
const BY_ITEM: Collection<String> = Collection::new("metronome/package-items");

/// A package.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Package {
    pub(super) id: String,
    pub(super) uniqueness_key: Option<String>,
    pub(super) archived_at: Option<DateTime<Utc>>,
    /// When it was really created: the simulator's clock may stand still.
    pub(super) recorded_at: DateTime<Utc>,
    /// What was sent, to make contracts from.
    pub(super) terms: Fields,
    /// What is read, but for what depends on the moment.
    pub(super) read: Fields,
}

impl Package {
    /// The package as it is read.
    pub(super) fn view(&self, call: &Call) -> Fields {
        let mut view = self.read.clone().with("id", self.id.as_str());
        if let Some(at) = self.archived_at {
            view.set("archived_at", time::json(at));
        }
        if let Some(key) = &self.uniqueness_key {
            view.set(
                "uniqueness_key",
                match call.settings.metronome_package_keys {
                    PackageKeys::Prefixed => format!("package:{key}"),
                    PackageKeys::Plain => key.clone(),
                },
            );
        }
        if call.settings.metronome_offset_values == Offsets::Text {
            view = with_text_offsets(view);
        }
        match call.settings.metronome_view {
            View::AsSent => view,
            View::Retold => retold::fields(view),
        }
    }

    fn has_alias(&self, name: &str, at: DateTime<Utc>) -> bool {
        self.read.objects("aliases").any(|alias| catalog::holds(alias, name, at))
    }

    /// Stores the package.
    pub(super) fn save(&self, tx: &Tx) -> Result<(), StoreError> {
        tx.put(&PACKAGES, &self.id, self)
    }
}

/// The package, if there is one with that id.
pub(super) fn find(call: &Call, id: &str) -> Result<Option<Package>, StoreError> {
    call.tx.get(&PACKAGES, id)
}

/// The package as a read that may be behind has it.
pub(super) fn observe(tx: &Tx, id: &str) -> Result<Option<Package>, StoreError> {
    tx.observe(&PACKAGES, id)
}

/// The id of the package that was created with that key.
pub(super) fn with_key(tx: &Tx, key: &str) -> Result<Option<String>, StoreError> {
    tx.get(&BY_KEY, key)
}

/// Stores a new package with its key.
pub(super) fn insert(tx: &Tx, package: &Package) -> Result<(), StoreError> {
    if let Some(key) = &package.uniqueness_key {
        tx.put(&BY_KEY, key, &package.id)?;
    }
    package.save(tx)
}

/// Remembers whose an item is.
pub(super) fn index_item(tx: &Tx, item: &str, package: &str) -> Result<(), StoreError> {
    tx.put(&BY_ITEM, item, &package.to_owned())
}

/// Every package, oldest first.
pub(super) fn all(tx: &Tx) -> Result<Vec<Package>, StoreError> {
    let mut packages: Vec<_> = tx.all(&PACKAGES)?.into_iter().map(|(_, package)| package).collect();
    packages.sort_by_key(|package| package.recorded_at);
    Ok(packages)
}

/// The package that has the alias at that time.
pub(super) fn with_alias(call: &Call, name: &str, at: DateTime<Utc>) -> Result<Option<Package>, StoreError> {
    Ok(all(&call.tx)?.into_iter().rev().find(|package| package.has_alias(name, at)))
}

/// Changes an item of a package.
pub(super) fn change_item(
    call: &Call,
    id: &str,
    list: &str,
    apply: &dyn Fn(&mut Fields) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let missing = || Failure::not_found(format!("{list}: {id} not found"));
    let package = call.tx.get(&BY_ITEM, id)?.ok_or_else(missing)?;
    let mut package = find(call, &package)?.ok_or_else(missing)?;
    apply(package.read.item_mut(list, id).ok_or_else(missing)?)?;
    Ok(package.save(&call.tx)?)
}

/// The same with the values of offsets and durations as strings.
fn with_text_offsets(read: Fields) -> Fields {
    let relative = read.has("unit") && read.text("unit") != Some("PERIODS");
    let fields = read.into_iter().map(|(name, value)| {
        let value = match value {
            Json::Number(digits) if relative && name == "value" => Json::Text(digits),
            Json::Object(inner) => with_text_offsets(inner).into(),
            Json::List(values) => values
                .into_iter()
                .map(|value| match value {
                    Json::Object(inner) => with_text_offsets(inner).into(),
                    other => other,
                })
                .collect::<Vec<_>>()
                .into(),
            other => other,
        };
        (name, value)
    });
    fields.collect()
}
