//! The custom resources of `billing.countersign.dev/v1alpha1`: types, schema, CEL rules and columns; no logic.

mod explain;
mod format;
mod kind;
pub mod reasons;
pub mod schemas;
mod v1alpha1;

use std::{collections::BTreeMap, sync::LazyLock};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::{CustomResourceExt, Resource as _};
use serde_json::{Value, json};

pub use format::{FORMAT, check_format, read_record};
pub use kind::{
    ALLOWED_HOSTS, APPROVED_PLAN, Api, FINALIZER, GROUP, PACKAGE_FINALIZER, RELEASE, REQUESTED_AT, REVISION,
    requested_at,
};
pub use v1alpha1::{
    approval::{self, ContractApproval, ContractApprovalSpec, ContractApprovalStatus},
    contract::{self, BillingContract, BillingContractSpec, BillingContractStatus},
    fence::Fenced,
    package::{self, ContractPackage, ContractPackageSpec, ContractPackageStatus},
    provider::{self, BillingProvider, ClusterBillingProvider, ProviderStatus},
};

/// Every custom resource definition, as written to `crds/`.
///
/// `status` has a default, since kstatus takes an object without a status for ready. An approval is ready as it is: nothing
/// has to become of it.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![
        BillingProvider::crd(),
        ClusterBillingProvider::crd(),
        ContractPackage::crd(),
        BillingContract::crd(),
        ContractApproval::crd(),
    ];
    for crd in &mut crds {
        let has_generation = crd.spec.names.kind != ContractApproval::kind(&());
        for version in &mut crd.spec.versions {
            let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
            let Some(schema) = schema else { continue };
            explain::tidy(schema);
            if let Some(status) =
                schema.properties.as_mut().and_then(|properties| properties.get_mut("status"))
                && has_generation
            {
                status.default = Some(JSON(json!({"observedGeneration": -1})));
            }
        }
    }
    crds
}

/// The schema of a kind's `spec`, as its custom resource definition has it.
#[must_use]
pub fn spec_schema(kind: &str) -> Option<&'static Value> {
    static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
        let spec = |crd| {
            let crd = serde_json::to_value(crd).unwrap_or_default();
            let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec")?;
            Some((crd.pointer("/spec/names/kind")?.as_str()?.to_owned(), schema.clone()))
        };
        crds().into_iter().filter_map(spec).collect()
    });
    SCHEMAS.get(kind)
}
