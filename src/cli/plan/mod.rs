//! `countersign plan`: what files do in billing, before anything is applied.
//!
//! - Between two revisions, without the billing API and without a token: what the files said before is taken for what is
//!   billed. So it shows what the change does, and nothing of what somebody has changed in billing since.
//! - [Live](live), against the billing API: what the operator would do now, told apart from what this change does.
//!
//! Either way the plan is the protocol's own, made by the planner that the operator runs.

mod accounts;
mod approvals;
mod build;
mod charts;
pub(super) mod cluster;
mod html;
mod json;
mod live;
pub(super) mod lookup;
mod markdown;
mod others;
mod pairs;
mod planned;
pub(super) mod rates;
mod text;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use chrono::Utc;
use clap::{Args, ValueEnum};

use self::{
    accounts::Accounts,
    approvals::Approving,
    cluster::{Cluster, Settings},
    pairs::Change,
    planned::{Looks, Planned},
};
use super::{
    Failure,
    account::Token,
    cluster::Target,
    files::{Files, Source, pattern, sources},
    git::Repository,
    out,
};
use crate::{api::GROUP, review::volumes::Volumes, terms::Decimal, yaml};

/// Shows what files do in billing, before anything is applied.
///
/// Between two Git revisions (`--base`) without the billing API; or as the operator would now, against the billing API, of
/// which it only reads: with one account (`--provider`) or with all that a cluster knows (`--context`).
#[derive(Debug, Args)]
#[command(
    after_long_help = "Exit status: 0 when nothing changes, 1 when something could not be planned, 2 when something is refused, 3 \
    when something changes.\n\nExamples:\n  countersign plan --base origin/main contracts/\n  \
    countersign plan --base v1 --head v2 --output markdown contracts/\n  \
    countersign plan --base origin/main --build 'kustomize build .' clusters/production\n  \
    COUNTERSIGN_TOKEN=… countersign plan --provider billing/zoo.yaml --base origin/main contracts/\n  \
    countersign plan --context production contracts/\n  \
    countersign plan --context production contracts/ --approvals approvals/ \
    --approved-by system:serviceaccount:flux-system:kustomize-controller"
)]
pub struct Plan {
    /// Files and folders with the resources: contracts, and the packages and providers that they refer to. The current
    /// folder when left out; with --context, what the cluster has.
    files: Vec<PathBuf>,
    /// Git revision before the change; in a pull request, where it branched off.
    #[arg(long, value_name = "REVISION")]
    base: Option<String>,
    /// Git revision after the change; the files as they are when left out.
    #[arg(long, value_name = "REVISION")]
    head: Option<String>,
    /// A command that prints the resources, run in each of the folders, before and after the change: 'kustomize build .'.
    #[arg(long, value_name = "COMMAND")]
    build: Option<String>,
    /// Plans against the billing API. File with the account's `BillingProvider` or `ClusterBillingProvider`; never one that
    /// somebody else may change, as the token goes where it says.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["context", "kubeconfig"])]
    provider: Option<PathBuf>,
    #[command(flatten)]
    token: Token,
    #[command(flatten)]
    cluster: Target,
    #[command(flatten)]
    operator: Settings,
    #[command(flatten)]
    approving: Approving,
    /// How the plan is written.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Shows what use of each contract costs now as well: the rates that billing has after all overrides, beside what the
    /// spec says, and apart those that it does not explain. Against the billing API, as text or JSON.
    #[arg(long)]
    rates: bool,
    /// File with the use that is expected: a mapping of contracts to mappings of items to units. It gives a sum to prices.
    #[arg(long, value_name = "FILE")]
    volumes: Option<PathBuf>,
    /// Prices that move by more than so many percent are called out, as those are that fall to zero or change their sign.
    #[arg(long, value_name = "PERCENT", default_value = "20", value_parser = percent)]
    price_alert: Decimal,
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For a terminal.
    Text,
    /// One JSON object, as schemas/plan.json says.
    Json,
    /// A comment for a pull request.
    Markdown,
    /// One file for a browser, which needs nothing else.
    Html,
}

impl Plan {
    pub(super) async fn run(mut self) -> Result<ExitCode, Failure> {
        let is_live = self.provider.is_some() || self.cluster.names_a_cluster();
        if self.approving.is_wanted() && !self.cluster.names_a_cluster() {
            return Err(
                "approvals need --context: only the cluster knows which plans were carried out before".into(),
            );
        }
        if self.base.is_none() && !is_live {
            return Err("name what to compare with: a Git revision by --base, an account by --provider, or a cluster by \
                        --context"
                .into());
        }
        if self.rates && !is_live {
            return Err(
                "--rates asks the billing API: name an account by --provider, or a cluster by --context"
                    .into(),
            );
        }
        if self.rates && matches!(self.output, Output::Markdown | Output::Html) {
            return Err("--rates is told as text or JSON: leave it out, or name another --output".into());
        }
        let looks = Looks { price_alert: self.price_alert, volumes: self.volumes()?, rates: self.rates };
        let planned = if is_live { Box::pin(self.live(&looks)).await? } else { self.offline(&looks)? };
        let names: BTreeSet<&str> = planned.rows.iter().map(|row| row.name.as_str()).collect();
        for unknown in looks.volumes.unknown(&names) {
            out::say(&format!(
                "countersign: --volumes names {unknown}, of which nothing changes in these files"
            ));
        }
        for row in &planned.rows {
            for item in &row.unknown_items {
                out::say(&format!(
                    "countersign: --volumes names {item} of {}, which has no such item",
                    row.name
                ));
            }
        }
        let code = ExitCode::from(planned.code());
        match self.output {
            Output::Text => out::print(&text::write(&planned))?,
            Output::Json => out::print_json(&json::document(planned))?,
            Output::Markdown => out::print(&markdown::write(&planned))?,
            Output::Html => out::print_by(|out| html::write(&planned, out))?,
        }
        Ok(code)
    }

    /// What a change does where what the files said before is what is billed.
    fn offline(&mut self, looks: &Looks) -> Result<Planned, Failure> {
        let namespace = self.cluster.namespace().map(str::to_owned);
        let (before, mut after, base) = self.read(namespace.as_deref(), false)?;
        let mut before = before.unwrap_or_default();
        let change = Change::of(Some(&mut before), &mut after, Utc::now());
        Ok(Planned { base, ..Planned::offline(&change, looks) })
    }

    /// What the operator would do now.
    async fn live(&mut self, looks: &Looks) -> Result<Planned, Failure> {
        if let Some(provider) = &self.provider {
            let connected = self.token.connect(provider)?;
            let said = self.cluster.namespace().map(str::to_owned);
            let namespace = said.or_else(|| connected.namespace.clone());
            let namespace = namespace.unwrap_or_else(|| "default".to_owned());
            let provider = provider.clone();
            let accounts = Accounts::one(connected, &namespace);
            let (mut before, mut after, base) = self.read(Some(&namespace), true)?;
            // A file that contracts refer to is looked at with them, wherever it stands.
            for files in before.iter_mut().chain([&mut after]) {
                files.join(&Files::read(std::slice::from_ref(&provider))?);
            }
            return Ok(Planned { base, ..compare(before, after, &namespace, &accounts, looks).await });
        }
        let target = self.cluster.connect().await?;
        let namespace = target.namespace.clone();
        let mut cluster = Cluster::load(&target).await?;
        let (mut before, mut after, base) = if self.files.is_empty() && self.base.is_none() {
            (None, Files::of(cluster.files(&[namespace.clone()].into())), None)
        } else {
            self.read(Some(&namespace), true)?
        };
        let all = before.iter().chain([&after]).flat_map(|files| &files.resources);
        let namespaces = all.filter_map(|resource| resource.namespace.clone()).collect();
        let mut there = Files::of(cluster.files(&namespaces));
        for files in before.iter_mut().chain([&mut after]) {
            files.join(&there);
        }
        // What the cluster has was said before; what is not among the files is not looked at.
        let before = before.unwrap_or_else(|| {
            there.keep_what_is_in(&after);
            there
        });
        let contracts = before.contracts().chain(after.contracts());
        let references = contracts
            .map(|contract| (&contract.spec.provider_ref, contract.metadata.namespace.as_deref()))
            .chain(before.packages().chain(after.packages()).filter_map(|package| {
                Some((package.spec.provider_ref.as_ref()?, package.metadata.namespace.as_deref()))
            }));
        self.operator.connect_accounts(&mut cluster, &target.client, references).await;
        let accounts = Accounts::Cluster(Box::new(cluster));
        let planned = Planned { base, ..compare(Some(before), after, &namespace, &accounts, looks).await };
        self.approving.write(&planned, |key| accounts.contract(key).is_some())?;
        Ok(planned)
    }

    /// The files before and after, with resources that say no namespace in one if it is known, and the commit before.
    fn read(
        &mut self,
        namespace: Option<&str>,
        is_live: bool,
    ) -> Result<(Option<Files>, Files, Option<String>), Failure> {
        let put = |mut files: Files| {
            if let Some(namespace) = namespace {
                files.put_into(namespace);
            }
            files
        };
        if self.files.is_empty() {
            self.files.push(PathBuf::from("."));
        }
        if self.base.is_none() && self.head.is_none() && self.build.is_none() {
            return Ok((None, put(Files::read(&self.files)?), None));
        }
        if self.files.iter().any(|path| path.as_os_str() == "-") {
            return Err("what `-` said before cannot be known: name the folders, and what prints their resources by --build".into());
        }
        let repository = Repository::around(&self.files)?;
        let base = self.base.as_ref().map(|base| repository.commit(base)).transpose()?;
        let before = base.as_ref().map(|base| self.at(&repository, Some(base))).transpose()?;
        let after = match &self.head {
            Some(head) => self.at(&repository, Some(&repository.commit(head)?))?,
            None => self.at(&repository, None)?,
        };
        for path in &self.files {
            let is_there = match &self.head {
                Some(head) => repository.has(head, path)?,
                None => is_there(path),
            };
            let was_there = match &base {
                Some(base) if !is_there => repository.has(base, path)?,
                _ => false,
            };
            if !is_there && !was_there {
                let path = path.display();
                return Err(format!("there are no files in {path}, before or after the change").into());
            }
        }
        let after = Files::of(after);
        let before =
            before.map(
                |before| if is_live { Files::beside(before, &after) } else { Files::before(before, &after) },
            );
        if before.iter().chain([&after]).all(|files| files.resources.is_empty() && files.broken.is_empty()) {
            let paths: Vec<_> = self.files.iter().map(|path| path.display().to_string()).collect();
            let paths = paths.join(", ");
            return Err(
                format!("there is no resource of {GROUP} in {paths}, before or after the change").into()
            );
        }
        let after = put(after);
        Ok((before.map(put), after, base))
    }

    /// The texts at a commit, or as they are.
    fn at(&self, repository: &Repository, commit: Option<&str>) -> Result<Vec<Source>, Failure> {
        match (&self.build, commit) {
            (Some(command), commit) => build::sources(repository, commit, &self.files, command),
            (None, Some(commit)) => repository.files(commit, &self.files),
            (None, None) => {
                // A path that is gone is a change like another one.
                let there: Vec<_> = self.files.iter().filter(|path| is_there(path)).cloned().collect();
                sources(&there)
            }
        }
    }

    fn volumes(&self) -> Result<Volumes, Failure> {
        self.volumes.as_deref().map_or_else(|| Ok(Volumes::default()), read_volumes)
    }
}

/// Plans what the operator would do, with resources that say no namespace in one.
async fn compare(
    before: Option<Files>,
    mut after: Files,
    namespace: &str,
    accounts: &Accounts,
    looks: &Looks,
) -> Planned {
    let mut before = before;
    for files in before.iter_mut().chain([&mut after]) {
        files.put_into(namespace);
    }
    let change = Change::of(before.as_mut(), &mut after, Utc::now());
    live::plan(&change, accounts, looks).await
}

/// Whether there is something at a path, or fits it when it is a pattern.
fn is_there(path: &Path) -> bool {
    let fits = |pattern: &str| glob::glob(pattern).is_ok_and(|mut found| found.next().is_some());
    path.exists() || pattern(path).is_some_and(fits)
}

fn read_volumes(file: &Path) -> Result<Volumes, Failure> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
    let documents = yaml::parse_documents(&text).map_err(|error| format!("{name}: {error}"))?;
    let [document] = documents.as_slice() else {
        return Err(format!("{name}: must be one mapping of contracts to their items").into());
    };
    Ok(Volumes::read(document).map_err(|error| format!("{name}: {error}"))?)
}

/// A percentage, 0 or more.
fn percent(text: &str) -> Result<Decimal, String> {
    let percent: Option<Decimal> = text.parse().ok();
    percent
        .filter(|percent| !percent.is_negative())
        .ok_or_else(|| "must be a number of percent, 0 or more".to_owned())
}
