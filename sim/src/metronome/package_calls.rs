//! Packages made, got, listed and archived, and the contracts made from one.

use chrono::Utc;

use super::call::{Answer, Call};
use super::failure::Failure;
use super::packages::{self, Package};
use super::schedules::fresh;
use super::value::Fields;
use super::{contract, custom_fields, package_view, paging, rules, time};

/// `POST /v1/packages/create`
pub(super) fn create(call: &Call) -> Result<Answer, Failure> {
    let package = make(call, fresh())?;
    Ok(Answer::data(Fields::default().with("id", package.id)))
}

/// Makes a package under a chosen id.
pub(super) fn make(call: &Call, id: String) -> Result<Package, Failure> {
    let key = rules::uniqueness_key(&call.body)?.map(str::to_owned);
    if let Some(key) = &key
        && let Some(owner) = packages::with_key(&call.tx, key)?
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
        packages::index_item(&call.tx, &made.id, &package.id)?;
    }
    take_aliases(call, &package)?;
    packages::insert(&call.tx, &package)?;
    Ok(package)
}

/// Ends the aliases of older packages where the new one's begin.
fn take_aliases(call: &Call, package: &Package) -> Result<(), Failure> {
    let mut older = packages::all(&call.tx)?;
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
    packages::find(call, id)?.ok_or_else(|| Failure::not_found(format!("Package {id} not found")))
}

/// `POST /v1/packages/get`
pub(super) fn get(call: &Call) -> Result<Answer, Failure> {
    let id = required(call)?.id;
    let package = packages::observe(&call.tx, &id)?;
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
    for package in packages::all(&call.tx)? {
        packages.extend(packages::observe(&call.tx, &package.id)?);
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
    if packages::find(call, id)?.is_none() {
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
