//! The billing APIs, in memory: what they take, what they keep, what they show, and what they charge.
//!
//! Written from their documentation, over JSON as it is on the wire, and not from the planners: were a rule misread in
//! both, no run would notice. They read back otherwise than was written wherever their documentation leaves that open.

mod items;
pub(crate) mod metronome;
mod view;
pub(crate) mod zoo;

use countersign_core::api::Api;
use serde_json::{Value, json};

use self::{metronome::Metronome, zoo::Zoo};

/// How long a read may be behind a write. The operator counts on half a minute.
pub(crate) const LONGEST_LAG: i64 = 20_000;

/// What an operator was shown of a contract in the pass that a write belongs to.
#[derive(Clone, Debug, Default)]
pub(crate) enum Seen {
    /// It did not look.
    #[default]
    Nothing,
    /// It was told that there is none.
    Absent,
    /// It was shown this.
    Shown(Value),
}

/// A write of an operator, on its way.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) body: Value,
    /// The deal that it is for.
    pub(crate) slot: usize,
    /// The contract that the resource has on record.
    pub(crate) holds: Option<String>,
    pub(crate) seen: Seen,
    /// Somebody approved its plan.
    pub(crate) is_approved: bool,
    /// Git has set notes, and may have taken them out.
    pub(crate) may_clear_notes: bool,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Nothing when the answer is not in the API's own form, as a gateway's page is.
    pub(crate) body: Option<Value>,
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: 200, body: Some(body) }
    }

    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self { status, body: Some(json!({"message": message, "request_id": "r"})) }
    }

    /// An answer of something that stands between.
    pub(crate) fn foreign(status: u16) -> Self {
        Self { status, body: None }
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.status < 300
    }
}

/// How an account reads back, where its documentation leaves it open.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a way of its own, and all go together")]
pub(crate) struct Manner {
    /// Times have an offset or fractions.
    pub(crate) offsets: bool,
    /// Lists come in another order.
    pub(crate) reversed: bool,
    /// What is not set is null.
    pub(crate) nulls: bool,
    /// There are members that nobody knows.
    pub(crate) extras: bool,
    /// Amounts are told as price and quantity too.
    pub(crate) priced: bool,
    /// The reply to an edit does not say what it made.
    pub(crate) terse: bool,
    /// Keys come back with the API's word in front.
    pub(crate) prefixed: bool,
    /// Enumerations come back in lower case.
    pub(crate) lower: bool,
    /// A replaced contract has another ID.
    pub(crate) renumbered: bool,
    /// Texts lose spaces at their ends.
    pub(crate) trimmed: bool,
}

impl Manner {
    /// One of all manners, by chance.
    pub(crate) fn drawn(rng: &mut fastrand::Rng) -> Self {
        Self {
            offsets: rng.bool(),
            reversed: rng.bool(),
            nulls: rng.bool(),
            extras: rng.bool(),
            priced: rng.bool(),
            terse: rng.bool(),
            prefixed: rng.bool(),
            lower: rng.bool(),
            renumbered: rng.u8(..4) == 0,
            trimmed: false,
        }
    }
}

/// A charge that somebody adds in the console.
pub(crate) fn foreign_charge(sent: &Value, now: i64, minter: &mut items::Minter) -> Option<items::Item> {
    items::Item::made("scheduled_charges", sent, None, now, minter).ok()
}

/// A billing account.
pub(crate) struct Account {
    pub(crate) api: Api,
    /// Its address, as parsed addresses are written.
    pub(crate) url: &'static str,
    pub(crate) zoo: Zoo,
    pub(crate) metronome: Metronome,
    /// Writes that were carried out.
    pub(crate) writes: u64,
    /// Broken promises that only the billing API's own history shows.
    pub(crate) findings: Vec<String>,
}

impl Account {
    pub(crate) fn new(api: Api, url: &'static str, manner: Manner) -> Self {
        Self {
            api,
            url,
            zoo: Zoo::new(manner, url),
            metronome: Metronome::new(manner),
            writes: 0,
            findings: Vec::new(),
        }
    }

    /// Carries a write out.
    pub(crate) fn write(&mut self, request: &Request, now: i64) -> Reply {
        self.pass(now);
        let reply = match self.api {
            Api::Zoo => self.zoo.put(request, now, &mut self.findings),
            Api::Metronome => self.metronome.write(request, now, &mut self.findings),
        };
        if reply.is_ok() {
            self.writes += 1;
        }
        self.pass(now);
        reply
    }

    /// Lets time pass: periods close, invoices are made.
    pub(crate) fn pass(&mut self, now: i64) {
        match self.api {
            Api::Zoo => self.zoo.pass(now),
            Api::Metronome => self.metronome.pass(now, &mut self.findings),
        }
    }

    /// The deal that made a contract, if one did.
    pub(crate) fn maker(&self, contract_id: &str) -> Option<usize> {
        match self.api {
            Api::Zoo => self.zoo.maker(contract_id),
            Api::Metronome => self.metronome.maker(contract_id),
        }
    }

    /// How many contracts of a deal's making are in force or will be.
    pub(crate) fn live_of(&self, slot: usize, now: i64) -> usize {
        match self.api {
            Api::Zoo => self.zoo.live_of(slot),
            Api::Metronome => self.metronome.live_of(slot, now),
        }
    }
}
