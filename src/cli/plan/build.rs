//! Resources that a command prints, such as `kustomize build .`, at a revision.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::super::{Failure, files::Source, git::Repository};

/// The files of a commit, in a folder that goes away with this value.
struct Checkout {
    folder: PathBuf,
}

impl Checkout {
    fn files(&self) -> PathBuf {
        self.folder.join("files")
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        // What is left behind in a temporary folder does no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What the command prints in each of the folders, at a commit or as they are. A folder that is not there prints nothing.
pub(super) fn sources(
    repository: &Repository,
    commit: Option<&str>,
    folders: &[PathBuf],
    command: &str,
) -> Result<Vec<Source>, Failure> {
    let checkout = commit.map(|commit| checkout(repository, commit)).transpose()?;
    let mut sources = Vec::new();
    for folder in folders {
        let at = match &checkout {
            Some(checkout) => checkout.files().join(repository.inside(folder)?),
            None => folder.clone(),
        };
        if at.is_dir() {
            let name = format!("{} (built)", folder.display());
            sources.push(Source::of_bytes(Path::new(&name), printed(command, &at, folder)?));
        }
    }
    Ok(sources)
}

/// The files of a commit in a folder of their own. The repository stays as it is: the index is another one.
fn checkout(repository: &Repository, commit: &str) -> Result<Checkout, Failure> {
    let folder = std::env::temp_dir().join(format!("countersign-{}", uuid::Uuid::new_v4()));
    let checkout = Checkout { folder };
    let cannot = |error| format!("cannot write {}: {error}", checkout.folder.display());
    fs::create_dir_all(checkout.files()).map_err(cannot)?;
    let index = checkout.folder.join("index");
    let prefix = format!("--prefix={}/", checkout.files().display());
    for arguments in [&["read-tree", commit][..], &["checkout-index", "--all", "--force", &prefix]] {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(&repository.root)
            .env("GIT_INDEX_FILE", &index)
            .output()
            .map_err(|error| format!("git cannot be run: {error}"))?;
        if !output.status.success() {
            return Err(format!("git: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
        }
    }
    Ok(checkout)
}

fn printed(command: &str, at: &Path, folder: &Path) -> Result<Vec<u8>, Failure> {
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(at)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("`{command}` cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{command}` failed in {} ({})", folder.display(), output.status).into());
    }
    Ok(output.stdout)
}
