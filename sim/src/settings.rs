//! Switches for what the real services leave open. A test sets them to see that either answer is survived.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::store::{Collection, StoreError, Tx};
use crate::zoo::{ReplaceMode, UnknownOrganizations, Wording};

const SETTINGS: Collection<Settings> = Collection::new("settings");
const ONLY: &str = "all";

/// All switches; each starts at its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names are the control API's, one prefix an API")]
pub(crate) struct Settings {
    /// Whether Zoo organizations must be registered first.
    pub(crate) zoo_unknown_orgs: UnknownOrganizations,
    /// What replacing a Zoo contract does to its id.
    pub(crate) zoo_replace: ReplaceMode,
    /// How a Zoo contract is told.
    pub(crate) zoo_view: Wording,
}

impl Settings {
    /// These switches with some of them changed.
    ///
    /// # Errors
    /// When a change names no switch or none of its positions.
    pub(crate) fn with(self, changes: Map<String, Value>) -> Result<Self, String> {
        let mut all = match serde_json::to_value(self) {
            Ok(Value::Object(all)) => all,
            _ => Map::new(),
        };
        all.extend(changes);
        serde_json::from_value(Value::Object(all)).map_err(|error| error.to_string())
    }
}

/// The switches as they stand.
///
/// # Errors
/// When the store can't be read.
pub(crate) fn get(tx: &Tx) -> Result<Settings, StoreError> {
    Ok(tx.get(&SETTINGS, ONLY)?.unwrap_or_default())
}

/// Sets all switches.
///
/// # Errors
/// When the store can't be written.
pub(crate) fn set(tx: &Tx, settings: &Settings) -> Result<(), StoreError> {
    tx.put(&SETTINGS, ONLY, settings)
}
