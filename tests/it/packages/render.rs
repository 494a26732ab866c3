//! `countersign render` and `countersign validate` on the examples, held against what the operator sends.

use std::process::Command;

use serde_json::Value;

use crate::support::{World, plane::Plane, root, run, terms};

const EXAMPLES: &str = "examples/packages/zoo";

fn countersign(command: &str, folder: &str) -> String {
    run(Command::new(env!("CARGO_BIN_EXE_countersign")).arg(command).arg(root().join(folder)))
}

#[test]
fn the_examples_are_sound() {
    let validate = |folder| countersign("validate", folder);
    assert_eq!(validate(EXAMPLES), "5 contracts, 2 packages and 1 provider are sound\n");
    let metronome = validate("examples/packages/metronome");
    assert_eq!(metronome, "4 contracts, 2 packages and 1 provider are sound\n");
}

#[tokio::test]
async fn what_render_prints_is_what_the_operator_sends() {
    let mut world = World::bare().await;
    let printed = world.folder().join("rendered.yaml");
    std::fs::write(&printed, countersign("render", EXAMPLES)).unwrap();
    let arguments = ["create", "--dry-run=client", "-o", "json", "-f", printed.to_str().unwrap()];
    let rendered = crate::support::objects(&Plane::shared().kubectl(&arguments));
    assert_eq!(rendered.len(), 5);

    let folder = root().join(EXAMPLES);
    crate::examples::apply(&world, &folder).await;
    world.connect().await;
    world.start_operator().await;
    for contract in &rendered {
        let name = contract["metadata"]["name"].as_str().unwrap();
        world.until_ready(name).await;
        let organization = contract["spec"]["zoo"]["organizationId"].as_str().unwrap();
        let sent = world.sim.written(organization).await;
        assert_eq!(sent.len(), 1, "{name}");
        let sent: Value = serde_json::from_str(&sent[0]).unwrap();
        assert_eq!(sent, terms::wire(contract), "{name}");
    }
    world.stop_operator().await;
}
