//! Approvals that go into the change itself: whoever may merge it approves by that exactly the plans that wait.
//!
//! One file a contract, named after it, with the plan as a comment for whoever reviews it. What an approval says never
//! changes in the cluster, so the resource of another plan has another name.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use kube::ResourceExt;

use super::{
    super::{
        Failure,
        files::{Files, Typed},
        out,
    },
    pairs::{KINDS, Key},
    planned::{Planned, Row},
};
use crate::{
    api::{
        ContractApproval, ContractApprovalSpec,
        approval::{ApprovalDecision, ContractRef},
    },
    plan::{Plan, render},
    review::{change::Effect, document::Part},
    yaml,
};

/// How a file begins that was written here: no other is replaced or removed.
const MARK: &str = "# Written by `countersign plan --approvals`";
/// Digits of a plan's digest in the name of its approval.
const DIGITS: usize = 12;
/// Most characters of a contract's name in that of its approval, so that it is a name in the cluster.
const MOST_NAME: usize = 253 - DIGITS - 1;

/// Whether, where and in whose name plans are approved by the change.
#[derive(Debug, Args)]
pub(super) struct Approving {
    /// Folder in which each plan that waits for approval gets a `ContractApproval`, so that merging the change approves exactly
    /// these plans. Those of plans that have become others are replaced; those without a plan are removed.
    #[arg(long, value_name = "FOLDER", requires = "approved_by", conflicts_with = "provider")]
    approvals: Option<PathBuf>,
    /// Who applies what is merged, as the API server knows them, such as
    /// system:serviceaccount:flux-system:kustomize-controller: it takes no approval in another name.
    #[arg(long, value_name = "USER", requires = "approvals")]
    approved_by: Option<String>,
    /// What the approvals say of themselves, such as where the change was reviewed.
    #[arg(long, value_name = "TEXT", requires = "approvals")]
    note: Option<String>,
}

/// What becomes of the approval that a contract has in the folder.
enum Fate {
    /// It approves the plan that there is.
    Stays,
    /// Nobody can tell now.
    Unknown,
    /// Another one takes its place, or none.
    Goes,
}

impl Approving {
    /// Whether plans are to be approved by the change.
    pub(super) const fn is_wanted(&self) -> bool {
        self.approvals.is_some()
    }

    /// Makes the folder say what waits for approval. `is_there` tells whether the cluster has a contract.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub(super) fn write(&self, planned: &Planned, is_there: impl Fn(Key<'_>) -> bool) -> Result<(), Failure> {
        let (Some(folder), Some(by)) = (&self.approvals, &self.approved_by) else { return Ok(()) };
        fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let rows: BTreeMap<&str, &Row> = planned
            .rows
            .iter()
            .filter(|row| row.kind == KINDS[1])
            .map(|row| (row.name.as_str(), row))
            .collect();
        let mut approved = Vec::new();
        for (file, approval) in written(folder)? {
            let namespace = approval.namespace();
            let key = (namespace.as_deref(), approval.spec.contract_ref.name.as_str());
            let name = label(key);
            let fate = match rows.get(name.as_str()) {
                Some(row) => fate(row, &approval, by),
                None if planned.looked_at.contains(&name) || !is_there(key) => Fate::Goes,
                None => Fate::Unknown,
            };
            match fate {
                Fate::Stays => approved.push(name),
                Fate::Unknown => {
                    out::say(&format!(
                        "{}: left as it is, since the plan of {name} is not known",
                        file.display()
                    ));
                }
                Fate::Goes => {
                    fs::remove_file(&file)
                        .map_err(|error| format!("cannot remove {}: {error}", file.display()))?;
                    // Where another plan waits, its approval takes this one's place.
                    if rows.get(name.as_str()).is_none_or(|row| waiting(row).is_none()) {
                        out::say(&format!("{}: removed, since {name} has no such plan", file.display()));
                    }
                }
            }
        }
        let waiting = rows.values().filter_map(|row| Some((row, waiting(row)?)));
        for (row, plan) in waiting.filter(|(row, _)| !approved.contains(&row.name)) {
            if plan.consent.by_other {
                out::say(&format!(
                    "{}: its provider takes an approval only from somebody who may not write contracts, and so none from a \
                     change; approve it in the cluster",
                    row.name
                ));
                continue;
            }
            let (namespace, name) = row
                .name
                .split_once('/')
                .map_or((None, &*row.name), |(namespace, name)| (Some(namespace), name));
            let file = match namespace {
                Some(namespace) => format!("{namespace}.{name}.yaml"),
                None => format!("{name}.yaml"),
            };
            let file = folder.join(file);
            let approval = approval((namespace, name), plan, by, self.note.as_deref());
            out::write_whole(&file, &text(row, plan, &approval)?)?;
            out::say(&format!("{}: approves the plan of {} once it is merged", file.display(), row.name));
        }
        Ok(())
    }
}

/// The approvals that were written here before, with their files.
fn written(folder: &Path) -> Result<Vec<(PathBuf, ContractApproval)>, Failure> {
    let files = Files::read(&[folder.to_owned()])?;
    if let Some(problem) = files.first_problem() {
        return Err(format!("what is in {} must be sound: {problem}", folder.display()).into());
    }
    let marked = files.resources.iter().filter_map(|resource| {
        let source = files.sources.get(resource.source).filter(|source| source.text.starts_with(MARK))?;
        match &resource.typed {
            Some(Typed::Approval(approval)) => Some((PathBuf::from(&source.name), (**approval).clone())),
            _ => None,
        }
    });
    Ok(marked.collect())
}

/// What becomes of an approval where there is something to tell of its contract.
fn fate(row: &Row, approval: &ContractApproval, by: &str) -> Fate {
    if row.parts().contains(&Part::Unknown) {
        return Fate::Unknown;
    }
    // One that the cluster knows already makes its plan wait no more, and is needed until that has been carried out.
    let is_of = |plan: &Plan| plan.digest == approval.spec.plan_digest && approval.spec.approved_by == by;
    if row.plan().is_some_and(is_of) { Fate::Stays } else { Fate::Goes }
}

/// The plan of a contract, where it waits.
fn waiting(row: &Row) -> Option<&Plan> {
    row.plan().filter(|_| matches!(&row.effect, Effect::Changes { waits: true, .. }))
}

/// A contract as rows name it.
fn label((namespace, name): Key<'_>) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

fn approval((namespace, name): Key<'_>, plan: &Plan, by: &str, note: Option<&str>) -> ContractApproval {
    let short: String = name.chars().take(MOST_NAME).collect();
    let digits: String = plan.digest.as_str().chars().take(DIGITS).collect();
    let mut approval = ContractApproval::new(
        &format!("{}-{digits}", short.trim_end_matches(['-', '.'])),
        ContractApprovalSpec {
            contract_ref: ContractRef { name: name.to_owned() },
            plan_digest: plan.digest.clone(),
            decision: ApprovalDecision::Approve,
            approved_by: by.to_owned(),
            independent: false,
            note: note.map(str::to_owned),
        },
    );
    approval.metadata.namespace = namespace.map(str::to_owned);
    approval
}

/// An approval's file: what it approves, for whoever reviews it, and the resource.
fn text(row: &Row, plan: &Plan, approval: &ContractApproval) -> Result<String, Failure> {
    let lines = render::lines(plan);
    let notes = plan.consent.notes.iter().map(|note| format!("why it waits: {note}"));
    let told: Vec<String> = notes.chain(lines.lines().map(str::to_owned)).collect();
    let mut text =
        format!("{MARK}: merging it approves this plan of {} {}, and no other.\n#\n", row.kind, row.name);
    text.extend(told.iter().map(|line| format!("#   {}\n", in_one_line(line))));
    Ok(text + &yaml::tidy(approval, None)?)
}

/// What a comment can say: whatever some reader of YAML takes for the end of a line would end it.
fn in_one_line(text: &str) -> String {
    let is_break = |c: char| c.is_control() || ['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'].contains(&c);
    text.chars().map(|c| if is_break(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_contract_says_cannot_end_the_comment_that_tells_of_it() {
        let told = in_one_line("Acme\rapiVersion: v1\u{2028}kind: Secret\u{85}a: b\ttab");
        assert_eq!(told, "Acme apiVersion: v1 kind: Secret a: b tab");
    }
}
