//! Which files are meant: files, folders, patterns and the standard input.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{Skipped, Source, kustomize};
use crate::cli::{Failure, out};

/// Name of the standard input among files.
const STDIN: &str = "standard input";

/// What is meant by paths.
#[derive(Default)]
pub(super) struct Gathered {
    /// Every text, once each, in a stable order.
    pub(super) sources: Vec<Source>,
    /// What looks as if it were meant, and is not read.
    pub(super) skipped: Vec<Skipped>,
    seen: BTreeSet<PathBuf>,
}

/// Reads everything that is meant, each file once, in a stable order.
///
/// # Errors
/// When a path leads nowhere, or nothing fits a pattern.
pub(super) fn gather(paths: &[PathBuf]) -> Result<Gathered, Failure> {
    let mut gathered = Gathered::default();
    for path in paths {
        gathered.add(path)?;
    }
    Ok(gathered)
}

/// The texts alone of everything that is meant.
///
/// # Errors
/// As those of [`gather`].
pub(in crate::cli) fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    Ok(gather(paths)?.sources)
}

impl Gathered {
    fn add(&mut self, path: &Path) -> Result<(), Failure> {
        if path.as_os_str() == "-" {
            let mut bytes = Vec::new();
            io::stdin()
                .read_to_end(&mut bytes)
                .map_err(|error| format!("cannot read the {STDIN}: {error}"))?;
            self.sources.push(Source::of_bytes(Path::new(STDIN), bytes));
            return Ok(());
        }
        if path.exists() {
            self.add_existing(path, true);
            // A file that a kustomization takes for a patch is no resource by itself.
            let siblings = kustomize::NAMES.iter().filter_map(|name| Some(path.parent()?.join(name)));
            if let Some(kustomization) = siblings.into_iter().find(|name| path.is_file() && name.is_file()) {
                self.add_existing(&kustomization, true);
            }
            return Ok(());
        }
        if path.as_os_str().is_empty() {
            return Err("a path is empty: name files or folders, or `.` for the current one".into());
        }
        let Some(pattern) = pattern(path) else {
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
        for path in &found {
            self.add_existing(path, true);
        }
        Ok(())
    }

    /// Adds what is there; `is_named` when somebody named it, and it was not found in a folder.
    fn add_existing(&mut self, path: &Path, is_named: bool) {
        let unread = |error: &io::Error| Source::unread(path, format!("cannot be read: {error}"));
        let kind = match fs::metadata(path) {
            Ok(kind) => kind,
            Err(error) => return self.sources.push(unread(&error)),
        };
        // What a shell gives for `<(…)` has no path of its own.
        let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if !self.seen.insert(full) {
            return;
        }
        if kind.is_dir() {
            match fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
                Ok(entries) => self.add_entries(entries.iter().map(fs::DirEntry::path).collect()),
                Err(error) => self.sources.push(unread(&error)),
            }
            return;
        }
        // To read a pipe waits for somebody to write: for whoever named it, and not for one that happens to lie there.
        if !is_named && !kind.is_file() {
            return self.skip(path, "neither a file nor a folder");
        }
        self.sources.push(match fs::read(path) {
            Ok(bytes) => Source::of_bytes(path, bytes),
            Err(error) => unread(&error),
        });
    }

    fn add_entries(&mut self, mut paths: Vec<PathBuf>) {
        paths.sort();
        for path in paths {
            if is_wanted(&path) {
                self.add_existing(&path, false);
            } else if !path.is_dir() {
                if is_resource_file(&path) {
                    self.skip(&path, "hidden: its name begins with a dot");
                } else if is_nearly_a_resource_file(&path) {
                    self.skip(&path, "its name does not end in .yaml, .yml or .json");
                }
            }
        }
    }

    fn skip(&mut self, path: &Path, reason: &str) {
        let file = out::line(&path.display().to_string());
        self.skipped.push(Skipped { file, reason: reason.to_owned() });
    }
}

/// The pattern that a path is, if it is one.
pub(in crate::cli) fn pattern(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.contains(['*', '?', '[']))
}

/// Whether a name is that of a file of resources but for its end: a copy, a template, a slip of the pen.
fn is_nearly_a_resource_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let ends = ["yaml", "yml", "json", "yam", "yaml~", "yml~", "ymal", "yalm", "jsn"];
    name.split('.').skip(1).any(|part| ends.contains(&part))
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
