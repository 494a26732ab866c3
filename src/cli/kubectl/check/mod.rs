//! `countersign check`: what has to be there before anything can work, asked of the cluster, without reading a token.

mod findings;

use std::process::ExitCode;

use axum::http::Request;
use chrono::{DateTime, Utc};
use clap::Args;
use k8s_openapi::{
    api::{
        authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
        core::v1::Secret,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, PostParams},
    client::Body,
    core::GroupVersionKind,
};

use self::findings::{Account, Finding, Right};
use super::super::{
    Failure,
    cluster::{Cluster, Target, explain, name_of},
    out,
    paint::{Paint, When},
};
use crate::{
    api::{self, BillingProvider, ClusterBillingProvider, GROUP, provider::SecretKeyRef},
    overview::Resources,
};

/// Says what is missing before contracts can work: the CRDs, the operator, your rights, tokens, clocks.
#[derive(Debug, Args)]
#[command(
    after_long_help = "No token is read: whether one is accepted is what the provider's status says of it.\n\nExit status: 0 when nothing \
    is missing, 2 when something is, 1 when the cluster could not be asked.\n\nExamples:\n  kubectl countersign check\n  \
    kubectl countersign check -A --context production\n  kubectl countersign check --operator-namespace billing-system"
)]
pub struct Check {
    #[command(flatten)]
    target: Target,
    /// The providers of every namespace.
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Namespace of the operator, with its Lease and the Secrets of cluster providers.
    #[arg(long, value_name = "NAMESPACE", default_value = "countersign-system")]
    operator_namespace: String,
    /// When there are colours.
    #[arg(long, value_enum, default_value_t = When::Auto)]
    color: When,
}

impl Check {
    pub(in crate::cli) async fn run(self) -> Result<ExitCode, Failure> {
        let cluster = self.target.connect().await?;
        let mut found = server(&cluster).await?;
        for ours in api::crds() {
            found.push(definition(&cluster, &ours).await);
        }
        found.push(self.operator(&cluster).await);
        found.extend(rights(&cluster, self.all_namespaces).await);
        match cluster.shown(self.all_namespaces).await {
            Ok(resources) => found.extend(self.accounts(&cluster, &resources).await),
            Err(why) => found.push(Finding::bad("providers", why.to_string(), None)),
        }
        let is_bad = found.iter().any(Finding::is_bad);
        out::print(&findings::text(&found, Paint::of_stdout(self.color)))?;
        Ok(if is_bad { ExitCode::from(2) } else { ExitCode::SUCCESS })
    }

    /// Whether an operator holds its Lease.
    async fn operator(&self, cluster: &Cluster) -> Finding {
        let kind = GroupVersionKind::gvk("coordination.k8s.io", "v1", "Lease");
        let leases: Api<DynamicObject> = Api::namespaced_with(
            cluster.client.clone(),
            &self.operator_namespace,
            &ApiResource::from_gvk(&kind),
        );
        let lease = leases.get_opt("countersign").await;
        findings::operator(
            lease.map(|lease| lease.map(|lease| lease.data)),
            &self.operator_namespace,
            Utc::now(),
        )
    }

    async fn accounts(&self, cluster: &Cluster, resources: &Resources) -> Vec<Finding> {
        let mut found = Vec::new();
        let near = resources.providers.iter().map(|provider: &BillingProvider| {
            let namespace = provider.namespace().unwrap_or_default();
            (Account::of(provider), provider.spec.token_secret_ref.clone(), namespace)
        });
        let shared = resources.cluster_providers.iter().map(|provider: &ClusterBillingProvider| {
            let secret = provider.spec.account.token_secret_ref.clone();
            (Account::of_cluster(provider), secret, self.operator_namespace.clone())
        });
        for (account, reference, namespace) in near.chain(shared) {
            found.push(secret(cluster, &account, &reference, &namespace).await);
            found.push(account.finding());
        }
        if resources.providers.is_empty() && resources.cluster_providers.is_empty() {
            let place = if self.all_namespaces { "any namespace" } else { &cluster.namespace };
            found.push(Finding::note("providers", format!("there are none in {place}")));
        }
        found.extend(resources.unseen.iter().map(|unseen| Finding::note("providers", unseen.clone())));
        found
    }
}

/// Whether the API server answers, and how far its clock is from ours.
async fn server(cluster: &Cluster) -> Result<Vec<Finding>, Failure> {
    let failed = |error: kube::Error| explain("ask the API server for its version", &error);
    let version = cluster.client.apiserver_version().await.map_err(failed)?;
    let before = Utc::now();
    let request = Request::get("/version").body(Body::empty())?;
    let answer = cluster.client.send(request).await.map_err(failed)?;
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok()).and_then(date);
    Ok(vec![
        Finding::good("API server", format!("{}; namespace {}", version.git_version, cluster.namespace)),
        findings::clock(date, before, Utc::now()),
    ])
}

fn date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

async fn definition(cluster: &Cluster, ours: &CustomResourceDefinition) -> Finding {
    let definitions: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    findings::definition(definitions.get_opt(&ours.name_any()).await, ours)
}

/// What whoever asks may do.
async fn rights(cluster: &Cluster, everywhere: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    for right in Right::ALL {
        let namespace = (!everywhere && right.is_namespaced).then_some(&*cluster.namespace);
        found.push(right.finding(may(cluster, right.verb, right.resource, namespace, None).await));
    }
    found
}

/// Whether whoever asks may do something to our resources, or to the one of a name; everywhere without a namespace.
pub(super) async fn may(
    cluster: &Cluster,
    verb: &str,
    resource: &str,
    namespace: Option<&str>,
    name: Option<String>,
) -> Result<bool, kube::Error> {
    let attributes = ResourceAttributes {
        namespace: namespace.map(str::to_owned),
        verb: Some(verb.to_owned()),
        group: Some(GROUP.to_owned()),
        resource: Some(resource.to_owned()),
        name,
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Whether the Secret is there, by its metadata alone.
async fn secret(cluster: &Cluster, account: &Account, reference: &SecretKeyRef, namespace: &str) -> Finding {
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), namespace);
    let found = secrets.get_metadata_opt(&reference.name).await;
    findings::secret(found.map(|found| found.is_some()), account, &reference.name, namespace)
}

impl Account {
    fn of(provider: &BillingProvider) -> Self {
        Self::new(
            "BillingProvider",
            name_of(provider),
            provider.status.as_ref(),
            crate::overview::Standing::of_provider(provider),
        )
    }

    fn of_cluster(provider: &ClusterBillingProvider) -> Self {
        let standing = crate::overview::Standing::of_cluster_provider(provider);
        Self::new("ClusterBillingProvider", name_of(provider), provider.status.as_ref(), standing)
    }
}
