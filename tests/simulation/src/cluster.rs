//! The API server, in memory: versions, generations, finalizers, deletion, conflicts, watches, and a backup of etcd.

use std::{collections::BTreeMap, sync::Arc};

use countersign_core::{
    api::{BillingContract, BillingContractStatus, ContractApproval, approval::ContractApprovalStatus},
    plan::Announced,
    terms::Timestamp,
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff};
use serde_json::Value;

use crate::time::{SECOND, wall};

/// Namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Name {
    pub(crate) fn of(contract: &BillingContract) -> Self {
        let metadata = &contract.metadata;
        Self {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Namespace and name of an approval.
pub(crate) fn name_of(approval: &ContractApproval) -> Name {
    let metadata = &approval.metadata;
    Name {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
    }
}

/// The contract that an approval is about.
pub(crate) fn contract_of(approval: &ContractApproval) -> Name {
    let namespace = approval.metadata.namespace.clone().unwrap_or_default();
    Name { namespace, name: approval.spec.contract_ref.name.clone() }
}

/// What a watch delivers.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Put(Arc<BillingContract>),
    Gone(Name),
    /// Somebody says something of a plan, or what was said is spent.
    Said(Arc<ContractApproval>),
    /// What somebody said is taken back.
    Unsaid(Arc<ContractApproval>),
    /// The watch broke, and all is listed anew.
    Broken,
}

/// Why the API server does not do what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Conflict,
    NotFound,
}

/// The Lease, as both operators see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) holder: Option<usize>,
    /// Number of the leadership.
    pub(crate) term: i32,
    pub(crate) version: u64,
}

/// The record of what operators are about to write to billing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    /// By the UID of the contract.
    pub(crate) writes: BTreeMap<String, Announced>,
    /// Number of the leadership that wrote it.
    pub(crate) term: i32,
    pub(crate) version: u64,
}

/// What etcd holds.
#[derive(Clone, Debug, Default)]
struct Stored {
    objects: BTreeMap<Name, Arc<BillingContract>>,
    approvals: BTreeMap<Name, Arc<ContractApproval>>,
    lease: Lease,
    journal: Journal,
}

/// The API server.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    stored: Stored,
    backup: Stored,
    version: u64,
    uids: u64,
    /// What watches have not heard of yet.
    changes: Vec<Change>,
    /// Status writes that were taken.
    pub(crate) status_writes: u64,
}

impl Cluster {
    pub(crate) fn get(&self, name: &Name) -> Option<&Arc<BillingContract>> {
        self.stored.objects.get(name)
    }

    pub(crate) fn list(&self) -> impl Iterator<Item = &Arc<BillingContract>> {
        self.stored.objects.values()
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.stored.lease
    }

    /// What happened since it was asked last, for the watches.
    pub(crate) fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// `kubectl apply`: spec and annotations of Git, whatever else the object has. False while it is being deleted.
    pub(crate) fn apply(&mut self, manifest: &Value, now: i64) -> Result<bool, String> {
        let wanted: BillingContract =
            serde_json::from_value(manifest.clone()).map_err(|error| error.to_string())?;
        let name = Name::of(&wanted);
        let Some(found) = self.stored.objects.get(&name) else {
            self.uids += 1;
            let mut created = wanted;
            created.metadata.uid = Some(format!("uid-{}", self.uids));
            created.metadata.generation = Some(1);
            created.metadata.creation_timestamp = Some(stamp(now));
            created.status = Some(BillingContractStatus {
                observed_generation: Some(-1),
                ..BillingContractStatus::default()
            });
            self.put(created);
            return Ok(true);
        };
        if found.metadata.deletion_timestamp.is_some() {
            return Ok(false);
        }
        let mut applied = BillingContract::clone(found);
        if applied.spec != wanted.spec {
            applied.spec = wanted.spec;
            applied.metadata.generation = applied.metadata.generation.map(|generation| generation + 1);
        }
        if applied.spec != found.spec {
            self.put(applied);
        }
        Ok(true)
    }

    /// Changes the metadata of an object, as people do with `kubectl annotate` or `replace`.
    pub(crate) fn touch(&mut self, name: &Name, change: impl FnOnce(&mut BillingContract)) {
        let Some(found) = self.stored.objects.get(name) else { return };
        let mut touched = BillingContract::clone(found);
        change(&mut touched);
        let is_gone = touched.metadata.deletion_timestamp.is_some()
            && touched.metadata.finalizers.as_ref().is_none_or(Vec::is_empty);
        if is_gone {
            self.remove(name);
        } else if touched.metadata != found.metadata {
            self.put(touched);
        }
    }

    pub(crate) fn delete(&mut self, name: &Name, now: i64) {
        let Some(found) = self.stored.objects.get(name) else { return };
        if found.metadata.finalizers.as_ref().is_none_or(Vec::is_empty) {
            self.remove(name);
        } else if found.metadata.deletion_timestamp.is_none() {
            let mut deleted = BillingContract::clone(found);
            deleted.metadata.deletion_timestamp = Some(stamp(now));
            deleted.metadata.generation = deleted.metadata.generation.map(|generation| generation + 1);
            self.put(deleted);
        }
    }

    /// Replaces the status of an object, of the version that is given.
    pub(crate) fn replace_status(
        &mut self,
        object: &BillingContract,
    ) -> Result<Arc<BillingContract>, Refused> {
        let found = self.of_version(object)?;
        let mut replaced = BillingContract::clone(found);
        replaced.status.clone_from(&object.status);
        self.status_writes += 1;
        Ok(self.put(replaced))
    }

    /// Sets or takes away a finalizer of an object, of the version that is given.
    pub(crate) fn finalize(
        &mut self,
        object: &BillingContract,
        finalizer: &str,
        set: bool,
    ) -> Result<Arc<BillingContract>, Refused> {
        let mut patched = BillingContract::clone(self.of_version(object)?);
        let mut finalizers = patched.metadata.finalizers.take().unwrap_or_default();
        finalizers.retain(|found| found != finalizer);
        if set {
            finalizers.push(finalizer.to_owned());
        }
        let is_gone = finalizers.is_empty() && patched.metadata.deletion_timestamp.is_some();
        patched.metadata.finalizers = Some(finalizers).filter(|finalizers| !finalizers.is_empty());
        if is_gone {
            self.remove(&Name::of(&patched));
            return Ok(Arc::new(patched));
        }
        Ok(self.put(patched))
    }

    /// Takes or renews the lease for an operator.
    pub(crate) fn take_lease(&mut self, holder: usize, term: i32) {
        self.version += 1;
        self.stored.lease = Lease { holder: Some(holder), term, version: self.version };
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.stored.journal
    }

    /// Replaces the record of writes, if it still has the version that it comes with; the version that it has then.
    pub(crate) fn put_journal(&mut self, journal: Journal) -> Result<u64, Refused> {
        if self.stored.journal.version != journal.version {
            return Err(Refused::Conflict);
        }
        self.version += 1;
        self.stored.journal = Journal { version: self.version, ..journal };
        Ok(self.version)
    }

    /// Backs etcd up.
    pub(crate) fn back_up(&mut self) {
        self.backup = self.stored.clone();
    }

    /// Puts etcd back to what it was; its versions go on, and objects have the version that they had.
    pub(crate) fn restore(&mut self) {
        self.stored = self.backup.clone();
        self.changes.push(Change::Broken);
    }

    /// What people say of plans.
    pub(crate) fn approvals(&self) -> impl Iterator<Item = &Arc<ContractApproval>> {
        self.stored.approvals.values()
    }

    /// Somebody says something of a plan, in a resource of their own.
    pub(crate) fn say(&mut self, mut approval: ContractApproval, now: i64) {
        self.uids += 1;
        approval.metadata.uid = Some(format!("uid-{}", self.uids));
        approval.metadata.name = Some(format!("said-{}", self.uids));
        approval.metadata.creation_timestamp = Some(stamp(now));
        self.put_approval(approval);
    }

    /// Whoever said something of the plans of a contract takes it back; false when nobody had.
    pub(crate) fn unsay(&mut self, contract: &Name) -> bool {
        let about = |(_, approval): &(&Name, &Arc<ContractApproval>)| contract_of(approval) == *contract;
        let found = self.stored.approvals.iter().rfind(about).map(|(name, _)| name.clone());
        let Some(approval) = found.and_then(|name| self.stored.approvals.remove(&name)) else { return false };
        self.version += 1;
        self.changes.push(Change::Unsaid(approval));
        true
    }

    /// Marks an approval as spent, if it has the version that is given.
    pub(crate) fn spend(&mut self, approval: &ContractApproval, now: i64) -> Result<(), Refused> {
        let found = self.stored.approvals.get(&name_of(approval)).ok_or(Refused::NotFound)?;
        if found.metadata.resource_version != approval.metadata.resource_version {
            return Err(Refused::Conflict);
        }
        let mut spent = ContractApproval::clone(found);
        spent.status = Some(ContractApprovalStatus { spent_at: Some(Timestamp::whole_seconds(wall(now))) });
        self.put_approval(spent);
        Ok(())
    }

    fn put_approval(&mut self, mut approval: ContractApproval) {
        self.version += 1;
        approval.metadata.resource_version = Some(self.version.to_string());
        let approval = Arc::new(approval);
        self.stored.approvals.insert(name_of(&approval), Arc::clone(&approval));
        self.changes.push(Change::Said(approval));
    }

    fn of_version(&self, object: &BillingContract) -> Result<&Arc<BillingContract>, Refused> {
        let found = self.stored.objects.get(&Name::of(object)).ok_or(Refused::NotFound)?;
        let same = |one: &BillingContract| (one.metadata.uid.clone(), one.metadata.resource_version.clone());
        if same(found) == same(object) { Ok(found) } else { Err(Refused::Conflict) }
    }

    fn put(&mut self, mut object: BillingContract) -> Arc<BillingContract> {
        self.version += 1;
        object.metadata.resource_version = Some(self.version.to_string());
        let object = Arc::new(object);
        self.stored.objects.insert(Name::of(&object), Arc::clone(&object));
        self.changes.push(Change::Put(Arc::clone(&object)));
        object
    }

    fn remove(&mut self, name: &Name) {
        self.version += 1;
        if self.stored.objects.remove(name).is_some() {
            self.changes.push(Change::Gone(name.clone()));
        }
    }
}

/// A moment as the API server writes it, in whole seconds.
fn stamp(now: i64) -> Time {
    Time(jiff::Timestamp::from_second(now.div_euclid(SECOND)).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}
