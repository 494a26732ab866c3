//! The protocol with the planner of Metronome's packages: created once, never changed, archived at the end.

use super::*;
use crate::{
    api::ContractPackage,
    plan::{
        PackageSnapshot,
        metronome::{AccountSettings, Need, package::PackagePlanner},
    },
    status,
};

const LISTED: &str = "Packages";
const BY_ID: &str = "Package {";
const IN_USE: &str = "ContractsOnPackage {";
const CREATE: &str = "Create v1/packages/create";
const ARCHIVE: &str = "Other v1/packages/archive";

/// One package and its status.
struct Package {
    prefix: &'static str,
    now: DateTime<Utc>,
    resource: ContractPackage,
    contracts: i32,
    goal: Goal,
}

impl Package {
    fn new(lifecycle: &str) -> Self {
        let package = json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ContractPackage",
            "metadata": {"name": "pro", "namespace": "billing", "generation": 1},
            "spec": {"lifecycle": lifecycle, "providerRef": {"name": "metronome"}, "metronome": {"name": "Pro"}},
        });
        let resource = serde_json::from_value(package).unwrap();
        Self { prefix: "test", now: now(), resource, contracts: 0, goal: Goal::InForce }
    }

    /// One that was created.
    fn created(lifecycle: &str) -> Self {
        let mut package = Self::new(lifecycle);
        package.resource.status = serde_json::from_value(json!({"packageId": "p-1"})).unwrap();
        package
    }

    fn deleted(self, policy: DeletionPolicy) -> Self {
        Self { goal: ending(policy), ..self }
    }

    fn planner(&self) -> PackagePlanner {
        let account = AccountSettings { key_prefix: self.prefix.into(), stamp_cluster: None };
        PackagePlanner::new(&self.resource, self.contracts, &account)
    }

    #[track_caller]
    fn pass(&mut self, rows: &[Row]) -> ReconcileResult<PackageSnapshot> {
        let recorded = Recorded::of_package(&self.resource);
        let machine =
            Reconciliation::new(Api::Metronome, self.planner(), self.goal, recorded, Policy::default());
        let result = run(machine, self.now, rows).result.unwrap();
        let summary = status::package::summary(&self.resource, &result);
        let status =
            status::package::status(&self.resource, Some(&summary), Some(&result), self.contracts, self.now);
        self.resource.status = Some(status);
        result
    }

    fn id(&self) -> Option<String> {
        self.resource.status.as_ref()?.package_id.clone()
    }
}

fn told(members: Value) -> Value {
    let mut told = json!({"id": "p-1", "name": "Pro", "uniqueness_key": "package:test/billing/pro", "commits": [],
        "aliases": []});
    told.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    told
}

fn found(members: Value) -> Row {
    read(BY_ID, told(members))
}

fn listed(members: Value) -> Row {
    read(LISTED, json!([told(json!({"id": "p-0", "uniqueness_key": "other"})), told(members)]))
}

fn none() -> Row {
    read(LISTED, json!([]))
}

fn archived() -> Value {
    json!({"archived_at": "2026-05-01T00:00:00Z"})
}

fn created() -> Row {
    taken(CREATE, json!({"id": "p-1"}))
}

#[test]
fn a_package_is_created_once_and_read_by_its_id() {
    let mut package = Package::new("Published");
    let result = package.pass(&[none(), created(), found(json!({})), done("applied")]);
    assert_eq!((result.created_id.as_deref(), package.id().as_deref()), (Some("p-1"), Some("p-1")));
    assert_eq!(result.snapshot.unwrap().alias_differences, []);
    package.pass(&[found(json!({})), done("in_sync")]);
}

#[test]
fn a_package_is_found_by_its_key() {
    let mut package = Package::new("Published");
    package.pass(&[listed(json!({})), done("in_sync")]);
    assert_eq!(package.id().as_deref(), Some("p-1"));
}

#[test]
fn a_key_as_it_is_goes_before_one_with_the_apis_word_in_front() {
    let mut package = Package::new("Published");
    let own = told(json!({"uniqueness_key": "test/billing/pro"}));
    package.pass(&[read(LISTED, json!([told(json!({"id": "p-0"})), own])), done("in_sync")]);
    assert_eq!(package.id().as_deref(), Some("p-1"));
    package.pass(&[found(json!({"id": "p-2"})), done("waiting BillingUnreachable")]);
    assert_eq!(package.id().as_deref(), Some("p-1"), "a reply about another package is not believed");
}

#[test]
fn a_create_whose_reply_was_lost_or_whose_key_was_used_is_looked_for() {
    let mut lost = Package::new("Published");
    lost.pass(&[none(), failed(CREATE, unknown()), done("unconfirmed")]);
    lost.pass(&[listed(json!({})), done("in_sync")]);
    let mut used = Package::new("Published");
    used.pass(&[none(), failed(CREATE, key_used()), listed(json!({})), done("in_sync")]);
    let mut elsewhere = Package::new("Published");
    elsewhere.pass(&[none(), failed(CREATE, key_used()), none(), done("unconfirmed")]);
    elsewhere.pass(&[none(), done("unconfirmed")]);
    elsewhere.pass(&[none(), done("refused UniquenessKeyTaken")]);
    elsewhere.pass(&[done("refused UniquenessKeyTaken")]);
    elsewhere.resource.metadata.generation = Some(2);
    elsewhere.pass(&[listed(json!({})), done("in_sync")]);
}

/// One whose create was sent and without a reply, and whose provider has another prefix of keys by now.
fn lost_under_another_prefix() -> Package {
    let mut package = Package::new("Published");
    package.pass(&[none(), failed(CREATE, unknown()), done("unconfirmed")]);
    package.prefix = "another";
    package
}

#[test]
fn what_a_lost_create_made_is_the_packages_though_the_providers_prefix_has_changed() {
    let mut package = lost_under_another_prefix();
    package.pass(&[listed(json!({})), done("in_sync")]);
    assert_eq!(package.id().as_deref(), Some("p-1"));
    package.pass(&[found(json!({})), done("in_sync")]);
    // What somebody has archived is not taken for it, nor what another one's key has made.
    for members in [archived(), json!({"uniqueness_key": "test/billing/other"})] {
        let mut package = lost_under_another_prefix();
        let waits = || [listed(members.clone()), done("waiting WriteUnconfirmed")];
        package.pass(&waits());
        package.now += TimeDelta::seconds(59);
        package.pass(&waits());
        package.now += TimeDelta::seconds(1);
        let created = taken(CREATE, json!({"id": "p-2"}));
        package.pass(&[listed(members), created, found(json!({"id": "p-2"})), done("applied")]);
    }
}

#[test]
fn what_a_lost_create_made_is_archived_with_its_resource() {
    let archive = || taken(ARCHIVE, json!({"id": "p-1"}));
    for prefix in ["test", "another"] {
        let mut package = lost_under_another_prefix().deleted(DeletionPolicy::Cancel);
        package.prefix = prefix;
        package.resource.spec.archive_while_in_use = true;
        let made = || listed(json!({}));
        let result = package.pass(&[made(), archive(), listed(archived()), done("ended")]);
        assert!(crate::protocol::deletion::may_go(&result), "{prefix}: it came");
        // What somebody else has made by the same key is theirs.
        let mut package = lost_under_another_prefix().deleted(DeletionPolicy::Cancel);
        package.resource.spec.archive_while_in_use = true;
        package.prefix = prefix;
        package.pass(&[listed(json!({"name": "Other"})), done("ended")]);
        let mut package = lost_under_another_prefix().deleted(DeletionPolicy::Cancel);
        let result = package.pass(&[none(), done("ended")]);
        assert!(!crate::protocol::deletion::may_go(&result), "it may still come");
        assert_eq!(status::package::summary(&package.resource, &result).reason, crate::api::reasons::ENDED);
        package.now += TimeDelta::seconds(31);
        let result = package.pass(&[none(), done("ended")]);
        assert!(crate::protocol::deletion::may_go(&result));
    }
}

#[test]
fn a_create_that_was_refused_once_is_not_sent_again_whatever_billing_shows() {
    let mut package = Package::new("Published");
    package.pass(&[none(), failed(CREATE, rejected()), done("refused Rejected")]);
    package.pass(&[done("refused Rejected")]);
    package.pass(&[done("refused Rejected")]);
    let annotations = package.resource.metadata.annotations.get_or_insert_default();
    annotations.insert(REQUESTED_AT.into(), "now".into());
    package.pass(&[none(), created(), found(json!({})), done("applied")]);
}

#[test]
fn a_package_on_record_that_is_not_listed_is_not_created_anew() {
    Package::created("Published").pass(&[absent(BY_ID), none(), done("refused PackageNotListed")]);
    Package::created("Published").pass(&[absent(BY_ID), listed(json!({})), done("in_sync")]);
}

#[test]
fn a_package_that_differs_or_is_archived_outside_is_refused() {
    let refusals =
        [(json!({"name": "Other"}), "refused PackageDiffers"), (archived(), "refused PackageArchived")];
    for (members, end) in refusals {
        Package::created("Published").pass(&[found(members.clone()), done(end)]);
        Package::new("Published").pass(&[listed(members), done(end)]);
    }
}

#[test]
fn an_archived_package_is_archived_in_billing_too_and_never_created() {
    Package::new("Archived").pass(&[none(), done("in_sync")]);
    let mut package = Package::created("Archived");
    let archive = taken(ARCHIVE, json!({"id": "p-1"}));
    package.pass(&[found(json!({})), archive, found(archived()), done("applied")]);
    package.pass(&[found(archived()), done("in_sync")]);
}

#[test]
fn a_package_whose_terms_are_wrong_is_refused_unread() {
    let mut package = Package::new("Published");
    package.resource.spec.metronome = None;
    package.pass(&[done("refused InvalidSpec")]);
    let refused = package.planner().plan(&Recorded::default(), &Policy::default(), now());
    assert!(matches!(refused, Ok(crate::plan::Decision::Refuse(_))));
    let refused = package.planner().observe(&Recorded::default(), &Policy::default(), now());
    assert!(matches!(refused, Ok(crate::plan::Observation::Blocked(_))));
    package.deleted(DeletionPolicy::Cancel).pass(&[done("ended")]);
}

#[test]
fn a_reply_that_is_no_package_is_none() {
    Package::created("Published").pass(&[read(BY_ID, json!({})), done("waiting BillingUnreachable")]);
    Package::new("Published").pass(&[read(LISTED, json!({})), done("waiting BillingUnreachable")]);
    Package::new("Published").pass(&[absent(LISTED), done("waiting BillingUnreachable")]);
    Package::new("Published").pass(&[
        none(),
        taken(CREATE, json!({"ok": true})),
        none(),
        done("not_in_force"),
    ]);
    let mut planner = Package::new("Published").planner();
    planner.learn(&Need::CustomFieldKeys, None, now()).unwrap();
    assert_eq!((planner.customer_id(), planner.last_edit()), (None, None));
    assert!(planner.digest().is_some());
}

#[test]
fn a_deleted_package_is_archived_once_nothing_uses_it() {
    let deleted = || Package::created("Published").deleted(DeletionPolicy::Cancel);
    let archive = || taken(ARCHIVE, json!({"id": "p-1"}));
    let ended = json!([{"ending_before": "2026-06-01T10:30:00Z"}, {"archived_at": "2026-05-01T00:00:00Z"}]);
    deleted().pass(&[found(json!({})), read(IN_USE, ended), archive(), found(archived()), done("ended")]);
    for contract in [json!({}), json!({"ending_before": "2026-06-01T10:30:01Z"}), json!({"ending_before": 7})]
    {
        let result = deleted().pass(&[
            found(json!({})),
            read(IN_USE, json!([contract])),
            done("waiting PackageInUse"),
        ]);
        assert_eq!(result.requeue, Requeue::After(std::time::Duration::from_secs(30)));
    }
    let mut referred = deleted();
    referred.contracts = 1;
    referred.pass(&[found(json!({})), read(IN_USE, json!([])), done("waiting PackageInUse")]);
    referred.resource.spec.archive_while_in_use = true;
    referred.pass(&[found(json!({})), archive(), found(archived()), done("ended")]);
}

#[test]
fn only_the_package_on_record_is_archived_with_its_resource() {
    let end = |package: Package, rows: &[Row]| {
        let mut package = package.deleted(DeletionPolicy::Cancel);
        package.resource.spec.archive_while_in_use = true;
        package.pass(rows);
    };
    end(Package::new("Published"), &[listed(json!({})), done("ended")]);
    end(Package::new("Published"), &[none(), done("ended")]);
    end(Package::created("Published"), &[found(archived()), done("ended")]);
    end(Package::created("Published"), &[absent(BY_ID), none(), done("ended")]);
    Package::created("Published").deleted(DeletionPolicy::Orphan).pass(&[done("ended")]);
}

#[test]
fn an_archive_that_was_refused_is_not_sent_again() {
    let mut package = Package::created("Published").deleted(DeletionPolicy::Cancel);
    package.resource.spec.archive_while_in_use = true;
    package.pass(&[found(json!({})), failed(ARCHIVE, rejected()), done("refused Rejected")]);
    package.pass(&[found(json!({})), done("refused Rejected")]);
}
