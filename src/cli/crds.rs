//! `countersign crds`: the custom resource definitions, generated from the types, and schemas for other tools.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use kube::ResourceExt;

use super::{Failure, out};
use crate::{api, review::document};

/// Writes the custom resource definitions.
#[derive(Debug, Args)]
pub struct Crds {
    /// Folder to write to, one file a kind; standard output when left out.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// JSON schemas instead: one a kind, for editors, and one for what `plan --output json` prints.
    #[arg(long, conflicts_with = "kustomize")]
    json_schema: bool,
    /// The `openapi` file for kustomizations instead, by which a patch of one item leaves the others of its list.
    #[arg(long)]
    kustomize: bool,
}

impl Crds {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (files, separator) = match (self.json_schema, self.kustomize) {
            (true, _) => (json_schemas()?, ""),
            (_, true) => (vec![kustomize()?], ""),
            _ => (files()?, "---\n"),
        };
        for (file, text) in files {
            match &self.dir {
                Some(dir) => write(dir, &file, &text)?,
                None => out::print(&format!("{separator}{text}"))?,
            }
        }
        Ok(())
    }
}

fn write(dir: &Path, file: &str, text: &str) -> Result<(), Failure> {
    let path = dir.join(file);
    fs::create_dir_all(dir)
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(())
}

/// A JSON schema for each kind, and one for what `plan` prints, with the name of its file.
///
/// # Errors
/// When one cannot be written as JSON.
pub fn json_schemas() -> serde_json::Result<Vec<(String, String)>> {
    let file = |(name, schema)| Ok((name, serde_json::to_string_pretty(&schema)? + "\n"));
    let all = api::schemas::json_schemas().into_iter().chain([document::schema()]);
    all.map(file).collect()
}

/// The `openapi` file for kustomizations, with its name.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn kustomize() -> serde_json::Result<(String, String)> {
    let text = serde_json::to_string_pretty(&api::schemas::kustomize_openapi())? + "\n";
    Ok(("kustomize-openapi.json".to_owned(), text))
}

/// Every definition as YAML, with the name of its file.
///
/// # Errors
/// When a definition cannot be written as YAML.
pub fn files() -> Result<Vec<(String, String)>, serde_saphyr::ser::Error> {
    let file = |crd| Ok((format!("{}.yaml", ResourceExt::name_any(&crd)), serde_saphyr::to_string(&crd)?));
    api::crds().into_iter().map(file).collect()
}
