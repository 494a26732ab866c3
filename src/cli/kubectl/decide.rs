//! `countersign approve`: somebody reads the whole plan that waits, and says yes.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject},
};

use super::{
    super::{
        Failure,
        cluster::{Cluster, Target, explain, name_of},
        out,
        paint::{Colour, Paint, When},
    },
    act::annotate,
    text,
};
use crate::{
    api::{APPROVED_PLAN, BillingContract, contract::PlanStatus},
    controller::Guarded,
    overview::{Mark, Standing},
    terms::Digest,
};

/// Shows the plan that waits, asks, and approves it: exactly this plan, once.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Exit status: 0 when it was approved, 2 when somebody said no, 1 when there is nothing to approve or it could not be \
    done.\n\nExamples:\n  kubectl countersign approve acme-2026\n  kubectl countersign approve acme-2026 --yes \
    --plan 3f2a9c0b5d6e7f80912a3b4c5d6e7f80"
)]
pub struct Approve {
    /// The contract.
    name: String,
    #[command(flatten)]
    target: Target,
    /// Does not ask.
    #[arg(long, short)]
    yes: bool,
    /// Digest of the plan that is meant: another one is not approved, though it waits by now.
    #[arg(long, value_name = "DIGEST")]
    plan: Option<String>,
    /// When there are colours.
    #[arg(long, value_enum, default_value_t = When::Auto)]
    color: When,
}

impl Approve {
    pub(in crate::cli) async fn run(self) -> Result<std::process::ExitCode, Failure> {
        let cluster = self.target.connect().await?;
        let contract = get(&cluster, &self.name).await?;
        let plan = waiting(&contract)?;
        if let Some(meant) = self.plan.as_ref().filter(|meant| *meant != plan.digest.as_str()) {
            return Err(format!("the plan that waits is {}, not {meant}: read it again", plan.digest).into());
        }
        out::print(&shown(&contract, plan, Paint::of_stdout(self.color)))?;
        if !self.yes && !ask("Approve this plan?")? {
            eprintln!("countersign: nothing was approved");
            return Ok(std::process::ExitCode::from(2));
        }
        let how = carry(&cluster, &contract, &plan.digest).await?;
        out::print(&format!(
            "BillingContract {}: plan {} approved {how}\n",
            name_of(&contract),
            plan.digest
        ))?;
        Ok(std::process::ExitCode::SUCCESS)
    }
}

/// Approves a plan. The one place that knows how that is done; says it in a few words.
async fn carry(
    cluster: &Cluster,
    contract: &BillingContract,
    digest: &Digest,
) -> Result<&'static str, Failure> {
    let resource = ApiResource::erase::<BillingContract>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &resource);
    let name = contract.name_any();
    annotate(&api, &name, APPROVED_PLAN, digest.as_str())
        .await
        .map_err(|error| explain(&format!("approve the plan of BillingContract {name}"), &error))?;
    Ok("by its annotation")
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
    told += &format!(
        "\nPlan {}, {}:\n",
        plan.digest,
        out::count(usize::try_from(plan.changes).unwrap_or_default(), "change")
    );
    for line in text::plan_lines(plan) {
        told += &format!("  {line}\n");
    }
    if plan.summary.contains(" more change") {
        let more = "The status does not have all of it: `countersign plan` on the files shows every change.";
        told += &format!("{}\n", paint.text(Colour::Yellow, more));
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
    eprint!("\n{question} [y/N] ");
    io::stderr().flush()?;
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
