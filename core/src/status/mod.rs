//! Statuses, computed: what is written to an object is a pure function of the object, what a reconcile came to and the
//! time.
//!
//! Follows kstatus: `Reconciling` and `Stalled` are present only while true and never together, and
//! `observedGeneration` moves with every outcome.

pub mod contract;
pub mod package;
pub mod provider;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff,
};

use crate::{
    api::reasons::{self, READY, RECONCILING, Reason, STALLED},
    plan::Change,
    terms::text::seen,
    validate::Violation,
};

/// Most bytes of a condition's message; the API server refuses a status with a longer one.
const MAX_MESSAGE: usize = 30_000;
/// Most bytes of an event's note that the API server accepts.
const MAX_NOTE: usize = 1000;

/// How an object stands: its `Ready` condition, and `Reconciling` or `Stalled` beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Status of `Ready`.
    pub ready: Ready,
    /// Reason of `Ready`.
    pub reason: Reason,
    /// Message of every condition.
    pub message: String,
    /// `Reconciling` or `Stalled`, with its reason.
    pub abnormal: Option<(&'static str, Reason)>,
}

/// Status of the `Ready` condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// As it should be.
    Yes,
    /// Not as it should be.
    No,
    /// Not known.
    Unknown,
}

impl Ready {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "True",
            Self::No => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl Summary {
    /// As it should be.
    #[must_use]
    pub fn ready(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: Ready::Yes, reason, message: message.into(), abnormal: None }
    }

    /// Not yet as it should be; tried again.
    #[must_use]
    pub fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            ready: Ready::No,
            reason,
            message: message.into(),
            abnormal: Some((RECONCILING, reasons::PROGRESSING)),
        }
    }

    /// Not as it should be, until somebody acts.
    #[must_use]
    pub fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: Ready::No, reason, message: message.into(), abnormal: Some((STALLED, reason)) }
    }

    /// Whether nothing happens until somebody acts.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.abnormal.is_some_and(|(type_, _)| type_ == STALLED)
    }

    /// Whether it is tried again by itself.
    #[must_use]
    pub fn is_retried(&self) -> bool {
        self.abnormal.is_some_and(|(type_, _)| type_ == RECONCILING)
    }
}

/// A further condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionUpdate {
    /// Its type.
    pub type_: &'static str,
    /// Whether it holds; unknown when `None`.
    pub holds: Option<bool>,
    /// Its reason.
    pub reason: Reason,
    /// Its message.
    pub message: String,
}

/// Something worth an event, at most one a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Whether somebody has to look.
    pub warning: bool,
    /// One word for programs.
    pub reason: Reason,
    /// For people, within the bound of the API server.
    pub message: String,
    /// The same for logs, which more people read than may see contracts: without anything of their content.
    pub logged: String,
}

impl EventRecord {
    /// The same with something said before it.
    fn after(self, story: &str) -> Self {
        let [message, logged] =
            [self.message, self.logged].map(|text| said(&format!("{story} {text}"), MAX_NOTE));
        Self { message, logged, ..self }
    }

    fn normal(reason: Reason, message: impl AsRef<str>) -> Self {
        let message = said(message.as_ref(), MAX_NOTE);
        Self { warning: false, reason, logged: message.clone(), message }
    }

    fn warning(reason: Reason, message: impl AsRef<str>) -> Self {
        Self { warning: true, ..Self::normal(reason, message) }
    }

    /// The same with what deserves a question in it, said first: somebody has to look. Logs have the places alone.
    #[must_use]
    pub fn asking(self, questions: &[Violation]) -> Self {
        if questions.is_empty() {
            return self;
        }
        let told: Vec<_> = questions.iter().map(ToString::to_string).collect();
        let places: Vec<_> = questions.iter().map(|question| question.path.as_str()).collect();
        // What is done has its place beside them.
        let first = |text: &str| said(text, MAX_NOTE / 2);
        let told = first(&told.join("; "));
        let end = if told.ends_with('?') { "" } else { "." };
        let message = format!("To be looked at: {told}{end} {}", self.message);
        let logged = format!("{}; to be looked at: {}", self.logged, first(&places.join(", ")));
        Self { warning: true, message: said(&message, MAX_NOTE), logged: said(&logged, MAX_NOTE), ..self }
    }

    /// An event about changes: prices and amounts are for the event, and logs say where they changed.
    fn about(self, changes: &[&Change]) -> Self {
        const NAMED: usize = 5;
        let place = |change: &&Change| match change.path.as_str() {
            "" => "all of it".to_owned(),
            path => path.to_owned(),
        };
        let paths: Vec<_> = changes.iter().take(NAMED).map(place).collect();
        let count = changes.len();
        let more = if count > NAMED { ", …" } else { "" };
        let plural = if count == 1 { "change" } else { "changes" };
        Self { logged: said(&format!("{count} {plural}: {}{more}", paths.join(", ")), MAX_NOTE), ..self }
    }
}

/// A text of at most so many bytes: what is cut off is counted, and no letter is cut in half.
#[must_use]
pub fn bounded(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    // Room for the count of what is left out.
    let end = text.floor_char_boundary(most.saturating_sub(40));
    let (kept, rest) = text.split_at(end);
    format!("{kept}… ({} more letters)", rest.chars().count())
}

/// The same as people are told it: what nobody sees in it (what drives a terminal, or turns the direction of reading round) is
/// a space, whoever wrote it.
fn said(text: &str, most: usize) -> String {
    let shown = |letter: char| if letter == '\n' { letter } else { seen(letter) };
    bounded(&text.chars().map(shown).collect::<String>(), most)
}

/// The conditions of an object that stands so; each keeps its transition time while its status stays the same.
#[must_use]
pub fn conditions(
    previous: &[Condition],
    summary: &Summary,
    updates: &[ConditionUpdate],
    generation: Option<i64>,
    now: DateTime<Utc>,
) -> Vec<Condition> {
    let condition = |type_: &str, status: &str, reason: Reason, message: &str| {
        let before = previous.iter().find(|before| before.type_ == type_ && before.status == status);
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.as_str().to_owned(),
            message: said(message, MAX_MESSAGE),
            observed_generation: generation,
            last_transition_time: before
                .map_or_else(|| time(now), |before| before.last_transition_time.clone()),
        }
    };
    let mut conditions = vec![condition(READY, summary.ready.as_str(), summary.reason, &summary.message)];
    if let Some((type_, reason)) = summary.abnormal {
        conditions.push(condition(type_, "True", reason, &summary.message));
    }
    for update in updates {
        let status = match update.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        conditions.push(condition(update.type_, status, update.reason, &update.message));
    }
    let stated = |type_: &str| updates.iter().any(|update| update.type_ == type_);
    let lasting = previous.iter().filter(|before| {
        !matches!(before.type_.as_str(), READY | RECONCILING | STALLED) && !stated(&before.type_)
    });
    conditions.extend(lasting.cloned());
    conditions
}

/// A time as Kubernetes has it, in whole seconds.
fn time(now: DateTime<Utc>) -> Time {
    Time(jiff::Timestamp::from_second(now.timestamp()).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}
