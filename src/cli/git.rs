//! Files as a Git revision has them, read by `git` itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    io::Write,
    path::{Component, Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use glob::MatchOptions;

use super::{
    Failure,
    files::{Source, is_resource_file, pattern},
};

/// A Git repository.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    /// The folder of its files.
    pub(super) root: PathBuf,
}

impl Repository {
    /// The repository that paths are in; that of the current folder when none is a path.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn around(paths: &[PathBuf]) -> Result<Self, Failure> {
        let existing = paths.iter().find(|path| path.exists());
        let near = existing.and_then(|path| if path.is_dir() { Some(path.as_path()) } else { path.parent() });
        let near = near.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let top = git(near, ["rev-parse", "--show-toplevel"])?;
        Ok(Self { root: PathBuf::from(top.trim_end()) })
    }

    /// The commit that a revision means.
    ///
    /// # Errors
    /// When there is no such revision.
    pub(super) fn commit(&self, revision: &str) -> Result<String, Failure> {
        if revision.is_empty() {
            return Err("the revision is empty: is the variable that it comes from set?".into());
        }
        let wanted = format!("{revision}^{{commit}}");
        let commit = git(&self.root, ["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]);
        let commit = commit.map_err(|_| {
            format!(
                "there is no revision {revision} in {}; fetch it first (in CI: with the whole history)",
                self.root.display()
            )
        })?;
        Ok(commit.trim_end().to_owned())
    }

    /// What files below paths say at a revision; a path that is not there then has no files.
    ///
    /// # Errors
    /// When Git cannot tell.
    pub(super) fn files(&self, revision: &str, paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
        let commit = self.commit(revision)?;
        let tree = Tree::read(self, &commit)?;
        let mut found: Vec<(&Blob, String)> = Vec::new();
        let mut seen = BTreeSet::new();
        for path in paths {
            let wanted = self.wanted(path)?;
            for (file, shown) in tree.below(&wanted)? {
                if let Some(Entry::File(blob)) = tree.entries.get(&file)
                    && seen.insert(file)
                {
                    found.push((blob, shown));
                }
            }
        }
        let texts = blobs(found.iter().map(|(blob, _)| *blob))?;
        let source = |((_, name), text): ((&Blob, String), Vec<u8>)| Source::of_bytes(Path::new(&name), text);
        Ok(found.into_iter().zip(texts).map(source).collect())
    }

    /// Whether there is anything at a path at a revision.
    ///
    /// # Errors
    /// When Git cannot tell.
    pub(super) fn has(&self, revision: &str, path: &Path) -> Result<bool, Failure> {
        let tree = Tree::read(self, &self.commit(revision)?)?;
        let wanted = self.wanted(path)?;
        Ok(tree.entries.keys().any(|file| wanted.shown(file, true).is_some()))
    }

    /// A path from the top of the repository.
    ///
    /// # Errors
    /// When it is not in the repository.
    pub(super) fn inside(&self, path: &Path) -> Result<PathBuf, Failure> {
        let full =
            std::path::absolute(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let full = full.canonicalize().unwrap_or(full);
        let inside = full.strip_prefix(self.root.canonicalize().unwrap_or_else(|_| self.root.clone()));
        let outside = |_| format!("{} is not in the repository {}", path.display(), self.root.display());
        Ok(inside.map_err(outside)?.to_owned())
    }

    fn wanted(&self, path: &Path) -> Result<Wanted, Failure> {
        let inside = self.inside(path)?;
        let pattern = Some(path).filter(|path| !path.exists()).and_then(|_| pattern(&inside));
        let pattern = pattern.and_then(|text| glob::Pattern::new(text).ok());
        Ok(Wanted { path: path.to_owned(), inside, pattern })
    }
}

/// What objects say, in their order, by one process for all of a repository.
fn blobs<'b>(wanted: impl Iterator<Item = &'b Blob>) -> Result<Vec<Vec<u8>>, Failure> {
    let wanted: Vec<&Blob> = wanted.collect();
    let mut by_root: BTreeMap<&Path, Vec<&str>> = BTreeMap::new();
    for blob in &wanted {
        by_root.entry(&blob.root).or_default().push(&blob.id);
    }
    let mut said: BTreeMap<(&Path, &str), Vec<u8>> = BTreeMap::new();
    for (root, ids) in by_root {
        said.extend(objects(root, &ids)?.into_iter().zip(&ids).map(|(text, id)| ((root, *id), text)));
    }
    Ok(wanted
        .iter()
        .map(|blob| said.get(&(blob.root.as_path(), blob.id.as_str())).cloned().unwrap_or_default())
        .collect())
}

fn objects(root: &Path, ids: &[&str]) -> Result<Vec<Vec<u8>>, Failure> {
    let mut child = Command::new("git")
        .args(["cat-file", "--batch"])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| no_git(&error))?;
    let mut input = child.stdin.take().ok_or("git has no input")?;
    let asked: String = ids.iter().flat_map(|id| [*id, "\n"]).collect();
    // Written beside the reading: git answers while it is asked, and would wait for somebody to read.
    let writer = thread::spawn(move || input.write_all(asked.as_bytes()));
    let output = child.wait_with_output().map_err(|error| no_git(&error))?;
    writer.join().map_err(|_| "git could not be asked")??;
    let mut rest = output.stdout.as_slice();
    let mut texts = Vec::new();
    for _ in ids {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or("git told less than it was asked")?;
        let (header, body) = rest.split_at_checked(end + 1).ok_or("git told less than it was asked")?;
        let header = String::from_utf8_lossy(header);
        let size: usize = header.trim_end().rsplit(' ').next().unwrap_or_default().parse()?;
        let (text, after) = body.split_at_checked(size).ok_or("git told less than it was asked")?;
        texts.push(text.to_owned());
        rest = after.get(1..).unwrap_or_default();
    }
    Ok(texts)
}

/// Symbolic links that are followed one after the other.
const MAX_LINKS: usize = 16;

/// An object of a repository.
struct Blob {
    root: PathBuf,
    id: String,
}

/// What is at a path.
enum Entry {
    File(Blob),
    /// A symbolic link, and where it leads from the top of the repository; nothing when that is outside.
    Link(Option<PathBuf>),
}

/// Every file of a commit by its path, those of submodules that are checked out included.
struct Tree {
    entries: BTreeMap<PathBuf, Entry>,
}

impl Tree {
    fn read(repository: &Repository, commit: &str) -> Result<Self, Failure> {
        let mut tree = Self { entries: BTreeMap::new() };
        let mut links = Vec::new();
        tree.add(repository, commit, Path::new(""), &mut links)?;
        let targets = blobs(links.iter().map(|(_, blob)| blob))?;
        for ((path, _), target) in links.into_iter().zip(targets) {
            let target = String::from_utf8(target).ok().map(PathBuf::from);
            let leads =
                target.and_then(|target| normal(&path.parent().unwrap_or(Path::new("")).join(target)));
            tree.entries.insert(path, Entry::Link(leads));
        }
        Ok(tree)
    }

    fn add(
        &mut self,
        repository: &Repository,
        commit: &str,
        at: &Path,
        links: &mut Vec<(PathBuf, Blob)>,
    ) -> Result<(), Failure> {
        let listed = git(&repository.root, ["ls-tree", "-r", "-z", "--full-tree", commit])?;
        for entry in listed.split('\0').filter(|entry| !entry.is_empty()) {
            let Some((what, file)) = entry.split_once('\t') else { continue };
            let mut what = what.split(' ');
            let (Some(mode), Some(kind), Some(id)) = (what.next(), what.next(), what.next()) else {
                continue;
            };
            let path = at.join(file);
            let blob = Blob { root: repository.root.clone(), id: id.to_owned() };
            match (kind, mode) {
                ("blob", "120000") => links.push((path, blob)),
                ("blob", _) => drop(self.entries.insert(path, Entry::File(blob))),
                ("commit", _) => {
                    let submodule = Repository { root: repository.root.join(file) };
                    // One that is not checked out has no files on either side of a change.
                    if submodule.root.join(".git").exists() {
                        let commit = submodule.commit(id)?;
                        self.add(&submodule, &commit, &path, links)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Every file that is wanted, links followed, and what it is called.
    fn below(&self, wanted: &Wanted) -> Result<Vec<(PathBuf, String)>, Failure> {
        let mut found = Vec::new();
        for file in self.entries.keys() {
            if let Some(shown) = wanted.shown(file, matches!(self.entries.get(file), Some(Entry::Link(_)))) {
                self.follow(file, &shown, MAX_LINKS, &mut found)?;
            }
        }
        Ok(found)
    }

    fn follow(
        &self,
        path: &Path,
        shown: &str,
        links: usize,
        found: &mut Vec<(PathBuf, String)>,
    ) -> Result<(), Failure> {
        match self.entries.get(path) {
            Some(Entry::File(_)) => found.push((path.to_owned(), shown.to_owned())),
            Some(Entry::Link(Some(target))) => match links.checked_sub(1) {
                Some(links) if self.entries.contains_key(target) => {
                    self.follow(target, shown, links, found)?;
                }
                Some(links) => {
                    let folder = Wanted { path: PathBuf::from(shown), inside: target.clone(), pattern: None };
                    let below = self.entries.iter().filter(|(file, _)| *file != path);
                    for (file, entry) in below {
                        if let Some(shown) = folder.shown(file, matches!(entry, Entry::Link(_))) {
                            self.follow(file, &shown, links, found)?;
                        }
                    }
                }
                None => return Err(format!("{shown} is a symbolic link that leads on and on").into()),
            },
            _ => {}
        }
        Ok(())
    }
}

/// A path from the top without `.` and `..`; nothing when it leads out of it.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(part) => normal.push(part),
            Component::ParentDir if normal.pop() => {}
            _ => return None,
        }
    }
    Some(normal)
}

/// A path that is asked for, as it is written and from the top of the repository.
struct Wanted {
    path: PathBuf,
    inside: PathBuf,
    pattern: Option<glob::Pattern>,
}

impl Wanted {
    /// What a file of the repository is called below this path, if it is below it and has a name of resources' files. Any
    /// name will do for a link, which may lead to a folder.
    fn shown(&self, file: &Path, is_any: bool) -> Option<String> {
        if let Some(pattern) = &self.pattern {
            // As files are found in folders: `*` stays within a folder, and a folder that fits stands for all below it.
            let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
            let fits = |path: &&Path| pattern.matches_path_with(path, options);
            let fitting = file.ancestors().find(fits)?;
            let below = file.strip_prefix(fitting).ok()?;
            return is_meant(below, file, is_any).then(|| file.display().to_string());
        }
        let below = file.strip_prefix(&self.inside).ok()?;
        if below.as_os_str().is_empty() {
            return Some(self.path.display().to_string());
        }
        is_meant(below, file, is_any).then(|| self.path.join(below).display().to_string())
    }
}

/// Whether a file that is so far below what was asked for is one of resources.
fn is_meant(below: &Path, file: &Path, is_any: bool) -> bool {
    let is_hidden = below.iter().any(|part| part.to_string_lossy().starts_with('.'));
    below.as_os_str().is_empty() || (!is_hidden && (is_any || is_resource_file(file)))
}

/// What git says to a question.
pub(super) fn git<'a>(
    folder: &Path,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Result<String, Failure> {
    let arguments: Vec<&OsStr> = arguments.into_iter().map(OsStr::new).collect();
    let output =
        Command::new("git").args(&arguments).current_dir(folder).output().map_err(|error| no_git(&error))?;
    if !output.status.success() {
        return Err(format!("git: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn no_git(error: &std::io::Error) -> Failure {
    format!("git cannot be run: {error}").into()
}
