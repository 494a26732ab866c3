//! `countersign approve` and `deny`: somebody reads the whole plan that waits, and says yes or no in their own name.

use std::{
    io::{self, BufRead, IsTerminal},
    process::ExitCode,
};

use clap::Args;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, ResourceExt, api::PostParams};

use super::{
    super::{
        Failure,
        cluster::{Cluster, Target, explain, name_of},
        out,
        paint::{Colour, Paint, When},
    },
    check::may,
    text,
};
use crate::{
    api::{
        BillingContract, BillingProvider, ClusterBillingProvider, ContractApproval, ContractApprovalSpec,
        approval::{ApprovalDecision, ContractRef},
        contract::{PlanStatus, ProviderKind, ProviderRef},
        reasons,
    },
    controller::Guarded,
    overview::{Mark, Standing},
    terms::Digest,
};

/// Which plan, and whether to ask.
#[derive(Debug, Args)]
struct Choice {
    /// The contract.
    name: String,
    #[command(flatten)]
    target: Target,
    /// Does not ask.
    #[arg(long, short)]
    yes: bool,
    /// Digest of the plan that is meant: nothing is said of another one, though it waits by now.
    #[arg(long, value_name = "DIGEST")]
    plan: Option<String>,
    /// Why, for whoever reads the contract's status.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// When there are colours.
    #[arg(long, value_enum, default_value_t = When::Auto)]
    color: When,
}

/// Shows the plan that waits, asks, and approves it: exactly this plan, once.
#[derive(Debug, Args)]
#[command(
    after_long_help = "It writes a ContractApproval in your own name; to make one is a right of its own.\n\nExit status: 0 when it was \
    approved, 2 when you said no, 1 when there is nothing to approve or it could not be done.\n\nExamples:\n  \
    kubectl countersign approve acme-2026\n  kubectl countersign approve acme-2026 --yes --note 'as signed' \
    --plan 3f2a9c0b5d6e7f80912a3b4c5d6e7f80"
)]
pub struct Approve {
    #[command(flatten)]
    choice: Choice,
}

/// Shows the plan that waits, asks, and denies it: it is not carried out for as long as the denial exists.
#[derive(Debug, Args)]
#[command(
    after_long_help = "It writes a ContractApproval in your own name that says no; to make one is a right of its own. Whoever deletes it \
    takes the denial back.\n\nExit status: 0 when it was denied, 2 when you said no to that, 1 when there is nothing to deny or it \
    could not be done.\n\nExamples:\n  kubectl countersign deny acme-2026 --note 'the discount was not agreed'"
)]
pub struct Deny {
    #[command(flatten)]
    choice: Choice,
}

impl Approve {
    pub(in crate::cli) async fn run(self) -> Result<ExitCode, Failure> {
        self.choice.make(ApprovalDecision::Approve).await
    }
}

impl Deny {
    pub(in crate::cli) async fn run(self) -> Result<ExitCode, Failure> {
        self.choice.make(ApprovalDecision::Deny).await
    }
}

impl Choice {
    async fn make(self, decision: ApprovalDecision) -> Result<ExitCode, Failure> {
        let (question, done) = match decision {
            ApprovalDecision::Approve => ("Approve this plan?", "approved"),
            ApprovalDecision::Deny => ("Deny this plan?", "denied"),
        };
        let cluster = self.target.connect().await?;
        let contract = get(&cluster, &self.name).await?;
        let plan = waiting(&contract)?;
        if let Some(meant) = self.plan.as_ref().filter(|meant| *meant != plan.digest.as_str()) {
            return Err(format!("the plan that waits is {}, not {meant}: read it again", plan.digest).into());
        }
        out::print(&shown(&contract, plan, Paint::of_stdout(self.color)))?;
        if !self.yes && !ask(question)? {
            out::say(&format!("countersign: nothing was {done}"));
            return Ok(ExitCode::from(2));
        }
        let approval = write(&cluster, &contract, &plan.digest, decision, self.note).await?;
        out::print(&format!(
            "BillingContract {}: plan {} {done} by {} (ContractApproval {})\n",
            name_of(&contract),
            plan.digest,
            approval.spec.approved_by,
            approval.name_any()
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Says something of a plan, in the name of whoever runs this. The one place that knows how that is done.
async fn write(
    cluster: &Cluster,
    contract: &BillingContract,
    digest: &Digest,
    decision: ApprovalDecision,
    note: Option<String>,
) -> Result<ContractApproval, Failure> {
    let name = contract.name_any();
    let what = format!("say something of the plan of BillingContract {name}");
    let failed = |error: kube::Error| explain(&what, &error);
    let reviews: Api<SelfSubjectReview> = Api::all(cluster.client.clone());
    let review =
        reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await.map_err(failed)?;
    let user = review.status.and_then(|status| status.user_info?.username);
    let approved_by =
        user.ok_or("the API server does not say who you are, and an approval has a name on it")?;
    // Only somebody who may not write the contract is another than its author.
    let mut writes = false;
    for verb in ["create", "update", "patch"] {
        let named = (verb != "create").then(|| name.clone());
        writes |=
            may(cluster, verb, "billingcontracts", Some(&cluster.namespace), named).await.map_err(failed)?;
    }
    if decision == ApprovalDecision::Approve && writes && asks_for_another(cluster, contract).await {
        return Err(format!(
            "{:?} {} takes an approval only from somebody who may not write contracts, and you may: let somebody else \
             approve it",
            contract.spec.provider_ref.kind, contract.spec.provider_ref.name
        )
        .into());
    }
    let spec = ContractApprovalSpec {
        contract_ref: ContractRef { name: name.clone() },
        plan_digest: digest.clone(),
        decision,
        approved_by,
        independent: !writes,
        note,
    };
    let mut approval = ContractApproval::new("", spec);
    approval.metadata.name = None;
    approval.metadata.generate_name = Some(format!("{name}-"));
    let approvals: Api<ContractApproval> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    approvals.create(&PostParams::default(), &approval).await.map_err(failed)
}

/// Whether a contract's provider takes no approval of whoever may write the contract, as far as that can be read: whoever may not
/// read it is told by the contract's condition.
async fn asks_for_another(cluster: &Cluster, contract: &BillingContract) -> bool {
    let ProviderRef { kind, name } = &contract.spec.provider_ref;
    match kind {
        ProviderKind::BillingProvider => {
            let api: Api<BillingProvider> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
            let found = api.get_opt(name).await.ok().flatten();
            found.is_some_and(|provider| provider.spec.require_approval_by_other)
        }
        ProviderKind::ClusterBillingProvider => {
            let api: Api<ClusterBillingProvider> = Api::all(cluster.client.clone());
            let found = api.get_opt(name).await.ok().flatten();
            found.is_some_and(|provider| provider.spec.account.require_approval_by_other)
        }
    }
}

async fn get(cluster: &Cluster, name: &str) -> Result<BillingContract, Failure> {
    let api: Api<Guarded<BillingContract>> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let found =
        api.get_opt(name).await.map_err(|error| explain(&format!("get BillingContract {name}"), &error))?;
    let place = &cluster.namespace;
    let found = found.ok_or_else(|| format!("there is no BillingContract {name} in namespace {place}"))?;
    found.into_decoded().map_err(|why| {
        format!("BillingContract {name} has what this version cannot read, so it must not approve it: {why}")
            .into()
    })
}

/// The plan of a contract that waits for somebody's word.
///
/// # Errors
/// Why there is none.
fn waiting(contract: &BillingContract) -> Result<&PlanStatus, Failure> {
    let name = name_of(contract);
    let standing = Standing::of_contract(contract);
    let plan = contract.status.as_ref().and_then(|status| status.plan.as_ref());
    match (standing.mark, plan) {
        (Mark::Unseen, Some(plan)) => Err(format!(
            "plan {} of BillingContract {name} was made before its spec was changed; wait for the new one",
            plan.digest
        )
        .into()),
        (Mark::Suspended, _) => {
            Err(format!("BillingContract {name} is suspended: nothing is carried out, whatever is approved")
                .into())
        }
        (_, Some(plan)) if standing.reason == reasons::PLAN_DENIED.as_str() => Err(format!(
            "plan {} of BillingContract {name} was denied ({}); to take that back, delete the ContractApproval that says so: \
             kubectl get contractapprovals",
            plan.digest, standing.message
        )
        .into()),
        (Mark::Ready, _) | (_, None) => {
            let why = if standing.reason.is_empty() { standing.mark.word() } else { &standing.reason };
            Err(format!("no plan of BillingContract {name} waits for approval: it is {why}").into())
        }
        (_, Some(plan)) => Ok(plan),
    }
}

/// What somebody has to read before they say yes.
fn shown(contract: &BillingContract, plan: &PlanStatus, paint: Paint) -> String {
    let standing = Standing::of_contract(contract);
    let mut told = text::sentence("BillingContract", &name_of(contract), &standing, paint);
    let changes = out::count(usize::try_from(plan.changes).unwrap_or_default(), "change");
    told.extend([format!("\nPlan {}, {changes}:\n", plan.digest)]);
    for line in text::plan_lines(plan) {
        told.extend([format!("  {line}\n")]);
    }
    let is_cut = plan.lines.last().is_some_and(|line| line.ends_with(" more lines)"));
    if is_cut || plan.lines.is_empty() && plan.summary.contains(" more change") {
        let more = "The status does not have all of it: `countersign plan` on the files shows every change.";
        told.extend([paint.text(Colour::Yellow, more), "\n".to_owned()]);
    }
    told
}

/// Asks on the terminal; anything but yes is no.
fn ask(question: &str) -> Result<bool, Failure> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(
            "there is no terminal to ask on: say yes by --yes, with --plan for exactly what was read".into(),
        );
    }
    out::ask(&format!("\n{question} [y/N] "));
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn contract(reason: &str, generation: i64, plan: &Value) -> BillingContract {
        let ready = if reason == "InSync" { "True" } else { "False" };
        serde_json::from_value(json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
            "metadata": {"name": "acme", "namespace": "billing", "generation": generation},
            "spec": {"providerRef": {"name": "zoo"}, "zoo": {"organizationId": "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11",
                     "effectiveAt": "2026-01-01T00:00:00Z"}},
            "status": {"observedGeneration": 1, "plan": plan, "conditions": [
                {"type": "Ready", "status": ready, "reason": reason, "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        }))
        .unwrap()
    }

    fn plan() -> Value {
        json!({"digest": "00112233445566778899aabbccddeeff", "changes": 2, "summary": "/name: A -> B; /x: 1 -> 2"})
    }

    #[test]
    fn only_a_plan_that_waits_for_this_spec_can_be_approved() {
        assert!(waiting(&contract("AwaitingApproval", 1, &plan())).is_ok());
        let why = |contract| waiting(&contract).unwrap_err().to_string();
        assert!(why(contract("AwaitingApproval", 2, &plan())).contains("before its spec was changed"));
        assert!(why(contract("InSync", 1, &Value::Null)).ends_with("it is InSync"));
        assert!(why(contract("InSync", 1, &plan())).ends_with("it is InSync"));
        assert!(why(contract("PlanDenied", 1, &plan())).contains("delete the ContractApproval"));
        let mut suspended = contract("AwaitingApproval", 1, &plan());
        suspended.spec.suspend = true;
        assert!(why(suspended).contains("suspended"));
    }

    #[test]
    fn what_is_to_be_approved_is_shown_change_by_change() {
        let contract = contract("AwaitingApproval", 1, &plan());
        insta::assert_snapshot!(shown(&contract, waiting(&contract).unwrap(), Paint::with(false)));
    }

    #[test]
    fn only_yes_is_yes() {
        for (answer, is_yes) in
            [("y\n", true), ("YES", true), ("", false), ("n", false), ("yess", false), ("yes please", false)]
        {
            assert_eq!(super::is_yes(answer), is_yes, "{answer}");
        }
    }
}
