//! Metronome's half of the protocol for packages: found or created, compared, archived.

use chrono::{DateTime, Utc};
use kube::ResourceExt;
use serde_json::Value;

use super::{Desired, ObservedPackage, Step, archive, create_fingerprints, plan};
use crate::{
    api::{ContractPackage, contract::DeletionPolicy, package::Lifecycle, reasons},
    plan::{
        Call, CallKind, Change, Decision, Ending, MoneyEffect, Observation, PackageSnapshot, Plan, Planner,
        Policy, Reading, Recorded, Refusal, Unreadable,
        metronome::{
            AccountSettings, Need, UniquenessKey,
            reply::{FREE, is_about},
        },
        told,
    },
    terms::{
        Digest, Timestamp,
        json::parse_exact,
        metronome::PACKAGE,
        shape::{ids_in_usual_letters, in_usual_letters},
    },
    validate,
};

/// Plans one Metronome package. What is on record as the contract is the package.
#[derive(Debug)]
pub struct PackagePlanner {
    desired: Result<Desired, Refusal>,
    digest: Digest,
    lifecycle: Lifecycle,
    archives_while_in_use: bool,
    /// How many `BillingContract`s refer to the package.
    contracts: i32,
    facts: Facts,
    observed: Reading<ObservedPackage>,
}

#[derive(Debug, Default)]
struct Facts {
    by_id: Reading<Value>,
    listed: Option<Vec<Value>>,
    in_use: Option<Vec<Value>>,
}

impl PackagePlanner {
    /// A planner for a package that so many `BillingContract`s refer to.
    #[must_use]
    pub fn new(package: &ContractPackage, contracts: i32, account: &AccountSettings) -> Self {
        Self {
            desired: desired(package, account)
                .map_err(|message| Refusal { reason: reasons::INVALID_SPEC, message }),
            digest: crate::plan::package::digest(&package.spec),
            lifecycle: package.spec.lifecycle,
            archives_while_in_use: package.spec.archive_while_in_use,
            contracts,
            facts: Facts::default(),
            observed: Reading::Unread,
        }
    }

    /// What a read would tell of the package with this id, had the resource been carried out.
    ///
    /// # Errors
    /// Why the package cannot be planned.
    pub fn shown(&self, package_id: &str) -> Result<Value, Refusal> {
        let desired = self.desired.as_ref().map_err(Clone::clone)?;
        let invalid =
            |error: serde_json::Error| Refusal { reason: reasons::INVALID_SPEC, message: error.to_string() };
        let text = serde_json::to_string(&PACKAGE.wire(&desired.written)).map_err(invalid)?;
        let mut data = parse_exact(&text).map_err(invalid)?;
        if let Some(members) = data.as_object_mut() {
            members.insert("id".to_owned(), package_id.into());
            if self.lifecycle == Lifecycle::Archived {
                members.insert("archived_at".to_owned(), "1970-01-01T00:00:00Z".into());
            }
        }
        Ok(data)
    }

    /// The package as the billing API has it: by its ID, or by its key among all packages, or as what a create without a reply
    /// made.
    fn find(
        &self,
        desired: &Desired,
        recorded: &Recorded,
    ) -> Result<Result<Option<ObservedPackage>, Unreadable>, Need> {
        let read = |data| ObservedPackage::read(data).map_err(Unreadable);
        if let Some(id) = &recorded.contract_id {
            match &self.facts.by_id {
                Reading::Unread => return Err(Need::Package { package_id: id.clone() }),
                Reading::Present(data) => return Ok(read(data).map(Some)),
                Reading::Absent => {}
            }
        }
        let Some(listed) = &self.facts.listed else { return Err(Need::Packages) };
        // A key as it is goes before one with the API's word in front, which could be somebody's own.
        let is_exact = |data: &&Value| {
            data.get("uniqueness_key").and_then(Value::as_str) == Some(desired.key().as_str())
        };
        let by_key =
            listed.iter().find(is_exact).or_else(|| listed.iter().find(|data| desired.has_made(data)));
        let is_sent = |data: &&Value| {
            let key = data.get("uniqueness_key").and_then(Value::as_str);
            !is_archived(data) && has_sent(key, recorded)
        };
        let is_new = recorded.contract_id.is_none();
        let made = by_key.or_else(|| listed.iter().find(is_sent).filter(|_| is_new));
        Ok(made.map(read).transpose())
    }

    fn look(&mut self, recorded: &Recorded) -> Result<Observation, Need> {
        let desired = match &self.desired {
            Ok(desired) => desired,
            Err(refusal) => return Ok(Observation::Blocked(refusal.clone())),
        };
        if self.observed == Reading::Unread {
            match self.find(desired, recorded)? {
                Ok(observed) => self.observed = observed.into(),
                Err(Unreadable(message)) => {
                    return Ok(Observation::Waiting(Refusal {
                        reason: reasons::BILLING_UNREACHABLE,
                        message,
                    }));
                }
            }
        }
        let found = self.found().is_some();
        Ok(match &recorded.contract_id {
            Some(id) if !found => Observation::Blocked(not_listed(id)),
            _ if found => Observation::Found,
            _ => Observation::Nothing,
        })
    }

    fn found(&self) -> Option<&ObservedPackage> {
        self.observed.present()
    }
}

impl Planner for PackagePlanner {
    type Need = Need;
    type Snapshot = PackageSnapshot;

    fn invalid(&self) -> Option<&Refusal> {
        self.desired.as_ref().err()
    }

    fn observe(&mut self, recorded: &Recorded, _: &Policy, _: DateTime<Utc>) -> Result<Observation, Need> {
        // The terms never change, so a create that was refused would be refused again, whatever billing shows.
        if let (Some(blocked), None) = (&recorded.blocked_plan, &recorded.contract_id) {
            return Ok(Observation::Blocked(blocked.refusal.clone()));
        }
        self.look(recorded)
    }

    fn plan(&mut self, recorded: &Recorded, policy: &Policy, now: DateTime<Utc>) -> Result<Decision, Need> {
        let desired = match &self.desired {
            Ok(desired) => desired,
            Err(refusal) => return Ok(Decision::Refuse(refusal.clone())),
        };
        let observed = self.found();
        Ok(match plan(desired, self.lifecycle, observed) {
            Step::InSync => Decision::InSync,
            Step::Refuse(refusal) => Decision::Refuse(refusal),
            Step::Write(call) => {
                let coming = desired.may_come(recorded, now).filter(|_| call.kind == CallKind::Create);
                match coming {
                    Some(refusal) => Decision::Wait(refusal),
                    None => write(desired, observed, call, policy, recorded),
                }
            }
        })
    }

    fn end(
        &mut self,
        ending: &Ending,
        recorded: &Recorded,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Decision, Need> {
        if ending.policy == DeletionPolicy::Orphan || self.desired.is_err() {
            return Ok(Decision::InSync);
        }
        self.look(recorded)?;
        let (Ok(desired), Some(observed)) = (&self.desired, self.found()) else {
            return Ok(Decision::InSync);
        };
        // Only what is shown to be this resource's package is archived with it.
        let is_own = match &recorded.contract_id {
            Some(id) => *id == observed.package_id,
            // What says something else was made by somebody else: neither side ever changes.
            None => {
                has_sent(observed.uniqueness_key.as_deref(), recorded)
                    && desired.differences(observed).is_empty()
            }
        };
        if observed.archived || !is_own {
            return Ok(Decision::InSync);
        }
        if !self.archives_while_in_use {
            let Some(listed) = &self.facts.in_use else {
                return Err(Need::ContractsOnPackage { package_id: observed.package_id.clone() });
            };
            let in_force = listed.iter().filter(|contract| !has_ended(contract, now)).count();
            if self.contracts > 0 || in_force > 0 {
                return Ok(Decision::Wait(in_use(self.contracts, in_force)));
            }
        }
        Ok(match archive(&observed.package_id) {
            Ok(call) => write(desired, Some(observed), call, policy, recorded),
            Err(refusal) => Decision::Refuse(refusal),
        })
    }

    fn learn(&mut self, need: &Need, mut told: Option<Value>, _: DateTime<Utc>) -> Result<(), Unreadable> {
        told.iter_mut().for_each(ids_in_usual_letters);
        let list = |told: Option<Value>| -> Result<Vec<Value>, Unreadable> {
            match told {
                Some(Value::Array(items)) => Ok(items),
                _ => Err(Unreadable("the reply is no list".to_owned())),
            }
        };
        told.as_ref().map_or(Ok(()), |reply| told::are_ids(reply, &FREE)).map_err(Unreadable)?;
        match need {
            Need::Package { package_id } => {
                if let Some(id) = told.as_ref().and_then(|told| told.get("id")?.as_str()) {
                    is_about("package", id, package_id)?;
                }
                self.facts.by_id = told.into();
            }
            Need::Packages => self.facts.listed = Some(list(told)?),
            Need::ContractsOnPackage { .. } => self.facts.in_use = Some(list(told)?),
            // A package asks for no other fact.
            _ => {}
        }
        Ok(())
    }

    fn wrote(
        &mut self,
        call: &Call,
        reply: &Value,
        recorded: &mut Recorded,
        _: DateTime<Utc>,
    ) -> Result<(), Unreadable> {
        told::are_ids(reply, &FREE).map_err(Unreadable)?;
        if call.kind == CallKind::Create
            && let Some(id) = reply.get("id").and_then(Value::as_str)
        {
            recorded.contract_id = Some(in_usual_letters(id));
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.facts = Facts::default();
        self.observed = Reading::Unread;
    }

    fn remember(&self, recorded: &mut Recorded, _: DateTime<Utc>) {
        if let Some(observed) = self.found() {
            recorded.contract_id = Some(observed.package_id.clone());
        }
    }

    fn snapshot(&self, _: &Recorded, _: DateTime<Utc>) -> Option<PackageSnapshot> {
        let (desired, observed) = (self.desired.as_ref().ok()?, self.found()?);
        Some(PackageSnapshot {
            package_id: observed.package_id.clone(),
            alias_differences: desired.alias_differences(observed),
        })
    }

    fn shows(&self, fingerprint: &Digest) -> bool {
        let made = self.found().map(|observed| create_fingerprints(observed.uniqueness_key.as_deref()));
        made.into_iter().flatten().any(|made| made == *fingerprint)
    }

    fn customer_id(&self) -> Option<&str> {
        None
    }

    fn digest(&self) -> Option<&Digest> {
        Some(&self.digest)
    }
}

/// Whether a create without a reply made the package with a key, by whichever the resource had then: the prefix of derived keys
/// is the provider's to change.
fn has_sent(key: Option<&str>, recorded: &Recorded) -> bool {
    create_fingerprints(key).any(|created| recorded.may_have_sent(&created))
}

fn desired(package: &ContractPackage, account: &AccountSettings) -> Result<Desired, String> {
    let terms =
        package.spec.metronome.as_deref().ok_or(
            "the provider is a Metronome account, and packages with other terms do not belong to one",
        )?;
    let valid = validate::metronome::package(terms).map_err(|found| validate::summary(&found))?;
    let namespace = package.namespace().unwrap_or_default();
    let derived = UniquenessKey::derive(&account.key_prefix, &namespace, &package.name_any());
    Desired::new(&valid, &package.spec.aliases, derived).map_err(|error| error.to_string())
}

/// A plan with one call, whose digest follows from what is wanted and what is there.
fn write(
    desired: &Desired,
    observed: Option<&ObservedPackage>,
    call: Call,
    policy: &Policy,
    recorded: &Recorded,
) -> Decision {
    let before = observed.map(|observed| observed.terms.clone()).unwrap_or_default();
    let (path, from) = match (call.kind, observed) {
        (CallKind::Create, _) | (_, None) => ("new package".to_owned(), None),
        (_, Some(observed)) => (format!("package {}", observed.package_id), Some("active".into())),
    };
    let to = if call.kind == CallKind::Create {
        desired.written.get("name").cloned()
    } else {
        Some("archived".into())
    };
    let change = Change::new(path, from, to);
    Plan::new(&before, &desired.comparable, vec![change], MoneyEffect::default(), vec![call])
        .under(policy, recorded, false)
}

/// The refusal for a package that the resource has and the API does not list, which deletes none.
fn not_listed(id: &str) -> Refusal {
    let message = format!(
        "the resource has package {id}, which the billing API does not list; check the provider's account and its `baseUrl`"
    );
    Refusal { reason: reasons::PACKAGE_NOT_LISTED, message }
}

fn in_use(contracts: i32, in_force: usize) -> Refusal {
    let message = format!(
        "{contracts} BillingContracts refer to the package, and {in_force} contracts that have not ended are made from it. It is \
         archived once they are gone; to archive it now, which leaves them as they are, set \
         `spec.archiveWhileInUse: true`."
    );
    Refusal { reason: reasons::PACKAGE_IN_USE, message }
}

fn is_archived(data: &Value) -> bool {
    data.get("archived_at").is_some_and(|at| !at.is_null())
}

/// Whether a contract on a package is over: it was archived, or has ended.
fn has_ended(contract: &Value, now: DateTime<Utc>) -> bool {
    if is_archived(contract) {
        return true;
    }
    let end =
        contract.get("ending_before").and_then(Value::as_str).and_then(|end| Timestamp::from_wire(end).ok());
    end.is_some_and(|end| end.0 <= now)
}
