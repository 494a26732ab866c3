//! Runs seeds: `SEEDS=n` of them from `FIRST` on, or `SEED=n` alone.

use std::{collections::BTreeMap, env, process::ExitCode, str::FromStr, time::Instant};

use countersign_shell::run;

fn asked<T: FromStr>(name: &str) -> Option<T> {
    env::var(name).ok()?.parse().ok()
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let events = asked("EVENTS").unwrap_or(150);
    let (first, count) = match asked::<u64>("SEED") {
        Some(seed) => (seed, 1),
        None => (asked("FIRST").unwrap_or(0), asked("SEEDS").unwrap_or(100)),
    };
    let most: usize = asked("MOST").unwrap_or(1);
    let (began, mut failed, mut total) = (Instant::now(), 0, BTreeMap::<String, u64>::new());
    for seed in first..first.saturating_add(count) {
        let run = match run(seed, events) {
            Ok(run) => run,
            Err(error) => {
                println!("seed {seed}: {error}");
                return ExitCode::FAILURE;
            }
        };
        for (name, count) in run.counts {
            *total.entry(name).or_default() += count;
        }
        if count == 1 {
            println!("trace {:016x}", run.trace);
        }
        if !run.broken.is_empty() {
            println!("seed {seed}:");
            run.broken.iter().for_each(|broken| println!("  {broken}"));
            failed += 1;
            if failed >= most {
                break;
            }
        }
    }
    for (name, count) in total {
        println!("{count:>10}  {name}");
    }
    println!("{:.1} s, {failed} broke a promise", began.elapsed().as_secs_f64());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
