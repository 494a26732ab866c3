//! `ContractApproval`: what somebody with the right to it says of one plan of one contract.

use kube::{CustomResource, core::Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::terms::{Digest, Timestamp};

/// One word on one plan. It never changes: whoever thinks otherwise deletes it and writes another.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "billing.countersign.dev",
    version = "v1alpha1",
    kind = "ContractApproval",
    namespaced,
    doc = "Approves or denies one plan of one contract, by the plan's digest. To make one is a right of its own.",
    shortname = "cappr",
    category = "billing",
    status = "ContractApprovalStatus",
    validation = fixed(),
    printcolumn(name = "Contract", type_ = "string", json_path = ".spec.contractRef.name"),
    printcolumn(name = "Decision", type_ = "string", json_path = ".spec.decision"),
    printcolumn(name = "By", type_ = "string", json_path = ".spec.approvedBy"),
    printcolumn(name = "Spent", type_ = "date", json_path = ".status.spentAt"),
    printcolumn(name = "Independent", type_ = "boolean", json_path = ".spec.independent", priority = 1),
    printcolumn(name = "Plan", type_ = "string", json_path = ".spec.planDigest", priority = 1),
    printcolumn(name = "Note", type_ = "string", json_path = ".spec.note", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ContractApprovalSpec {
    /// The contract whose plan it is about.
    pub contract_ref: ContractRef,
    /// Digest of the plan, as in the contract's `status.plan.digest`. It counts for that plan only.
    #[schemars(regex(pattern = "^[0-9a-f]{32}$"))]
    pub plan_digest: Digest,
    /// What is said of the plan. Where some approve and one denies, nothing is written.
    pub decision: ApprovalDecision,
    /// Name of the user who decides, as the API server knows it (`kubectl auth whoami`): nobody can write another's.
    #[schemars(length(min = 1, max = 512))]
    pub approved_by: String,
    /// Whether whoever decides may not write contracts, so that author and approver are two: only somebody for whom
    /// that is true can say so. Providers can ask for it by `requireApprovalByOther`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub independent: bool,
    /// Why, for whoever reads the contract's status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub note: Option<String>,
}

/// The rule by which the API server refuses to change what somebody said.
fn fixed() -> Rule {
    Rule::new("self.spec == oldSelf.spec")
        .message("must not change: delete this ContractApproval and create another")
        .field_path(".spec")
}

/// Names a contract of the approval's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContractRef {
    /// Name of the `BillingContract`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What somebody says of a plan: `Approve` lets it be carried out once, `Deny` keeps it from being carried out for as
/// long as the resource exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApprovalDecision {
    /// The plan may be carried out, once.
    Approve,
    /// The plan must not be carried out for as long as this resource exists.
    Deny,
}

/// What became of an approval. Left out until something has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContractApprovalStatus {
    /// When it was found that the approved plan has been carried out: the approval is good for nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_at: Option<Timestamp>,
}
