//! The custom resources of `billing.countersign.dev/v1alpha1`: types, schema, CEL rules and columns; no logic.

pub mod contract;
pub mod provider;
pub mod status;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::CustomResourceExt;
use serde_json::json;

pub use contract::{BillingContract, BillingContractSpec, BillingContractStatus};
pub use provider::{BillingProvider, ClusterBillingProvider, ProviderStatus};

/// API group of every kind.
pub const GROUP: &str = "billing.countersign.dev";

/// Finalizer on contracts whose `deletionPolicy` asks for a billing call.
pub const FINALIZER: &str = "billing.countersign.dev/end-contract";

/// Annotation that asks for a reconcile now; any new value does (Flux's convention).
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

/// Annotation that approves the plan with this digest, under `managementPolicy: Plan`.
pub const APPROVED_PLAN: &str = "billing.countersign.dev/approved-plan";

/// Annotation that lets a contract go without its billing call; the value must be `true`.
pub const RELEASE: &str = "billing.countersign.dev/release";

/// Every custom resource definition, as written to `crds/`.
///
/// `status` has a default, since kstatus takes an object without a status for ready.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![BillingProvider::crd(), ClusterBillingProvider::crd(), BillingContract::crd()];
    for crd in &mut crds {
        for version in &mut crd.spec.versions {
            let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
            let properties = schema.and_then(|schema| schema.properties.as_mut());
            if let Some(status) = properties.and_then(|properties| properties.get_mut("status")) {
                status.default = Some(JSON(json!({"observedGeneration": -1})));
            }
        }
    }
    crds
}
