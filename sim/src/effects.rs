//! What can go wrong with a request. Knows no API.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hostile::Look;

/// What goes wrong, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The request is carried out, and the connection closed without an answer.
    DropReply,
    /// The connection is closed before anything is done.
    DropRequest,
    /// Nothing is done, and a chosen status answered.
    Status,
    /// The request is carried out after a time, even when the caller has gone by then.
    Delay,
    /// The request is carried out at once and answered after a time.
    DelayReply,
    /// Reads answer what was true before the last write.
    StaleRead,
    /// The connection is closed at once, and the request carried out after a time.
    Late,
    /// A gateway's HTML page is answered.
    Html,
    /// A body without end is answered.
    EndlessBody,
    /// A body that stands still after its beginning is answered.
    StalledBody,
    /// A body that breaks off after its beginning is answered.
    CutBody,
    /// A chosen body is answered.
    Body,
    /// JSON with very many levels is answered.
    DeepJson,
    /// Very large headers are answered.
    HugeHeaders,
}

/// A refusal in the API's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// 400 to 599.
    pub(crate) status: u16,
    /// The Retry-After header, in seconds.
    pub(crate) retry_after_seconds: Option<u32>,
    /// The Retry-After header, as any text; comes before `retry_after_seconds`.
    pub(crate) retry_after: Option<String>,
    /// What is wrong, for people; what the status means when `None`.
    pub(crate) message: Option<String>,
    /// What is wrong, for programs, where the API has a place for it.
    pub(crate) code: Option<String>,
}

/// What goes wrong, with what is needed to do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Effect {
    /// See [`Kind::DropReply`].
    DropReply,
    /// See [`Kind::DropRequest`].
    DropRequest,
    /// See [`Kind::Status`].
    Status {
        /// What is answered.
        #[serde(flatten)]
        refusal: Refusal,
        /// Whether the request is carried out nevertheless.
        #[serde(default)]
        carry_out: bool,
    },
    /// See [`Kind::Delay`].
    Delay {
        /// In milliseconds.
        delay_ms: u64,
    },
    /// See [`Kind::DelayReply`].
    DelayReply {
        /// In milliseconds.
        delay_ms: u64,
    },
    /// See [`Kind::StaleRead`].
    StaleRead,
    /// See [`Kind::Late`].
    Late {
        /// In milliseconds.
        delay_ms: u64,
    },
    /// An answer that no API means to give.
    Hostile {
        /// Which.
        look: Look,
        /// 200 to 599.
        status: u16,
        /// Whether the request is carried out nevertheless.
        #[serde(default)]
        carry_out: bool,
    },
}

impl Effect {
    /// Its name.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::DropReply => Kind::DropReply,
            Self::DropRequest => Kind::DropRequest,
            Self::Status { .. } => Kind::Status,
            Self::Delay { .. } => Kind::Delay,
            Self::DelayReply { .. } => Kind::DelayReply,
            Self::StaleRead => Kind::StaleRead,
            Self::Late { .. } => Kind::Late,
            Self::Hostile { look, .. } => match look {
                Look::Html => Kind::Html,
                Look::Endless => Kind::EndlessBody,
                Look::Stalled => Kind::StalledBody,
                Look::Cut => Kind::CutBody,
                Look::Text { .. } => Kind::Body,
                Look::Deep(_) => Kind::DeepJson,
                Look::Headers(_) => Kind::HugeHeaders,
            },
        }
    }

    /// Whether the request is not carried out.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Self::DropRequest => true,
            Self::Status { carry_out, .. } | Self::Hostile { carry_out, .. } => !carry_out,
            _ => false,
        }
    }

    /// How long to wait before the request is carried out.
    pub(crate) fn delay_before(&self) -> Option<Duration> {
        match self {
            Self::Delay { delay_ms } => Some(Duration::from_millis(*delay_ms)),
            _ => None,
        }
    }

    /// How long to wait before the answer is sent.
    pub(crate) fn delay_after(&self) -> Option<Duration> {
        match self {
            Self::DelayReply { delay_ms } => Some(Duration::from_millis(*delay_ms)),
            _ => None,
        }
    }
}
