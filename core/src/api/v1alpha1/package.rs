//! `ContractPackage`: a published price sheet that contracts are made from.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, core::Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    contract::{ProviderRef, UnconfirmedWrite},
    status::conditions,
};
use crate::{
    api::kind::{Api, one_of},
    terms::{Digest, Timestamp, metronome, zoo},
};

/// Terms that many contracts share, and the names that they go by.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "billing.countersign.dev",
    version = "v1alpha1",
    kind = "ContractPackage",
    namespaced,
    doc = "Reusable terms of contracts, with times relative to each contract's start. Once published they never change.",
    shortname = "cpkg",
    category = "billing",
    status = "ContractPackageStatus",
    validation = one_of(Api::WITH_PACKAGES),
    validation = Rule::new("has(self.spec.metronome) == has(self.spec.providerRef)")
        .message("`spec.providerRef` is required with `spec.metronome`, where packages belong to an account, and must be left out with `spec.zoo`")
        .field_path(".spec.providerRef"),
    validation = Rule::new("has(self.spec.metronome) || self.spec.deletionPolicy == 'Orphan'")
        .message("must be `Orphan` with `spec.zoo`: Zoo has no packages that could be archived")
        .field_path(".spec.deletionPolicy"),
    validation = Rule::new("!has(self.spec.metronome) || !has(self.spec.metronome.aliases)")
        .message("must be left out: write the aliases in `spec.aliases`, where they can move")
        .field_path(".spec.metronome.aliases"),
    validation = Rule::new("self.spec.lifecycle == oldSelf.spec.lifecycle || oldSelf.spec.lifecycle == 'Draft' || self.spec.lifecycle == 'Archived'")
        .message("only moves on, from Draft to Published to Archived; for new terms, write a new ContractPackage")
        .field_path(".spec.lifecycle"),
    validation = fixed_once_published(),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Lifecycle", type_ = "string", json_path = ".spec.lifecycle"),
    printcolumn(name = "Package", type_ = "string", json_path = ".status.packageId"),
    printcolumn(name = "Contracts", type_ = "integer", json_path = ".status.contracts"),
    printcolumn(name = "Aliases", type_ = "string", json_path = ".spec.aliases[*].name", priority = 1),
    printcolumn(name = "Digest", type_ = "string", json_path = ".status.digest", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ContractPackageSpec {
    /// Whether the package can be used: `Draft` reaches no contract and no billing API and is free to change;
    /// `Published` is in use, and its terms are fixed; `Archived` makes no new contracts and leaves those that there are.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// Names by which contracts can ask for the package in `packageRef.alias`. An alias moves to another package by
    /// an `endingBefore` here and a `startingAt` there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub aliases: Vec<Alias>,
    /// The billing account that the package is created in, with `metronome`. Zoo has no packages: there the terms
    /// are written into each contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<ProviderRef>,
    /// What happens to the package in the billing API when this resource is deleted.
    #[serde(default)]
    pub deletion_policy: PackageDeletionPolicy,
    /// Whether deletion archives the package even while contracts use it; until then, it waits for them to be gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archive_while_in_use: bool,
    /// Terms of Zoo contracts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zoo: Option<zoo::Package>,
    /// Terms of Metronome contracts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metronome: Option<Box<metronome::Package>>,
}

/// The rule by which the API server refuses other terms. (An optional, `self.?zoo`, would exceed its cost budget.)
fn fixed_once_published() -> Rule {
    let same = |field: &str| {
        format!(
            "has(self.spec.{field}) == has(oldSelf.spec.{field}) && (!has(self.spec.{field}) || self.spec.{field} == oldSelf.spec.{field})"
        )
    };
    let fields = Api::WITH_PACKAGES.iter().copied().map(Api::field).chain(["providerRef"]);
    let same = fields.map(same).collect::<Vec<_>>().join(" && ");
    Rule::new(format!("oldSelf.spec.lifecycle == 'Draft' || ({same})")).message(
        "the terms of a published package must not change: write a new ContractPackage with the new terms, and move the \
         alias to it (`endingBefore` here, `startingAt` there)",
    )
    .field_path(".spec")
}

/// How far a package has come. It only moves on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Lifecycle {
    /// Being written: free to change, and nobody can use it.
    #[default]
    Draft,
    /// In use; its terms never change again.
    Published,
    /// No new contracts are made from it.
    Archived,
}

/// What deleting the resource does in the billing API: `Orphan` leaves the package as it is, `Archive` archives it,
/// which leaves the contracts made from it as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PackageDeletionPolicy {
    /// Leaves the package as it is.
    #[default]
    Orphan,
    /// Archives the package.
    Archive,
}

/// A name of a package, for contracts that start in a range of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!has(self.startingAt) || !has(self.endingBefore) || timestamp(self.startingAt) < timestamp(self.endingBefore)",
     "message": "`startingAt` must be before `endingBefore`", "fieldPath": ".endingBefore"}]))]
pub struct Alias {
    /// The alias. At any time, one package of the namespace has it.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// First start of a contract for which it means this package (inclusive); any earlier one too when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_at: Option<Timestamp>,
    /// First start of a contract for which it no longer does (exclusive); any later one does too when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_before: Option<Timestamp>,
}

/// What is known of a package.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContractPackageStatus {
    /// `Ready`; `Reconciling` and `Stalled` only while true, and never both.
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
    /// ID of the package in the billing API; none where the API has no packages (Zoo).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub package_id: Option<String>,
    /// Address of the billing API that has the package: what is known of one account means nothing in another (Metronome).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub account: Option<String>,
    /// Digest of the terms since they were published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Number of contracts that use the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub contracts: Option<i32>,
    /// A write whose outcome is not known yet (Metronome).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed_write: Option<UnconfirmedWrite>,
    /// Digest of the plan that must not be carried out again as it is (Metronome).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Digest>,
    /// Last value of the `reconcile.fluxcd.io/requestedAt` annotation that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_handled_reconcile_at: Option<String>,
}
