//! `countersign report`: contracts as one page of HTML, for whoever has no kubectl; `countersign view` serves it.
//!
//! - [`page`](mod@page): what the page says, row by row; the template is `templates/report.html`;
//! - [`chart`]: where bars go;
//! - [`view`]: the server.

mod chart;
mod page;
pub mod view;

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::Utc;
use clap::Args;
use serde::Deserialize;

use self::page::{Found, Page};
use super::{
    Failure,
    cluster::Target,
    files::Files,
    out,
    validate::{self, findings},
};
use crate::{
    overview::{Resources, customers::RENEWAL_DAYS},
    review::document::{Document, VERSION},
};

/// Writes contracts as one page of HTML: terms by customer, money by month, price steps, and what is not ready.
#[derive(Debug, Args)]
#[command(
    after_long_help = "The page is one file without any script; it prints, and follows the reader's light or dark.\n\nExamples:\n  \
    countersign report contracts/ --out report.html          from files, without a cluster\n  \
    countersign report -n billing --out report.html          from the cluster, with how everything stands\n  \
    countersign report -A --context production > report.html\n  \
    countersign report --plan plan.json --out plan.html      what a change does, from `countersign plan --output json`"
)]
pub struct Report {
    /// Files and folders with contracts and their packages; the cluster when left out.
    files: Vec<PathBuf>,
    /// File with a plan, as `countersign plan --output json` writes it: the page of what it changes, with what was before.
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
    /// Every namespace of the cluster.
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    all_namespaces: bool,
    /// File to write to; the standard output when left out.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How many days before its end a contract that nothing follows is due to be renewed.
    #[arg(long, value_name = "DAYS", default_value_t = RENEWAL_DAYS)]
    renewals_within: u32,
}

impl Report {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let is_of_cluster = self.target.is_given() || self.all_namespaces;
        if !self.files.is_empty() && is_of_cluster {
            return Err("a report is of files or of a cluster: leave one of them out".into());
        }
        let now = Utc::now();
        let page = match &self.plan {
            Some(_) if is_of_cluster => {
                return Err("a report is of a plan or of a cluster: leave one of them out".into());
            }
            Some(plan) => Page::of_plan(&read_plan(plan)?, &plan.display().to_string(), now),
            None if self.files.is_empty() => {
                Page::of(&of_cluster(&self.target, self.all_namespaces).await?, now, self.renewals_within)
            }
            None => Page::of(&of_files(&self.files)?, now, self.renewals_within),
        };
        let html = page.html()?;
        match &self.out {
            None => out::print(&html),
            Some(file) => fs::write(file, html)
                .map_err(|error| format!("cannot write {}: {error}", file.display()).into()),
        }
    }
}

/// A plan that was written as JSON.
fn read_plan(file: &Path) -> Result<Document, Failure> {
    /// What every version of the form has.
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
    let is_none = |error| {
        format!("{name} is no plan as `countersign plan --output json` writes it: {error}; write it anew")
    };
    let Versioned { version } = serde_json::from_str(&text).map_err(is_none)?;
    if version != VERSION {
        return Err(format!(
            "{name} has version {version} of the form of plans, and this program reads {VERSION}; write it anew with this program"
        )
        .into());
    }
    Ok(serde_json::from_str(&text).map_err(is_none)?)
}

/// Everything in a namespace of a cluster, or in all of them.
async fn of_cluster(target: &Target, everywhere: bool) -> Result<Found, Failure> {
    let cluster = target.connect().await?;
    let resources = cluster.shown(everywhere).await?;
    let scope =
        if everywhere { "all namespaces".to_owned() } else { format!("namespace {}", cluster.namespace) };
    Ok(Found { resources, scope, is_cluster: true, wrong: Vec::new() })
}

/// Everything in files, with what is wrong with them.
fn of_files(paths: &[PathBuf]) -> Result<Found, Failure> {
    let mut files = Files::read(paths)?;
    let report = validate::Report::new(&files, findings(&files, None), false);
    let wrong: Vec<_> = report.entries.into_iter().filter(validate::Entry::is_error).collect();
    files.forget_repetitions();
    let resources = Resources {
        providers: files.providers().cloned().collect(),
        cluster_providers: files.cluster_providers().cloned().collect(),
        packages: files.packages().cloned().collect(),
        contracts: files.contracts().cloned().collect(),
        ..Resources::default()
    };
    if resources.contracts.is_empty() && wrong.is_empty() {
        return Err("no contract is in these files".into());
    }
    let name = |path: &PathBuf| match path.to_str() {
        Some("-") => "standard input".to_owned(),
        _ => path.display().to_string(),
    };
    let names: Vec<_> = paths.iter().map(name).collect();
    Ok(Found { resources, scope: names.join(", "), is_cluster: false, wrong })
}
