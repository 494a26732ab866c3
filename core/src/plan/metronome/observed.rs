//! A contract as the API returned it: its terms, the ids of its items, and whose it is.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    CUSTOM_FIELDS, CustomerId, Desired, UniquenessKey, create_fingerprint, list, money, notes, text,
};
use crate::{
    api::contract::Amount,
    plan::Recorded,
    terms::{Decimal, Digest, Timestamp},
};

/// Who has edited a contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum EditedBy {
    /// It was not read, or is not told.
    #[default]
    Unknown,
    /// Nobody, since it was made.
    Nobody,
    /// This resource, or others who have added nothing.
    Own,
    /// Others, who have added something.
    Others,
}

/// What the edits of one resource have done to a contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ours {
    /// Ids of the items that they have added.
    pub(super) items: BTreeSet<String>,
    /// What stands for the ids of the royalties that they have added.
    pub(super) royalties: BTreeSet<String>,
    /// Names of the thresholds that none but they have set since.
    pub(super) thresholds: BTreeSet<&'static str>,
}

/// A contract as the API returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedContract {
    /// The contract's ID.
    pub contract_id: String,
    /// ID of its customer.
    pub customer_id: CustomerId,
    /// The key that it was created with.
    pub uniqueness_key: Option<String>,
    /// Whether it is archived.
    pub archived: bool,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
    /// `active`, `upcoming`, `ended` or `archived`.
    pub state: String,
    /// Its first moment.
    pub starting_at: Timestamp,
    /// The moment at which it ends; open-ended when none.
    pub ending_before: Option<Timestamp>,
    /// Its terms, in canonical form and in the shape of a request.
    pub terms: Value,
    /// The contract that it renews.
    pub renews: Option<String>,
    /// The contract that renews it.
    pub renewed_by: Option<String>,
    /// The edit that the next one follows, empty when there was none: the last one of `v2/contracts/getEditHistory`, or the
    /// one before a write whose reply was lost; needed only when an edit is about to be written.
    pub last_edit: Option<String>,
    /// What edits of this resource have done, where the history of edits was read.
    pub(super) ours: Option<Ours>,
    /// Lists all of whose items tell that they were made along with it.
    pub(super) made: BTreeSet<&'static str>,
    /// Ids of items that tell that they were made later than it.
    pub(super) made_later: BTreeSet<String>,
    /// Who has edited it, as its history tells where that was read.
    pub(super) edited_by: EditedBy,
    /// When it was made, as far as that is told.
    pub(super) made_at: Option<Timestamp>,
    /// Keys that this resource made items of the customer with, by their ids.
    pub(super) keys: BTreeMap<ApiId, String>,
    /// Items that edits of this resource have added long ago and that are shown neither in force nor archived, where the
    /// history of edits was read and does not say what became of them.
    pub(super) missing: Vec<AddedItem>,
    /// Ids of invoices by those of the parts of schedules that are on them, as far as that is told.
    pub(super) invoices: BTreeMap<String, String>,
    /// Ids of everything that can be invoiced and that the reply shows, whoever made it.
    pub(super) listed: BTreeSet<String>,
    /// What final invoices tell of items that are not shown, where invoices were read.
    pub(super) billed: BTreeSet<Billed>,
    /// Items that are archived, by their list: ids and terms.
    pub(super) gone: BTreeMap<&'static str, Vec<(ApiId, Value)>>,
    /// Ids of the items of each list, in the order of the terms.
    pub(super) ids: BTreeMap<&'static str, Vec<Ids>>,
    /// When it was read.
    pub(super) read_at: DateTime<Utc>,
    /// The first moment at which a change can apply: the next full hour after it was read, or its start. What begins
    /// later is planned, and not in force.
    pub(super) soonest: Timestamp,
    /// Quantities that are planned for later, by the id of their subscription.
    pub(super) planned: BTreeMap<ApiId, Vec<(Timestamp, String)>>,
    /// Filters of usage that are planned for later, the first one first.
    pub(super) planned_filters: Vec<Planned>,
    /// Configurations of where invoices go that are planned for a later period than the next one.
    pub(super) planned_billing: Vec<Planned>,
    /// Seats by the id of their subscription, where they were read.
    pub(super) seats: BTreeMap<ApiId, Seats>,
    /// Names of pricing units by their IDs.
    pub(super) unit_names: BTreeMap<String, String>,
    /// Names of products by their IDs, which things have that have no name of their own.
    pub(super) product_names: BTreeMap<String, String>,
    /// Whether the reply left out commits or credits.
    pub(super) truncated: bool,
}

/// What is planned for a time.
pub(super) type Planned = (Timestamp, Value);

/// What a final invoice tells of something that billing does not show any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Billed {
    /// The list that it was in.
    pub list: &'static str,
    pub product: String,
}

/// The id that the API gave an item; empty where it gives none. Not to be mixed up with the key by which the spec knows the
/// item.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ApiId(String);

impl ApiId {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for ApiId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl From<&ApiId> for String {
    fn from(id: &ApiId) -> Self {
        id.0.clone()
    }
}

impl fmt::Display for ApiId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Ids of one item, in the order in which the terms have its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ids {
    /// The item's own.
    pub own: ApiId,
    /// Those of the items of its schedule of what may be used.
    pub access: Vec<String>,
    /// Those of the items of its schedule of what is invoiced.
    pub invoice: Vec<String>,
}

/// Seats of a subscription, as they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seats {
    /// IDs of the seats that are taken.
    pub taken: BTreeSet<String>,
    /// How many are not; unknown when the reply did not count them.
    pub unassigned: Option<Decimal>,
}

/// An item that an edit of the resource's own has added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AddedItem {
    /// Its id.
    pub id: ApiId,
    /// The list with keys that it was added to, if it is one of those.
    pub list: Option<&'static str>,
    /// The product that it is for, as far as that is told.
    pub product: Option<String>,
}

/// An item of the contract.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'v> {
    /// Its ids.
    pub ids: &'v Ids,
    /// Its terms, in canonical form.
    pub terms: &'v Value,
}

impl<'v> Item<'v> {
    /// What it goes by on record: its id, or what stands for one.
    pub(super) fn recorded_id(&self) -> Cow<'v, str> {
        if self.ids.own.is_empty() { royalty_id(self.terms).into() } else { self.ids.own.as_str().into() }
    }
}

/// The list whose items have no id.
pub(super) const ROYALTIES: &str = "resellerRoyalties";

/// What stands for the id of a royalty, which has none.
pub(super) fn royalty_id(terms: &Value) -> String {
    let parts = ["resellerType", "netsuiteResellerId", "startingAt"]
        .map(|name| text(terms, name).unwrap_or_default());
    parts.join(" ")
}

impl ObservedContract {
    /// The sums that the customer commits to, each in its unit, US dollars first.
    #[must_use]
    pub fn committed_value(&self) -> Vec<Amount> {
        money::committed_value(&self.terms, &self.unit_names)
    }

    /// Places in the list of subscriptions whose seats were read, with the IDs of those that are taken, and how many are
    /// not, where that was told.
    pub fn seats(&self) -> impl Iterator<Item = (usize, &BTreeSet<String>, Option<Decimal>)> {
        let with_seats = |(index, item): (usize, Item<'_>)| {
            let seats = self.seats.get(&item.ids.own)?;
            Some((index, &seats.taken, seats.unassigned))
        };
        self.items("subscriptions").enumerate().filter_map(with_seats)
    }

    /// The items of a list with their ids.
    pub(super) fn items(&self, name: &str) -> impl Iterator<Item = Item<'_>> {
        let ids = self.ids.get(name).into_iter().flatten();
        ids.zip(list(&self.terms, name)).map(|(ids, terms)| Item { ids, terms })
    }

    /// The ids of all items that are shown, archived ones included.
    pub(super) fn all_ids(&self) -> HashSet<&str> {
        let gone = self.gone.values().flatten().map(|(id, _)| id.as_str());
        self.ids.values().flatten().map(|ids| ids.own.as_str()).chain(gone).collect()
    }

    /// Whether an edit of this resource has added the item with an id, or a call of it has made it beside the contract, as
    /// far as that was read.
    pub(super) fn is_ours(&self, id: &ApiId) -> bool {
        self.ours.as_ref().is_some_and(|ours| ours.items.contains(id.as_str())) || self.keys.contains_key(id)
    }

    /// The same of an item of a list without keys; of a royalty by what stands for its id.
    pub(super) fn is_ours_in(&self, list: &str, item: Item<'_>) -> bool {
        let is_royalty = || list == ROYALTIES && item.ids.own.is_empty();
        let has = |ours: &Ours| ours.royalties.contains(&royalty_id(item.terms));
        self.is_ours(&item.ids.own) || (is_royalty() && self.ours.as_ref().is_some_and(has))
    }

    /// Whether whoever made the contract has made all items of a list along with it, and its key says that the resource did.
    pub(super) fn came_with(&self, desired: &Desired, list: &str) -> bool {
        self.made.contains(list) && self.is_as_made(desired)
    }

    /// The same where nobody else can have made the contract, as its key follows from the resource's name, and nothing of it
    /// came on record: the resource's own create has made all of them. So it has where they do not tell when they were made,
    /// and are as many as it was to make.
    pub(super) fn came_with_own(&self, desired: &Desired, recorded: &Recorded, list: &str) -> bool {
        let is_as_sent = || {
            let sent = notes::created(recorded, &self.creates().collect::<Vec<_>>(), list);
            sent.is_some_and(|sent| sent == self.items(list).count())
        };
        self.is_as_made(desired)
            && is_own_create(desired, recorded)
            && (self.made.contains(list) || is_as_sent())
    }

    /// Whether this resource was the last one to set a threshold of the contract, though that may not be on record.
    pub(super) fn has_own_threshold(&self, desired: &Desired, recorded: &Recorded, name: &str) -> bool {
        let was_set = self.ours.as_ref().is_some_and(|ours| ours.thresholds.contains(name));
        was_set || (self.is_as_made(desired) && is_own_create(desired, recorded))
    }

    /// Whether nobody has edited what the resource made, as the contract's key says.
    fn is_as_made(&self, desired: &Desired) -> bool {
        self.edited_by == EditedBy::Nobody && !desired.has_package() && self.has_key_of(desired)
    }

    /// Whether the contract was made with the resource's key.
    pub(super) fn has_key_of(&self, desired: &Desired) -> bool {
        self.uniqueness_key.as_deref().is_some_and(|key| desired.key().matches(key))
    }

    /// Whether a create of the resource's whose reply did not come on record made the contract, by whichever key the resource had
    /// then, and whoever its customer was.
    pub(super) fn is_sent_by(&self, recorded: &Recorded) -> bool {
        self.creates().any(|create| recorded.may_have_sent(&create))
    }

    /// What a create that has made the contract is recognised by, as its key may be read.
    fn creates(&self) -> impl Iterator<Item = Digest> {
        let readings = self.uniqueness_key.iter().flat_map(|key| UniquenessKey::readings(key));
        readings.map(|key| create_fingerprint(key, &self.customer_id))
    }

    /// Whether the contract is on record as the resource's, or is what a create without a reply has made.
    pub(super) fn is_of(&self, recorded: &Recorded) -> bool {
        recorded
            .contract_id
            .as_ref()
            .map_or_else(|| self.is_sent_by(recorded), |held| *held == self.contract_id)
    }

    /// A custom field of the contract.
    pub(super) fn custom_field(&self, name: &str) -> Option<&str> {
        self.terms.get(CUSTOM_FIELDS)?.get(name)?.as_str()
    }

    /// Whether the contract's stamp says that the resource owns it.
    pub(super) fn is_stamped(&self, desired: &Desired) -> bool {
        let mut fields = desired.owner().peekable();
        fields.peek().is_some() && fields.all(|(name, value)| self.custom_field(name) == Some(value))
    }

    /// A field of the stamp that says that somebody else owns the contract.
    pub(super) fn other_owner<'d>(&'d self, desired: &'d Desired) -> Option<(&'d str, &'d str)> {
        desired.owner().find_map(|(name, value)| {
            let found = self.custom_field(name)?;
            (found != value).then_some((name.as_str(), found))
        })
    }
}

/// Whether nobody else can have made a contract of the resource's key, and nothing of it came on record.
fn is_own_create(desired: &Desired, recorded: &Recorded) -> bool {
    let is_unrecorded = recorded.items.is_empty() && recorded.applied_spec.is_none();
    is_unrecorded && desired.terms().get("uniquenessKey").is_none()
}
