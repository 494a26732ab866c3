//! What may go wrong between the operator and the API server, and what does.

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;

use super::request::{Call, Verb};
use crate::hash;

/// What may go wrong: chances of one in a thousand requests, or changes told to a watch. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Nothing listens: connections are refused, those that are open break.
    pub away: bool,
    /// The longest that a request takes to the server, and its answer back: milliseconds. No chance.
    pub latency_ms: u32,
    /// After how many seconds a connection breaks on which nothing is answered; never when zero. No chance.
    pub breaks_after_s: u32,
    /// The request is not carried out, and never answered.
    pub request_lost: u32,
    /// The request is carried out, and never answered.
    pub reply_lost: u32,
    /// The request is carried out up to a minute later, whether or not anybody still waits for the answer.
    pub late: u32,
    /// A write is answered 409 and not carried out.
    pub conflict: u32,
    /// 429, not carried out.
    pub too_many: u32,
    /// 500, not carried out.
    pub internal: u32,
    /// 503, not carried out.
    pub unavailable: u32,
    /// A write is carried out, and answered 500.
    pub failed_after: u32,
    /// With a write, everything is forgotten that watches could begin from.
    pub compaction: u32,
    /// A watch is answered that its version is too old: half by the HTTP status, half by an event.
    pub watch_gone: u32,
    /// A watch ends before its time: in order, in the middle of a line, or as the connection breaks.
    pub watch_closed: u32,
    /// A watch tells nothing any more, and does not end.
    pub watch_silent: u32,
    /// A change, and with it all later ones, reaches this one watch some seconds later, rarely half a minute.
    pub held_up: u32,
    /// A list that takes any version is served from an older state.
    pub stale_list: u32,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Fine,
    RequestLost,
    ReplyLost,
    Late(Duration),
    Conflict,
    TooMany,
    Internal,
    Unavailable,
    FailedAfter,
    WatchGone,
}

impl Outcome {
    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Fine => return None,
            Self::RequestLost => "request lost",
            Self::ReplyLost => "reply lost",
            Self::Late(_) => "late",
            Self::Conflict => "conflict",
            Self::TooMany => "too many requests",
            Self::Internal => "internal error",
            Self::Unavailable => "unavailable",
            Self::FailedAfter => "internal error after it was carried out",
            Self::WatchGone => "watch answered that its version is gone",
        })
    }
}

/// What becomes of one request, and how fast.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    pub(super) outcome: Outcome,
    /// How long the request takes to the server.
    pub(super) there: Duration,
    /// How long the answer takes back.
    pub(super) back: Duration,
    /// How long a connection lives on which nothing is answered.
    pub(super) breaks_after: Option<Duration>,
    /// Whether the write is followed by a compaction.
    pub(super) compacts: bool,
    /// Whether a list is served from an older state, if it takes one.
    pub(super) is_stale: bool,
    /// For whatever else is to be chosen for this request.
    pub(super) rng: Rng,
}

/// The weather that each operator has, and what has come of it.
#[derive(Default)]
pub(super) struct Weathers {
    /// Of those that have none of their own.
    pub(super) common: Weather,
    /// Their own.
    pub(super) own: BTreeMap<usize, Weather>,
    counts: BTreeMap<&'static str, u64>,
    /// How often each operator has sent each request.
    ordinals: BTreeMap<(usize, Verb, String), u64>,
}

impl Weathers {
    /// The weather of one operator.
    pub(super) fn of(&self, who: usize) -> &Weather {
        self.own.get(&who).unwrap_or(&self.common)
    }

    /// Notes that a fault came up.
    pub(super) fn count(&mut self, fault: &'static str) {
        *self.counts.entry(fault).or_default() += 1;
    }

    /// How often each fault came up.
    pub(super) const fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// Draws what becomes of a request. It depends on the seed, on who sends what, and on how often they have, and on no
    /// other request.
    pub(super) fn fate(&mut self, seed: u64, who: usize, call: &Call) -> Fate {
        let path = call.path();
        let ordinal = self.ordinals.entry((who, call.verb, path.clone())).or_default();
        *ordinal += 1;
        let mut rng = Rng::with_seed(hash((seed, who, call.verb, path, *ordinal)));
        let weather = self.of(who).clone();
        let latency = |rng: &mut Rng| Duration::from_millis(rng.u64(0..=u64::from(weather.latency_ms)));
        let (there, back) = (latency(&mut rng), latency(&mut rng));
        let late = late(&mut rng);
        let (writes, watches) = (call.verb.writes(), call.verb == Verb::Watch);
        let chances = [
            (weather.request_lost, true, Outcome::RequestLost),
            (weather.reply_lost, true, Outcome::ReplyLost),
            (weather.late, true, Outcome::Late(late)),
            (weather.too_many, true, Outcome::TooMany),
            (weather.internal, true, Outcome::Internal),
            (weather.unavailable, true, Outcome::Unavailable),
            (weather.conflict, writes, Outcome::Conflict),
            (weather.failed_after, writes, Outcome::FailedAfter),
            (weather.watch_gone, watches, Outcome::WatchGone),
        ];
        let mut roll = rng.u32(0..1000);
        let mut outcome = Outcome::Fine;
        for (chance, _, possible) in chances.into_iter().filter(|(_, applies, _)| *applies) {
            if roll < chance {
                outcome = possible;
                break;
            }
            roll -= chance;
        }
        if let Some(name) = outcome.name() {
            self.count(name);
        }
        let breaks = Duration::from_secs(u64::from(weather.breaks_after_s));
        Fate {
            outcome,
            there,
            back,
            breaks_after: (!breaks.is_zero()).then_some(breaks),
            compacts: comes(&mut rng, weather.compaction) && writes,
            is_stale: comes(&mut rng, weather.stale_list),
            rng,
        }
    }
}

/// Whether something comes up whose chance is so many in a thousand. It draws even where nothing can come up, so that
/// another weather changes no other choice.
pub(super) fn comes(rng: &mut Rng, chance: u32) -> bool {
    rng.u32(0..1000) < chance
}

/// A time within reach of every time-out there is: most are short, some outlast a call, a few a lease.
fn late(rng: &mut Rng) -> Duration {
    let most = [500, 5_000, 20_000, 60_000];
    let most = rng.choice(most).unwrap_or(500);
    Duration::from_millis(rng.u64(1..=most))
}
