//! The control plane: one for all tests, and further ones for those that break it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{rbac, root, run};

/// Names a kubeconfig whose cluster is used instead of a control plane of our own.
const OWN_CLUSTER: &str = "COUNTERSIGN_TEST_KUBECONFIG";

/// A control plane with the custom resource definitions.
pub(crate) struct Plane {
    /// Of an administrator.
    pub(crate) kubeconfig: PathBuf,
    kubectl: PathBuf,
    /// Where its parts keep their data and process ids; none for a cluster that somebody else runs.
    directory: Option<PathBuf>,
    /// The parts stop with the standard input of this process.
    child: Option<Child>,
    rights: OnceLock<Vec<Value>>,
}

impl Plane {
    /// The one that tests share. It ends with this process.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Plane> = OnceLock::new();
        SHARED.get_or_init(|| {
            let plane = match std::env::var_os(OWN_CLUSTER) {
                Some(kubeconfig) => Self {
                    kubeconfig: kubeconfig.into(),
                    kubectl: "kubectl".into(),
                    directory: None,
                    child: None,
                    rights: OnceLock::new(),
                },
                None => Self::start("shared"),
            };
            plane.install();
            plane
        })
    }

    /// One that nobody else uses, so that it may be broken.
    pub(crate) fn of_its_own(name: &str) -> Self {
        let plane = Self::start(name);
        plane.install();
        plane
    }

    fn start(name: &str) -> Self {
        let build = root().join("tests/controlplane/build");
        let ended = Command::new(&build).stdin(Stdio::null()).status().unwrap();
        assert!(ended.success(), "the control plane could not be built; see above");
        let target = std::env::var_os("TARGET").map_or_else(|| root().join("target"), PathBuf::from);
        let directory = fresh_directory(name);
        let mut child = Command::new(target.join("controlplane/controlplane"))
            .args(["up", "--stop-with-stdin", "--dir"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(directory.join("up.log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            let log = fs::read_to_string(directory.join("up.log")).unwrap_or_default();
            panic!("the control plane is not ready: {error}; it said {line:?}\n{log}")
        });
        let path = |name: &str| PathBuf::from(ready[name].as_str().unwrap());
        Self {
            kubeconfig: path("kubeconfig"),
            kubectl: path("kubectl"),
            directory: Some(directory),
            child: Some(child),
            rights: OnceLock::new(),
        }
    }

    /// Installs the definitions of the tested program, and the policies beside them; that `crds/` has the same is a test of
    /// its own.
    fn install(&self) {
        let folder = TempDir::with_prefix("countersign-crds-").unwrap();
        let crds = folder.path().to_str().unwrap();
        run(Command::new(env!("CARGO_BIN_EXE_countersign")).args(["crds", "--dir", crds]));
        self.kubectl(&["apply", "--server-side", "-f", crds]);
        self.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crds", "--all"]);
        let policies = root().join("manifests/approval-policies.yaml");
        self.kubectl(&["apply", "--server-side", "-f", policies.to_str().unwrap()]);
    }

    /// Its kubectl with what makes it an administrator, for a shell.
    pub(crate) fn kubectl_command(&self) -> String {
        format!("{} --kubeconfig {}", self.kubectl.display(), self.kubeconfig.display())
    }

    /// What kubectl prints, as an administrator.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        run(&mut self.command(arguments))
    }

    /// What kubectl says of something that must not succeed.
    pub(crate) fn kubectl_refusal(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(!output.status.success(), "kubectl {arguments:?} succeeded");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Whether kubectl succeeds.
    pub(crate) fn succeeds(&self, arguments: &[&str]) -> bool {
        self.command(arguments).output().unwrap().status.success()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments);
        command
    }

    /// The rights of the operator, as `manifests/` gives them.
    pub(crate) fn rights(&self) -> &[Value] {
        self.rights.get_or_init(|| rbac::rights(self))
    }

    /// Kills a part as `kill -9` does.
    pub(crate) fn kill(&self, part: &str) {
        self.signal(part, "KILL");
    }

    fn signal(&self, part: &str, signal: &str) {
        let id = fs::read_to_string(self.directory().join(format!("{part}.pid"))).unwrap();
        run(Command::new("kill").args([&format!("-{signal}"), id.trim()]));
    }

    fn directory(&self) -> &Path {
        self.directory.as_ref().expect("a control plane of its own")
    }

    /// Copies etcd's data as it is now.
    pub(crate) fn back_up(&self) {
        let (data, backup) = (self.directory().join("etcd"), self.directory().join("backup"));
        self.signal("etcd", "STOP");
        run(Command::new("cp").arg("-r").arg(data).arg(backup));
        self.signal("etcd", "CONT");
    }

    /// Puts the copy back, as an administrator does after a disaster, and starts everything on it.
    pub(crate) fn restore(&self) {
        let file = |name: &str| self.directory().join(name);
        self.signal("etcd", "STOP");
        self.kill("kube-apiserver");
        fs::rename(file("etcd"), file("lost")).unwrap();
        fs::rename(file("backup"), file("etcd")).unwrap();
        self.kill("etcd");
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            child.wait().unwrap();
        }
        if let Some(directory) = &self.directory {
            fs::remove_dir_all(directory).unwrap();
        }
    }
}

/// An empty directory of this process; those of processes that are gone are taken away.
fn fresh_directory(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let owner =
            path.file_name().and_then(|name| name.to_str()?.strip_prefix("plane-")?.split('-').next());
        let is_gone = |owner: &str| !Path::new("/proc").join(owner).exists();
        if owner.is_some_and(is_gone) && fs::remove_dir_all(&path).is_err() {
            // Another run of the tests was faster.
        }
    }
    let directory = folder.join(format!("plane-{}-{name}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    directory
}
