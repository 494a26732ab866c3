//! Some seeds of the simulation, on every change. `make simulate-shell SEEDS=n` runs more.

use countersign_shell::run;

#[test]
fn promises_hold_whatever_goes_wrong_between_the_operator_and_both_servers() {
    let (mut writes, mut faults, mut left) = (0, 0, 0);
    for seed in 0..SEEDS {
        let run = run(seed, 60).unwrap();
        assert!(run.broken.is_empty(), "seed {seed}: {:#?}\n{}", run.broken, run.story.join("\n"));
        writes += run.counts["writes sent to billing"];
        left += run.counts["contracts left to a later version"];
        faults +=
            run.counts.iter().filter(|(name, _)| name.contains(": ")).map(|(_, count)| count).sum::<u64>();
    }
    assert!(writes > 10 * SEEDS && faults > 100 * SEEDS, "{writes} writes under {faults} faults");
    assert!(left > SEEDS, "{left} contracts were left to the next version");
}

const SEEDS: u64 = 10;
