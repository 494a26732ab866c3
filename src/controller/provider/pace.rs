//! How many contracts of each account were changed within the last hour, for the guardrail that bounds it.
//!
//! Statuses say when a contract was last written to, so that a restart does not begin anew.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use kube::{ResourceExt, runtime::reflector::Store};

use super::registry::ProviderKey;
use crate::{
    api::BillingContract,
    clock,
    controller::Guarded,
    plan::{Hurry, Pace},
};

/// For how long a contract counts as changed.
const HOUR: TimeDelta = TimeDelta::hours(1);

/// Contracts by UID, with when they were last changed.
type Changed = HashMap<String, DateTime<Utc>>;

/// What was changed through each provider.
#[derive(Debug, Default)]
pub struct Paces(Mutex<HashMap<ProviderKey, Changed>>);

impl Paces {
    /// Counts changes of one contract through a provider that lets so many contracts an hour pass by themselves.
    #[must_use]
    pub fn of(
        self: &Arc<Self>,
        provider: &ProviderKey,
        contract: &BillingContract,
        limit: Option<i32>,
        contracts: &Store<Guarded<BillingContract>>,
    ) -> Pace {
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        let (Some(limit), Some(uid)) = (limit, contract.uid()) else { return Pace::default() };
        let (paces, provider, contracts) = (Arc::clone(self), provider.clone(), contracts.clone());
        Pace::new(move || {
            let written = contracts.state().into_iter().filter_map(|other| {
                let other = other.readable()?;
                let is_of = ProviderKey::of(&other.spec.provider_ref, other.namespace()) == provider;
                let written = other.status.as_ref()?.last_write_at.filter(|_| is_of)?;
                Some((other.uid()?, written.0))
            });
            paces.take(&provider, &uid, limit, written, clock::now())
        })
    }

    fn take(
        &self,
        provider: &ProviderKey,
        uid: &str,
        limit: usize,
        written: impl Iterator<Item = (String, DateTime<Utc>)>,
        now: DateTime<Utc>,
    ) -> Result<(), Hurry> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = all.entry(provider.clone()).or_default();
        for (uid, time) in written {
            let known = changed.entry(uid).or_insert(time);
            *known = time.max(*known);
        }
        changed.retain(|_, time| now.signed_duration_since(*time) < HOUR);
        let others = changed.keys().filter(|known| *known != uid).count();
        if others >= limit && !changed.contains_key(uid) {
            return Err(Hurry { changed: others, limit });
        }
        changed.insert(uid.to_owned(), now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::contract::ProviderKind;

    fn key(name: &str) -> ProviderKey {
        ProviderKey::new(ProviderKind::BillingProvider, Some("billing".to_owned()), name)
    }

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::minutes(minute)
    }

    #[test]
    fn so_many_contracts_an_hour_pass_and_each_counts_once() {
        let paces = Paces::default();
        let take = |uid: &str, minute| paces.take(&key("zoo"), uid, 2, std::iter::empty(), at(minute));
        assert_eq!(take("a", 0), Ok(()));
        assert_eq!(take("b", 10), Ok(()));
        assert_eq!(take("c", 20), Err(Hurry { changed: 2, limit: 2 }));
        assert_eq!(take("a", 30), Ok(()), "it was counted already");
        assert_eq!(take("c", 71), Ok(()), "b was changed more than an hour ago");
        assert_eq!(take("b", 72), Err(Hurry { changed: 2, limit: 2 }));
        assert_eq!(paces.take(&key("other"), "c", 2, std::iter::empty(), at(20)), Ok(()));
    }

    #[test]
    fn what_statuses_say_was_written_counts_after_a_restart() {
        let written = || [("a".to_owned(), at(0)), ("b".to_owned(), at(1))].into_iter();
        let take = |minute| Paces::default().take(&key("zoo"), "c", 2, written(), at(minute));
        assert_eq!(take(59), Err(Hurry { changed: 2, limit: 2 }));
        assert_eq!(take(60), Ok(()));
    }
}
