//! `countersign reconcile`, `suspend`, `resume`: what people ask of a resource between two commits.

use std::{fmt, process::ExitCode, str::FromStr, time::Duration};

use chrono::{SecondsFormat, Utc};
use clap::Args;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{
    Api, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    runtime::wait::await_condition,
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    super::{
        Failure,
        cluster::{Cluster, Target, explain, name_of},
        out,
        paint::{Paint, When},
    },
    text,
};
use crate::{
    api::{BillingContract, BillingProvider, ClusterBillingProvider, ContractPackage, REQUESTED_AT},
    overview::Standing,
};

/// By which the API server knows who changed a field. Flux takes away what was set by a name that begins with `kubectl`, at its
/// next pass: a suspension would end by itself, and a look that was asked for be forgotten.
const MANAGER: &str = "countersign-plugin";

/// Kinds that can be asked to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Contract,
    Package,
    Provider,
    ClusterProvider,
}

/// A resource as people name it: `acme`, `package/enterprise`, `bprov/zoo`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Subject {
    kind: Kind,
    name: String,
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once('/').unwrap_or(("contract", text));
        let short = kind.split('.').next().unwrap_or(kind).to_lowercase();
        let kind = match short.as_str() {
            "contract" | "billingcontract" | "billingcontracts" | "bc" => Kind::Contract,
            "package" | "contractpackage" | "contractpackages" | "cpkg" => Kind::Package,
            "provider" | "billingprovider" | "billingproviders" | "bprov" => Kind::Provider,
            "clusterbillingprovider" | "clusterbillingproviders" | "cbprov" => Kind::ClusterProvider,
            _ => {
                return Err(format!(
                    "`{kind}` is no kind that can be asked; write contract/NAME, package/NAME, provider/NAME or \
                     clusterbillingprovider/NAME"
                ));
            }
        };
        if name.is_empty() {
            return Err(format!("`{text}` has no name after its kind"));
        }
        Ok(Self { kind, name: name.to_owned() })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.name)
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Contract => "BillingContract",
            Self::Package => "ContractPackage",
            Self::Provider => "BillingProvider",
            Self::ClusterProvider => "ClusterBillingProvider",
        }
    }

    fn api(self, cluster: &Cluster) -> Api<DynamicObject> {
        let resource = match self {
            Self::Contract => ApiResource::erase::<BillingContract>(&()),
            Self::Package => ApiResource::erase::<ContractPackage>(&()),
            Self::Provider => ApiResource::erase::<BillingProvider>(&()),
            Self::ClusterProvider => ApiResource::erase::<ClusterBillingProvider>(&()),
        };
        match self {
            Self::ClusterProvider => Api::all_with(cluster.client.clone(), &resource),
            _ => Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &resource),
        }
    }

    fn standing(self, object: &DynamicObject) -> Result<Standing, Failure> {
        let value = serde_json::to_value(object)?;
        Ok(match self {
            Self::Contract => Standing::of_contract(&serde_json::from_value(value)?),
            Self::Package => Standing::of_package(&serde_json::from_value(value)?),
            Self::Provider => Standing::of_provider(&serde_json::from_value(value)?),
            Self::ClusterProvider => Standing::of_cluster_provider(&serde_json::from_value(value)?),
        })
    }
}

/// Asks for a look now, at a contract, a package or a provider.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Exit status: 0 when it was asked for, or with --wait when the resource is ready; 2 with --wait when it is not; 1 \
    when nothing was asked.\n\nExamples:\n  kubectl countersign reconcile acme-2026 --wait\n  \
    kubectl countersign reconcile provider/zoo --wait --timeout 30\n  kubectl countersign reconcile package/enterprise -n billing"
)]
pub struct Reconcile {
    /// A contract's name, or `package/NAME`, `provider/NAME`, `clusterbillingprovider/NAME`.
    name: String,
    #[command(flatten)]
    target: Target,
    /// Waits until the operator has looked, and says what it found.
    #[arg(long)]
    wait: bool,
    /// How many seconds to wait at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
    /// When there are colours.
    #[arg(long, value_enum, default_value_t = When::Auto)]
    color: When,
}

impl Reconcile {
    pub(in crate::cli) async fn run(self) -> Result<ExitCode, Failure> {
        let subject: Subject = self.name.parse()?;
        let cluster = self.target.connect().await?;
        let api = subject.kind.api(&cluster);
        let moment = Utc::now().to_rfc3339_opts(SecondsFormat::Nanos, true);
        let asked = annotate(&api, &subject.name, REQUESTED_AT, &moment);
        let object = asked
            .await
            .map_err(|error| refused(&format!("ask for a look at {subject}"), &subject, &error))?;
        if !self.wait {
            out::print(&format!("{} {}: asked for a look\n", subject.kind.name(), name_of(&object)))?;
            return Ok(ExitCode::SUCCESS);
        }
        if subject.kind == Kind::Contract && object.data.pointer("/spec/suspend") == Some(&Value::Bool(true))
        {
            let name = &subject.name;
            return Err(format!(
                "{subject} is suspended, so nothing looks at it: kubectl countersign resume {name}"
            )
            .into());
        }
        let is_handled = |object: Option<&DynamicObject>| {
            object.is_none_or(|object| {
                object.data.pointer("/status/lastHandledReconcileAt") == Some(&json!(moment))
            })
        };
        let waited =
            timeout(Duration::from_secs(self.timeout), await_condition(api, &subject.name, is_handled)).await;
        let seen = match waited {
            Ok(seen) => seen.map_err(|error| format!("cannot watch {subject}: {error}"))?,
            Err(_) => {
                return Err(format!(
                    "{subject} was not looked at within {} seconds: kubectl countersign check says whether the operator runs",
                    self.timeout
                )
                .into());
            }
        };
        let object = seen.ok_or_else(|| format!("{subject} was deleted meanwhile"))?;
        let standing = subject.kind.standing(&object)?;
        let paint = Paint::of_stdout(self.color);
        out::print(&text::sentence(subject.kind.name(), &name_of(&object), &standing, paint))?;
        Ok(if standing.is_fine() { ExitCode::SUCCESS } else { ExitCode::from(2) })
    }
}

/// Stops all work on a contract, reads included.
#[derive(Debug, Args)]
#[command(
    after_long_help = "What Git says comes back with the next sync: to keep a contract suspended, write `suspend: true` there as well.\n\n\
    Examples:\n  kubectl countersign suspend acme-2026\n  kubectl countersign suspend acme-2026 -n billing --context production"
)]
pub struct Suspend {
    /// The contract.
    name: String,
    #[command(flatten)]
    target: Target,
}

/// Takes work on a suspended contract up again.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  kubectl countersign resume acme-2026")]
pub struct Resume {
    /// The contract.
    name: String,
    #[command(flatten)]
    target: Target,
}

impl Suspend {
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        set_suspend(&self.target, &self.name, true).await
    }
}

impl Resume {
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        set_suspend(&self.target, &self.name, false).await
    }
}

async fn set_suspend(target: &Target, name: &str, suspend: bool) -> Result<(), Failure> {
    let cluster = target.connect().await?;
    let api: Api<DynamicObject> = Kind::Contract.api(&cluster);
    let subject = Subject { kind: Kind::Contract, name: name.to_owned() };
    let verb = if suspend { "suspend" } else { "resume" };
    let failed = |error: kube::Error| refused(&format!("{verb} {subject}"), &subject, &error);
    let before = api.get(name).await.map_err(failed)?;
    let is_suspended = before.data.pointer("/spec/suspend") == Some(&Value::Bool(true));
    if is_suspended == suspend {
        let state = if suspend { "suspended already" } else { "not suspended" };
        return out::print(&format!("BillingContract {}: {state}\n", name_of(&before)));
    }
    let value = if suspend { Value::Bool(true) } else { Value::Null };
    let patch = json!({"spec": {"suspend": value}});
    let object = api.patch(name, &parameters(), &Patch::Merge(&patch)).await.map_err(failed)?;
    let done = if suspend { "suspended: nothing is read or written" } else { "resumed" };
    let mut said = format!("BillingContract {}: {done}\n", name_of(&object));
    if let Some(manager) = applier(before.managed_fields()) {
        let line = if suspend { "`suspend: true`" } else { "no `suspend: true`" };
        said.extend([format!(
            "{manager} applies this contract: what is to last has to be in its source as well ({line}).\n"
        )]);
    }
    out::print(&said)
}

/// Who applies the spec, if somebody other than a person at a keyboard does.
fn applier(managed: &[ManagedFieldsEntry]) -> Option<&str> {
    let applies = |entry: &&ManagedFieldsEntry| {
        let has_spec = entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:spec").is_some());
        let name = entry.manager.as_deref().unwrap_or_default();
        entry.operation.as_deref() == Some("Apply") && has_spec && !name.starts_with("kubectl")
    };
    managed.iter().find(applies)?.manager.as_deref()
}

/// Sets an annotation.
async fn annotate(
    api: &Api<DynamicObject>,
    name: &str,
    annotation: &str,
    value: &str,
) -> Result<DynamicObject, kube::Error> {
    let patch = json!({"metadata": {"annotations": {annotation: value}}});
    api.patch(name, &parameters(), &Patch::Merge(&patch)).await
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

/// Why something was not done to a resource.
fn refused(what: &str, subject: &Subject, error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if status.code == 404 && status.reason == "NotFound" => {
            format!("cannot {what}: there is no {subject}; see kubectl get {} -A", plural(subject.kind))
                .into()
        }
        error => explain(what, error),
    }
}

fn plural(kind: Kind) -> String {
    match kind {
        Kind::Contract => BillingContract::plural(&()),
        Kind::Package => ContractPackage::plural(&()),
        Kind::Provider => BillingProvider::plural(&()),
        Kind::ClusterProvider => ClusterBillingProvider::plural(&()),
    }
    .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_named_as_kubectl_names_it() {
        let kind = |text: &str| text.parse::<Subject>().map(|subject| (subject.kind, subject.name));
        let is = |kind, name: &str| Ok((kind, name.to_owned()));
        assert_eq!(kind("acme"), is(Kind::Contract, "acme"));
        assert_eq!(kind("bc/acme"), is(Kind::Contract, "acme"));
        assert_eq!(kind("BillingContract/acme"), is(Kind::Contract, "acme"));
        assert_eq!(kind("contractpackages.billing.countersign.dev/x"), is(Kind::Package, "x"));
        assert_eq!(kind("provider/zoo"), is(Kind::Provider, "zoo"));
        assert_eq!(kind("cbprov/zoo"), is(Kind::ClusterProvider, "zoo"));
        assert!(kind("pod/x").unwrap_err().contains("`pod` is no kind"));
        assert!(kind("bc/").unwrap_err().contains("no name"));
    }

    #[test]
    fn what_is_set_is_not_swept_away_as_what_kubectl_sets_by_hand_is() {
        let manager = parameters().field_manager.unwrap();
        assert!(!manager.starts_with("kubectl"), "{manager}: Flux takes it away");
    }

    #[test]
    fn who_applies_a_spec_is_named_unless_it_is_kubectl() {
        let entry = |manager: &str, operation: &str, fields: Value| -> ManagedFieldsEntry {
            serde_json::from_value(json!({"manager": manager, "operation": operation, "fieldsV1": fields}))
                .unwrap()
        };
        let spec = || json!({"f:spec": {"f:zoo": {}}});
        let flux = [
            entry("countersign", "Update", json!({"f:status": {}})),
            entry("kustomize-controller", "Apply", spec()),
        ];
        assert_eq!(applier(&flux), Some("kustomize-controller"));
        assert_eq!(applier(&[entry("kubectl", "Apply", spec())]), None);
        assert_eq!(applier(&[entry("kubectl-client-side-apply", "Update", spec())]), None);
    }
}
