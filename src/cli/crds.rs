//! `countersign crds`: the custom resource definitions, generated from the types.

use std::{fs, path::PathBuf};

use clap::Args;
use kube::ResourceExt;

use super::Failure;
use crate::api;

/// Writes the custom resource definitions.
#[derive(Debug, Args)]
pub struct Crds {
    /// Folder to write to, one file a kind; standard output when left out.
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Crds {
    pub(super) fn run(self) -> Result<(), Failure> {
        for (file, yaml) in files()? {
            match &self.dir {
                Some(dir) => fs::write(dir.join(file), yaml)?,
                None => print!("---\n{yaml}"),
            }
        }
        Ok(())
    }
}

/// Every definition as YAML, with the name of its file.
///
/// # Errors
/// When a definition cannot be written as YAML.
pub fn files() -> Result<Vec<(String, String)>, serde_saphyr::ser::Error> {
    let file = |crd| Ok((format!("{}.yaml", ResourceExt::name_any(&crd)), serde_saphyr::to_string(&crd)?));
    api::crds().into_iter().map(file).collect()
}
