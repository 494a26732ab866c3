//! Faults on request: which requests they hit, and what then goes wrong. Carrying them out is [`crate::call`]'s work.
//! Knows no API.

use std::fmt;

use axum::http::{HeaderValue, Method};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::effects::{Effect, Kind, Refusal};
use crate::hostile::{self, Look};
use crate::store::{Collection, StoreError, Tx};

const FAULTS: Collection<Fault> = Collection::new("faults");
const LAST_ID: Collection<u64> = Collection::new("last_fault");
const ONLY: &str = "id";

/// A fault as asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    kind: Kind,
    status: Option<u16>,
    retry_after_seconds: Option<u32>,
    retry_after: Option<String>,
    message: Option<String>,
    code: Option<String>,
    #[serde(default)]
    carry_out: bool,
    depth: Option<u32>,
    bytes: Option<u32>,
    body: Option<String>,
    content_type: Option<String>,
    delay_ms: Option<u64>,
    method: Option<String>,
    path: Option<String>,
    count: Option<u64>,
    rate: Option<Box<RawValue>>,
    seed: Option<u64>,
}

/// A fault in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// Names the fault.
    pub(crate) id: u64,
    #[serde(flatten)]
    effect: Effect,
    /// Only this method; any when `None`.
    method: Option<String>,
    /// Only paths that start so, or, with a `*` for any text, that look so; any when `None`.
    path: Option<String>,
    /// How many requests it hits before it is over; no end when `None`.
    count: Option<u64>,
    /// The share of matching requests that it hits; all when `None`.
    rate: Option<Rate>,
    /// Chooses which requests the rate hits.
    seed: u64,
    /// Matching requests so far.
    seen: u64,
    /// Requests hit so far.
    hits: u64,
}

impl Request {
    fn effect(&self) -> Result<Effect, String> {
        let delay_ms =
            || self.delay_ms.ok_or("delay_ms is missing: say for how many milliseconds".to_owned());
        Ok(match self.kind {
            Kind::DropReply => Effect::DropReply,
            Kind::DropRequest => Effect::DropRequest,
            Kind::StaleRead => Effect::StaleRead,
            Kind::Delay => Effect::Delay { delay_ms: delay_ms()? },
            Kind::DelayReply => Effect::DelayReply { delay_ms: delay_ms()? },
            Kind::Late => Effect::Late { delay_ms: delay_ms()? },
            Kind::Status => {
                let status = self.status.unwrap_or_default();
                if !(400..600).contains(&status) {
                    return Err("status is missing or no error: say one from 400 to 599".to_owned());
                }
                if self.retry_after.as_deref().is_some_and(|after| HeaderValue::from_str(after).is_err()) {
                    return Err("retry_after has a character that no header can have".to_owned());
                }
                let refusal = Refusal {
                    status,
                    retry_after_seconds: self.retry_after_seconds,
                    retry_after: self.retry_after.clone(),
                    message: self.message.clone(),
                    code: self.code.clone(),
                };
                Effect::Status { refusal, carry_out: self.carry_out }
            }
            Kind::Html => self.hostile(Look::Html, 404)?,
            Kind::EndlessBody => self.hostile(Look::Endless, 200)?,
            Kind::StalledBody => self.hostile(Look::Stalled, 200)?,
            Kind::CutBody => self.hostile(Look::Cut, 200)?,
            Kind::Body => {
                let body = self.body.clone().ok_or("body is missing: say what is answered")?;
                let content_type = self.content_type.clone();
                let content_type = content_type.unwrap_or_else(|| "application/json".to_owned());
                self.hostile(Look::Text { body, content_type }, 200)?
            }
            Kind::DeepJson => {
                let depth = self.depth.unwrap_or(10_000);
                self.hostile(Look::Deep(at_most("depth", depth, hostile::MOST_DEPTH)?), 200)?
            }
            Kind::HugeHeaders => {
                let bytes = self.bytes.unwrap_or(1 << 20);
                self.hostile(Look::Headers(at_most("bytes", bytes, hostile::MOST_HEADER_BYTES)?), 200)?
            }
        })
    }

    fn hostile(&self, look: Look, status: u16) -> Result<Effect, String> {
        let status = self.status.unwrap_or(status);
        if !(200..600).contains(&status) {
            return Err("status is no good: say one from 200 to 599".to_owned());
        }
        Ok(Effect::Hostile { look, status, carry_out: self.carry_out })
    }

    fn into_fault(self, id: u64) -> Result<Fault, String> {
        Ok(Fault {
            id,
            effect: self.effect()?,
            rate: self.rate.map(|rate| Rate::parse(rate.get().trim_matches('"'))).transpose()?,
            method: self.method,
            path: self.path,
            count: self.count,
            seed: self.seed.unwrap_or_default(),
            seen: 0,
            hits: 0,
        })
    }
}

impl Fault {
    fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()))
            && self.path.as_ref().is_none_or(|pattern| path_matches(pattern, path))
    }

    /// Whether a matching request is hit, counting it.
    fn strike(&mut self) -> bool {
        self.seen += 1;
        let hit = self.rate.is_none_or(|rate| rate.draws(self.seed, self.seen));
        self.hits += u64::from(hit);
        hit
    }

    fn is_over(&self) -> bool {
        self.count.is_some_and(|count| self.hits >= count)
    }
}

fn at_most(name: &str, number: u32, most: u32) -> Result<u32, String> {
    if number <= most { Ok(number) } else { Err(format!("{name} is {number}, and can be at most {most}")) }
}

/// Whether `path` starts with `pattern` or, when the pattern has a `*` for any text, has its form.
fn path_matches(pattern: &str, path: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return path.starts_with(pattern) };
    let Some(mut path) = path.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = path.split_once(part) else { return false };
        path = after;
    }
    path.ends_with(end)
}

/// A share from 0 to 1, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct Rate(u32);

impl Rate {
    const ONE: u32 = 1_000_000;
    const DIGITS: usize = 6;

    fn parse(text: &str) -> Result<Self, String> {
        let refusal =
            || format!("rate {text} is not a decimal from 0 to 1 with at most six places, as in 0.33");
        let (whole, places) = text.split_once('.').unwrap_or((text, ""));
        if places.len() > Self::DIGITS
            || !(whole.bytes().chain(places.bytes())).all(|byte| byte.is_ascii_digit())
        {
            return Err(refusal());
        }
        let whole: u32 = whole.parse().map_err(|_| refusal())?;
        let places: u32 = format!("{places:0<6}").parse().map_err(|_| refusal())?;
        let millionths = whole.checked_mul(Self::ONE).and_then(|whole| whole.checked_add(places));
        millionths.filter(|&millionths| millionths <= Self::ONE).map(Self).ok_or_else(refusal)
    }

    /// Whether the `n`-th request is hit: the same for the same seed, whatever the rest of the world does.
    fn draws(self, seed: u64, n: u64) -> bool {
        mix(mix(seed).wrapping_add(n)) % u64::from(Self::ONE) < u64::from(self.0)
    }
}

/// The finalizer of `SplitMix64`: turns neighbouring numbers into unrelated ones.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / Self::ONE, self.0 % Self::ONE)
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

/// Puts a fault into force; answers its id, or what is wrong with the request.
///
/// # Errors
/// When the store can't be written.
pub(crate) fn add(tx: &Tx, request: Request) -> Result<Result<u64, String>, StoreError> {
    let id = tx.get(&LAST_ID, ONLY)?.unwrap_or(0) + 1;
    let fault = match request.into_fault(id) {
        Ok(fault) => fault,
        Err(refusal) => return Ok(Err(refusal)),
    };
    tx.put(&LAST_ID, ONLY, &id)?;
    tx.put(&FAULTS, &key(id), &fault)?;
    Ok(Ok(id))
}

/// The faults in force, oldest first.
///
/// # Errors
/// When the store can't be read.
pub(crate) fn all(tx: &Tx) -> Result<Vec<Fault>, StoreError> {
    Ok(tx.all(&FAULTS)?.into_iter().map(|(_, fault)| fault).collect())
}

/// Ends a fault; says whether it was in force.
///
/// # Errors
/// When the store can't be written.
pub(crate) fn remove(tx: &Tx, id: u64) -> Result<bool, StoreError> {
    tx.remove(&FAULTS, &key(id))
}

/// Ends every fault.
///
/// # Errors
/// When the store can't be written.
pub(crate) fn clear(tx: &Tx) -> Result<(), StoreError> {
    for fault in all(tx)? {
        remove(tx, fault.id)?;
    }
    Ok(())
}

/// The effect of the oldest fault that hits a request, counting the request on every fault it matches up to there.
///
/// # Errors
/// When the store can't be written.
pub(crate) fn take(tx: &Tx, method: &Method, path: &str) -> Result<Option<Effect>, StoreError> {
    for mut fault in all(tx)? {
        if !fault.matches(method, path) {
            continue;
        }
        let hit = fault.strike();
        if fault.is_over() {
            remove(tx, fault.id)?;
        } else {
            tx.put(&FAULTS, &key(fault.id), &fault)?;
        }
        if hit {
            return Ok(Some(fault.effect));
        }
    }
    Ok(None)
}

/// The key of a fault: keys sort as text, and faults by age.
fn key(id: u64) -> String {
    format!("{id:020}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_without_a_star_is_a_prefix() {
        assert!(path_matches("/orgs/", "/orgs/1/billing/contract"));
        assert!(!path_matches("/orgs/2", "/orgs/1/billing/contract"));
        assert!(path_matches("", "/anything"));
    }

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(path_matches("/orgs/*/billing/contract", "/orgs/1/billing/contract"));
        assert!(path_matches("*contract", "/orgs/1/billing/contract"));
        assert!(path_matches("/v*/contracts/*", "/v1/contracts/create"));
        assert!(path_matches("*b*b*", "/bb"));
        assert!(!path_matches("*b*b*", "/b"));
        assert!(!path_matches("/orgs/*/billing", "/orgs/1/billing/contract"));
    }

    #[test]
    fn a_rate_is_exact_and_reads_back() {
        assert_eq!(Rate::parse("0.33"), Ok(Rate(330_000)));
        assert_eq!(Rate::parse("1"), Ok(Rate(1_000_000)));
        assert_eq!(Rate::parse("0"), Ok(Rate(0)));
        assert_eq!(Rate::parse(&Rate(330_000).to_string()), Ok(Rate(330_000)));
        for wrong in ["", "1.1", "-0.1", "+0.1", "0.1234567", "1e-1", "half"] {
            assert!(Rate::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rate_hits_its_share_and_the_same_requests_for_the_same_seed() {
        let rate = Rate::parse("0.33").unwrap();
        let hits = |seed| (1..=10_000).filter(|&n| rate.draws(seed, n)).collect::<Vec<u64>>();
        assert!((3_100..3_500).contains(&hits(1).len()), "{}", hits(1).len());
        assert_eq!(hits(1), hits(1));
        assert_ne!(hits(1), hits(2));
    }

    #[test]
    fn a_fault_that_lacks_what_it_needs_is_refused() {
        let refused = |text: &str| serde_json::from_str::<Request>(text).unwrap().into_fault(1).unwrap_err();
        assert!(refused(r#"{"kind":"status"}"#).contains("status"));
        assert!(refused(r#"{"kind":"status","status":200}"#).contains("400"));
        assert!(refused(r#"{"kind":"delay"}"#).contains("delay_ms"));
        assert!(refused(r#"{"kind":"drop_reply","rate":2}"#).contains("rate 2"));
    }

    #[test]
    fn a_fault_reads_back_as_it_was_stored() {
        let text = r#"{"kind":"status","status":429,"retry_after_seconds":2,"count":3,"rate":0.5}"#;
        let fault = serde_json::from_str::<Request>(text).unwrap().into_fault(7).unwrap();
        let stored = serde_json::to_string(&fault).unwrap();
        assert_eq!(serde_json::from_str::<Fault>(&stored).unwrap(), fault);
    }
}
