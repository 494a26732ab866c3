//! Switches for what the real services leave open. A test sets them to see that either answer is survived.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::metronome;
use crate::store::{Collection, StoreError, Tx};
use crate::zoo::{ReplaceMode, UnknownOrganizations, Wording};

const SETTINGS: Collection<Settings> = Collection::new("settings");
const ONLY: &str = "all";

/// All switches; each starts at its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Whether Zoo organizations must be registered first.
    pub(crate) zoo_unknown_orgs: UnknownOrganizations,
    /// What replacing a Zoo contract does to its id.
    pub(crate) zoo_replace: ReplaceMode,
    /// How a Zoo contract is told.
    pub(crate) zoo_view: Wording,
    /// Whether the Metronome account may edit contracts.
    pub(crate) metronome_editing: metronome::Editing,
    /// Whether it may send fields that only some accounts have.
    pub(crate) metronome_gated_fields: metronome::Admission,
    /// Whether products, rate cards and credit types need not be known.
    pub(crate) metronome_unknown_ids: metronome::Admission,
    /// Whether times must be on a full hour.
    pub(crate) metronome_hours: metronome::Hours,
    /// What an edit without a change gets.
    pub(crate) metronome_empty_edit: metronome::EmptyEdit,
    /// How a contract's uniqueness key is read back.
    pub(crate) metronome_contract_keys: metronome::ContractKeys,
    /// How a package's uniqueness key is read back.
    pub(crate) metronome_package_keys: metronome::PackageKeys,
    /// What the body of a 409 says.
    pub(crate) metronome_conflict: metronome::Conflict,
    /// What an edit gets whose uniqueness key was used.
    pub(crate) metronome_edit_key: metronome::EditKey,
    /// How Metronome tells names and descriptions.
    pub(crate) metronome_texts: metronome::Texts,
    /// How it tells tags.
    pub(crate) metronome_tags: metronome::Tags,
    /// How it tells the rates of overrides.
    pub(crate) metronome_override_rates: metronome::OverrideRates,
    /// What creating and editing answer.
    pub(crate) metronome_reply: metronome::WriteReply,
    /// Whether archived commits, credits and charges are read back.
    pub(crate) metronome_archived_items: metronome::ArchivedItems,
    /// How many commits, and how many credits, a contract shows at most; all when null.
    pub(crate) metronome_embedded_limit: Option<u32>,
    /// How long lists do not show a new contract, in milliseconds of the machine's clock.
    pub(crate) metronome_list_lag_ms: u32,
    /// Where a Metronome period that starts late in a month goes on after a shorter one.
    pub(crate) metronome_month_ends: metronome::MonthEnds,
    /// What becomes of terms after their contract's end.
    pub(crate) metronome_after_end: metronome::AfterEnd,
    /// What makes a Metronome invoice final.
    pub(crate) metronome_finality: metronome::Finality,
    /// Whether invoices are listed before their date.
    pub(crate) metronome_future_invoices: metronome::FutureInvoices,
    /// What shares an invoice.
    pub(crate) metronome_invoice_grouping: metronome::InvoiceGrouping,
    /// What a renewal does to the contract that it renews.
    pub(crate) metronome_renewal: metronome::Renewal,
    /// How the values of a package's offsets and durations are read back.
    pub(crate) metronome_offset_values: metronome::Offsets,
    /// How contracts and packages are told.
    pub(crate) metronome_view: metronome::View,
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
