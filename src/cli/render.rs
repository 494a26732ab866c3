//! `countersign render`: what contracts say in full, with the terms that their packages give.

use std::path::PathBuf;

use clap::Args;
use kube::ResourceExt;

use super::{Failure, files::Files, out, validate::sound};
use crate::{
    api::{BillingContract, ContractPackage},
    plan::package::{self, digest},
    yaml,
};

/// Prints the contracts that packages give terms to, in full.
#[derive(Debug, Args)]
pub struct Render {
    /// Files with contracts and their packages, or folders with such files; `-` is the standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

impl Render {
    pub(super) fn run(self) -> Result<(), Failure> {
        let files = Files::read(&self.files)?;
        sound(&files)?;
        let packages: Vec<_> = files.packages().collect();
        let contracts = files.contracts().map(|contract| render(contract, &packages));
        let rendered: Vec<_> = contracts.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        if rendered.is_empty() {
            return Err("no contract in these files takes terms of a Zoo package".into());
        }
        out::print(&rendered.join("---\n"))
    }
}

/// A contract in full, and the digests that its status will have; `None` when no Zoo package gives it terms.
fn render(contract: &BillingContract, packages: &[&ContractPackage]) -> Result<Option<String>, Failure> {
    let Ok(Some(package)) = package::of(contract, packages) else { return Ok(None) };
    let Some((full, whole)) = package::written_out(contract, package)? else { return Ok(None) };
    Ok(Some(format!(
        "# With ContractPackage {}, digest {}. The whole has digest {}.\n{}",
        package.name_any(),
        digest(&package.spec),
        whole,
        yaml::to_string(&full)?
    )))
}
