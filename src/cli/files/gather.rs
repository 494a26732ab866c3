//! Which files are meant: files, folders, patterns and the standard input.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{Source, kustomize};
use crate::cli::Failure;

/// Name of the standard input among files.
const STDIN: &str = "standard input";

/// Reads everything that is meant, each file once, in a stable order.
///
/// # Errors
/// When something cannot be read, or nothing is there.
pub(in crate::cli) fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut gathered = Gathered::default();
    for path in paths {
        gathered.add(path)?;
    }
    Ok(gathered.sources)
}

#[derive(Default)]
struct Gathered {
    sources: Vec<Source>,
    seen: BTreeSet<PathBuf>,
}

impl Gathered {
    fn add(&mut self, path: &Path) -> Result<(), Failure> {
        if path.as_os_str() == "-" {
            let mut text = String::new();
            io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| format!("cannot read the {STDIN}: {error}"))?;
            self.sources.push(Source { name: STDIN.to_owned(), text });
            return Ok(());
        }
        if path.exists() {
            self.add_existing(path)?;
            // A file that a kustomization takes for a patch is no resource by itself.
            let siblings = kustomize::NAMES.iter().filter_map(|name| Some(path.parent()?.join(name)));
            return match siblings.into_iter().find(|name| path.is_file() && name.is_file()) {
                Some(kustomization) => self.add_existing(&kustomization),
                None => Ok(()),
            };
        }
        let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']));
        let Some(pattern) = pattern else {
            return Err(format!("cannot read {}: there is no such file or folder", path.display()).into());
        };
        let mut found: Vec<PathBuf> = Vec::new();
        let matches =
            glob::glob(pattern).map_err(|error| format!("{pattern} is no pattern of files: {error}"))?;
        for path in matches {
            found.push(
                path.map_err(|error| format!("cannot read {}: {}", error.path().display(), error.error()))?,
            );
        }
        if found.is_empty() {
            return Err(format!("no file matches {pattern}").into());
        }
        found.iter().try_for_each(|path| self.add_existing(path))
    }

    fn add_existing(&mut self, path: &Path) -> Result<(), Failure> {
        let cannot = |error: io::Error| format!("cannot read {}: {error}", path.display());
        if !self.seen.insert(path.canonicalize().map_err(cannot)?) {
            return Ok(());
        }
        if path.is_dir() {
            let entries: Result<Vec<_>, _> = fs::read_dir(path).map_err(cannot)?.collect();
            let mut paths: Vec<_> = entries.map_err(cannot)?.iter().map(fs::DirEntry::path).collect();
            paths.sort();
            return paths.iter().filter(|path| is_wanted(path)).try_for_each(|path| self.add_existing(path));
        }
        let text = fs::read_to_string(path).map_err(cannot)?;
        self.sources.push(Source { name: path.display().to_string(), text });
        Ok(())
    }
}

/// Whether something in a folder is looked into: folders and files of resources, hidden ones left out.
fn is_wanted(path: &Path) -> bool {
    if path.file_name().is_some_and(|name| kustomize::NAMES.iter().any(|known| name == *known)) {
        return true;
    }
    let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    !is_hidden && (path.is_dir() || is_resource_file(path))
}

/// Whether files of this name have resources.
pub(in crate::cli) fn is_resource_file(path: &Path) -> bool {
    path.extension()
        .is_some_and(|name| ["yaml", "yml", "json"].iter().any(|wanted| name.eq_ignore_ascii_case(wanted)))
}
