//! Packages: create, get, list, archive, and the contracts made from one. A package never changes but for its aliases.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::call::{Answer, Call};
use super::failure::Failure;
use super::schedules::fresh;
use super::switches::{Offsets, PackageKeys, View};
use super::value::Fields;
use super::{catalog, contract, custom_fields, package_view, paging, retold, rules, time};
use crate::store::{Collection, StoreError, Tx};

const PACKAGES: Collection<Package> = Collection::new("metronome/packages");
/// Ids of packages by the key they were created with, for ever.
const BY_KEY: Collection<String> = Collection::new("metronome/package-keys");
/// Ids of packages by the id of one of their items.
const BY_ITEM: Collection<String> = Collection::new("metronome/package-items");

/// A package.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Package {
    pub(super) id: String,
    pub(super) uniqueness_key: Option<String>,
    pub(super) archived_at: Option<DateTime<Utc>>,
    /// When it was really created: the simulator's clock may stand still.
    recorded_at: DateTime<Utc>,
    /// What was sent, to make contracts from.
    pub(super) terms: Fields,
    /// What is read, but for what depends on the moment.
    pub(super) read: Fields,
}

impl Package {
    /// The package as it is read.
    pub(super) fn view(&self, call: &Call) -> Fields {
        let mut view = self.read.clone().with("id", self.id.as_str());
        if let Some(at) = self.archived_at {
            view.set("archived_at", time::json(at));
        }
        if let Some(key) = &self.uniqueness_key {
            view.set(
                "uniqueness_key",
                match call.settings.metronome_package_keys {
                    PackageKeys::Prefixed => format!("package:{key}"),
                    PackageKeys::Plain => key.clone(),
                },
            );
        }
        if call.settings.metronome_offset_values == Offsets::Text {
            view = package_view::with_text_offsets(view);
        }
        match call.settings.metronome_view {
            View::AsSent => view,
            View::Retold => retold::fields(view),
        }
    }

    fn has_alias(&self, name: &str, at: DateTime<Utc>) -> bool {
        self.read.objects("aliases").any(|alias| catalog::holds(alias, name, at))
    }

    fn save(&self, tx: &Tx) -> Result<(), StoreError> {
        tx.put(&PACKAGES, &self.id, self)
    }
}

/// The package, if there is one with that id.
pub(super) fn find(call: &Call, id: &str) -> Result<Option<Package>, StoreError> {
    call.tx.get(&PACKAGES, id)
}

/// Every package, oldest first.
pub(super) fn all(tx: &Tx) -> Result<Vec<Package>, StoreError> {
    let mut packages: Vec<_> = tx.all(&PACKAGES)?.into_iter().map(|(_, package)| package).collect();
    packages.sort_by_key(|package| package.recorded_at);
    Ok(packages)
}

/// The package that has the alias at that time.
pub(super) fn with_alias(call: &Call, name: &str, at: DateTime<Utc>) -> Result<Option<Package>, StoreError> {
    Ok(all(&call.tx)?.into_iter().rev().find(|package| package.has_alias(name, at)))
}

/// `POST /v1/packages/create`
pub(super) fn create(call: &Call) -> Result<Answer, Failure> {
    let package = make(call, fresh())?;
    Ok(Answer::data(Fields::default().with("id", package.id)))
}

/// Makes a package under a chosen id.
pub(super) fn make(call: &Call, id: String) -> Result<Package, Failure> {
    let key = rules::uniqueness_key(&call.body)?.map(str::to_owned);
    if let Some(key) = &key
        && let Some(owner) = call.tx.get(&BY_KEY, key)?
    {
        return Err(Failure::key_taken(&owner, call.settings.metronome_conflict));
    }
    if call.body.text("name").is_some_and(str::is_empty) {
        return Err(Failure::bad_request("name: must not be empty"));
    }
    rules::trackers(&call.body)?;
    let (read, made) = package_view::read(call, &call.body)?;
    let package = Package {
        uniqueness_key: key,
        archived_at: None,
        recorded_at: Utc::now(),
        terms: call.body.clone(),
        read,
        id,
    };
    for made in made {
        custom_fields::claim(call, made.entity, &made.id, made.custom_fields.as_ref())?;
        call.tx.put(&BY_ITEM, &made.id, &package.id)?;
    }
    take_aliases(call, &package)?;
    if let Some(key) = &package.uniqueness_key {
        call.tx.put(&BY_KEY, key, &package.id)?;
    }
    package.save(&call.tx)?;
    Ok(package)
}

/// Ends the aliases of older packages where the new one's begin.
fn take_aliases(call: &Call, package: &Package) -> Result<(), Failure> {
    let mut older = all(&call.tx)?;
    for alias in package.read.objects("aliases") {
        let name = alias.text("name");
        let start = time::of(alias, "starting_at").unwrap_or(call.now);
        for other in older.iter_mut().filter(|other| other.id != package.id) {
            let mut changed = false;
            for theirs in other.read.objects_mut("aliases").filter(|theirs| theirs.text("name") == name) {
                if time::of(theirs, "ending_before").is_none_or(|end| end > start) {
                    theirs.set("ending_before", time::json(start));
                    changed = true;
                }
            }
            if changed {
                other.save(&call.tx)?;
            }
        }
    }
    Ok(())
}

fn required(call: &Call) -> Result<Package, Failure> {
    let id = call.body.text("package_id").unwrap_or_default();
    find(call, id)?.ok_or_else(|| Failure::not_found(format!("Package {id} not found")))
}

/// `POST /v1/packages/get`
pub(super) fn get(call: &Call) -> Result<Answer, Failure> {
    let id = required(call)?.id;
    let package = call.tx.observe(&PACKAGES, &id)?;
    let package = package.ok_or_else(|| Failure::not_found(format!("Package {id} not found")))?;
    Ok(Answer::data(package.view(call)))
}

/// `POST /v1/packages/list`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    let filter = call.body.text("archive_filter").unwrap_or("NOT_ARCHIVED");
    let wanted = |package: &Package| match filter {
        "ARCHIVED" => package.archived_at.is_some(),
        "NOT_ARCHIVED" => package.archived_at.is_none(),
        _ => true,
    };
    let mut packages = Vec::new();
    for package in all(&call.tx)? {
        packages.extend(call.tx.observe(&PACKAGES, &package.id)?);
    }
    let packages =
        packages.into_iter().filter(wanted).map(|package| (package.id.clone(), package.view(call)));
    Ok(paging::by_query(call, packages.collect(), 10)?.answer())
}

/// `POST /v1/packages/archive`
pub(super) fn archive(call: &Call) -> Result<Answer, Failure> {
    let mut package = required(call)?;
    if package.archived_at.is_some() {
        return Err(Failure::unprocessable("already archived"));
    }
    package.archived_at = Some(call.now);
    package.save(&call.tx)?;
    Ok(Answer::data(Fields::default().with("id", package.id)))
}

/// `POST /v1/packages/listContractsOnPackage`
pub(super) fn contracts(call: &Call) -> Result<Answer, Failure> {
    let body = &call.body;
    let id = body.text("package_id").unwrap_or_default();
    if find(call, id)?.is_none() {
        return Err(Failure::missing("PackageNotFound", format!("Package {id} not found")));
    }
    let (covering, starting) = (time::of(body, "covering_date"), time::of(body, "starting_at"));
    if covering.is_some() && starting.is_some() {
        return Err(Failure::bad_request("covering_date and starting_at exclude each other"));
    }
    let archived = body.flag("include_archived") == Some(true);
    let wanted = contract::on_package(&call.tx, id)?.into_iter().filter(|contract| {
        let (start, end) =
            (time::of(&contract.terms, "starting_at"), time::of(&contract.terms, "ending_before"));
        (archived || contract.archived_at.is_none())
            && covering
                .is_none_or(|at| start.is_none_or(|start| start <= at) && end.is_none_or(|end| at < end))
            && starting.is_none_or(|at| start.is_none_or(|start| at <= start))
    });
    let shown = wanted.map(|contract| {
        let mut shown = Fields::default()
            .with("contract_id", contract.id.as_str())
            .with("customer_id", contract.customer_id)
            .with("archived_at", contract.archived_at.map(time::json));
        shown.copy(&contract.terms, &["starting_at", "ending_before"]);
        (contract.id, shown)
    });
    Ok(paging::by_query(call, shown.collect::<Vec<_>>(), 10)?.answer())
}

/// Changes the custom fields of an item of a package.
pub(super) fn change_item(
    call: &Call,
    id: &str,
    list: &str,
    apply: &dyn Fn(&mut Fields) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let missing = || Failure::not_found(format!("{list}: {id} not found"));
    let package = call.tx.get(&BY_ITEM, id)?.ok_or_else(missing)?;
    let mut package = find(call, &package)?.ok_or_else(missing)?;
    custom_fields::edit(package.read.item_mut(list, id).ok_or_else(missing)?, apply)?;
    Ok(package.save(&call.tx)?)
}
