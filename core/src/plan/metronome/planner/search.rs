//! Looking for a resource's contract: by the id on record, by its key or stamp, by `adopt`, and among the contracts of another
//! customer, whom a create without a reply was sent for.

use chrono::{DateTime, Utc};

use super::{ContractPlanner, Observed};
use crate::{
    api::reasons,
    plan::{
        Before, Decision, Policy, Recorded, Refusal,
        metronome::{
            ContractRef, CustomerId, Desired, Found, Need, ObservedContract, balances, find, immutable,
            moved,
            unclaimed::{kept, may_come_elsewhere},
        },
    },
};

impl ContractPlanner {
    /// Looks for the contract: by the id on record, or else among all those of its customer.
    pub(super) fn find(
        &self,
        desired: &Desired,
        recorded: &Recorded,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Observed, Need> {
        if let Some(refusal) = moved(desired, recorded) {
            return Ok(Observed::Blocked(refusal));
        }
        // What it made is held, as any contract of the resource's is, and cannot move.
        if let Some(made) = self.made_elsewhere(Some(desired), recorded, Before::Taking)? {
            return Ok(Observed::Elsewhere {
                contract_id: made.contract_id.clone(),
                customer_id: made.customer_id.clone(),
                refusal: immutable::moved(
                    &made.contract_id,
                    made.customer_id.as_str(),
                    desired.customer_id().as_str(),
                ),
            });
        }
        if let Some(refusal) = may_come_elsewhere(desired, recorded, now) {
            return Ok(Observed::Waiting(refusal));
        }
        if let Some(id) = &recorded.contract_id
            && let Some(observed) = self.contract(desired.customer_id(), id)?
        {
            return Ok(Observed::Contract(Box::new(observed.clone())));
        }
        let listed = self.listed(desired.customer_id())?;
        let found = match find(desired, listed, recorded, policy) {
            Found::Own(observed) | Found::Adoptable(observed) => observed,
            Found::Nothing => return Ok(Observed::Nothing),
            Found::Refused(refusal) => return Ok(Observed::Blocked(refusal)),
        };
        // What another resource holds is not this one's, however it was found.
        let is_held = recorded.contract_id.as_ref() == Some(&found.contract_id);
        if !is_held && let Some(refusal) = self.kept(found, Before::Taking) {
            return Ok(Observed::Blocked(refusal));
        }
        // A listed contract may be cut short; what is planned against is read by its id. That one which is listed cannot be
        // read is no proof that there is none: some part of the API is behind, and a create would make a second one.
        Ok(match self.contract(desired.customer_id(), &found.contract_id)? {
            Some(observed) => Observed::Contract(Box::new(observed.clone())),
            None => Observed::Waiting(unreadable(&found.contract_id)),
        })
    }

    /// What a create without a reply has made for another customer than the spec's, which a list of the spec's customer does not
    /// tell.
    fn made_elsewhere(
        &self,
        desired: Option<&Desired>,
        recorded: &Recorded,
        before: Before,
    ) -> Result<Option<&ObservedContract>, Need> {
        if recorded.contract_id.is_some() {
            return Ok(None);
        }
        let sent_for = recorded.lost.iter().filter_map(|write| write.customer_id.as_deref());
        for customer_id in sent_for.map(CustomerId::from) {
            if desired.is_some_and(|desired| *desired.customer_id() == customer_id) {
                continue;
            }
            let is_its = |found: &&ObservedContract| {
                let may_be = !found.archived && found.is_sent_by(recorded);
                let is_anothers = before == Before::Ending && self.is_stamped_by_another(found);
                may_be && !is_anothers && self.kept(found, before).is_none()
            };
            if let Some(made) = self.listed(&customer_id)?.iter().find(is_its) {
                return Ok(Some(made));
            }
        }
        Ok(None)
    }

    fn is_stamped_by_another(&self, found: &ObservedContract) -> bool {
        let mut owner = self.stamp.iter().flat_map(|stamp| &stamp.fields);
        owner.any(|(name, value)| found.custom_field(name).is_some_and(|told| told != value))
    }

    pub(super) fn kept(&self, found: &ObservedContract, before: Before) -> Option<Refusal> {
        kept(found, &self.origin.prefix, &self.holders, before)
    }

    /// Reads what only other calls show of a contract, as far as this spec is concerned with it.
    pub(super) fn complete(
        &self,
        desired: &Desired,
        mut observed: Box<ObservedContract>,
        recorded: &Recorded,
        now: DateTime<Utc>,
    ) -> Result<Box<ObservedContract>, Need> {
        let contract = ContractRef::new(desired.customer_id(), &observed.contract_id);
        observed.take_filter_of(desired);
        if observed.needs_v1(desired, recorded) {
            match self.facts.legacy.get(&observed.contract_id) {
                Some(Some(data)) => observed.merge_v1(data),
                Some(None) => {}
                None => return Err(Need::LegacyContract(contract)),
            }
        }
        self.add_balances(Some(desired), &mut observed, recorded)?;
        for subscription_id in observed.needs_seats(desired, recorded, now) {
            match self.facts.seats.get(&subscription_id) {
                Some(data) => observed.merge_seats(&subscription_id, data),
                None => return Err(Need::Seats { contract, subscription_id, from: now }),
            }
        }
        Ok(observed)
    }

    /// Puts the customer's own balances beside a contract, as far as the resource is concerned with them.
    pub(super) fn add_balances(
        &self,
        desired: Option<&Desired>,
        observed: &mut ObservedContract,
        recorded: &Recorded,
    ) -> Result<(), Need> {
        for kind in balances::needed(desired, recorded) {
            let Some(told) = self.facts.balances.get(&kind) else {
                let customer_id = observed.customer_id.clone();
                return Err(Need::Balances { customer_id, kind });
            };
            observed.merge_balances(kind, told, &self.key);
        }
        Ok(())
    }

    pub(super) fn contract(
        &self,
        customer_id: &CustomerId,
        contract_id: &str,
    ) -> Result<Option<&ObservedContract>, Need> {
        let known = self.facts.contracts.get(contract_id).map(Option::as_ref);
        known.ok_or_else(|| Need::Contract(ContractRef::new(customer_id, contract_id)))
    }

    pub(super) fn listed(&self, customer_id: &CustomerId) -> Result<&[ObservedContract], Need> {
        let listed = self.facts.listed.get(customer_id).map(Vec::as_slice);
        listed.ok_or_else(|| Need::Contracts { customer_id: customer_id.clone() })
    }

    /// The contract to end: the one on record, even where the spec cannot be planned any more, or else the one that the
    /// uniqueness key or the stamp shows to be this resource's. A decision instead where the one on record cannot be read.
    pub(super) fn find_to_end(
        &mut self,
        recorded: &Recorded,
        policy: &Policy,
    ) -> Result<Result<Option<ObservedContract>, Decision>, Need> {
        if recorded.contract_id.is_none() {
            // A spec that cannot be planned says nothing of what was sent before.
            self.resolve(recorded)?.ok();
            if let Some(made) = self.made_elsewhere(self.desired.as_ref(), recorded, Before::Ending)? {
                return Ok(Ok(Some(made.clone())));
            }
        }
        let customer_id = match (&recorded.customer_id, self.resolved_customer(recorded)) {
            (Some(customer_id), _) => CustomerId::from(customer_id.as_str()),
            (None, resolved) => match resolved? {
                Ok(customer_id) => customer_id,
                Err(_) => return Ok(Ok(None)),
            },
        };
        if let Some(id) = &recorded.contract_id {
            if let Some(observed) = self.contract(&customer_id, id)? {
                return Ok(Ok(Some(observed.clone())));
            }
            // The API deletes no contract: one that cannot be read is looked for among all of the customer's.
            let listed = self.listed(&customer_id)?.iter().find(|observed| observed.contract_id == *id);
            return Ok(match listed {
                Some(observed) if observed.archived => Ok(Some(observed.clone())),
                Some(_) => Err(Decision::Wait(unreadable(id))),
                None => Err(Decision::Refuse(immutable::vanished(id, &customer_id))),
            });
        }
        let Some(desired) = &self.desired else { return Ok(Ok(None)) };
        let without_adoption = Policy { adopt: None, ..policy.clone() };
        Ok(Ok(match find(desired, self.listed(&customer_id)?, recorded, &without_adoption) {
            Found::Own(observed) if self.kept(observed, Before::Ending).is_none() => Some(observed.clone()),
            Found::Own(_) | Found::Adoptable(_) | Found::Nothing | Found::Refused(_) => None,
        }))
    }
}

fn unreadable(contract_id: &str) -> Refusal {
    Refusal {
        reason: reasons::BILLING_UNREACHABLE,
        message: format!("Nothing was written: contract {contract_id} is listed and cannot be read"),
    }
}
