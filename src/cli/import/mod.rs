//! `countersign import`: what is billed already, as files that take it over as it is.
//!
//! Each file is planned before it is written: one that would change anything in billing is named instead.

mod asked;
mod listing;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use clap::Args;
use kube::{Resource, ResourceExt};
use serde::Serialize;

use super::{
    Failure,
    account::{Account, Connected},
    files::{Files, NAMES},
    out::{self, count},
};
use crate::{
    api::{BillingContract, ContractPackage, contract::ManagementPolicy, spec_schema},
    billing::{Import as Found, Preview, registry::ContractReferences},
    import::{Destination, Imported, LeftOut, distinct},
    plan::summarize,
    protocol::{Goal, Outcome},
    terms::shape::in_usual_letters,
    yaml,
};

/// States in which a contract is past: not imported unless it is asked for.
const PAST: [&str; 4] = ["ended", "archived", "closed", "canceled"];
/// Names of the files that are written and are on no list yet, for a run that goes on where this one was stopped.
const UNLISTED: &str = ".countersign-import";
/// Characters of an ID that tell a contract without a name apart.
const ID_LENGTH: usize = 8;

/// Writes what is billed already as files, one a contract.
///
/// Each contract becomes a `BillingContract` that takes it over as it is (`spec.adopt`): applying the files changes
/// nothing in billing. A second run adds only what is new.
#[derive(Debug, Args)]
pub struct Import {
    #[command(flatten)]
    account: Account,
    /// ID of a customer (Metronome) or an organization (Zoo) whose contracts to import; may be repeated.
    #[arg(long = "customer", value_name = "ID")]
    customers: Vec<String>,
    /// File with such IDs, one a line; what follows a `#` is a comment.
    #[arg(long, value_name = "FILE")]
    customers_from: Option<PathBuf>,
    /// Imports the contracts of every customer. Zoo's API has no list of organizations.
    #[arg(long)]
    all: bool,
    /// Imports the account's packages as well.
    #[arg(long)]
    packages: bool,
    /// States of the contracts to import, such as `active,upcoming`; all that are not past when left out.
    #[arg(long, value_delimiter = ',', value_name = "STATE")]
    states: Vec<String>,
    /// Namespace of the resources; the provider's when left out.
    #[arg(long)]
    namespace: Option<String>,
    /// Label that each resource gets; may be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE")]
    labels: Vec<String>,
    /// Folder to write to.
    #[arg(long, value_name = "FOLDER")]
    dir: PathBuf,
}

/// A folder with imported files, and what they hold already.
struct Folder {
    dir: PathBuf,
    /// IDs of contracts and keys of packages.
    known: BTreeSet<String>,
    names: BTreeSet<String>,
    written: usize,
    /// Files that kustomize does not find yet.
    unlisted: BTreeSet<String>,
    /// What could not be imported, and why.
    refused: Vec<String>,
}

impl Import {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let account = self.account.connect()?;
        asked::check(account.client.api(), self.namespace.as_deref(), &self.states)?;
        let to = Destination {
            namespace: self.namespace.clone().or_else(|| account.namespace.clone()),
            provider: account.provider.clone(),
            labels: self.labels()?,
        };
        let mut folder = Folder::open(&self.dir)?;
        if self.packages {
            for found in account.client.packages(&to).await? {
                Box::pin(folder.add_package(&account, found)).await?;
            }
        }
        let customers = self.customers(&account).await?;
        let mut is_nothing = !customers.is_empty() && !self.all;
        for (index, customer) in customers.iter().enumerate() {
            let found = account.client.billed_to(customer, &to).await?;
            is_nothing &= found.is_empty();
            let told =
                if found.is_empty() { "no contract".to_owned() } else { count(found.len(), "contract") };
            out::say(&format!("[{}/{}] {customer}: {told}", index + 1, customers.len()));
            for contract in found {
                Box::pin(folder.add_contract(&account, contract, &self.states)).await?;
            }
        }
        folder.list()?;
        let mut told = format!("{} written to {}\n", count(folder.written, "file"), self.dir.display());
        told.extend(folder.refused.iter().map(|refused| format!("not imported: {refused}\n")));
        out::print(&told)?;
        if is_nothing {
            let whom = customers.first().filter(|_| customers.len() == 1);
            let whom = whom.map_or("any of these customers", String::as_str);
            return Err(format!("no contract is billed to {whom}: check the ID and the account").into());
        }
        if folder.refused.is_empty() {
            return Ok(());
        }
        Err(format!("{} could not be imported", count(folder.refused.len(), "resource")).into())
    }

    fn labels(&self) -> Result<BTreeMap<String, String>, Failure> {
        Ok(self.labels.iter().map(|label| asked::label(label)).collect::<Result<_, _>>()?)
    }

    async fn customers(&self, account: &Connected) -> Result<Vec<String>, Failure> {
        let mut customers: Vec<String> = self.customers.iter().map(|id| in_usual_letters(id)).collect();
        if let Some(file) = &self.customers_from {
            let text = fs::read_to_string(file)
                .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            customers.extend(asked::ids(&text).map_err(|why| format!("{}: {why}", file.display()))?);
        }
        if self.all {
            let all = account.client.customers().await?;
            customers.extend(all.ok_or(
                "the billing API cannot list its customers: name them by --customer or --customers-from",
            )?);
        }
        if customers.is_empty() && !self.packages {
            return Err(
                "nothing to import: name customers by --customer or --customers-from, or --all of them"
                    .into(),
            );
        }
        let mut seen = BTreeSet::new();
        customers.retain(|id| seen.insert(id.clone()));
        Ok(customers)
    }
}

impl Folder {
    /// Opens a folder, which may have the files of an earlier run.
    fn open(dir: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        let files = Files::read(&[dir.to_owned()])?;
        if let Some(problem) = files.first_problem() {
            return Err(format!("the files of an earlier run must be sound: {problem}").into());
        }
        let adopted = files.contracts().filter_map(|contract| contract.spec.adopt.as_ref());
        let mut known: BTreeSet<_> = adopted.map(|adopt| adopt.contract_id.clone()).collect();
        known.extend(files.packages().filter_map(key));
        let contracts = files.contracts().map(ResourceExt::name_any);
        let mut names: BTreeSet<_> = contracts.chain(files.packages().map(ResourceExt::name_any)).collect();
        // What is in the folder is somebody's, whatever it holds, and no resource's file takes the place of the list.
        names.extend(stems(dir)?);
        names.insert("kustomization".to_owned());
        let unlisted = fs::read_to_string(dir.join(UNLISTED)).unwrap_or_default();
        let unlisted = unlisted.lines().filter(|name| dir.join(name).is_file()).map(str::to_owned).collect();
        Ok(Self { dir: dir.to_owned(), known, names, written: 0, unlisted, refused: Vec::new() })
    }

    async fn add_contract(
        &mut self,
        account: &Connected,
        found: Found<BillingContract>,
        states: &[String],
    ) -> Result<(), Failure> {
        let Some(mut found) = self.expressed(found) else { return Ok(()) };
        let is_wanted = if states.is_empty() {
            !PAST.contains(&found.state.as_str())
        } else {
            states.contains(&found.state)
        };
        if !is_wanted || self.known.contains(&found.id) {
            return Ok(());
        }
        self.name(&mut found, "contract");
        let mut looked_at = found.resource.clone();
        looked_at.spec.management_policy = ManagementPolicy::Observe;
        let references = ContractReferences {
            package: None,
            renews: None,
            account: "",
            claimed: None,
            holders: crate::plan::Holders::default(),
            demands: crate::plan::Demands::default(),
            sayings: crate::plan::Sayings::default(),
            announced: None,
            pace: crate::plan::Pace::default(),
        };
        let preview = account.client.preview_contract(&looked_at, &references, Goal::InForce).await;
        self.keep("contract", &found, difference(preview))
    }

    async fn add_package(
        &mut self,
        account: &Connected,
        found: Found<ContractPackage>,
    ) -> Result<(), Failure> {
        let Some(mut found) = self.expressed(found) else { return Ok(()) };
        if key(&found.resource).is_some_and(|key| self.known.contains(&key)) {
            return Ok(());
        }
        self.name(&mut found, "package");
        let preview = account.client.preview_package(&found.resource, 0, Goal::InForce).await;
        self.keep("package", &found, difference(preview))
    }

    /// What was found, if a resource can say it.
    fn expressed<K>(&mut self, found: Found<K>) -> Option<Imported<K>> {
        found.map_err(|why| self.refuse(why.to_string())).ok()
    }

    /// Writes what was found, unless it would not be what is billed.
    fn keep<K>(&mut self, noun: &str, found: &Imported<K>, difference: Option<String>) -> Result<(), Failure>
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        let Some(why) = difference else { return self.write(found) };
        self.refuse(format!("{noun} {}: {why}", found.id));
        Ok(())
    }

    /// Gives a resource a name that no other has.
    fn name<K: Resource>(&mut self, found: &mut Imported<K>, noun: &str) {
        let meta = found.resource.meta_mut();
        let by_id = || format!("{noun}-{}", found.id.chars().take(ID_LENGTH).collect::<String>());
        let wanted = meta.name.take().unwrap_or_else(by_id);
        meta.name = Some(distinct(&wanted, &mut self.names));
    }

    fn write<K>(&mut self, found: &Imported<K>) -> Result<(), Failure>
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        let name = found.resource.name_any();
        let mut text = String::new();
        for LeftOut { path, value, why } in &found.left_out {
            // Whatever the API says, it stays in its comment.
            let comment = out::line(&format!("Left out: `{path}` {why}. The billing API says: {value}"));
            text.extend([format!("# {comment}\n")]);
        }
        text.push_str(&yaml::tidy(&found.resource, spec_schema(&K::kind(&())))?);
        let file = format!("{name}.yaml");
        let path = self.dir.join(&file);
        self.unlisted.insert(file);
        out::write_whole(&self.dir.join(UNLISTED), &lines(&self.unlisted))?;
        // A run that was stopped goes on with the files that are there.
        out::write_whole(&path, &text)?;
        self.written += 1;
        out::say(&format!("  {} ({})", path.display(), found.state));
        Ok(())
    }

    fn refuse(&mut self, why: String) {
        self.refused.push(why);
    }

    /// Names every new file for kustomize, in the list that is there already, if any.
    fn list(&self) -> Result<(), Failure> {
        if !self.unlisted.is_empty() {
            let existing = NAMES.iter().map(|name| self.dir.join(name)).find(|path| path.is_file());
            let path = existing.unwrap_or_else(|| self.dir.join("kustomization.yaml"));
            let text = if path.is_file() { fs::read_to_string(&path)? } else { String::new() };
            let Some(text) = listing::with_resources(&text, &self.unlisted) else {
                let (path, names) = (path.display(), self.unlisted.iter().map(String::as_str));
                let names = names.collect::<Vec<_>>().join(", ");
                return Err(format!(
                    "{path} lists its resources in a form that is left as it is: add {names}"
                )
                .into());
            };
            out::write_whole(&path, &text)?;
        }
        match fs::remove_file(self.dir.join(UNLISTED)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(format!("cannot delete {}: {error}", self.dir.join(UNLISTED).display()).into())
            }
            _ => Ok(()),
        }
    }
}

fn lines(names: &BTreeSet<String>) -> String {
    names.iter().flat_map(|name| [name.as_str(), "\n"]).collect()
}

/// Names of the files of a folder without their ends.
fn stems(dir: &Path) -> Result<Vec<String>, Failure> {
    let cannot = |error| format!("cannot read {}: {error}", dir.display());
    let entries: Vec<_> = fs::read_dir(dir).and_then(Iterator::collect).map_err(cannot)?;
    let stem = |entry: &fs::DirEntry| Some(entry.path().file_stem()?.to_string_lossy().into_owned());
    Ok(entries.iter().filter_map(stem).collect())
}

/// The key by which a package is found again.
fn key(package: &ContractPackage) -> Option<String> {
    package.spec.given_key().map(str::to_owned)
}

/// Why a resource is not what is billed; nothing when it is.
fn difference<S>(preview: Preview<S>) -> Option<String> {
    let result = match preview {
        Preview::Write { plan, .. } => return Some(format!("it would be changed: {}", plan.summary())),
        Preview::Done(result) => result,
    };
    match result.outcome {
        Outcome::InSync { .. } => None,
        Outcome::Drifted { changes } => Some(format!("it differs: {}", summarize(&changes))),
        Outcome::Refused { refusal, .. } => Some(refusal.message),
        Outcome::Waiting { message, .. }
        | Outcome::NotInForce { message }
        | Outcome::Unconfirmed { message } => Some(message),
        Outcome::AwaitingApproval(plan) => Some(format!("it would be changed: {}", plan.summary())),
        outcome => Some(format!("it could not be compared: {outcome:?}")),
    }
}
