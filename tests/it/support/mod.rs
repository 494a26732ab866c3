//! What the tests stand on: a real control plane, the simulator and the operator, each a process of its own.

pub(crate) mod kstatus;
pub(crate) mod metronome;
pub(crate) mod observer;
pub(crate) mod operator;
pub(crate) mod plane;
pub(crate) mod rbac;
pub(crate) mod rounding;
pub(crate) mod sim;
pub(crate) mod terms;
pub(crate) mod world;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Once,
    time::Duration,
};

use serde_json::Value;

pub(crate) use world::World;

/// How long anything may take before a test gives up. An upper bound for a busy machine, and never a measure.
pub(crate) const DEADLINE: Duration = Duration::from_mins(5);

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program that cargo puts beside the tested one; built here when it is missing.
pub(crate) fn program_beside(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let path = Path::new(env!("CARGO_BIN_EXE_countersign")).with_file_name(name);
    BUILT.call_once(|| {
        if !path.exists() {
            run(Command::new(env!("CARGO")).args(["build", "--package", name]).current_dir(root()));
        }
    });
    path
}

/// Runs a command to its end; its output, if it succeeds.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The objects in what `kubectl … -o json` prints: one after the other, or in lists.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    for object in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let object = object.unwrap();
        match object["items"].as_array() {
            Some(items) => objects.extend(items.clone()),
            None => objects.push(object),
        }
    }
    objects
}

/// Installs the cryptography that every client of this process uses.
pub(crate) fn install_crypto() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
}
