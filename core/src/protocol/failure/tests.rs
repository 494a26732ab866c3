//! Every failure, during everything, of every billing API.

use super::*;

const ALL_DURING: [During; 3] = [During::Read, During::Write, During::Probe];

/// One of each failure.
fn all() -> [CallError; 12] {
    let message = || "its words".to_owned();
    [
        CallError::Rejected { status: 422, message: message() },
        CallError::KeyUsed { message: message() },
        CallError::Conflict { message: message() },
        CallError::Credentials { status: 403, message: message() },
        CallError::EditNotEnabled { message: message() },
        CallError::NotFound { what: "customer c".into(), message: message() },
        CallError::Throttled { pause: Duration::from_secs(7) },
        CallError::Unreachable(message()),
        CallError::Foreign(message()),
        CallError::Unknown(message()),
        CallError::NotOnRecord(message()),
        CallError::NotLeader,
    ]
}

/// Reason, whether it stalls, the next look, whether it suspects the token.
type Row = (Reason, bool, Requeue, bool);

/// The table, written a second time.
fn expected(error: &CallError, during: During, api: Api) -> Row {
    let sync = Requeue::AfterSyncPeriod;
    let soon = Requeue::Backoff(Duration::ZERO);
    match (error, during, api) {
        (CallError::KeyUsed { .. }, _, _) => (reasons::KEY_TAKEN, true, sync, false),
        (CallError::EditNotEnabled { .. }, _, _) => (reasons::EDIT_NOT_ENABLED, true, sync, false),
        (CallError::Rejected { .. }, _, _) | (CallError::NotFound { .. }, During::Write, Api::Metronome) => {
            (reasons::REJECTED, true, sync, false)
        }
        (CallError::NotFound { .. }, _, _) => {
            (reasons::CUSTOMER_NOT_FOUND, true, Requeue::After(Duration::from_mins(5)), false)
        }
        (CallError::Credentials { .. }, During::Probe, _) => {
            (reasons::CREDENTIALS_REFUSED, true, sync, false)
        }
        (CallError::Credentials { .. }, _, _) => {
            (reasons::CREDENTIALS_REFUSED, false, Requeue::Backoff(Duration::from_secs(30)), true)
        }
        (CallError::Throttled { pause }, _, _) => {
            (reasons::THROTTLED, false, Requeue::Backoff(*pause), false)
        }
        (CallError::NotOnRecord(_), _, _) => (reasons::NOT_ON_RECORD, false, soon, false),
        (CallError::NotLeader, _, _) => (reasons::NOT_LEADER, false, soon, false),
        (CallError::Foreign(_), During::Probe, _) => (reasons::NOT_THE_BILLING_API, false, soon, false),
        (
            CallError::Unreachable(_)
            | CallError::Foreign(_)
            | CallError::Unknown(_)
            | CallError::Conflict { .. },
            _,
            _,
        ) => (reasons::BILLING_UNREACHABLE, false, soon, false),
    }
}

#[test]
fn every_failure_has_its_reason_its_kind_and_its_wait() {
    for error in all() {
        for during in ALL_DURING {
            for &api in Api::ALL {
                let Failure { reason, message, stalls, requeue, suspects_token } =
                    Failure::of(&error, during, api);
                let row = (reason, stalls, requeue, suspects_token);
                assert_eq!(row, expected(&error, during, api), "{error:?} {during:?} {api}");
                let outcome = Failure::of(&error, during, api).outcome();
                let as_outcome = if stalls {
                    Outcome::Refused { refusal: Refusal { reason, message }, blocked_plan: None }
                } else {
                    Outcome::Waiting { reason, message }
                };
                assert_eq!(outcome, as_outcome);
            }
        }
    }
}

#[test]
fn every_failure_says_what_the_api_said_and_what_to_do() {
    for error in all() {
        for during in ALL_DURING {
            for &api in Api::ALL {
                let message = Failure::of(&error, during, api).message;
                let told: Vec<&str> = match (&error, during, api) {
                    (CallError::Rejected { .. }, _, _) => vec!["its words", "(HTTP 422)"],
                    (CallError::KeyUsed { .. }, _, Api::Zoo) => vec!["`spec.zoo.uniquenessKey`"],
                    (CallError::KeyUsed { .. }, _, Api::Metronome) => vec!["`spec.metronome.uniquenessKey`"],
                    (CallError::NotFound { .. }, During::Write, Api::Metronome) => {
                        vec!["its words", "refers to", REQUESTED_AT]
                    }
                    (CallError::NotFound { .. }, _, Api::Zoo) => {
                        vec!["customer c", "`spec.zoo.organizationId`"]
                    }
                    (CallError::NotFound { .. }, _, Api::Metronome) => {
                        vec!["customer c", "its words", "`spec.metronome.customerId`"]
                    }
                    (CallError::Credentials { .. }, During::Probe, _) => {
                        vec!["its words", "(HTTP 403)", "Put a valid token into the Secret"]
                    }
                    (CallError::Throttled { .. }, _, _) => vec!["429"],
                    (CallError::NotOnRecord(_), _, _) => {
                        vec!["its words", "Nothing was written", "on record"]
                    }
                    (CallError::NotLeader, _, _) => vec!["lease"],
                    (CallError::Foreign(_), During::Probe, _) => {
                        vec!["its words", "does not answer as", "`baseUrl`"]
                    }
                    _ => vec!["its words"],
                };
                for part in told {
                    assert!(message.contains(part), "{part} in {message}");
                }
            }
        }
    }
}

#[test]
fn every_failure_has_a_word_of_its_own_for_metrics() {
    let words = all().map(|error| error.label());
    let expected = [
        "rejected",
        "key_used",
        "conflict",
        "credentials",
        "edit_not_enabled",
        "not_found",
        "throttled",
        "unreachable",
        "foreign",
        "unknown",
        "not_on_record",
        "not_leader",
    ];
    assert_eq!(words, expected);
}

#[test]
fn what_may_pass_by_itself_is_looked_at_again_sooner() {
    for reason in reasons::ALL {
        let expected = match *reason {
            reasons::BILLING_CONFIGURATION_MISMATCH | reasons::UNKNOWN_STATE => {
                Requeue::After(Duration::from_mins(5))
            }
            reasons::DUPLICATE_CLAIM => Requeue::After(Duration::from_secs(30)),
            _ => Requeue::AfterSyncPeriod,
        };
        assert_eq!(
            requeue_after(&Refusal { reason: *reason, message: String::new() }),
            expected,
            "{reason:?}"
        );
    }
}
