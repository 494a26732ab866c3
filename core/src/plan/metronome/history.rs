//! The history of edits, and what edits of this resource have added to a contract.
//!
//! The reply to an edit tells the ids of what it added. Where it was lost, the history tells them: an edit is known to be
//! the resource's by its key. So nothing is added twice, whatever billing makes of it and whatever is on record.
//!
//! The history also tells when a read of the contract may be behind: it does not show yet what an edit, made a moment
//! ago, has added.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use serde_json::Value;

use super::{
    ObservedContract,
    lists::{LISTS, List, Writes, item_shape},
    observed::{AddedItem, ApiId, EditedBy, Ours, ROYALTIES, royalty_id},
    reply::{as_written, royalties},
    thresholds::{THRESHOLDS, Threshold},
};
use crate::{
    plan::{Added, Call},
    terms::{Decimal, Timestamp, shape::Spelling},
};

/// Verbs that the history has under another name.
const RENAMED: [(&str, &str); 1] = [("add_professional_services", "add_pro_services")];
/// Verbs that add an item with an id to a list without keys.
const ADD_KEYLESS: [&str; 4] =
    ["add_discounts", "add_overrides", "add_pro_services", "add_professional_services"];
/// Verbs that take items out.
const TAKE_OUT: [&str; 4] =
    ["archive_commits", "archive_credits", "archive_scheduled_charges", "remove_overrides"];
/// Most ids that a message names.
const MOST_NAMED: usize = 5;
/// For how long after an edit a read of the contract may not show it: twice what is waited for after a write, as the
/// clock of the API and this one may differ.
const BEHIND: TimeDelta = TimeDelta::seconds(60);

/// What a history of edits tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edits {
    /// ID of the last one; empty when there was none.
    pub last: String,
    /// When that was made, as far as that is told.
    last_at: Option<Timestamp>,
    /// Whether there was a history at all: that none is shown proves nothing.
    pub is_told: bool,
    /// Whether it has any edit.
    has_any: bool,
    /// Whether it has one that is not the resource's own and has added something.
    has_others: bool,
    /// The resource's own edits.
    own: Vec<OwnEdit>,
    /// Ids of the items that an edit, whoever's, has taken out again.
    taken_out: BTreeSet<String>,
    /// Names of the thresholds that an edit of the resource's own was the last one to set.
    thresholds: BTreeSet<&'static str>,
}

/// An edit of the resource's own.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OwnEdit {
    /// When it was made, as far as that is told.
    at: Option<Timestamp>,
    added: Vec<AddedItem>,
    /// What stands for the ids of the royalties that it has added.
    royalties: Vec<String>,
}

impl Edits {
    /// Reads `data` of `v2/contracts/getEditHistory`, for the resource whose edits have a mark.
    pub(super) fn read(data: Option<&Value>, mark: &str) -> Self {
        let edits = || data.and_then(Value::as_array).into_iter().flatten();
        let time = |edit: &Value| Timestamp::from_wire(text(edit, "timestamp")).ok();
        let is_own = |edit: &Value| text(edit, "uniqueness_key").starts_with(mark);
        let own = edits().filter(|edit| is_own(edit));
        let own = own.map(|edit| OwnEdit {
            at: time(edit),
            added: items_added(edit),
            royalties: royalties_added(edit),
        });
        let is_last_set_by_own = |threshold: &&Threshold| {
            let last = edits().filter(|edit| sets(edit, threshold)).max_by_key(|edit| time(edit));
            last.is_some_and(is_own)
        };
        let gone = edits().flat_map(|edit| TAKE_OUT.iter().filter_map(|verb| edit.get(*verb)?.as_array()));
        let gone = gone.flatten().map(|item| text(item, "id")).filter(|id| !id.is_empty());
        let last = edits().max_by_key(|edit| time(edit));
        Self {
            last: last.map(|edit| text(edit, "id")).unwrap_or_default().to_owned(),
            last_at: last.and_then(time),
            is_told: data.is_some(),
            has_any: edits().next().is_some(),
            has_others: edits().any(|edit| !is_own(edit) && adds(edit)),
            own: own.collect(),
            taken_out: gone.map(str::to_owned).collect(),
            thresholds: THRESHOLDS
                .iter()
                .filter(is_last_set_by_own)
                .map(|threshold| threshold.name)
                .collect(),
        }
    }

    /// What the resource's own edits have done.
    pub(super) fn ours(&self) -> Ours {
        let added = self.own.iter().flat_map(|edit| &edit.added);
        Ours {
            items: added.map(|item| item.id.to_string()).collect(),
            royalties: self.own.iter().flat_map(|edit| &edit.royalties).cloned().collect(),
            thresholds: self.thresholds.clone(),
        }
    }

    /// Who has edited the contract; nobody where the history was told and has nothing.
    pub(super) fn edited_by(&self) -> EditedBy {
        match (self.is_told, self.has_any, self.has_others) {
            (false, ..) => EditedBy::Unknown,
            (true, false, _) => EditedBy::Nobody,
            (true, true, false) => EditedBy::Own,
            (true, true, true) => EditedBy::Others,
        }
    }

    /// The own edits whose effect the contract as read may not show yet.
    fn recent(&self, observed: &ObservedContract) -> impl Iterator<Item = &OwnEdit> {
        self.own.iter().filter(move |edit| edit.is_recent(observed))
    }

    /// Items that own edits have added, that nothing has taken out, and that the contract as read does not show.
    fn unseen<'e>(
        &'e self,
        edits: impl Iterator<Item = &'e OwnEdit>,
        observed: &ObservedContract,
    ) -> impl Iterator<Item = &'e AddedItem> {
        let shown = observed.all_ids();
        edits.flat_map(|edit| &edit.added).filter(move |item| {
            !self.taken_out.contains(item.id.as_str()) && !shown.contains(item.id.as_str())
        })
    }

    /// Why a contract as it was read may be behind an own edit, so that a plan against it could add something once more.
    /// What `adds_parts` to an item, which has no mark of its own, is only planned against what is known to be as new as
    /// the last edit.
    pub(super) fn why_behind(&self, observed: &ObservedContract, adds_parts: bool) -> Option<String> {
        let mut unseen: Vec<_> = self
            .unseen(self.recent(observed), observed)
            .map(|item| item.id.as_str())
            .take(MOST_NAMED + 1)
            .collect();
        if !unseen.is_empty() {
            let more = if unseen.len() > MOST_NAMED { " and more" } else { "" };
            unseen.truncate(MOST_NAMED);
            return Some(format!(
                "it does not show {}{more}, which an edit has just added",
                unseen.join(", ")
            ));
        }
        if self.last_at.is_some_and(|last| last.0 > observed.read_at) {
            return Some("it was edited after it was read".to_owned());
        }
        let newest = self.recent(observed).max_by_key(|edit| edit.at)?;
        (adds_parts && newest.added.is_empty())
            .then(|| "it may not show the last edit, which was made less than a minute before".to_owned())
    }

    /// What own edits have added long ago and the contract as read shows neither as one of its items nor as archived.
    pub(super) fn missing(&self, observed: &ObservedContract) -> Vec<AddedItem> {
        let old = self.own.iter().filter(|edit| !edit.is_recent(observed));
        self.unseen(old, observed).cloned().collect()
    }
}

impl OwnEdit {
    /// Whether it was made a moment before a contract was read, or since. One of the far future is a clock's fault.
    fn is_recent(&self, observed: &ObservedContract) -> bool {
        let age = self.at.map(|at| observed.read_at.signed_duration_since(at.0));
        age.is_some_and(|age| age < BEHIND && age > -TimeDelta::days(1))
    }
}

/// Whether an edit adds or changes a threshold.
fn sets(edit: &Value, threshold: &Threshold) -> bool {
    threshold.verbs().iter().any(|verb| edit.get(*verb).is_some_and(Value::is_object))
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether an edit has added anything.
fn adds(edit: &Value) -> bool {
    let mut members = edit.as_object().into_iter().flatten();
    members.any(|(verb, added)| {
        verb.starts_with("add_") && *added != Value::Null && *added != Value::Array(Vec::new())
    })
}

/// The items that an edit has added, and whose ids it tells.
fn items_added(edit: &Value) -> Vec<AddedItem> {
    let keyed = LISTS.iter().filter_map(|list: &List| match &list.writes {
        Writes::Edit { add, .. } => Some((*add, Some(list.name))),
        Writes::Beside(_) => None,
    });
    let verbs = keyed.chain(ADD_KEYLESS.into_iter().map(|verb| (verb, None)));
    let mut added = Vec::new();
    for (verb, list) in verbs {
        for item in edit.get(verb).and_then(Value::as_array).into_iter().flatten().map(as_written) {
            let mut places = ["/product_id", "/subscription_rate/product_id"].into_iter();
            let product = places.find_map(|place| item.pointer(place)?.as_str());
            let id = ApiId::from(text(&item, "id"));
            if !id.is_empty() {
                added.push(AddedItem { id, list, product: product.map(str::to_owned) });
            }
        }
    }
    added
}

/// What stands for the ids of the royalties that an edit has added.
fn royalties_added(edit: &Value) -> Vec<String> {
    let added = royalties(edit.get("add_reseller_royalties").map(as_written).as_ref());
    let added = added.as_array().into_iter().flatten();
    let terms = added.filter_map(|royalty| item_shape(ROYALTIES).canonical(royalty, Spelling::Wire).ok());
    terms.map(|terms| royalty_id(&terms)).collect()
}

/// Ids of the items that a call has added, by what each is recorded as, as far as its reply tells them.
pub(super) fn added(call: &Call, reply: &Value) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    let Some(edit) = reply.get("edit") else { return ids };
    let sent = crate::terms::json::parse_exact(&call.body).unwrap_or_default();
    let verbs: BTreeSet<_> = call.adds.iter().map(|added| added.verb).collect();
    for verb in verbs {
        let renamed = RENAMED.iter().find(|(name, _)| *name == verb).map(|(_, name)| *name);
        let told = edit.get(verb).or_else(|| edit.get(renamed?)).and_then(Value::as_array);
        let told: Vec<_> = told.into_iter().flatten().map(as_written).collect();
        let sent = sent.get(verb).and_then(Value::as_array).into_iter().flatten();
        let of_verb = |added: &&Added| added.verb == verb;
        let sent: Vec<_> = sent.zip(call.adds.iter().filter(of_verb)).collect();
        if sent.len() != told.len() {
            continue;
        }
        let mut free: Vec<&Value> = told.iter().collect();
        for (item, added) in sent {
            // They are told in the order in which they were sent, or in another: what says most of the same is the one.
            let best = (0..free.len())
                .rev()
                .max_by_key(|index| free.get(*index).map_or(0, |told| likeness(item, told)));
            let Some(best) = best else { continue };
            if let Some(id) = free.remove(best).get("id").and_then(Value::as_str) {
                ids.insert(added.recorded_as.clone(), id.to_owned());
            }
        }
    }
    ids
}

/// In how many places two values say the same.
fn likeness(sent: &Value, told: &Value) -> usize {
    match (sent, told) {
        (Value::Object(sent), Value::Object(told)) => {
            let members = sent.iter().filter_map(|(name, value)| Some(likeness(value, told.get(name)?)));
            members.sum()
        }
        (Value::Array(sent), Value::Array(told)) => {
            sent.iter().zip(told).map(|(sent, told)| likeness(sent, told)).sum()
        }
        (Value::String(sent), Value::String(told)) => usize::from(says_the_same(sent, told)),
        (sent, told) => usize::from(sent == told),
    }
}

fn says_the_same(a: &str, b: &str) -> bool {
    let numbers = || Some(Decimal::from_wire(a).ok()?.agrees_with(Decimal::from_wire(b).ok()?));
    let times = || Some(a.parse::<Timestamp>().ok()? == b.parse::<Timestamp>().ok()?);
    a == b || numbers().or_else(times).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        plan::{CallKind, metronome::UniquenessKey},
        terms::Digest,
    };

    fn call(body: &Value, adds: &[(&'static str, &str)]) -> Call {
        let call = Call::new(CallKind::Edit, "v2/contracts/edit", body, Digest::of(body)).unwrap();
        let added = |(verb, path): &(&'static str, &str)| Added { verb, recorded_as: (*path).to_owned() };
        Call { adds: adds.iter().map(added).collect(), ..call }
    }

    #[test]
    fn a_reply_tells_the_id_of_each_item_in_whatever_order_and_words() {
        let body =
            json!({"add_commits": [{"product_id": "p", "name": "A "}, {"product_id": "q", "name": "B "}]});
        let call = call(&body, &[("add_commits", "commits/a"), ("add_commits", "commits/b")]);
        let told = |name: &str, product: &str| json!({"id": name, "name": name, "product": {"id": product}});
        let both = [("commits/a", "A"), ("commits/b", "B")];
        let both = both.map(|(path, id)| (path.to_owned(), id.to_owned())).into();
        for reply in [[told("A", "p"), told("B", "q")], [told("B", "q"), told("A", "p")]] {
            assert_eq!(added(&call, &json!({"id": "c", "edit": {"add_commits": reply}})), both);
        }
        let alike = json!({"add_commits": [{"product_id": "p"}, {"product_id": "p"}]});
        let call = self::call(&alike, &[("add_commits", "commits/a"), ("add_commits", "commits/b")]);
        let reply = json!({"edit": {"add_commits": [told("A", "p"), told("B", "p")]}});
        assert_eq!(added(&call, &reply), both, "where nothing tells them, the order does");
    }

    #[test]
    fn a_reply_that_tells_fewer_items_or_none_records_nothing() {
        let call = call(&json!({"add_commits": [{}]}), &[("add_commits", "commits/a")]);
        for reply in
            [json!({"id": "c"}), json!({"edit": {}}), json!({"edit": {"add_commits": []}}), json!(null)]
        {
            assert_eq!(added(&call, &reply), BTreeMap::new(), "{reply}");
        }
        let services = json!({"add_professional_services": [{"product_id": "p"}]});
        let call = self::call(&services, &[("add_professional_services", "professionalServices/1")]);
        let reply = json!({"edit": {"add_pro_services": [{"id": "s", "product_id": "p"}]}});
        assert_eq!(added(&call, &reply).len(), 1, "the history has another name for them");
    }

    #[test]
    fn only_edits_with_the_mark_have_added_what_is_ours() {
        let mark = UniquenessKey::given("acme").mark();
        let edit = |id: &str, hour: u32, key: Option<&str>, item: &str| {
            json!({"id": id, "timestamp": format!("2026-06-01T{hour:02}:00:00+00:00"), "uniqueness_key": key,
                   "add_commits": [{"id": item}], "update_commits": [{"id": "updated"}]})
        };
        let ours = format!("{mark}0123");
        let history = json!([
            edit("e2", 11, Some("by hand"), "b"),
            edit("e3", 12, None, "c"),
            edit("e1", 10, Some(&ours), "a")
        ]);
        let read = Edits::read(Some(&history), &mark);
        assert_eq!((read.last.as_str(), read.ours().items), ("e3", ["a".to_owned()].into()));
        assert_eq!(Edits::read(None, &mark), Edits::default());
        assert_ne!(mark, UniquenessKey::given("other").mark());
    }
}
