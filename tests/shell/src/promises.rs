//! The promises, as far as what was sent and what is at rest show them.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use countersign::{api::Api, clock};
use http::Method;
use serde_json::Value;

use crate::{
    billing::{Billing, Sent},
    operator::LEASE,
    people::{Deal, People},
    server::{Entry, Server},
    version,
};

/// How long what was heard of may still be written: a pass that has begun is brought to its end.
const UNDER_WAY: Duration = Duration::from_mins(2);

/// The deal that a write is about, and what it says of it: a word of Git, if it has one.
fn about<'p>(people: &'p People, sent: &Sent) -> Option<(&'p Deal, Option<u32>)> {
    let customer = sent.body["customer_id"].as_str();
    let is_meant = |deal: &&Deal| customer == Some(&deal.customer) || sent.path.contains(&deal.customer);
    let deal = people.deals.iter().find(is_meant)?;
    let name = sent.body["name"].as_str().or_else(|| sent.body["update_contract_name"].as_str());
    let word = name.and_then(|name| name.rsplit(' ').next()).and_then(|word| word.parse().ok());
    Some((deal, word))
}

/// Looks at every write that was sent; `doubted` are moments at which etcd was put back, after which nobody knows whose the
/// Lease is.
pub(crate) fn sent(people: &People, billing: &Billing, doubted: &[DateTime<Utc>]) -> Vec<String> {
    let mut broken = Vec::new();
    for sent in billing.sent() {
        let mut say =
            |what: &str| broken.push(format!("{} {} operator {}: {what}", sent.at, sent.path, sent.who));
        let is_after = |moment: &DateTime<Utc>, within: Duration| {
            (sent.at - *moment).to_std().is_ok_and(|passed| passed < within)
        };
        if !sent.led && !doubted.iter().any(|moment| is_after(moment, 2 * LEASE)) {
            say("it is sent without the Lease");
        }
        let Some((deal, word)) = about(people, &sent) else {
            say("it is about nobody");
            continue;
        };
        let is_unread = sent.unread.contains(&deal.id().name);
        if is_unread && !doubted.iter().any(|moment| is_after(moment, UNDER_WAY)) {
            say("it is about what a later version remembers, and the sender cannot read");
        }
        let was_suspended = deal.suspended.iter().any(|(from, until)| {
            let is_long = (sent.at - *from).to_std().is_ok_and(|passed| passed > UNDER_WAY);
            is_long && until.is_none_or(|until| sent.at < until)
        });
        if was_suspended && !doubted.iter().any(|moment| is_after(moment, UNDER_WAY)) {
            say("it is about what has long been suspended");
        }
        // Whoever says something of a deal means the account that its provider means then, or a later one.
        let said = word.and_then(|word| deal.said.get(&word));
        let accounts = &people.provider(deal.api).accounts;
        let meant =
            said.map(|said| accounts.iter().rposition(|(since, _)| since <= said).unwrap_or_default());
        let is_meant = meant
            .is_none_or(|first| accounts.iter().skip(first).any(|(_, account)| *account == sent.account));
        if !is_meant {
            say("it goes to an account that was no longer meant when it was said");
        }
    }
    broken
}

/// Looks at every write to the cluster: what a later version remembers is not taken away by this one, which cannot read it.
pub(crate) fn kept(log: &[Entry], is_of_this_version: impl Fn(&Entry) -> bool) -> Vec<String> {
    let mut there = HashSet::new();
    let mut broken = Vec::new();
    for entry in log {
        if is_of_this_version(entry) && version::is_lost(entry, |uid| there.contains(uid)) {
            let (who, id) = (entry.who.unwrap_or_default(), &entry.id);
            let what = "what a later version remembers is taken away";
            broken.push(format!("{} operator {who}, {} {}: {what}", entry.at, id.plural, id.name));
        }
        let uid = |object: &Option<Value>| object.as_ref()?["metadata"]["uid"].as_str().map(str::to_owned);
        match (uid(&entry.before), uid(&entry.after)) {
            (_, Some(uid)) => drop(there.insert(uid)),
            (Some(uid), None) => drop(there.remove(&uid)),
            (None, None) => {}
        }
    }
    broken
}

/// Looks at what is in billing and in the cluster when all is at rest.
pub(crate) async fn rest(
    people: &People,
    billing: &Billing,
    server: &Server,
    knows_all: bool,
) -> Result<Vec<String>, String> {
    let mut broken = Vec::new();
    for deal in &people.deals {
        // Nothing tells a replace that comes once more, behind its successor, from somebody else's.
        let knows_all = knows_all && !billing.was_replaced_again(&deal.customer);
        let has_moved = people.provider(deal.api).accounts.len() > 1;
        let account = people.provider(deal.api).account();
        let live = live(deal, billing, account).await?;
        let mut say = |what: String| broken.push(format!("{}: {what}", deal.id().name));
        if live.len() > 1 {
            say(format!("its customer has {} contracts", live.len()));
        }
        let Some(resource) = server.get(&deal.id()).filter(|_| deal.is_there) else {
            if let Some(left) = server.get(&deal.id()).as_ref().map(ready)
                && !(has_moved && left.contains(" AccountChanged:"))
                && !is_excused(&left, knows_all)
            {
                say(format!("it does not go: {left}"));
            } else if knows_all && !has_moved && !live.is_empty() && server.get(&deal.id()).is_none() {
                say("it is billed, and its resource has gone".to_owned());
            }
            continue;
        };
        if deal.is_suspended() || is_excused(&ready(&resource), knows_all) {
            continue;
        }
        let is_current = resource["status"]["observedGeneration"] == resource["metadata"]["generation"];
        if !is_current || !ready(&resource).starts_with("True InSync") {
            say(format!("it is not in sync: {}", ready(&resource)));
        }
        match live.first() {
            None => say("it is not billed".to_owned()),
            Some(terms) => {
                if let Some(difference) = difference(deal, terms) {
                    say(format!("billing says otherwise: {difference}"));
                }
            }
        }
    }
    Ok(broken)
}

/// Whether a resource stops, and says so, for what nobody can know any more since etcd was put back.
fn is_excused(ready: &str, knows_all: bool) -> bool {
    let reasons = [
        "False AmbiguousItem:",
        "False ContractExists:",
        "False ContractUnclaimed:",
        "False HeldContractMissing:",
        "False OtherContractHeld:",
        "False OwnershipUnproven:",
        "False ReplacedOutside:",
        "True DriftReported:",
    ];
    !knows_all && reasons.iter().any(|reason| ready.starts_with(reason))
}

fn ready(resource: &Value) -> String {
    let conditions = resource["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == "Ready");
    let word = |name: &str| found.and_then(|found| found[name].as_str()).unwrap_or("-").to_owned();
    format!("{} {}: {}", word("status"), word("reason"), word("message"))
}

/// The contracts of a deal's customer in an account that are in force or will be.
async fn live(deal: &Deal, billing: &Billing, account: usize) -> Result<Vec<Value>, String> {
    if deal.api == Api::Zoo {
        let path = format!("/zoo/orgs/{}/contracts", deal.customer);
        let all = billing.control(account, Method::GET, &path, &Value::Null).await?;
        let all = all["contracts"].as_array().cloned().unwrap_or_default();
        return Ok(all.into_iter().filter(|contract| contract["status"] == "active").collect());
    }
    let all = billing.control(account, Method::GET, "/metronome/contracts", &Value::Null).await?;
    let all = all["contracts"].as_array().cloned().unwrap_or_default();
    let is_live = |contract: &Value| {
        let terms = &contract["contract"];
        let end = terms["ending_before"].as_str().and_then(|end| end.parse::<DateTime<Utc>>().ok());
        contract["customer_id"] == deal.customer.as_str()
            && terms["archived_at"].is_null()
            && end.is_none_or(|end| end > clock::now())
    };
    Ok(all.into_iter().filter(is_live).map(|mut contract| contract["contract"].take()).collect())
}

/// How what is billed differs from what Git says.
fn difference(deal: &Deal, terms: &Value) -> Option<String> {
    if terms["name"] != deal.billed_name().as_str() {
        return Some(format!("{} for {}", terms["name"], deal.billed_name()));
    }
    if deal.api == Api::Zoo {
        return None;
    }
    let charges = terms["scheduled_charges"].as_array().map(Vec::as_slice).unwrap_or_default();
    let charges = charges.iter().filter(|charge| charge["archived_at"].is_null());
    let mut billed: Vec<_> = charges.filter_map(|charge| charge["name"].as_str()).collect();
    let mut said: Vec<_> = deal.charges.iter().map(|number| format!("charge {number}")).collect();
    billed.sort_unstable();
    said.sort_unstable();
    (billed != said).then(|| format!("{billed:?} for {said:?}"))
}
