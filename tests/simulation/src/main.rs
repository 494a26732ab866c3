//! `simulate`: runs seeds, and prints what came up; a seed that breaks a promise is shrunk and told step by step.
//!
//! `SEEDS=n` runs so many, from `FIRST=n` on, `SEED=n` one; `MOST=n` goes on until so many have failed; `EVENTS=n` before
//! the calm; `WITHOUT=a,b` leaves scenarios out, `MUTANT=name` takes a rule out; `TRACE=1`
//! tells a seed step by step, also one that breaks nothing.

use std::{collections::BTreeMap, env, process::ExitCode};

use countersign_simulation::{Mutant, Rule, Rules, Setup, run, shrink, trace};

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() -> ExitCode {
    let unwanted = env::var("WITHOUT").unwrap_or_default();
    let is_unwanted = |rule: &Rule| unwanted.split(',').any(|name| name == rule.name());
    let rules = Rule::ALL.into_iter().filter(is_unwanted).fold(Rules::all(), Rules::without);
    let mutant = env::var("MUTANT").unwrap_or_default();
    let mutant = Mutant::ALL.into_iter().find(|found| found.name() == mutant);
    let setup = Setup { events: usize::try_from(number("EVENTS", 500)).unwrap_or(500), rules, mutant };
    let one = number("SEED", u64::MAX);
    let first = number("FIRST", 0);
    let seeds = if one == u64::MAX { first..first + number("SEEDS", 1000) } else { one..one + 1 };
    let most = number("MOST", 1);
    if env::var("TRACE").is_ok() {
        println!("{}", trace(one, &setup).join("\n"));
    }
    let (mut ran, mut steps, mut charges, mut failed) = (0_u64, 0_u64, 0_usize, 0_u64);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in seeds {
        let run = run(seed, &setup);
        ran += 1;
        steps += run.steps;
        charges += run.charges;
        for (what, times) in run.counts {
            *counts.entry(what).or_default() += times;
        }
        let Some(broken) = run.broken else { continue };
        failed += 1;
        println!("seed {seed}, {} events: {}", broken.steps(), broken.finding);
        if failed >= most {
            if most == 1 {
                let shrunk = shrink(&broken, &setup);
                println!("\nthe same with {} events: {}\n", shrunk.steps(), shrunk.finding);
                println!("{}", shrunk.trace(&setup).join("\n"));
                println!("\nagain: SEED={seed} make simulate");
            }
            break;
        }
    }
    println!(
        "
{ran:>12}  seeds
{steps:>12}  steps
{charges:>12}  lines of invoices"
    );
    println!("{failed:>12}  seeds that broke a promise");
    for (what, times) in counts {
        println!("{times:>12}  {what}");
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
