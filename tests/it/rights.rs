//! What people may do with the rights that `manifests/` gives.

use serde_json::json;

use crate::support::{DEADLINE, World, plane::Plane};

/// Whether somebody with one of the roles that every cluster has may do something in a namespace.
fn may(world: &World, role: &str, verb: &str, resource: &str) -> bool {
    let user = format!("--as={role}-of-{}", world.namespace);
    let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
    let resource = format!("{resource}.billing.countersign.dev");
    let part = format!("--subresource={part}");
    Plane::shared().succeeds(&[
        "auth",
        "can-i",
        verb,
        &resource,
        &part,
        "--namespace",
        &world.namespace,
        &user,
    ])
}

#[tokio::test]
async fn whoever_may_look_at_a_namespace_may_look_at_its_contracts() {
    let world = World::bare().await;
    for role in ["view", "edit", "admin"] {
        let user = format!("{role}-of-{}", world.namespace);
        world
            .apply(&json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": {"name": role},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
            }))
            .await;
    }
    let give_up = std::time::Instant::now() + DEADLINE;
    let expected = [
        ("view", "list", "contractpackages"),
        ("edit", "update", "billingcontracts"),
        ("admin", "create", "billingproviders"),
    ];
    while !expected.iter().all(|(role, verb, resource)| may(&world, role, verb, resource)) {
        assert!(std::time::Instant::now() < give_up, "the roles are not aggregated");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    for role in ["view", "edit", "admin"] {
        for resource in ["billingcontracts", "billingproviders", "contractpackages"] {
            assert!(may(&world, role, "list", resource), "{role} may not list {resource}");
        }
        assert_eq!(may(&world, role, "update", "billingcontracts"), role != "view", "{role}");
        assert_eq!(may(&world, role, "create", "billingproviders"), role == "admin", "{role}");
        assert!(!may(&world, role, "update", "billingcontracts/status"), "{role}");
        assert!(!may(&world, role, "create", "contractapprovals"), "{role}");
    }
}
