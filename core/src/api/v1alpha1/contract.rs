//! `BillingContract`: one contract of one customer.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, core::Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::status::conditions;
#[cfg(feature = "fake")]
use crate::terms::fake;
use crate::{
    api::kind::{Api, one_of},
    terms::{Decimal, Digest, Timestamp, metronome, shape::in_usual_letters, text::seen, zoo},
};

/// What a contract should be, and how Countersign may act on it.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "billing.countersign.dev",
    version = "v1alpha1",
    kind = "BillingContract",
    namespaced,
    doc = "One billing contract of one customer, kept in step with the billing API.",
    shortname = "bc",
    category = "billing",
    status = "BillingContractStatus",
    validation = one_of(Api::ALL),
    validation = Rule::new("!has(self.spec.packageRef) || !has(self.spec.metronome) || !(has(self.spec.metronome.packageId) || has(self.spec.metronome.packageAlias))")
        .message("must be left out where `spec.metronome` has `packageId` or `packageAlias`: name a ContractPackage in `packageRef`, or a package that was made elsewhere in the terms, and not both")
        .field_path(".spec.packageRef"),
    validation = same_api(),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Contract", type_ = "string", json_path = ".spec['zoo','metronome'].name"),
    printcolumn(name = "Committed", type_ = "string", json_path = ".status.committed"),
    printcolumn(name = "Ends", type_ = "string", json_path = ".status.term.endDate"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Customer", type_ = "string", json_path = ".status.customerId", priority = 1),
    printcolumn(name = "ID", type_ = "string", json_path = ".status.contractId", priority = 1),
    printcolumn(name = "Provider", type_ = "string", json_path = ".spec.providerRef.name", priority = 1),
    printcolumn(name = "Drifted", type_ = "string", json_path = ".status.conditions[?(@.type==\"Drifted\")].status", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = required_without_package()))]
pub struct BillingContractSpec {
    /// The billing account that the contract belongs to.
    pub provider_ref: ProviderRef,
    /// The package that gives the terms which the contract leaves out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_ref: Option<PackageRef>,
    /// What happens to the contract in the billing API when this resource is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// When a contract that is ended on deletion ends (Metronome): a full hour, not in the past. At the next full hour
    /// when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<Timestamp>,
    /// Whether invoices that are final already are voided when a contract is canceled on deletion (Metronome).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub void_invoices: bool,
    /// Whether changes are carried out, wait for approval, or are only looked at.
    #[serde(default)]
    pub management_policy: ManagementPolicy,
    /// What happens when somebody changes the contract in the billing API.
    #[serde(default)]
    pub drift_policy: DriftPolicy,
    /// JSON pointers into the terms (`/items/fde/fixedFeeAmount`; items of keyed lists by their key) whose
    /// differences are neither reported nor corrected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 512), regex(pattern = "^/")), extend("x-kubernetes-list-type" = "set"))]
    pub ignore_drift: Vec<String>,
    /// Takes over a contract that exists already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<Adopt>,
    /// Stops all work on this contract, reads included, until it is taken away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// How often the contract is compared with the billing API again, in seconds; the provider's period when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 604_800))]
    pub sync_period_seconds: Option<i32>,
    /// Terms of a Zoo contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zoo: Option<zoo::PartialContract>,
    /// Terms of a Metronome contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metronome: Option<Box<metronome::Contract>>,
    /// Terms of a Fake contract.
    #[cfg(feature = "fake")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fake: Option<fake::Contract>,
}

/// The rule by which the API server refuses to move a contract from one billing API to another.
fn same_api() -> Rule {
    let same = |api: &Api| format!("has(self.spec.{0}) == has(oldSelf.spec.{0})", api.field());
    Rule::new(Api::ALL.iter().map(same).collect::<Vec<_>>().join(" && "))
        .message("the billing API must not change: a contract stays where it is; write a new BillingContract")
}

/// CEL rules by which the API server names each field that a contract without a package lacks.
fn required_without_package() -> Vec<serde_json::Value> {
    let rule = |field| {
        json!({
            "rule": format!("has(self.packageRef) || !has(self.zoo) || has(self.zoo.{field})"),
            "message": "write it, or name a package in `packageRef` that gives it",
            "fieldPath": format!(".zoo.{field}"),
            "reason": "FieldValueRequired",
        })
    };
    zoo::partial::REQUIRED.map(rule).to_vec()
}

/// Names a ContractPackage of the contract's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "has(self.name) != has(self.alias)", "message": "exactly one of `name` and `alias` must be set"}]))]
pub struct PackageRef {
    /// Name of the ContractPackage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
    /// Alias of the ContractPackage, looked up as of the contract's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub alias: Option<String>,
}

/// Names a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderRef {
    /// Name of the provider.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Kind of the provider: `BillingProvider` is looked up in the contract's namespace.
    #[serde(default)]
    pub kind: ProviderKind,
}

/// Kinds of provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ProviderKind {
    /// A provider of the same namespace.
    #[default]
    BillingProvider,
    /// A provider of the cluster, which must name the contract's namespace.
    ClusterBillingProvider,
}

/// What deleting the resource does in the billing API: `Orphan` leaves the contract as it is, `End` ends it at its
/// term or as soon as the API can, `Cancel` cancels it at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Leaves the contract as it is.
    #[default]
    Orphan,
    /// Ends the contract in good order.
    End,
    /// Cancels the contract at once.
    Cancel,
}

/// Whether changes are carried out: `Apply` does, `Plan` writes the plan to the status and waits for its digest in the
/// annotation `billing.countersign.dev/approved-plan` or in a `ContractApproval`, `Observe` only reports differences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ManagementPolicy {
    /// Carries changes out.
    #[default]
    Apply,
    /// Waits for each plan to be approved.
    Plan,
    /// Reads only.
    Observe,
}

/// What happens on drift: `Correct` restores what Git says, `Report` only says so in `Drifted` and `status.drift`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DriftPolicy {
    /// Restores what Git says.
    #[default]
    Correct,
    /// Only reports.
    Report,
}

/// Which existing contract to take over, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Adopt {
    /// ID of the contract in the billing API.
    #[serde(deserialize_with = "as_told")]
    #[schemars(length(min = 1, max = 128))]
    pub contract_id: String,
    /// `Match` takes it over only if it says what the spec says; `Override` changes it to what the spec says.
    #[serde(default)]
    pub mode: AdoptMode,
}

/// An ID in the letters in which billing APIs tell it, whatever letters the spec has it in.
fn as_told<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|id| in_usual_letters(&id))
}

/// How to take over an existing contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdoptMode {
    /// Only if it says what the spec says.
    #[default]
    Match,
    /// In any case; it is changed to what the spec says.
    Override,
}

/// What is known of the contract in the billing API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BillingContractStatus {
    /// `Ready` and, once known, `Drifted`; `Reconciling` and `Stalled` only while true, and never both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// Generation of the spec that the status speaks of; -1 before the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Number of the leadership (`leaseTransitions` of the Lease) that wrote the status. What a later one wrote is never
    /// replaced by an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub fence: Option<i32>,
    /// Format of the status, where a later version than the first has written it: one that cannot read it leaves the resource
    /// alone, and says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub format: Option<i32>,
    /// ID of the contract in the billing API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub contract_id: Option<String>,
    /// ID of the customer in the billing API; with Zoo, of the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub customer_id: Option<String>,
    /// Address of the billing API that everything below speaks of: what is known of one account means nothing in another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub account: Option<String>,
    /// ID of the billing account that owns the contract (Zoo).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub account_id: Option<String>,
    /// The billing API's own lifecycle state of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub state: Option<String>,
    /// IDs of the contract's items in the billing API, by their list and key (Metronome).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10000), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub items: Vec<ItemId>,
    /// Optional fields that the spec has set and that were in force. One that leaves the spec is cleared, set to what it
    /// means when it is left out, or refused by name; what is not listed here is the billing API's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5000), extend("x-kubernetes-list-type" = "atomic"))]
    pub set_fields: Vec<SetFields>,
    /// The contract that this one renews (Metronome).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub renews: Option<String>,
    /// The contract that renews this one (Metronome).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub renewed_by: Option<String>,
    /// The contract's term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// Sums of what the customer commits to, one for each currency or pricing unit, US dollars first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), extend("x-kubernetes-list-type" = "atomic"))]
    pub committed_value: Vec<Amount>,
    /// The same for people, as `kubectl get` shows it: `50000 USD, 20000 EUR`; of more than three, how many more there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub committed: Option<String>,
    /// The package that gave terms to the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<UsedPackage>,
    /// What was last seen to be in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_applied: Option<LastApplied>,
    /// A write whose outcome is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed_write: Option<UnconfirmedWrite>,
    /// The plan that waits for approval, was denied, or cannot be made to hold; and one that was approved, until it is seen to
    /// be in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanStatus>,
    /// Digest of the plan that was last carried out: its approval is spent, and the same difference asks again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_plan: Option<Digest>,
    /// The approval by which a plan was last sent to the billing API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_approval: Option<Approval>,
    /// When something was last sent to the billing API for the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_write_at: Option<Timestamp>,
    /// Differences that are only reported, the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 1024)), extend("x-kubernetes-list-type" = "atomic"))]
    pub drift: Vec<String>,
    /// Last value of the `reconcile.fluxcd.io/requestedAt` annotation that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_handled_reconcile_at: Option<String>,
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amount {
    /// How much, in whole units: `270000.00` for 27000000 US cents. Left out beyond 28 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Decimal>,
    /// Code of the currency; with Metronome the name of the pricing unit, or its ID where the API did not tell its name.
    #[schemars(length(max = 256))]
    pub currency: String,
}

impl Amount {
    /// Most characters of a currency or a unit.
    const MAX_CURRENCY: usize = 256;

    /// An amount as a status has room for it, whatever billing tells: more digits than a resource can have are none, and a name
    /// is cut.
    #[must_use]
    pub fn new(amount: Option<Decimal>, currency: &str) -> Self {
        Self {
            amount: amount.filter(|amount| amount.fits()),
            currency: currency.chars().map(seen).take(Self::MAX_CURRENCY).collect(),
        }
    }
}

/// `50000 USD`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.amount {
            Some(amount) => write!(f, "{amount} {}", self.currency),
            None => write!(f, "more than 28 digits of {}", self.currency),
        }
    }
}

/// Optional fields that the spec has set, of the contract or of items that have the same ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetFields {
    /// List of the items; left out for the contract itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub list: Option<String>,
    /// Keys of the items, as in `status.items`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5000), inner(length(max = 512)), extend("x-kubernetes-list-type" = "atomic"))]
    pub items: Vec<String>,
    /// Paths of the fields: `accessSchedule/creditTypeId`.
    #[schemars(length(max = 200), inner(length(max = 256)), extend("x-kubernetes-list-type" = "atomic"))]
    pub fields: Vec<String>,
}

/// The ID of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemId {
    /// The item's list and key: `commits/launch`.
    #[schemars(length(max = 512))]
    pub key: String,
    /// Its ID in the billing API.
    #[schemars(length(max = 512))]
    pub id: String,
}

/// When a contract applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Term {
    /// First day (UTC), as `2026-01-01`.
    #[schemars(length(max = 10))]
    pub start_date: String,
    /// Day (UTC) on which it ends; left out when open-ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub end_date: Option<String>,
}

/// A package that gave terms to a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsedPackage {
    /// Name of the ContractPackage.
    #[schemars(length(max = 253))]
    pub name: String,
    /// ID of the package in the billing API; none where the API has no packages (Zoo).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub id: Option<String>,
    /// Digest of the package's terms.
    pub digest: Digest,
}

/// The last state in which spec and billing API agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastApplied {
    /// Digest of the terms in the spec.
    pub spec_digest: Digest,
    /// Digest of the terms in the billing API.
    pub observed_digest: Digest,
    /// When they were first seen to agree.
    pub time: Timestamp,
}

/// A write that was sent and whose reply did not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnconfirmedWrite {
    /// Digest of the terms that were sent.
    pub digest: Digest,
    /// When it was sent.
    pub time: Timestamp,
    /// The contract's last edit before it, empty when there was none (Metronome). A repeat is sent as one that follows
    /// the same edit, so that the API takes only one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub after_edit: Option<String>,
    /// Whether the billing API has answered that it took the edit, so that its key is used up: what is still left is another
    /// edit (Metronome).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken: bool,
    /// Digest of the difference that it was to remove, once it was seen to be left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Digest>,
    /// How often in a row it was seen to be left; writing stops after a few.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 1000))]
    pub rounds: i32,
    /// Every write whose reply did not come, and that may be in force, or come into force yet, oldest first: a newer one
    /// does not make it forgotten. So is one that was answered and that no read has shown yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub lost: Vec<LostWrite>,
}

/// A write whose reply did not come, or that no read has shown since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LostWrite {
    /// Digest of the terms that were sent.
    pub digest: Digest,
    /// Until when the billing API may still carry it out. The contract is looked at again then.
    pub late_until: Timestamp,
    /// Digest of the spec's terms that it was to put in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_digest: Option<Digest>,
    /// What it was to set, each with a digest of its value: of the contract `notes=1f2e3d4c`, of an item
    /// `commits/launch:rolloverFraction=1f2e3d4c`; of an item that it was to add, only the names; of a list that a create
    /// was to make, how many (`scheduledCharges:created=2`). What billing shows of them is the spec's, though it never was
    /// seen to be in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 256)), extend("x-kubernetes-list-type" = "atomic"))]
    pub sets: Vec<String>,
    /// Whether the same was sent again, so that what billing shows does not tell which of the two was carried out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
    /// What it makes beside the contract, as `items` names it, so that it is found when the spec no longer has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1), extend("x-kubernetes-list-type" = "atomic"))]
    pub adds: Vec<String>,
    /// Customer that it makes a contract for, where billing finds that among this customer's alone (Metronome): the spec may
    /// name another one by the time that it is looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub customer_id: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// A plan, as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
    /// Digest of what is observed and what is wanted: another plan has another digest.
    pub digest: Digest,
    /// Number of changes.
    #[schemars(range(min = 0))]
    pub changes: i32,
    /// The changes and what they do to the money that the customer owes; of very many changes the first, and how many
    /// more there are.
    #[schemars(length(max = 16384))]
    pub summary: String,
    /// The plan line by line: its changes, then money by year. Of a very long one the first lines, the last of which says how
    /// many more there are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 1024)), extend("x-kubernetes-list-type" = "atomic"))]
    pub lines: Vec<String>,
}

/// Who let a plan be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Digest of the plan.
    pub digest: Digest,
    /// Name of the `ContractApproval`; left out where the contract's annotation approved the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// Who approved it, as the API server knows them; left out where the contract's annotation approved the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub approved_by: Option<String>,
    /// What they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub note: Option<String>,
    /// When; left out where the contract's annotation approved the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
}
