//! A deal: what people mean to sell, how Git says it, and how it changes there.

use countersign_core::api::Api;
use serde_json::{Value, json};

use crate::{
    cluster::Name,
    ground::Ground,
    rules::Rule,
    time::{month, next_month, text},
};

/// Lists of what lies beside a contract.
const BESIDE: [&str; 2] = ["customerCommits", "customerCredits"];
/// How many deals there are.
pub(crate) const DEALS: usize = 6;

/// A deal: what people mean to sell to somebody, whatever resource it is in at the moment.
#[derive(Clone, Debug)]
pub(crate) struct Deal {
    pub(crate) slot: usize,
    pub(crate) api: Api,
    namespace: &'static str,
    pub(crate) name: String,
    /// What Git says now.
    pub(crate) git: Option<Value>,
    pub(crate) versions: Vec<Value>,
    items: u32,
    /// What its resource was called before.
    pub(crate) former: Vec<Name>,
    /// Somebody has done something to it, by which it may be refused with reason.
    pub(crate) marks: Marks,
}

/// What was done to a deal that it may have to be refused for.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each was done or not, and any of them with any other")]
pub(crate) struct Marks {
    /// Its resource was deleted, or lost with etcd.
    pub(crate) is_lost: bool,
    /// Somebody changed its contract in the console.
    pub(crate) is_touched: bool,
    /// Somebody put its contract back in the console to what it was: what Git says nothing of is theirs.
    pub(crate) is_put_back: bool,
    /// It was ended or archived in the console.
    pub(crate) is_ended: bool,
    /// Its provider was moved.
    pub(crate) is_moved: bool,
    /// It is another deal's customer.
    pub(crate) is_double: bool,
    /// Git asks for something that cannot be.
    pub(crate) is_impossible: bool,
    /// Git has a name that billing may trim.
    pub(crate) is_untrimmed: bool,
    /// Nothing is on record any more of what Git said to lay beside its contract: etcd was put back, or its resource gone.
    pub(crate) is_beside_unknown: bool,
}

impl Deal {
    pub(crate) fn new(slot: usize) -> Self {
        let (api, namespace, name) = match slot {
            0 => (Api::Zoo, "billing", "acme"),
            1 => (Api::Zoo, "billing", "globex"),
            2 => (Api::Metronome, "billing", "initech"),
            3 => (Api::Metronome, "billing", "umbrella"),
            4 => (Api::Zoo, "sales", "acme"),
            _ => (Api::Metronome, "sales", "initech"),
        };
        let marks = Marks { is_double: matches!(slot, 0 | 2 | 4 | 5), ..Marks::default() };
        let name = name.to_owned();
        Self {
            slot,
            api,
            namespace,
            name,
            git: None,
            versions: Vec::new(),
            items: 0,
            former: Vec::new(),
            marks,
        }
    }

    /// Whether Git has ever had something to lie beside its contract.
    pub(crate) fn has_had_beside(&self) -> bool {
        let is_said = |spec: &Value| BESIDE.iter().any(|list| spec["metronome"][list].is_array());
        self.versions.iter().any(|git| is_said(&git["spec"]))
    }

    pub(crate) fn object(&self) -> Name {
        Name { namespace: self.namespace.to_owned(), name: self.name.clone() }
    }

    /// The organization, which one other deal may have as well.
    pub(crate) fn organization(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.slot % 4)
    }

    /// The customer in Metronome, which one other deal has as well.
    pub(crate) fn customer(&self) -> String {
        format!("customer-{}", if self.slot == 5 { 2 } else { self.slot })
    }

    pub(crate) fn manifest(&self, ground: &Ground) -> Value {
        let (provider, terms) = match self.api {
            Api::Zoo => ("zoo", self.zoo(ground.now)),
            Api::Metronome => ("metronome", self.metronome(ground)),
        };
        json!({
            "apiVersion": "billing.countersign.dev/v1alpha1",
            "kind": "BillingContract",
            "metadata": {"namespace": self.namespace, "name": self.name,
                         "annotations": {"deal": self.slot.to_string()}},
            "spec": {"providerRef": {"name": provider}, "deletionPolicy": "Orphan", "managementPolicy": "Apply",
                     "driftPolicy": "Correct", provider: terms},
        })
    }

    fn zoo(&self, now: i64) -> Value {
        let first = next_month(now).saturating_sub(2);
        let period = |index: u32| {
            json!({
                "periodIndex": index, "periodStartAt": text(month(first + index)),
                "periodEndAt": text(month(first + index + 1)), "commitmentAmount": "12000",
            })
        };
        let periods: Vec<_> = (0..6).map(period).collect();
        json!({
            "organizationId": self.organization(), "name": "Acme", "status": "active", "provider": "stripe",
            "billingCadence": "monthly", "commitmentScope": "pooled", "rolloverPolicy": "none", "currency": "USD",
            "effectiveAt": text(month(first)), "termEndAt": text(month(first + 60)), "periods": periods,
            "items": [{"code": "fde", "displayName": "Engineer", "kind": "fixed_fee", "unit": "year", "fixedFeeAmount": "185000"}],
        })
    }

    fn metronome(&self, ground: &Ground) -> Value {
        let first = next_month(ground.now).saturating_sub(1);
        let mut terms = json!({
            "customerId": self.customer(),
            "startingAt": text(month(first)), "endingBefore": text(month(first + 60)),
            "name": "Acme", "rateCardId": "card-1", "netPaymentTermsDays": "30",
            "commits": [self.commit("launch", first, 120_000)],
            "scheduledCharges": [self.charge("setup", first, 9900)],
        });
        if self.slot == 3 && ground.rules.has(Rule::Beside) {
            terms["customerCommits"] = json!([self.pool("pool", first, 50_000)]);
            terms["customerCredits"] = json!([self.gift("gift", first, 700)]);
        }
        terms
    }

    /// A commit beside the contract.
    fn pool(&self, key: &str, from: u32, amount: u32) -> Value {
        let mut pool = self.commit(key, from, amount);
        pool["priority"] = json!("10");
        pool
    }

    /// A credit beside the contract.
    fn gift(&self, key: &str, from: u32, amount: u32) -> Value {
        let mut gift = self.pool(key, from, amount);
        if let Some(members) = gift.as_object_mut() {
            members.retain(|name, _| name != "type" && name != "invoiceSchedule");
        }
        gift
    }

    fn product(&self, key: &str) -> String {
        format!("product-{}-{key}", self.slot)
    }

    fn commit(&self, key: &str, from: u32, amount: u32) -> Value {
        json!({
            "key": key, "productId": self.product(key), "type": "PREPAID", "name": key,
            "accessSchedule": {"scheduleItems": [{"amount": amount.to_string(), "startingAt": text(month(from)),
                                                  "endingBefore": text(month(from + 12))}]},
            "invoiceSchedule": {"scheduleItems": [{"timestamp": text(month(from)), "amount": amount.to_string()}]},
        })
    }

    fn charge(&self, key: &str, at: u32, amount: u32) -> Value {
        json!({"key": key, "productId": self.product(key), "name": key,
               "schedule": {"scheduleItems": [{"timestamp": text(month(at)), "amount": amount.to_string()}]}})
    }

    fn recurring(&self, key: &str, from: u32, amount: u32) -> Value {
        json!({
            "key": key, "productId": self.product(key), "name": key, "priority": "50", "startingAt": text(month(from)),
            "recurrenceFrequency": "MONTHLY", "commitDuration": {"value": "1", "unit": "PERIODS"},
            "accessAmount": {"unitPrice": amount.to_string(), "quantity": "1"},
            "invoiceAmount": {"creditTypeId": "2714e483-4ff1-48e4-9e25-ac732e8f24f2",
                              "unitPrice": amount.to_string(), "quantity": "1"},
        })
    }

    /// An item that nothing of is in the past yet, to change or to take out.
    fn later(list: &Value, now: i64, r: u32) -> Option<usize> {
        let texts = |item: &Value| item.to_string();
        let is_later = |item: &Value| {
            let text = texts(item);
            let mut years = text.split('"').filter(|part| part.len() == 20 && part.ends_with('Z'));
            years.all(|part| crate::time::parse(&json!(part)).is_some_and(|at| at > now))
        };
        let items = list.as_array()?;
        let found: Vec<_> =
            items.iter().enumerate().filter(|(_, item)| is_later(item)).map(|(index, _)| index).collect();
        let picked = usize::try_from(r).ok()?.checked_rem(found.len())?;
        found.get(picked).copied()
    }

    /// The next version in Git, or none when this way leads nowhere.
    pub(crate) fn edited(&mut self, r: u32, ground: &Ground) -> Option<Value> {
        let mut next = self.git.clone()?;
        let number = self.items;
        self.items += 1;
        let amount = 1000 + number * 10 + r % 7;
        let ways = if ground.rules.has(Rule::Beside) { 14 } else { 10 };
        let (way, pick) = (r % ways, r / 16);
        if self.api == Api::Zoo {
            let terms = &mut next["spec"]["zoo"];
            match way {
                0 => terms["name"] = json!(format!("Acme {number}")),
                1 => terms["notes"] = json!(format!("note {number}")),
                2 | 3 => {
                    let index = Self::later(&terms["periods"], ground.now, pick)?;
                    terms["periods"][index]["commitmentAmount"] = json!(amount.to_string());
                }
                4 if ground.rules.has(Rule::Leave) => drop(terms.as_object_mut()?.remove("notes")),
                _ => terms["items"][0]["fixedFeeAmount"] = json!((180_000 + amount).to_string()),
            }
            return Some(next);
        }
        let at = next_month(ground.now) + 1 + pick % 4;
        let key = format!("i{number}");
        let (mut commit, mut charge, recurring) =
            (self.commit(&key, at, amount), self.charge(&key, at, amount), self.recurring(&key, at, amount));
        if ground.rules.has(Rule::Trim) && pick % 2 == 0 {
            for item in [&mut commit, &mut charge] {
                item["name"] = json!(format!("{key} "));
            }
            self.marks.is_untrimmed = true;
        }
        let terms = &mut next["spec"]["metronome"];
        let add = |terms: &mut Value, list: &str, item: Value| {
            if terms[list].is_null() {
                terms[list] = json!([]);
            }
            terms[list].as_array_mut().map(|items| items.push(item))
        };
        match way {
            0 => terms["name"] = json!(format!("Acme {number}")),
            1 => terms["netPaymentTermsDays"] = json!((10 + number).to_string()),
            2 => add(terms, "commits", commit)?,
            3 => add(terms, "scheduledCharges", charge)?,
            4 => {
                let mut credit = commit;
                credit.as_object_mut()?.retain(|name, _| name != "type" && name != "invoiceSchedule");
                add(terms, "credits", credit)?;
            }
            5 => add(terms, "recurringCommits", recurring)?,
            6 => {
                let list = if pick % 2 == 0 { "scheduledCharges" } else { "commits" };
                let index = Self::later(&terms[list], ground.now, pick)?;
                terms[list].as_array_mut()?.remove(index);
            }
            7 => {
                let index = Self::later(&terms["scheduledCharges"], ground.now, pick)?;
                terms["scheduledCharges"][index]["schedule"]["scheduleItems"][0]["amount"] =
                    json!(amount.to_string());
            }
            10.. => self.edited_beside(terms, way, (pick, amount, number), ground)?,
            8 => {
                let index = Self::later(&terms["commits"], ground.now, pick)?;
                let commit = &mut terms["commits"][index];
                commit["invoiceSchedule"]["scheduleItems"][0]["amount"] = json!(amount.to_string());
                commit["accessSchedule"]["scheduleItems"][0]["amount"] = json!(amount.to_string());
            }
            _ => {
                let items = terms["recurringCommits"].as_array_mut()?;
                let index = usize::try_from(pick).ok()?.checked_rem(items.len())?;
                items.remove(index);
                // One that has not begun can be neither ended nor archived.
                self.marks.is_impossible = true;
            }
        }
        Some(next)
    }

    /// Changes what lies beside the contract; nothing when this way leads nowhere.
    fn edited_beside(
        &self,
        terms: &mut Value,
        way: u32,
        (pick, amount, number): (u32, u32, u32),
        ground: &Ground,
    ) -> Option<()> {
        // Some may be used at once, and are ended when they leave; some are yet to come, and are emptied.
        let next = next_month(ground.now);
        let from = if pick % 3 == 0 { next.saturating_sub(1) } else { next + pick % 4 };
        let key = format!("b{number}");
        let list = BESIDE.get(usize::try_from(pick % 2).ok()?)?;
        match way {
            10 | 11 => {
                let (list, item) = if way == 10 {
                    ("customerCommits", self.pool(&key, from, amount))
                } else {
                    ("customerCredits", self.gift(&key, from, amount))
                };
                if terms[list].is_null() {
                    terms[list] = json!([]);
                }
                terms[list].as_array_mut()?.push(item);
            }
            12 => {
                let items = terms[list].as_array_mut()?;
                let index = usize::try_from(pick).ok()?.checked_rem(items.len())?;
                items.remove(index);
            }
            _ => {
                let index = Self::later(&terms[list], ground.now, pick)?;
                let item = &mut terms[list][index];
                item["accessSchedule"]["scheduleItems"][0]["amount"] = json!(amount.to_string());
                if item["invoiceSchedule"].is_object() {
                    item["invoiceSchedule"]["scheduleItems"][0]["amount"] = json!(amount.to_string());
                }
            }
        }
        Some(())
    }

    /// Whether a step back in Git is one that the code is known to take well.
    pub(crate) fn may_revert(before: &Value, after: &Value, ground: &Ground) -> bool {
        let keys = |manifest: &Value| -> Vec<String> {
            let lists = ["commits", "credits", "scheduledCharges", "recurringCommits"].into_iter();
            let items = lists
                .chain(BESIDE)
                .flat_map(|list| manifest["spec"]["metronome"][list].as_array().cloned().unwrap_or_default());
            items.map(|item| item["key"].to_string()).collect()
        };
        let notes = |manifest: &Value| manifest["spec"]["zoo"]["notes"].clone();
        let returns = keys(after).iter().any(|key| !keys(before).contains(key));
        let leaves = notes(before).is_string() && notes(after).is_null();
        (!returns || ground.rules.has(Rule::Revert)) && (!leaves || ground.rules.has(Rule::Leave))
    }
}

impl Deal {
    pub(crate) fn commit_to_git(&mut self, manifest: &Value, ground: &mut Ground) -> bool {
        if manifest["spec"]["zoo"]["notes"].is_string() {
            ground.notes_said.insert(self.slot);
        }
        self.versions.push(manifest.clone());
        self.git = Some(manifest.clone());
        let is_applied = apply(manifest, ground);
        // What is not in Git any more goes along with whatever is applied.
        for name in &self.former {
            ground.cluster.delete(name, ground.now);
        }
        is_applied
    }
}

/// `kubectl apply`; false while the resource is being deleted.
pub(crate) fn apply(manifest: &Value, ground: &mut Ground) -> bool {
    match ground.cluster.apply(manifest, ground.now) {
        Ok(is_applied) => is_applied,
        Err(error) => {
            ground.find(format!("a manifest of the simulation is wrong: {error}"));
            false
        }
    }
}
