//! A billing API of one contract with a few members, made up for the rules that are the same for every API.

use super::*;
use crate::{
    api::{contract::ManagementPolicy, reasons},
    plan::{CallKind, Change, Consent, Decision, MoneyEffect, Observation, Plan, Reading, Unreadable},
    terms::Digest,
};

/// Plans it: one difference a plan, in the order of the members' names.
#[derive(Clone, Debug)]
pub(super) struct Scripted {
    /// What the spec says of each member.
    pub wanted: Value,
    /// How a difference is corrected.
    pub corrects_by: CallKind,
    /// How it is ended.
    pub ends_by: CallKind,
    /// A call that only prepares comes first in every plan.
    pub prepares: bool,
    /// Why the spec cannot be planned.
    pub invalid: Option<Refusal>,
    /// Digest of what the spec says.
    pub digest: Digest,
    /// What billing shows: its members, an `id`, and the last `edit` where there was one.
    pub shown: Reading<Value>,
}

/// The only fact there is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown;

impl Scripted {
    pub(super) fn of(wanted: Value) -> Self {
        let digest = Digest::of(&wanted);
        let shown = Reading::Unread;
        Self {
            wanted,
            corrects_by: CallKind::Edit,
            ends_by: CallKind::Other,
            prepares: false,
            invalid: None,
            digest,
            shown,
        }
    }

    fn shown(&self) -> Result<Option<&Value>, Shown> {
        match &self.shown {
            Reading::Unread => Err(Shown),
            shown => Ok(shown.present()),
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        Some(self.shown.present()?.get(name)?.as_str()?.to_owned())
    }

    fn call(kind: CallKind, path: &str, after: Option<String>) -> Call {
        let body = json!([path, after]);
        Call::new(kind, path, &body, Digest::of(&body)).unwrap()
    }

    fn decide(&self, kind: CallKind, change: Change, recorded: &Recorded, policy: &Policy) -> Decision {
        let before = recorded.unconfirmed.as_ref().and_then(|write| write.after_edit.clone());
        let to = change.to.clone().unwrap_or_default();
        let call = Self::call(kind, &format!("{}={to}", change.path), before.or(self.text("edit")));
        let prepare = self.prepares.then(|| Self::call(CallKind::Other, "prepare", None));
        let changes = vec![change];
        let plan = Plan {
            digest: Digest::of(&json!([self.shown.present(), self.wanted])),
            effect: MoneyEffect::default(),
            changes,
            calls: prepare.into_iter().chain([call]).collect(),
            consent: Consent::default(),
            invoiced: Box::default(),
        };
        if let Some(blocked) = recorded.blocked_plan.as_ref().filter(|blocked| blocked.digest == plan.digest)
        {
            return Decision::Refuse(blocked.refusal.clone());
        }
        match policy.management {
            ManagementPolicy::Observe => Decision::Report(plan.changes),
            ManagementPolicy::Plan | ManagementPolicy::Apply => plan.heeding(policy),
        }
    }
}

impl Planner for Scripted {
    type Need = Shown;
    type Snapshot = ContractSnapshot;

    fn invalid(&self) -> Option<&Refusal> {
        self.invalid.as_ref()
    }

    fn observe(&mut self, _: &Recorded, _: &Policy, _: DateTime<Utc>) -> Result<Observation, Shown> {
        let refusal = |reason| Refusal { reason, message: "in the way".into() };
        Ok(match self.shown()?.map(|shown| shown["is"].as_str()) {
            None => Observation::Nothing,
            Some(Some("behind")) => Observation::Waiting(refusal(reasons::BILLING_UNREACHABLE)),
            Some(Some("unsure")) => Observation::Waiting(refusal(reasons::NOT_YET_IN_FORCE)),
            Some(Some("another's")) => Observation::Blocked(refusal(reasons::CONTRACT_EXISTS)),
            Some(Some("backdated")) => Observation::Blocked(refusal(reasons::BACKDATED_ITEM)),
            Some(_) => Observation::Found,
        })
    }

    fn plan(&mut self, recorded: &Recorded, policy: &Policy, _: DateTime<Utc>) -> Result<Decision, Shown> {
        let Some(shown) = self.shown()? else {
            let change = Change::added("new", "contract".into());
            return Ok(self.decide(CallKind::Create, change, recorded, policy));
        };
        let mut wanted = self.wanted.as_object().into_iter().flatten();
        let Some((name, to)) = wanted.find(|(name, to)| shown.get(*name) != Some(*to)) else {
            return Ok(Decision::InSync);
        };
        let change = Change::new(format!("/{name}"), shown.get(name).cloned(), Some(to.clone()));
        Ok(self.decide(self.corrects_by, change, recorded, policy))
    }

    fn end(
        &mut self,
        _: &Ending,
        recorded: &Recorded,
        policy: &Policy,
        _: DateTime<Utc>,
    ) -> Result<Decision, Shown> {
        match self.shown()? {
            Some(shown) if shown["is"].is_null() => {}
            _ => return Ok(Decision::InSync),
        }
        let change = Change::added("is", "ended".into());
        Ok(self.decide(self.ends_by, change, recorded, policy))
    }

    fn learn(&mut self, _: &Shown, told: Option<Value>, _: DateTime<Utc>) -> Result<(), Unreadable> {
        if told.as_ref().is_some_and(|told| !told.is_object()) {
            return Err(Unreadable("no contract".into()));
        }
        self.shown = told.into();
        Ok(())
    }

    fn wrote(
        &mut self,
        call: &Call,
        reply: &Value,
        recorded: &mut Recorded,
        _: DateTime<Utc>,
    ) -> Result<(), Unreadable> {
        if call.kind == CallKind::Create {
            let id = reply["id"].as_str().ok_or_else(|| Unreadable("no id".into()))?;
            recorded.contract_id = Some(id.to_owned());
        }
        Ok(())
    }

    fn follow_ups(&self, plan: &Plan, _: &Recorded, _: &Policy, _: DateTime<Utc>) -> Vec<Call> {
        let creates = plan.calls.iter().any(|call| call.kind == CallKind::Create);
        creates.then(|| Self::call(CallKind::Edit, "<id>", None)).into_iter().collect()
    }

    fn sending(&mut self, _: &Call, recorded: &mut Recorded) -> bool {
        let id = self.text("tells");
        recorded.items.extend(id.clone().map(|id| ("told".to_owned(), id)));
        id.is_some()
    }

    fn shows(&self, fingerprint: &Digest) -> bool {
        let mut shown = self.shown.present().and_then(Value::as_object).into_iter().flatten();
        shown.any(|(name, to)| {
            let call = Self::call(self.corrects_by, &format!("/{name}={to}"), self.text("edit"));
            call.fingerprint == *fingerprint
        })
    }

    fn forget(&mut self) {
        self.shown = Reading::Unread;
    }

    fn remember(&self, recorded: &mut Recorded, _: DateTime<Utc>) {
        if let Some(id) = self.text("id") {
            recorded.items.insert("remembered".to_owned(), id);
        }
    }

    fn snapshot(&self, recorded: &Recorded, _: DateTime<Utc>) -> Option<ContractSnapshot> {
        let items = recorded.items.iter().map(|(key, id)| (key.clone(), id.clone()));
        Some(ContractSnapshot {
            contract_id: self.text("id")?,
            account_id: None,
            items: items.map(|(key, id)| crate::api::contract::ItemId { key, id }).collect(),
            set_fields: Vec::new(),
            renews: None,
            renewed_by: None,
            state: "active".into(),
            is_shown: true,
            term: None,
            committed_value: Vec::new(),
            digest: Digest::of(&json!(self.shown.present())),
        })
    }

    fn last_edit(&self) -> Option<String> {
        self.text("edit")
    }

    fn customer_id(&self) -> Option<&str> {
        Some("customer-1")
    }

    fn digest(&self) -> Option<&Digest> {
        Some(&self.digest)
    }
}

/// A contract of this API.
pub(super) fn bench(wanted: Value) -> Bench<Scripted> {
    bench_of(Scripted::of(wanted))
}

pub(super) fn bench_of(planner: Scripted) -> Bench<Scripted> {
    let spec = json!({"providerRef": {"name": "metronome"}});
    Bench::with(Api::Metronome, &spec, move |_| planner.clone())
}

/// What billing shows of contract `c-1`.
pub(super) fn shown(members: Value) -> Row {
    let mut told = json!({"id": "c-1", "edit": "e-0"});
    told.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    read("Shown", told)
}

/// Billing shows nothing.
pub(super) fn nothing() -> Row {
    absent("Shown")
}

/// A create that is taken.
pub(super) fn created() -> Row {
    taken("Create", json!({"id": "c-1"}))
}

/// An edit that is taken.
pub(super) fn edited() -> Row {
    taken("Edit", json!({}))
}
