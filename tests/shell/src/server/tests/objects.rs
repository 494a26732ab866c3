use k8s_openapi::api::{coordination::v1::Lease, core::v1::Secret, events::v1::Event};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::{ApiResource, DynamicObject},
};

use super::*;

const FINALIZER: &str = "billing.countersign.dev/contract";

#[tokio::test(start_paused = true)]
async fn an_object_is_created_found_listed_and_replaced_once_a_version() {
    let server = server(1);
    let api = config_maps(&server, 0);
    let created = api.create(&PostParams::default(), &config_map("a", "one")).await.unwrap();
    assert!(created.uid().is_some() && created.creation_timestamp().is_some());
    assert_eq!(created.namespace().as_deref(), Some("billing"));
    let again = api.create(&PostParams::default(), &config_map("a", "two")).await;
    assert_eq!(reason(again), (409, "AlreadyExists".to_owned()));
    assert_eq!(api.get("a").await.unwrap(), created);
    assert_eq!(api.get_opt("b").await.unwrap(), None);
    assert_eq!(reason(api.get("b").await), (404, "NotFound".to_owned()));

    let mut next = created.clone();
    next.data.get_or_insert_default().insert("text".to_owned(), "two".to_owned());
    let replaced = api.replace("a", &PostParams::default(), &next).await.unwrap();
    assert_ne!(replaced.resource_version(), created.resource_version());
    assert_eq!(replaced.uid(), created.uid());
    let late = api.replace("a", &PostParams::default(), &created).await;
    assert_eq!(reason(late), (409, "Conflict".to_owned()));
    assert_eq!(
        api.replace("a", &PostParams::default(), &replaced).await.unwrap(),
        replaced,
        "nothing changes"
    );
    let listed = api.list(&ListParams::default()).await.unwrap();
    assert_eq!(listed.items.iter().map(|item| item.data.clone()).collect::<Vec<_>>(), [replaced.data]);
    assert_eq!(listed.metadata.resource_version, replaced.metadata.resource_version);
}

#[tokio::test(start_paused = true)]
async fn a_list_comes_in_pages_of_one_state() {
    let server = server(1);
    for name in ["a", "b", "c", "d", "e"] {
        server.apply(contract(name));
    }
    let api: Api<DynamicObject> =
        Api::all_with(server.client(0), &ApiResource::erase::<BillingContract>(&()));
    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(3));
    server.delete(&contract_id("d"));
    server.apply(contract("f"));
    let token = first.metadata.continue_.clone().unwrap();
    let rest = api.list(&ListParams::default().continue_token(&token)).await.unwrap();
    let names: Vec<_> = first.iter().chain(rest.iter()).map(ResourceExt::name_any).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    assert_eq!(rest.metadata.resource_version, first.metadata.resource_version);
    assert_eq!(rest.metadata.continue_, None);
    server.with(crate::server::State::compact);
    let late = api.list(&ListParams::default().continue_token(&token)).await;
    assert_eq!(reason(late), (410, "Expired".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_new_object_has_the_defaults_of_its_definition_and_no_status_of_its_own() {
    let server = server(1);
    let mut given = contract("acme");
    given["status"] = json!({"contractId": "mine"});
    given["spec"]["unheardOf"] = json!(1);
    given["metadata"]["generation"] = json!(7);
    let created = server.apply(given);
    assert_eq!(created["status"], json!({"observedGeneration": -1}));
    assert_eq!(created["spec"]["deletionPolicy"], "Orphan");
    assert_eq!(created["spec"].get("unheardOf"), None);
    assert_eq!(created["metadata"]["generation"], 1);
    assert_eq!(created["metadata"]["creationTimestamp"], "2027-01-15T08:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn a_status_write_leaves_everything_else_and_other_writes_leave_the_status() {
    let server = server(1);
    server.apply(provider("zoo"));
    let api = providers(&server, 0);
    let mut object = api.get("zoo").await.unwrap();
    object.labels_mut().insert("team".to_owned(), "billing".to_owned());
    object.spec.token_secret_ref.name = "other".to_owned();
    object.status.as_mut().unwrap().observed_generation = Some(1);
    let written = api.replace_status("zoo", &PostParams::default(), &object).await.unwrap();
    assert_eq!(written.status.as_ref().unwrap().observed_generation, Some(1));
    assert_eq!(written.spec.token_secret_ref.name, "token");
    assert!(written.labels().is_empty());
    assert_eq!(written.metadata.generation, Some(1));
    let late = api.replace_status("zoo", &PostParams::default(), &object).await;
    assert_eq!(reason(late), (409, "Conflict".to_owned()));
    let same = api.replace_status("zoo", &PostParams::default(), &written).await.unwrap();
    assert_eq!(same.resource_version(), written.resource_version());

    let mut object = written;
    object.status.as_mut().unwrap().observed_generation = Some(9);
    object.spec.token_secret_ref.name = "other".to_owned();
    let written = api.replace("zoo", &PostParams::default(), &object).await.unwrap();
    assert_eq!(written.status.as_ref().unwrap().observed_generation, Some(1));
    assert_eq!((written.metadata.generation, &*written.spec.token_secret_ref.name), (Some(2), "other"));

    let stale = json!({"metadata": {"resourceVersion": "2"}, "status": {"observedGeneration": 5}});
    let patched = api.patch_status("zoo", &PatchParams::default(), &Patch::Merge(&stale)).await;
    assert_eq!(reason(patched), (409, "Conflict".to_owned()));
    let patch = json!({"spec": {"tokenSecretRef": {"name": "x"}}, "status": {"observedGeneration": 2}});
    let patched = api.patch_status("zoo", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    assert_eq!(patched.status.as_ref().unwrap().observed_generation, Some(2));
    assert_eq!((patched.metadata.generation, &*patched.spec.token_secret_ref.name), (Some(2), "other"));
}

#[tokio::test(start_paused = true)]
async fn a_finalizer_holds_a_deletion() {
    let server = server(1);
    server.apply(contract("acme"));
    let api: Api<DynamicObject> =
        Api::namespaced_with(server.client(0), "billing", &ApiResource::erase::<BillingContract>(&()));
    let set = |finalizers: &[&str], version: &str| json!({"metadata": {"finalizers": finalizers, "resourceVersion": version}});
    let version = |id| server.get(id).unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let id = contract_id("acme");
    let params = PatchParams::default();
    let held =
        api.patch_metadata("acme", &params, &Patch::Merge(&set(&[FINALIZER], &version(&id)))).await.unwrap();
    assert_eq!(held.finalizers(), [FINALIZER]);
    assert_eq!(held.metadata.generation, Some(1));
    assert_eq!(held.types.as_ref().unwrap().kind, "PartialObjectMetadata");

    let going = api.delete("acme", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert!(going.metadata.deletion_timestamp.is_some());
    assert_eq!(going.metadata.generation, Some(2));
    let again = api.delete("acme", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert_eq!(again.resource_version(), going.resource_version());
    let more = api
        .patch_metadata("acme", &params, &Patch::Merge(&set(&[FINALIZER, "other/one"], &version(&id))))
        .await;
    assert_eq!(reason(more), (422, "Invalid".to_owned()));
    let released =
        api.patch_metadata("acme", &params, &Patch::Merge(&set(&[], &version(&id)))).await.unwrap();
    assert!(released.finalizers().is_empty());
    assert_eq!(server.get(&id), None);

    server.apply(contract("acme"));
    let other = Preconditions { uid: released.uid(), ..Preconditions::default() };
    let mistaken = api.delete("acme", &DeleteParams::default().preconditions(other)).await;
    assert_eq!(reason(mistaken), (409, "Conflict".to_owned()));
    assert!(api.delete("acme", &DeleteParams::default()).await.unwrap().is_right());
    assert_eq!(server.get(&id), None);
}

#[tokio::test(start_paused = true)]
async fn a_write_for_an_object_that_is_gone_creates_no_other() {
    let server = server(1);
    server.apply(provider("zoo"));
    let (api, leases) = (providers(&server, 0), Api::<Lease>::namespaced(server.client(0), "billing"));
    let object = api.get("zoo").await.unwrap();
    let lease: Lease =
        serde_json::from_value(json!({"metadata": {"name": "l"}, "spec": {"leaseTransitions": 1}})).unwrap();
    let lease = leases.create(&PostParams::default(), &lease).await.unwrap();
    server.delete(&Id::within("billingproviders", "billing", "zoo"));
    server.delete(&Id::within("leases", "billing", "l"));
    // The UID in the body is a condition.
    let gone = (409, "Conflict".to_owned());
    assert_eq!(reason(api.replace_status("zoo", &PostParams::default(), &object).await), gone);
    assert_eq!(reason(leases.replace("l", &PostParams::default(), &lease).await), gone);
    let mut unnamed = lease.clone();
    unnamed.metadata.uid = None;
    let anew = leases.replace("l", &PostParams::default(), &unnamed).await.unwrap();
    assert_ne!(anew.uid(), lease.uid());
    let patch = Patch::Merge(json!({"status": {}}));
    let missing = api.patch_status("zoo", &PatchParams::default(), &patch).await;
    assert_eq!(reason(missing), (404, "NotFound".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn events_are_kept() {
    let server = server(1);
    let api: Api<Event> = Api::namespaced(server.client(3), "billing");
    let event = json!({"metadata": {"name": "acme.1"}, "eventTime": "2027-01-15T08:00:00.000001Z", "note": "so it is"});
    let event: Event = serde_json::from_value(event).unwrap();
    let written = api.create(&PostParams::default(), &event).await.unwrap();
    assert_eq!(server.list("events")[0]["note"], "so it is");
    let [entry] = server.log().try_into().unwrap();
    assert_eq!(Some(entry.version.to_string()), written.resource_version());
    assert_eq!(
        (entry.who, entry.verb, entry.id),
        (Some(3), "create", Id::within("events", "billing", "acme.1"))
    );
}

#[tokio::test(start_paused = true)]
async fn people_change_all_but_the_status() {
    let server = server(1);
    server.apply(contract("acme"));
    let id = contract_id("acme");
    server.patch(&id, json!({"metadata": {"finalizers": [FINALIZER], "labels": {"a": "1"}}}));
    let mut next = contract("acme");
    next["metadata"]["annotations"] = json!({"note": "x"});
    let applied = server.apply(next.clone());
    assert_eq!(applied["metadata"]["finalizers"], json!([FINALIZER]));
    assert_eq!(applied["metadata"].get("labels"), None);
    assert_eq!(applied["metadata"]["generation"], 1);
    next["spec"]["zoo"]["name"] = json!("Acme");
    assert_eq!(server.apply(next)["metadata"]["generation"], 2);
    let patched = server.patch(&id, json!({"spec": {"suspend": true}, "status": {"contractId": "x"}}));
    assert_eq!(patched["metadata"]["generation"], 3);
    assert_eq!(patched["status"], json!({"observedGeneration": -1}));
    server.apply(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token", "namespace": "billing"},
        "stringData": {"token": "abc"}}),
    );
    let secret = Api::<Secret>::namespaced(server.client(0), "billing").get("token").await.unwrap();
    assert_eq!(secret.data.unwrap()["token"].0, b"abc");
    assert_eq!(server.apply(json!({"kind": "Pod"}))["code"], 404);
    let verbs: Vec<_> = server.log().iter().map(|entry| (entry.who, entry.verb)).collect();
    assert_eq!(
        verbs,
        [
            (None, "create"),
            (None, "patch"),
            (None, "update"),
            (None, "update"),
            (None, "patch"),
            (None, "create")
        ]
    );
}
