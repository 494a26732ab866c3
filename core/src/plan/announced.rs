//! Writes that were announced: on record, outside of the resource, before they are sent.
//!
//! A process that ends between a write and its report leaves by that what a lost reply leaves: what was sent, and when. So
//! there is one way back from both.

use serde::{Deserialize, Serialize};

use super::Recorded;
use crate::{
    api::{BillingContractStatus, contract::UnconfirmedWrite},
    terms::{Digest, Timestamp},
};

/// What a pass over a contract is about to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Announced {
    /// The account that it is sent to.
    pub account: String,
    /// The last report before it.
    pub after: Reported,
    /// The plan, where somebody has approved it: with that the approval is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Digest>,
    /// What is sent, as it would stand in the status had the reply been lost.
    pub write: UnconfirmedWrite,
}

/// A report, told from others by what it says of what was written and is in force. That one was made says nothing: it may be
/// of a pass that asked no account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reported {
    /// `status.lastWriteAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_write_at: Option<Timestamp>,
    /// `status.unconfirmedWrite.time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed_at: Option<Timestamp>,
    /// `status.lastApplied.specDigest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_digest: Option<Digest>,
    /// `status.lastApplied.observedDigest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_digest: Option<Digest>,
}

impl Reported {
    /// What a contract's status says.
    #[must_use]
    pub fn in_status(status: &BillingContractStatus) -> Self {
        let applied = status.last_applied.as_ref();
        Self {
            last_write_at: status.last_write_at,
            unconfirmed_at: status.unconfirmed_write.as_ref().map(|write| write.time),
            spec_digest: applied.map(|applied| applied.spec_digest.clone()),
            observed_digest: applied.map(|applied| applied.observed_digest.clone()),
        }
    }
}

impl Recorded {
    /// The same with what was announced, unless that was for another account, or a report has told of it since.
    #[must_use]
    pub fn and_announced(self, announced: Option<Announced>) -> Self {
        let is_open = |announced: &Announced| {
            self.account.as_ref() == Some(&announced.account) && announced.after == self.reported
        };
        let Some(Announced { approved, write, .. }) = announced.filter(is_open) else { return self };
        // Rounds are counted when one is over.
        let (difference, rounds) =
            self.unconfirmed.map_or((None, 0), |before| (before.difference, before.rounds));
        Self {
            lost: write.lost.clone(),
            unconfirmed: Some(UnconfirmedWrite { difference, rounds, ..write }),
            is_announced: true,
            applied_plan: approved.clone().or(self.applied_plan),
            begun_plan: approved,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use serde_json::json;

    use super::*;
    use crate::api::{contract::LostWrite, read_record};

    fn at(second: i64) -> Timestamp {
        Timestamp(DateTime::<Utc>::from_timestamp(1_800_000_000 + second, 0).unwrap())
    }

    fn announced() -> Announced {
        let digest = Digest::of(&json!("sent"));
        let lost = LostWrite {
            digest: digest.clone(),
            late_until: at(90),
            spec_digest: None,
            sets: vec!["notes=1f2e3d4c".into()],
            repeated: false,
            adds: Vec::new(),
            customer_id: None,
        };
        let write = UnconfirmedWrite {
            digest,
            time: at(0),
            after_edit: Some("edit-1".into()),
            taken: false,
            difference: None,
            rounds: 0,
            lost: vec![lost],
        };
        let after = Reported { last_write_at: Some(at(-60)), ..Reported::default() };
        Announced { account: "https://one".into(), after, approved: None, write }
    }

    fn recorded() -> Recorded {
        Recorded { account: Some("https://one".into()), reported: announced().after, ..Recorded::default() }
    }

    #[test]
    fn what_was_announced_and_no_report_tells_of_is_known_as_a_write_without_a_reply_is() {
        let known = recorded().and_announced(Some(announced()));
        assert!(known.is_announced && known.may_have_sent(&announced().write.digest));
        assert_eq!(known.lost, announced().write.lost);
        assert_eq!(known.unconfirmed, Some(announced().write));
        assert_eq!(known.reported, announced().after, "what follows it is announced after the same report");
        assert_eq!(recorded().and_announced(None), recorded());
    }

    #[test]
    fn what_was_announced_is_nothing_to_another_account_or_after_a_report() {
        let elsewhere = Recorded { account: Some("https://two".into()), ..recorded() };
        assert_eq!(elsewhere.clone().and_announced(Some(announced())), elsewhere);
        for reported in [
            Reported { spec_digest: Some(Digest::of(&json!(1))), ..announced().after },
            Reported { observed_digest: Some(Digest::of(&json!(1))), ..announced().after },
            Reported { last_write_at: Some(at(0)), ..announced().after },
            Reported { unconfirmed_at: Some(at(0)), ..announced().after },
            Reported::default(),
        ] {
            let later = Recorded { reported, ..recorded() };
            assert_eq!(later.clone().and_announced(Some(announced())), later);
        }
    }

    #[test]
    fn an_approval_is_used_once_its_plan_is_announced() {
        let plan = |name: &str| Some(Digest::of(&json!(name)));
        let before = || Recorded { applied_plan: plan("before"), ..recorded() };
        let approved = Announced { approved: plan("approved"), ..announced() };
        let known = before().and_announced(Some(approved));
        assert_eq!((&known.applied_plan, &known.begun_plan), (&plan("approved"), &plan("approved")));
        let known = before().and_announced(Some(announced()));
        assert_eq!((known.applied_plan, known.begun_plan), (plan("before"), None));
    }

    #[test]
    fn rounds_that_are_on_record_are_counted_on() {
        let difference = Some(Digest::of(&json!("left")));
        let before = UnconfirmedWrite { difference: difference.clone(), rounds: 2, ..announced().write };
        let known = Recorded { unconfirmed: Some(before), ..recorded() }.and_announced(Some(announced()));
        let write = known.unconfirmed.unwrap();
        assert_eq!((write.difference, write.rounds), (difference, 2));
    }

    #[test]
    fn what_is_written_down_is_read_as_it_was() {
        let text = serde_json::to_string(&announced()).unwrap();
        assert_eq!(read_record(&text), Ok(announced()));
    }

    #[test]
    fn what_a_later_version_has_written_down_is_not_read_as_if_it_were_known() {
        let read = |text: &str| read_record::<Announced>(text);
        let mut later = serde_json::to_value(announced()).unwrap();
        later["format"] = json!(2);
        assert!(read(&later.to_string()).unwrap_err().contains("in format 2"));
        assert!(read("{}").unwrap_err().contains("account"));
        assert!(read("soon").is_err());
    }
}
