//! Work on very many things: on as many threads as there are processors.

use std::{num::NonZero, panic, thread};

/// Fewer things than these are not worth a thread.
const FEW: usize = 64;

/// What `work` makes of each thing, in the order of the things. Each thread begins with a state of its own, which its things
/// have one after the other.
pub(super) fn map<T: Sync, S, R: Send>(
    things: &[T],
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R> {
    let one_after_the_other = |part: &[T]| -> Vec<R> {
        let mut state = state();
        part.iter().map(|thing| work(&mut state, thing)).collect()
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    if things.len() <= FEW || threads == 1 {
        return one_after_the_other(things);
    }
    thread::scope(|scope| {
        let parts = things.chunks(things.len().div_ceil(threads));
        let running: Vec<_> = parts.map(|part| scope.spawn(|| one_after_the_other(part))).collect();
        let mut made = Vec::with_capacity(things.len());
        for thread in running {
            match thread.join() {
                Ok(part) => made.extend(part),
                Err(panicked) => panic::resume_unwind(panicked),
            }
        }
        made
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_once_and_in_its_order() {
        for count in [0, 1, FEW, FEW + 1, 1000] {
            let things: Vec<usize> = (0..count).collect();
            let done = map(
                &things,
                || 0,
                |before, thing| {
                    *before += 1;
                    (*thing, *before)
                },
            );
            assert!(done.iter().map(|(thing, _)| *thing).eq(0..count));
            assert!(done.iter().all(|(thing, before)| *before <= thing + 1));
        }
    }
}
