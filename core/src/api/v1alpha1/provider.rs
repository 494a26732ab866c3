//! `BillingProvider` and `ClusterBillingProvider`: an account with a billing API.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::conditions;
use crate::{
    api::kind::{Api, one_of},
    terms::{Decimal, decimal::non_negative},
};

/// How to reach one billing account. Exactly one of `zoo` and `metronome` is set.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "billing.countersign.dev",
    version = "v1alpha1",
    kind = "BillingProvider",
    namespaced,
    doc = "An account with a billing API, for contracts of the same namespace.",
    shortname = "bprov",
    category = "billing",
    status = "ProviderStatus",
    validation = one_of(Api::ALL),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Url", type_ = "string", json_path = ".status.baseUrl"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct BillingProviderSpec {
    /// A Zoo account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zoo: Option<ZooAccount>,
    /// A Metronome account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metronome: Option<MetronomeAccount>,
    /// A Fake account.
    #[cfg(feature = "fake")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fake: Option<FakeAccount>,
    /// Secret with the API token. It is read from the provider's own namespace; for a `ClusterBillingProvider` from
    /// the operator's. Its token is sent to an address other than the billing API's public one only where the Secret's
    /// annotation `billing.countersign.dev/allowed-hosts` or the operator's `--allowed-hosts` names the host.
    pub token_secret_ref: SecretKeyRef,
    /// Certificates of private roots, in PEM form, that are trusted beside the public ones when the billing API's own
    /// certificate is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65_536))]
    pub ca_bundle: Option<String>,
    /// Most requests a second to the billing API, all contracts of this provider together.
    #[serde(default = "requests_per_second")]
    #[schemars(range(min = 1, max = 10_000))]
    pub requests_per_second: i32,
    /// How long one request may take, in seconds. A write that takes longer counts as unknown and is looked up.
    #[serde(default = "request_timeout_seconds")]
    #[schemars(range(min = 1, max = 300))]
    pub request_timeout_seconds: i32,
    /// How often a contract that is in sync is compared with the billing API again, in seconds.
    #[serde(default = "sync_period_seconds")]
    #[schemars(range(min = 10, max = 604_800))]
    pub sync_period_seconds: i32,
    /// Whether every plan in this account waits for the approval of somebody who may not write contracts, whatever the
    /// contract's `managementPolicy`: only a `ContractApproval` with `independent: true` counts then, and no annotation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_approval_by_other: bool,
    /// Bounds to what is written without anybody's approval. A plan beyond one waits, whatever the contract's
    /// `managementPolicy`.
    #[serde(default, skip_serializing_if = "Guardrails::are_none")]
    pub guardrails: Guardrails,
}

/// Bounds to what is written without anybody's approval; what is left out bounds nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Guardrails {
    /// Most that one contract may commit its customer to over its whole term, in whole units of each currency: 500000 is
    /// 500,000 US dollars with either billing API. It counts where a plan raises the sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub max_committed: Option<Decimal>,
    /// Most percent by which a plan may move a price or a fixed fee, up or down, from what is billed now. A price that was
    /// 0 may not move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub max_price_change_percent: Option<Decimal>,
    /// Most contracts of this provider that may be changed within an hour, each counted once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_contracts_per_hour: Option<i32>,
}

impl Guardrails {
    /// Whether nothing is bounded.
    #[must_use]
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

impl BillingProviderSpec {
    /// Base URL of the billing API; none when the spec names no API.
    #[must_use]
    pub fn base_url(&self) -> Option<&str> {
        match self.api()? {
            Api::Zoo => self.zoo.as_ref().map(|account| account.base_url.as_str()),
            Api::Metronome => self.metronome.as_ref().map(|account| account.base_url.as_str()),
            #[cfg(feature = "fake")]
            Api::Fake => self.fake.as_ref().map(|account| account.base_url.as_str()),
        }
    }
}

/// How to reach one billing account, and from which namespaces.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "billing.countersign.dev",
    version = "v1alpha1",
    kind = "ClusterBillingProvider",
    doc = "An account with a billing API, for contracts of the namespaces that it names.",
    shortname = "cbprov",
    category = "billing",
    status = "ProviderStatus",
    validation = one_of(Api::ALL),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Url", type_ = "string", json_path = ".status.baseUrl"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterBillingProviderSpec {
    /// The account.
    #[serde(flatten)]
    pub account: BillingProviderSpec,
    /// Namespaces whose contracts may use this provider; none when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub allowed_namespaces: Vec<String>,
}

/// A Zoo account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZooAccount {
    /// Base URL of the API. Plain `http` is accepted for this machine and for services of the cluster only.
    #[serde(default = "zoo_url")]
    #[schemars(length(max = 512), regex(pattern = "^https?://[^/?#]+/?$"))]
    pub base_url: String,
}

/// A Metronome account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetronomeAccount {
    /// Base URL of the API. Plain `http` is accepted for this machine and for services of the cluster only.
    #[serde(default = "metronome_url")]
    #[schemars(length(max = 512), regex(pattern = "^https?://[^/?#]+/?$"))]
    pub base_url: String,
    /// Start of every derived uniqueness key, which ends in `<namespace>/<name>`. Two clusters that share an account
    /// and have contracts of the same namespace and name need different prefixes.
    #[serde(default = "uniqueness_key_prefix")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub uniqueness_key_prefix: String,
    /// Marks every contract with who owns it, in custom fields, and refuses contracts that another owner marked. The
    /// keys of the fields are registered when they are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_stamp: Option<OwnerStamp>,
}

/// A Fake account.
#[cfg(feature = "fake")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FakeAccount {
    /// Base URL of the API. Plain `http` is accepted for this machine and for services of the cluster only.
    #[schemars(length(max = 512), regex(pattern = "^https?://[^/?#]+/?$"))]
    pub base_url: String,
}

/// Who owns contracts: written as the custom fields `countersign_cluster`, `countersign_namespace`, `countersign_name`
/// and, from the annotation `billing.countersign.dev/revision`, `countersign_revision`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnerStamp {
    /// Name of this cluster, unique among those that share the account.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub cluster: String,
}

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// Key in the Secret's data.
    #[serde(default = "token_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// What is known of a billing account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderStatus {
    /// `Ready`, `CredentialsValid`; `Reconciling` and `Stalled` only while true.
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
    /// Base URL in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub base_url: Option<String>,
    /// Last value of the `reconcile.fluxcd.io/requestedAt` annotation that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_handled_reconcile_at: Option<String>,
}

fn requests_per_second() -> i32 {
    10
}

fn request_timeout_seconds() -> i32 {
    20
}

fn sync_period_seconds() -> i32 {
    600
}

fn zoo_url() -> String {
    Api::Zoo.public_address().unwrap_or_default().to_owned()
}

fn metronome_url() -> String {
    Api::Metronome.public_address().unwrap_or_default().to_owned()
}

fn uniqueness_key_prefix() -> String {
    "countersign".to_owned()
}

fn token_key() -> String {
    "token".to_owned()
}
