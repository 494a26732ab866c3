//! The line between an operator and a billing API: what goes over it, what becomes of it on the way, and what the operator
//! makes of the answer.

use std::time::Duration;

use countersign_core::{
    api::Api,
    plan::{
        Call, CallKind,
        metronome::{self, Balances},
        zoo,
    },
    protocol::CallError,
};
use serde_json::{Value, json};

use super::{TIMEOUT, desk::Desk};
use crate::{
    billing::{Reply, Request, Seen},
    check,
    cluster::Name,
    ground::{Ground, Late, Sent},
    mutant::Mutant,
    rules::Rule,
};

/// What becomes of a request, or of the step that makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives, and so does the answer.
    Fine,
    /// It does not arrive.
    LostRequest,
    /// It is carried out, and the answer is lost.
    LostReply,
    /// It is carried out so many milliseconds later, when nobody waits for it any more.
    Late(i64),
    /// It is carried out, and so many milliseconds later once more.
    Twice(i64),
    /// It is answered so, and not carried out.
    Status(u16),
    /// It is carried out, and answered so.
    StatusDone(u16),
    /// It is carried out, and the process dies before the answer comes.
    Crash,
    /// The read shows what was so before.
    Behind(i64),
    /// The read is answered 404 by something that stands between.
    ForeignNotFound,
    /// The read is answered 404 in the API's own form, wrongly.
    NotFound,
}

impl Fate {
    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fine => "request carried out",
            Self::LostRequest => "request lost",
            Self::LostReply => "reply lost",
            Self::Late(_) => "request carried out late",
            Self::Twice(_) => "request carried out twice",
            Self::Status(429) => "answered 429",
            Self::Status(400..=499) => "answered 4xx",
            Self::Status(_) => "answered 5xx",
            Self::StatusDone(_) => "carried out and answered 5xx",
            Self::Crash => "killed before the reply",
            Self::Behind(_) => "read behind",
            Self::ForeignNotFound => "404 of a gateway",
            Self::NotFound => "404 for what is there",
        }
    }
}

/// One step of one reconcile, with its end of the line.
pub(crate) struct Line<'w> {
    pub(crate) ground: &'w mut Ground,
    pub(crate) fate: Fate,
    pub(crate) desk: &'w mut Desk,
    /// Whether a write may start now.
    pub(crate) gate: bool,
    pub(crate) operator: usize,
    /// The process died on the way.
    pub(crate) is_dead: bool,
}

/// A fact that can be read of a billing API.
pub(crate) trait Fact {
    /// Whether it is the contract itself.
    fn is_contract(&self) -> bool;

    /// Whether it is a list, which an API that answers 404 does not know the customer of.
    fn is_list(&self) -> bool {
        false
    }

    /// Reads it as of `lag` milliseconds ago.
    fn read(&self, line: &mut Line<'_>, lag: i64) -> Result<Option<Value>, CallError>;
}

impl Fact for zoo::Need {
    fn is_contract(&self) -> bool {
        true
    }

    fn read(&self, line: &mut Line<'_>, lag: i64) -> Result<Option<Value>, CallError> {
        let Self::Contract { organization_id } = self;
        let now = line.ground.now;
        let account = line.ground.accounts.get(line.desk.account);
        let mut told = account.and_then(|account| account.zoo.get(organization_id, now, lag));
        if told.is_none() && lag > 0 && !line.ground.rules.has(Rule::Absence) {
            told = account.and_then(|account| account.zoo.get(organization_id, now, 0));
        }
        line.desk.seen = told.clone().map_or(Seen::Absent, Seen::Shown);
        Ok(told)
    }
}

impl Fact for metronome::Need {
    fn is_contract(&self) -> bool {
        matches!(self, Self::Contract(_))
    }

    fn is_list(&self) -> bool {
        matches!(self, Self::Contracts { .. } | Self::Balances { .. })
    }

    fn read(&self, line: &mut Line<'_>, lag: i64) -> Result<Option<Value>, CallError> {
        let now = line.ground.now;
        let Some(account) = line.ground.accounts.get(line.desk.account) else { return Ok(None) };
        let model = &account.metronome;
        match self {
            Self::Contract(contract) => {
                let (customer, id) = (contract.customer_id.as_str(), contract.contract_id.as_str());
                let mut told = model.get(customer, id, now, lag);
                if let (Some(told), Some(Mutant::AddWithoutLooking)) = (&mut told, line.ground.mutant) {
                    for list in ["commits", "credits", "scheduled_charges", "recurring_commits"] {
                        told[list] = json!([]);
                    }
                }
                line.desk.seen = told.clone().map_or(Seen::Absent, Seen::Shown);
                Ok(told)
            }
            Self::Contracts { customer_id } => Ok(Some(model.list(customer_id.as_str(), now, lag).into())),
            Self::Balances { customer_id, kind } => {
                let list = if *kind == Balances::Commits { "commits" } else { "credits" };
                let told = model.balances(customer_id.as_str(), list, now, lag);
                line.desk.beside.insert(*kind, told.clone());
                Ok(Some(told.into()))
            }
            Self::Edits(contract) => {
                Ok(model.history(contract.contract_id.as_str(), now, lag).map(Value::from))
            }
            Self::Invoices(contract) => Ok(Some(model.invoices(contract.contract_id.as_str()).into())),
            need => Err(CallError::Unreachable(format!("the model has no {need:?}"))),
        }
    }
}

impl Line<'_> {
    /// Reads a fact.
    pub(crate) fn read(&mut self, fact: &impl Fact) -> Result<Option<Value>, CallError> {
        self.ground.count(self.fate.name());
        let unreachable = |why: &str| Err(CallError::Unreachable(why.to_owned()));
        match self.fate {
            Fate::LostRequest | Fate::LostReply => unreachable("no answer in time"),
            Fate::Status(status) | Fate::StatusDone(status) if status != 404 => {
                outcome(Reply::error(status, "a fault"), None).map(Some).map_err(as_read)
            }
            Fate::ForeignNotFound if self.ground.mutant == Some(Mutant::NotFoundBelieved) => {
                self.desk.seen = Seen::Absent;
                Ok(None)
            }
            Fate::ForeignNotFound => outcome(Reply::foreign(404), None).map(Some).map_err(as_read),
            Fate::NotFound if fact.is_list() => {
                outcome(Reply::error(404, "a fault"), None).map(Some).map_err(as_read)
            }
            Fate::NotFound if self.ground.rules.has(Rule::Absence) => {
                if fact.is_contract() {
                    self.desk.seen = Seen::Absent;
                }
                Ok(None)
            }
            Fate::Crash => {
                self.is_dead = true;
                unreachable("nobody is there to hear it")
            }
            Fate::Behind(lag) => fact.read(self, lag),
            _ => fact.read(self, 0),
        }
    }

    /// Carries a write out.
    pub(crate) fn send(&mut self, call: &Call) -> Result<Value, CallError> {
        self.ground.note(|| format!("  the gate is open: {}", self.gate));
        let is_open = self.gate || self.ground.mutant == Some(Mutant::GateOpen);
        if !is_open {
            self.ground.count("write stopped by the gate");
            return Err(CallError::NotLeader);
        }
        let Ok(body) = serde_json::from_str::<Value>(&call.body) else {
            self.ground.find(format!("a body is not JSON: {}", call.body));
            return Err(CallError::Unreachable("a body is not JSON".to_owned()));
        };
        let mut request = Request {
            path: call.path.clone(),
            body,
            slot: self.desk.slot,
            holds: self.desk.holds(),
            seen: self.desk.seen.clone(),
            is_approved: self.desk.is_approved,
            may_clear_notes: self.ground.notes_said.contains(&self.desk.slot),
        };
        if self.ground.mutant == Some(Mutant::KeyFromUid) && call.kind == CallKind::Create {
            request.body["uniqueness_key"] = json!(self.desk.object.metadata.uid);
        }
        if self.ground.mutant == Some(Mutant::BalanceMadeAgain) && call.kind == CallKind::Add {
            request.body["uniqueness_key"] = json!(format!("made at {}", self.ground.now));
        }
        for finding in check::write(self, call, &request) {
            self.ground.find(finding);
        }
        if self.ground.mutant == Some(Mutant::StatusBeforeCall) {
            self.desk.claim_in_sync(self.ground);
        }
        self.desk.has_sent = true;
        let fate = self.fate_of(call);
        self.ground.count(fate.name());
        self.ground.count("write sent");
        let told = self.exchange(fate, &request, call);
        if call.kind == CallKind::Create {
            let name = Name::of(&self.desk.object);
            self.ground.let_through.insert(name, std::mem::take(&mut self.desk.foreseen));
        }
        if let Some(sent) = &mut self.ground.sent {
            sent.push((call.clone(), told.is_ok()));
        }
        let is_again = match self.ground.mutant {
            Some(Mutant::BalanceMadeAgain) => call.kind == CallKind::Add,
            mutant => mutant == Some(Mutant::RetryWithoutReading),
        };
        if is_again
            && matches!(told, Err(CallError::Unknown(_)))
            && request.body["uniqueness_key"].is_string()
        {
            request.body["uniqueness_key"] = json!(format!("{} again", request.body["uniqueness_key"]));
            return self.exchange(Fate::Fine, &request, call);
        }
        told
    }

    /// What becomes of a call, where a fate would break a rule that the code does not hold yet.
    fn fate_of(&self, call: &Call) -> Fate {
        let replaces = !call.kind.is_taken_once();
        let may_be_late = !replaces || self.ground.rules.has(Rule::LateReplace);
        match self.fate {
            Fate::Late(_) if !may_be_late => Fate::LostRequest,
            Fate::Twice(_) if !may_be_late => Fate::LostReply,
            // What has no key is done twice by a network that delivers it twice, and nobody can help it.
            Fate::Twice(_) if call.kind == CallKind::Append => Fate::LostReply,
            Fate::Behind(_) | Fate::NotFound | Fate::ForeignNotFound => Fate::Fine,
            fate => fate,
        }
    }

    fn exchange(&mut self, fate: Fate, request: &Request, call: &Call) -> Result<Value, CallError> {
        let lost = || Err(CallError::Unknown("no answer in time".to_owned()));
        let account = self.desk.account;
        let at = self.ground.now;
        if matches!(
            fate,
            Fate::LostReply | Fate::Late(_) | Fate::StatusDone(_) | Fate::Crash | Fate::Twice(_)
        ) {
            self.ground.unanswered.insert(self.desk.slot);
        }
        match fate {
            Fate::LostRequest => lost(),
            Fate::LostReply => {
                self.ground.carry(account, request);
                lost()
            }
            Fate::Late(after) => {
                self.ground.late.push(Late { at: at + after, what: Sent::Write(account, request.clone()) });
                lost()
            }
            Fate::Status(status) => {
                outcome(Reply::error(status, "a fault"), Some(call)).map(|reply| self.reply(reply))
            }
            Fate::StatusDone(status) => {
                self.ground.carry(account, request);
                outcome(Reply::error(status, "a fault"), Some(call)).map(|reply| self.reply(reply))
            }
            Fate::Crash => {
                self.ground.carry(account, request);
                self.is_dead = true;
                lost()
            }
            Fate::Twice(after) => {
                self.ground.late.push(Late { at: at + after, what: Sent::Write(account, request.clone()) });
                let reply = self.ground.carry(account, request);
                outcome(reply, Some(call)).map(|reply| self.reply(reply))
            }
            Fate::Fine | Fate::Behind(_) | Fate::ForeignNotFound | Fate::NotFound => {
                let reply = self.ground.carry(account, request);
                outcome(reply, Some(call)).map(|reply| self.reply(reply))
            }
        }
    }

    /// The reply as the planner takes it.
    fn reply(&mut self, mut reply: Value) -> Value {
        let account = self.ground.accounts.get(self.desk.account);
        if account.is_some_and(|account| account.api == Api::Zoo) {
            self.desk.seen = Seen::Shown(reply.clone());
            return reply;
        }
        // Whoever wrote has to look again.
        self.desk.seen = Seen::Nothing;
        self.desk.beside.clear();
        reply.get_mut("data").map(Value::take).unwrap_or_default()
    }
}

/// The longest that a request can take, as the gate asks.
pub(crate) const fn takes() -> i64 {
    TIMEOUT
}

/// What an answer means: `src/billing/http.rs`, which is not part of what decides.
fn outcome(reply: Reply, call: Option<&Call>) -> Result<Value, CallError> {
    let status = reply.status;
    let Some(body) = reply.body else {
        let why = format!("HTTP {status}, and the reply is not in the form of the billing API");
        return Err(if call.is_some() || status >= 500 {
            CallError::Unknown(why)
        } else {
            CallError::Foreign(why)
        });
    };
    if status < 300 {
        return Ok(body);
    }
    let message = body["message"].as_str().unwrap_or_default().to_owned();
    let has_key = call.is_some_and(|call| call.kind.is_taken_once());
    let edits = call.is_some_and(|call| call.kind == CallKind::Edit);
    Err(match status {
        429 => CallError::Throttled { pause: Duration::from_secs(5) },
        403 if edits => CallError::EditNotEnabled { message },
        401 | 403 => CallError::Credentials { status, message },
        409 if has_key => CallError::KeyUsed { message },
        409 => CallError::Unknown(format!("HTTP 409: {message}")),
        404 => CallError::NotFound { what: "what is asked for".to_owned(), message },
        408 | 421 | 423 | 424 | 425 | 426 | 499 => CallError::Unknown(format!("HTTP {status}: {message}")),
        400..=499 => CallError::Rejected { status, message },
        _ => CallError::Unknown(format!("HTTP {status}")),
    })
}

fn as_read(error: CallError) -> CallError {
    match error {
        CallError::Unknown(why) => CallError::Unreachable(why),
        error => error,
    }
}
