//! What the live service leaves open, as words for [`crate::settings`]. The first word of each is the default.

use serde::{Deserialize, Serialize};

/// Declares a closed set of words, of which the first is the default.
macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident { $(#[$first_doc:meta])* $first:ident, $($(#[$word_doc:meta])* $word:ident),+ $(,)? })+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum $name {
            $(#[$first_doc])*
            #[default]
            $first,
            $($(#[$word_doc])* $word),+
        }
    )+ };
}

switches! {
    /// Whether the account may edit contracts.
    Editing {
        /// It may.
        Enabled,
        /// It may not: 403.
        Off403,
        /// It may not: 400.
        Off400,
    }
    /// Something that is taken or refused.
    Admission {
        /// Taken.
        Accept,
        /// Refused with 400.
        Reject,
    }
    /// What a request that asks for no change gets.
    EmptyEdit {
        /// 400.
        Reject,
        /// 200 and an edit without content.
        Accept,
    }
    /// Whether times must be on a full hour.
    Hours {
        /// They must, or it is 400.
        Check,
        /// They need not.
        Any,
    }
    /// How a contract's uniqueness key is read back.
    ContractKeys {
        /// As sent.
        Plain,
        /// With `contract:` before it.
        Prefixed,
    }
    /// How a package's uniqueness key is read back.
    PackageKeys {
        /// With `package:` before it.
        Prefixed,
        /// As sent.
        Plain,
    }
    /// What the body of a 409 says.
    Conflict {
        /// `{"message"}`.
        Message,
        /// `{"code": "Conflict", "message"}`.
        Code,
        /// `{"message", "conflicting_id"}`.
        Id,
        /// Nothing.
        Empty,
    }
    /// What an edit gets whose uniqueness key was used.
    EditKey {
        /// 409, as creates do.
        Conflict,
        /// 422.
        Unprocessable,
    }
    /// How names and descriptions are told.
    Texts {
        /// As sent.
        AsSent,
        /// Without space at either end.
        Trimmed,
    }
    /// How tags are told.
    Tags {
        /// As sent.
        AsSent,
        /// In lower case.
        LowerCase,
    }
    /// How the rates of overrides are told.
    OverrideRates {
        /// As sent.
        AsSent,
        /// With `is_prorated`, false where it was not sent.
        Filled,
    }
    /// What creating and editing answer.
    WriteReply {
        /// The id and all of what was made.
        Full,
        /// The id.
        Id,
    }
    /// Whether archived commits, credits and charges are read back.
    ArchivedItems {
        /// With `archived_at`.
        Shown,
        /// Not at all.
        Hidden,
    }
    /// Where a period that starts late in a month goes on after a shorter one.
    MonthEnds {
        /// On the day that it started on: 31 January, 28 February, 31 March.
        FromStart,
        /// On the day of the shorter month: 31 January, 28 February, 28 March.
        Carried,
        /// On the last day, whenever it started on one: 28 February, 31 March, 30 April.
        LastDay,
    }
    /// What becomes of terms that are created or added after their contract's end.
    AfterEnd {
        /// They are kept.
        Keep,
        /// They are cut short, as a new end does with those that are there.
        Drop,
        /// They are refused with 400.
        Reject,
    }
    /// What makes an invoice final.
    Finality {
        /// A test, through the control API.
        Marked,
        /// Its date.
        Due,
    }
    /// Whether invoices are listed before their date.
    FutureInvoices {
        /// Not at all.
        Hidden,
        /// As drafts.
        Draft,
    }
    /// What shares an invoice.
    InvoiceGrouping {
        /// Nothing: each scheduled item and each period has its own.
        Each,
        /// Whatever has the same type, date and unit.
        ByDate,
    }
    /// What a renewal does to the contract that it renews.
    Renewal {
        /// Nothing but link the two.
        Keep,
        /// Ends it where the new one starts, and lets it be edited no more.
        EndOld,
    }
    /// How the values of a package's offsets and durations are read back.
    Offsets {
        /// As numbers.
        Number,
        /// As strings.
        Text,
    }
    /// How contracts and packages are told.
    View {
        /// As documented.
        AsSent,
        /// In other words that mean the same.
        Retold,
    }
}
