//! The operator's identity in a test: the `ServiceAccount` of `manifests/`, with exactly the rights given there.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    authorization::v1::SubjectAccessReview,
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{DEADLINE, plane::Plane, root};

/// Where `manifests/` puts the operator.
const NAMESPACE: &str = "countersign-system";
/// Its `ServiceAccount`, its `ClusterRole` and its `ClusterRoleBinding`.
pub(crate) const NAME: &str = "countersign";
const KINDS: [&str; 5] = ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];

/// Everything in `manifests/` and `manifests/tokens` that gives rights.
pub(crate) fn rights(plane: &Plane) -> Vec<Value> {
    let mut objects = Vec::new();
    for folder in ["manifests", "manifests/tokens"] {
        let path = root().join(folder);
        let text = plane.kubectl(&["create", "--dry-run=client", "-o", "json", "-k", path.to_str().unwrap()]);
        objects.extend(super::objects(&text));
    }
    objects.retain(|object| KINDS.iter().any(|kind| object["kind"] == *kind));
    assert!(objects.len() >= 7, "the rights in manifests/: {objects:?}");
    objects
}

/// The same for an operator of one test's namespace.
pub(crate) fn moved_to(namespace: &str, rights: &[Value]) -> Vec<Value> {
    let mut rights = rights.to_vec();
    for object in &mut rights {
        if object["kind"] == "ClusterRoleBinding" {
            object["metadata"]["name"] = json!(format!("{NAME}-{namespace}"));
        }
        object["metadata"] =
            json!({"name": object["metadata"]["name"], "labels": object["metadata"]["labels"]});
        for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
            assert_eq!(subject["namespace"], NAMESPACE);
            subject["namespace"] = json!(namespace);
        }
    }
    rights
}

/// Waits until the API server goes by an operator's rights, of which it hears by watches of its own: whoever acts with them once
/// has nobody to try it again.
pub(crate) async fn until_granted(client: &Client, namespace: &str) {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let of_cluster =
        json!({"group": "billing.countersign.dev", "resource": "clusterbillingproviders", "verb": "list"});
    let own = json!({"resource": "configmaps", "verb": "create", "namespace": namespace});
    for attributes in [of_cluster, own] {
        let review: SubjectAccessReview = serde_json::from_value(json!({"spec": {
            "user": format!("system:serviceaccount:{namespace}:{NAME}"), "resourceAttributes": attributes,
        }}))
        .unwrap();
        let give_up = Instant::now() + DEADLINE;
        while !reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed {
            assert!(Instant::now() < give_up, "the rights of {namespace} are not granted: {review:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A kubeconfig with nothing but a token of a `ServiceAccount`.
pub(crate) async fn kubeconfig(
    client: &Client,
    namespace: &str,
    account: &str,
    plane: &Plane,
    folder: &Path,
) -> PathBuf {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let spec = TokenRequestSpec { expiration_seconds: Some(3600), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let granted = accounts.create_token_request(account, &PostParams::default(), &request).await.unwrap();
    let token = granted.status.unwrap().token;
    let administrator = plane.kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]);
    let administrator: Value = serde_json::from_str(&administrator).unwrap();
    let cluster = &administrator["clusters"][0];
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "operator",
        "clusters": [cluster],
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "operator", "context": {"cluster": cluster["name"], "user": "operator"}}],
    });
    let path = folder.join(format!("kubeconfig-{account}"));
    fs::write(&path, kubeconfig.to_string()).unwrap();
    path
}
