//! What kustomizations say of other files: which of them are patches, and what is built together.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use serde_json::Value;

/// Names that a kustomization's file may have.
pub(in crate::cli) const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What the kustomizations among files say of the others.
#[derive(Debug, Default)]
pub(super) struct Kustomizations {
    /// Files that are no resources, each with the kustomization that uses it.
    used: BTreeMap<PathBuf, String>,
    /// Folders with a kustomization.
    folders: Vec<PathBuf>,
}

impl Kustomizations {
    /// Takes what a kustomization says.
    pub(super) fn add(&mut self, file: &str, kustomization: &Value) {
        let folder = Path::new(file).parent().unwrap_or(Path::new("")).to_owned();
        let list = |name: &str| kustomization.get(name).and_then(Value::as_array).into_iter().flatten();
        let by_path = ["patches", "patchesJson6902", "replacements"].into_iter().flat_map(list);
        let by_path = by_path.filter_map(|patch| patch.get("path").and_then(Value::as_str));
        let others =
            ["patchesStrategicMerge", "configurations", "transformers", "generators", "validators", "crds"];
        let named = others.into_iter().flat_map(list).filter_map(Value::as_str);
        let openapi = kustomization.pointer("/openapi/path").and_then(Value::as_str);
        for path in by_path.chain(named).chain(openapi) {
            self.used.insert(normal(&folder.join(path)), file.to_owned());
        }
        self.folders.push(normal(&folder));
    }

    /// The kustomization that uses a file, or its folder, as a patch or as settings.
    pub(super) fn user(&self, file: &str) -> Option<&str> {
        let file = normal(Path::new(file));
        file.ancestors().find_map(|path| self.used.get(path)).map(String::as_str)
    }

    /// The folder of the kustomization that is nearest above a file; empty when there is none.
    pub(super) fn scope(&self, file: &str) -> String {
        let file = normal(Path::new(file));
        let near = file.ancestors().skip(1).find(|folder| self.folders.iter().any(|known| known == folder));
        near.map(|folder| folder.display().to_string()).unwrap_or_default()
    }
}

/// A path without `.` and `..`, as far as the text tells.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}
