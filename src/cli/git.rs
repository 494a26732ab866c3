//! Files as a Git revision has them, read by `git` itself.

use std::{
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use super::{
    Failure,
    files::{Source, is_resource_file},
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
        let listed = git(&self.root, ["ls-tree", "-r", "-z", "--full-tree", &commit])?;
        let wanted: Vec<Wanted> = paths.iter().map(|path| self.wanted(path)).collect::<Result<_, _>>()?;
        let mut found: Vec<(&str, String)> = Vec::new();
        for entry in listed.split('\0').filter(|entry| !entry.is_empty()) {
            let Some((what, file)) = entry.split_once('\t') else { continue };
            let mut what = what.split(' ');
            let (Some(mode), Some("blob"), Some(id)) = (what.next(), what.next(), what.next()) else {
                continue;
            };
            // A symbolic link says where, not what.
            let shown = wanted.iter().find_map(|wanted| wanted.shown(Path::new(file)));
            if let (Some(shown), true) = (shown, mode.starts_with("100")) {
                found.push((id, shown));
            }
        }
        let texts = self.blobs(found.iter().map(|(id, _)| *id))?;
        Ok(found.into_iter().zip(texts).map(|((_, name), text)| Source { name, text }).collect())
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
        let pattern = inside.to_str().filter(|text| text.contains(['*', '?', '[']));
        let pattern = pattern.and_then(|text| glob::Pattern::new(text).ok());
        Ok(Wanted { path: path.to_owned(), inside, pattern })
    }

    /// What objects say, in their order, by one process for all of them.
    fn blobs<'i>(&self, ids: impl Iterator<Item = &'i str>) -> Result<Vec<String>, Failure> {
        let ids: Vec<String> = ids.map(|id| format!("{id}\n")).collect();
        let mut child = Command::new("git")
            .args(["cat-file", "--batch"])
            .current_dir(&self.root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| no_git(&error))?;
        let mut input = child.stdin.take().ok_or("git has no input")?;
        let asked = ids.concat();
        // Written beside the reading: git answers while it is asked, and would wait for somebody to read.
        let writer = thread::spawn(move || input.write_all(asked.as_bytes()));
        let output = child.wait_with_output().map_err(|error| no_git(&error))?;
        writer.join().map_err(|_| "git could not be asked")??;
        let mut rest = output.stdout.as_slice();
        let mut texts = Vec::new();
        for _ in &ids {
            let end = rest.iter().position(|byte| *byte == b'\n').ok_or("git told less than it was asked")?;
            let (header, body) = rest.split_at_checked(end + 1).ok_or("git told less than it was asked")?;
            let header = String::from_utf8_lossy(header);
            let size: usize = header.trim_end().rsplit(' ').next().unwrap_or_default().parse()?;
            let (text, after) = body.split_at_checked(size).ok_or("git told less than it was asked")?;
            texts.push(String::from_utf8_lossy(text).into_owned());
            rest = after.get(1..).unwrap_or_default();
        }
        Ok(texts)
    }
}

/// A path that is asked for, as it is written and from the top of the repository.
struct Wanted {
    path: PathBuf,
    inside: PathBuf,
    pattern: Option<glob::Pattern>,
}

impl Wanted {
    /// What a file of the repository is called below this path, if it is below it.
    fn shown(&self, file: &Path) -> Option<String> {
        if let Some(pattern) = &self.pattern {
            return pattern.matches_path(file).then(|| file.display().to_string());
        }
        let below = file.strip_prefix(&self.inside).ok()?;
        if below.as_os_str().is_empty() {
            return Some(self.path.display().to_string());
        }
        let is_hidden = below.iter().any(|part| part.to_string_lossy().starts_with('.'));
        (is_resource_file(file) && !is_hidden).then(|| self.path.join(below).display().to_string())
    }
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
