//! `countersign validate`: everything that is wrong with resources in files, found by the code that the operator runs.

use std::path::PathBuf;

use clap::Args;
use kube::ResourceExt;

use super::{
    Failure,
    files::{Files, Found, Problem},
};
use crate::{
    api::{
        Api, BillingContract, BillingProvider, ContractPackage, contract::ProviderKind, package::Lifecycle,
        provider::BillingProviderSpec,
    },
    billing::http,
    plan::package::{self, Unusable},
    validate::{self, Violation},
};

/// Checks resources in files.
#[derive(Debug, Args)]
pub struct Validate {
    /// Files with resources, or folders with such files; `-` is the standard input. The packages that the contracts
    /// refer to must be among them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

impl Validate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let files = Files::read(&self.files)?;
        sound(&files)?;
        println!(
            "{} contracts, {} packages and {} providers are sound",
            files.contracts.len(),
            files.packages.len(),
            files.providers.len() + files.cluster_providers.len()
        );
        Ok(())
    }
}

/// Prints whatever is wrong.
///
/// # Errors
/// When anything is.
pub(super) fn sound(files: &Files) -> Result<(), Failure> {
    let mut count = 0;
    for problem in files.problems.iter().chain(&problems(files)) {
        println!("{problem}");
        count += 1;
    }
    if count == 0 { Ok(()) } else { Err(format!("{count} violations").into()) }
}

/// What the operator would refuse.
fn problems(files: &Files) -> Vec<Problem> {
    let packages: Vec<_> = files.packages.iter().map(|found| &found.resource).collect();
    let mut problems = Vec::new();
    for found in &files.providers {
        problems.extend(found.problems(provider(&found.resource.spec)));
    }
    for found in &files.cluster_providers {
        problems.extend(found.problems(provider(&found.resource.spec.account)));
    }
    for found in &files.packages {
        problems.extend(found.problems(usable(&found.resource, &packages)));
    }
    for found in &files.contracts {
        let mut violations = contract(&found.resource, &packages);
        violations.extend(account(&found.resource, files));
        problems.extend(found.problems(violations));
    }
    problems
}

fn provider(spec: &BillingProviderSpec) -> Vec<Violation> {
    let Some((api, address)) = spec.api().map(Api::field).zip(spec.base_url()) else {
        return vec![Violation::of_no_single_api()];
    };
    let refused = http::base_url(address).err();
    refused
        .map(|error| Violation::new(format!("spec.{api}.baseUrl"), error.to_string()))
        .into_iter()
        .collect()
}

fn usable(package: &ContractPackage, packages: &[&ContractPackage]) -> Vec<Violation> {
    match (validate::package(&package.spec), package::sound(package, packages)) {
        (Err(violations), _) => violations,
        (Ok(()), Err(refusal)) if package.spec.lifecycle != Lifecycle::Draft => {
            let message = format!("must not be another package's at the same time: {}", refusal.message);
            vec![Violation::new("spec.aliases", message)]
        }
        _ => Vec::new(),
    }
}

fn contract(contract: &BillingContract, packages: &[&ContractPackage]) -> Vec<Violation> {
    let why = match package::of(contract, packages) {
        Ok(package) => {
            let package = package.map(|package| &package.spec);
            return validate::contract(&contract.spec, package).err().unwrap_or_default();
        }
        Err(Unusable::Missing(why)) => format!("{why}, or add its file to the arguments"),
        Err(Unusable::NotReady(why) | Unusable::NotCreated(why) | Unusable::Wrong(why)) => why,
    };
    vec![Violation::new("spec.packageRef", format!("must lead to a package that can be used: {why}"))]
}

/// Whether the provider, if it is among the files, is an account of the billing API that the terms are for.
fn account(contract: &BillingContract, files: &Files) -> Option<Violation> {
    let reference = &contract.spec.provider_ref;
    let is_named = |name: String| name == reference.name;
    let spec = match reference.kind {
        ProviderKind::BillingProvider => {
            let near = |provider: &&Found<BillingProvider>| {
                provider.resource.namespace() == contract.namespace()
                    && is_named(provider.resource.name_any())
            };
            &files.providers.iter().find(near)?.resource.spec
        }
        ProviderKind::ClusterBillingProvider => {
            let mut all = files.cluster_providers.iter();
            &all.find(|provider| is_named(provider.resource.name_any()))?.resource.spec.account
        }
    };
    let message = format!(
        "is an account of another billing API than the terms: {:?} {}",
        reference.kind, reference.name
    );
    (spec.api() != contract.spec.api()).then(|| Violation::new("spec.providerRef", message))
}
