//! What one billing API adds to the write protocol: the pure half of the seam between them.
//!
//! A planner is asked to decide and answers with a decision, or with the one fact that it still needs. So a plan can be
//! made anywhere: whoever runs the protocol fetches facts and carries out calls, and has no choice in either.

use std::{convert::Infallible, fmt, marker::PhantomData};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{Call, Decision, Holders, PackageSnapshot, Plan, Policy, Recorded, Refusal};
use crate::{
    api::contract::DeletionPolicy,
    terms::{Digest, Timestamp},
};

/// How long a read may be behind an edit.
pub const SETTLING: TimeDelta = TimeDelta::seconds(30);

/// What a billing API shows of what is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// It shows nothing.
    Nothing,
    /// It shows what the spec means, or may mean.
    Found,
    /// Something is in the way that may pass by itself.
    Waiting(Refusal),
    /// Something is in the way for good.
    Blocked(Refusal),
}

/// How what a deleted resource holds is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// In good order, or at once.
    pub policy: DeletionPolicy,
    /// When it ends in good order; as soon as the billing API can when left out.
    pub end_at: Option<Timestamp>,
    /// Whether invoices that are final already are voided.
    pub void_invoices: bool,
}

/// What was read of something that may not be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reading<T> {
    /// It was not read yet.
    #[default]
    Unread,
    /// The billing API says that there is no such thing.
    Absent,
    /// It is there.
    Present(T),
}

impl<T> Reading<T> {
    /// What is there, if it was read and there is something.
    pub const fn present(&self) -> Option<&T> {
        if let Self::Present(value) = self { Some(value) } else { None }
    }
}

impl<T> From<Option<T>> for Reading<T> {
    fn from(told: Option<T>) -> Self {
        told.map_or(Self::Absent, Self::Present)
    }
}

/// A reply that says something that the billing API never says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

/// Plans one contract, or one package, of one billing API.
///
/// Facts come in by [`learn`](Self::learn) and [`wrote`](Self::wrote) and stay until [`forget`](Self::forget); each
/// question is a function of the facts, what is on record, the user's choices and the time. `Err` of a question is the
/// fact that is needed before it can be answered.
pub trait Planner {
    /// A fact that can be read from the billing API.
    type Need: Clone + fmt::Debug + PartialEq;
    /// What the status says of what was observed.
    type Snapshot: Clone;

    /// Why what the spec says cannot be planned at all, whatever billing shows.
    fn invalid(&self) -> Option<&Refusal>;

    /// Looks for what the spec means.
    ///
    /// # Errors
    /// The fact that is needed first.
    fn observe(
        &mut self,
        recorded: &Recorded,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Observation, Self::Need>;

    /// Decides what to do about what was observed.
    ///
    /// # Errors
    /// The fact that is needed first.
    fn plan(
        &mut self,
        recorded: &Recorded,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Decision, Self::Need>;

    /// Decides how what the resource holds comes to its end; [`Decision::InSync`] when nothing is left to end.
    ///
    /// # Errors
    /// The fact that is needed first.
    fn end(
        &mut self,
        ending: &Ending,
        recorded: &Recorded,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Decision, Self::Need>;

    /// Takes what a read told; nothing when the billing API says that there is no such thing.
    ///
    /// # Errors
    /// When the reply is none that the billing API gives.
    fn learn(&mut self, need: &Self::Need, told: Option<Value>, now: DateTime<Utc>)
    -> Result<(), Unreadable>;

    /// Takes that a fact could not be read, and why; whether it can be done without.
    fn spare(&mut self, _need: &Self::Need, _why: &str) -> bool {
        false
    }

    /// Takes the reply to a write that was carried out, and puts on record whose id it tells.
    ///
    /// # Errors
    /// When the reply is none that the billing API gives; the write may be in force all the same.
    fn wrote(
        &mut self,
        call: &Call,
        reply: &Value,
        recorded: &mut Recorded,
        now: DateTime<Utc>,
    ) -> Result<(), Unreadable>;

    /// Calls that follow a plan once it is carried out, for people who are shown it before: what only replies tell stands in
    /// angle brackets. They are planned anew then, and never sent as they are.
    fn follow_ups(&self, _: &Plan, _: &Recorded, _: &Policy, _: DateTime<Utc>) -> Vec<Call> {
        Vec::new()
    }

    /// Puts on record what is known before a call is sent, whatever comes of the call; whether that is news.
    fn sending(&mut self, _call: &Call, _recorded: &mut Recorded) -> bool {
        false
    }

    /// Optional fields that a write of what is wanted sets and that what was observed does not say, as
    /// [`LostWrite::sets`](crate::api::contract::LostWrite::sets) has them.
    fn sets(&self) -> Vec<String> {
        Vec::new()
    }

    /// What was observed, by the fingerprint of the write that would say it, and its fields that the next write takes out, as
    /// [`sets`](Self::sets) has them. Nothing where an earlier write cannot put them back, as the API takes each write once.
    fn overtaken(&self, _recorded: &Recorded) -> Option<(Digest, Vec<String>)> {
        None
    }

    /// Puts on record what lost writes were to set, as far as it is what was observed.
    fn recall(&self, _recorded: &mut Recorded) {}

    /// Takes how holders are found among the other resources of the cluster.
    fn know(&mut self, _holders: Holders) {}

    /// Forgets what a write may have changed, so that it is read again.
    fn forget(&mut self);

    /// Puts what was observed on record, for the next plan.
    fn remember(&self, recorded: &mut Recorded, now: DateTime<Utc>);

    /// What the status says of what was observed; nothing when there is nothing, or it is something else in its place.
    fn snapshot(&self, recorded: &Recorded, now: DateTime<Utc>) -> Option<Self::Snapshot>;

    /// The last edit of what was observed, as far as it was needed.
    fn last_edit(&self) -> Option<String> {
        None
    }

    /// Whether what was observed is what a write with this fingerprint puts in force, so that it has been carried out.
    fn shows(&self, _fingerprint: &Digest) -> bool {
        false
    }

    /// ID of the customer, as soon as it is known.
    fn customer_id(&self) -> Option<&str>;

    /// Digest of what the spec says, as soon as it is known.
    fn digest(&self) -> Option<&Digest>;
}

/// The planner of packages where a billing API has none; there is no such planner.
#[derive(Debug)]
pub struct NoPackages<N> {
    never: Infallible,
    need: PhantomData<N>,
}

impl<N: Clone + fmt::Debug + PartialEq> Planner for NoPackages<N> {
    type Need = N;
    type Snapshot = PackageSnapshot;

    fn invalid(&self) -> Option<&Refusal> {
        match self.never {}
    }

    fn observe(&mut self, _: &Recorded, _: &Policy, _: DateTime<Utc>) -> Result<Observation, N> {
        match self.never {}
    }

    fn plan(&mut self, _: &Recorded, _: &Policy, _: DateTime<Utc>) -> Result<Decision, N> {
        match self.never {}
    }

    fn end(&mut self, _: &Ending, _: &Recorded, _: &Policy, _: DateTime<Utc>) -> Result<Decision, N> {
        match self.never {}
    }

    fn learn(&mut self, _: &N, _: Option<Value>, _: DateTime<Utc>) -> Result<(), Unreadable> {
        match self.never {}
    }

    fn wrote(&mut self, _: &Call, _: &Value, _: &mut Recorded, _: DateTime<Utc>) -> Result<(), Unreadable> {
        match self.never {}
    }

    fn forget(&mut self) {
        match self.never {}
    }

    fn remember(&self, _: &mut Recorded, _: DateTime<Utc>) {
        match self.never {}
    }

    fn snapshot(&self, _: &Recorded, _: DateTime<Utc>) -> Option<PackageSnapshot> {
        match self.never {}
    }

    fn customer_id(&self) -> Option<&str> {
        match self.never {}
    }

    fn digest(&self) -> Option<&Digest> {
        match self.never {}
    }
}
