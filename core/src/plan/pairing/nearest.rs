//! Which things differ least, without comparing each with each.
//!
//! Two things differ in at least as many places as tell them apart by their traits. So those that agree in the place that
//! the fewest share are compared first, then those of the next, and no more once the best one found differs less than any
//! that is left could.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Candidate, Pairing, Traits};

/// How many comparisons for each thing are made where nothing tells things apart; those that are left then are not told.
const MOST: usize = 64;

/// Things of both sides.
#[derive(Default)]
struct Things {
    positions: Vec<usize>,
    indexes: Vec<usize>,
}

/// A place, and what is said there by things of one identity.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Spot {
    identity: Traits,
    place: &'static str,
    said: Traits,
}

/// One thing of either side.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Wanted(usize),
    Found(usize),
}

/// Where everything is, and what was compared.
struct Search<C> {
    /// Things that say the same in a place.
    cells: HashMap<Spot, Things>,
    /// Wanted things that say nothing in a place: no found one differs from them there.
    silent: HashMap<(Traits, &'static str), Vec<usize>>,
    /// For each thing its spots, place by place. What a wanted thing leaves out does not matter, so that a found one is in
    /// a spot for each way in which a wanted one says the place.
    spots: BTreeMap<Thing, BTreeMap<&'static str, Vec<Spot>>>,
    /// Things that may be compared, by what they must agree in.
    groups: HashMap<Traits, Things>,
    costs: HashMap<(usize, usize), Option<usize>>,
    cost: C,
}

/// What a thing says, place by place.
fn by_place(traits: Traits, place: impl Fn(&'static str) -> &'static str) -> BTreeMap<&'static str, Traits> {
    let mut places: BTreeMap<_, Traits> = BTreeMap::new();
    for (name, value) in traits {
        places.entry(place(name)).or_default().insert(name, value);
    }
    places
}

impl<C: FnMut(usize, usize) -> Option<usize>> Search<C> {
    fn new(
        wanted: impl Iterator<Item = (usize, (Traits, Traits))>,
        found: impl Iterator<Item = (usize, (Traits, Traits))>,
        place: impl Fn(&'static str) -> &'static str,
        cost: C,
    ) -> Self {
        let mut search = Self {
            cells: HashMap::new(),
            silent: HashMap::new(),
            spots: BTreeMap::new(),
            groups: HashMap::new(),
            costs: HashMap::new(),
            cost,
        };
        let wanted: Vec<_> =
            wanted.map(|(at, (identity, said))| (at, identity, by_place(said, &place))).collect();
        let mut ways: BTreeMap<&'static str, BTreeSet<Vec<&'static str>>> = BTreeMap::new();
        for (_, _, places) in &wanted {
            for (place, said) in places {
                ways.entry(place).or_default().insert(said.keys().copied().collect());
            }
        }
        for (position, identity, mut places) in wanted {
            search.groups.entry(identity.clone()).or_default().positions.push(position);
            for place in ways.keys().copied() {
                let Some(said) = places.remove(place) else {
                    search.silent.entry((identity.clone(), place)).or_default().push(position);
                    continue;
                };
                let spot = Spot { identity: identity.clone(), place, said };
                search.cells.entry(spot.clone()).or_default().positions.push(position);
                search.spots.entry(Thing::Wanted(position)).or_default().entry(place).or_default().push(spot);
            }
        }
        for (index, (identity, traits)) in found {
            search.groups.entry(identity.clone()).or_default().indexes.push(index);
            for (place, ways) in &ways {
                let spots = search.spots.entry(Thing::Found(index)).or_default().entry(place).or_default();
                for names in ways {
                    let said = names.iter().map(|name| Some((*name, traits.get(name)?.clone())));
                    let Some(said) = said.collect::<Option<Traits>>() else { continue };
                    let spot = Spot { identity: identity.clone(), place, said };
                    search.cells.entry(spot.clone()).or_default().indexes.push(index);
                    spots.push(spot);
                }
            }
        }
        search.groups.retain(|_, group| !group.positions.is_empty() && !group.indexes.is_empty());
        search
    }

    /// Compares two things, once.
    fn compare(&mut self, (position, index): (usize, usize)) -> Option<usize> {
        *self.costs.entry((position, index)).or_insert_with(|| (self.cost)(position, index))
    }

    /// For each place that tells a thing from others, the pairs that it does not tell apart; no more than can be compared.
    fn near(
        &self,
        identity: &Traits,
        thing: Thing,
        is_left: &dyn Fn(usize, usize) -> bool,
    ) -> Vec<Vec<(usize, usize)>> {
        let mut near = Vec::new();
        for (place, spots) in self.spots.get(&thing).into_iter().flatten() {
            let cells = spots.iter().filter_map(|spot| self.cells.get(spot));
            let pairs: Vec<_> = match thing {
                Thing::Wanted(position) => {
                    let pairs = cells.flat_map(|cell| &cell.indexes).map(|index| (position, *index));
                    pairs.filter(|(position, index)| is_left(*position, *index)).take(MOST + 1).collect()
                }
                Thing::Found(index) => {
                    let silent = self.silent.get(&(identity.clone(), *place)).into_iter().flatten();
                    let pairs = cells.flat_map(|cell| &cell.positions).chain(silent);
                    let pairs = pairs.map(|position| (*position, index));
                    pairs.filter(|(position, index)| is_left(*position, *index)).take(MOST + 1).collect()
                }
            };
            near.push(pairs);
        }
        near.sort_by_key(Vec::len);
        near
    }

    /// Compares a thing with those that could be nearest to it. Whether no other can be as near.
    fn look_around(
        &mut self,
        identity: &Traits,
        thing: Thing,
        is_left: &dyn Fn(usize, usize) -> bool,
    ) -> bool {
        let mut best: Option<usize> = None;
        let mut ruled_out = 0;
        for pairs in self.near(identity, thing, is_left) {
            if best.is_some_and(|best| best < ruled_out) || pairs.len() > MOST {
                break;
            }
            for pair in pairs {
                best = [best, self.compare(pair)].into_iter().flatten().min();
            }
            // What agrees in none of these places differs in all of them.
            ruled_out += 1;
        }
        best.is_some_and(|best| best < ruled_out)
    }
}

impl<W, F> Pairing<'_, W, F> {
    /// Pairs things of one identity that differ least, as long as each is the other's only best. Returns the candidates that
    /// are left, between things of which that cannot be said.
    ///
    /// `wanted` and `found` are identities and traits; traits whose names are of one `place` may differ by one difference.
    /// `cost` is the number of differences, `None` for a pair that cannot be.
    pub(in crate::plan) fn nearest(
        &mut self,
        wanted: impl Fn(&W) -> (Traits, Traits),
        found: impl Fn(&F) -> (Traits, Traits),
        place: impl Fn(&'static str) -> &'static str,
        mut cost: impl FnMut(&W, &F) -> Option<usize>,
    ) -> Vec<Candidate> {
        let (things, found_things) = (self.wanted, self.found);
        let compare = |position: usize, index: usize| {
            Self::counted();
            let things = things.get(position).zip(found_things.get(index));
            things.and_then(|(wanted, found)| cost(wanted, found))
        };
        let open = self.open().map(|(position, thing)| (position, wanted(thing)));
        let free = self.free().map(|(index, thing)| (index, found(thing)));
        let mut search = Search::new(open, free, place, compare);
        loop {
            let (candidates, unproven) = self.look(&mut search);
            let count = candidates.len();
            let is_proven = |pair: &Candidate| {
                !unproven.contains(&Thing::Wanted(pair.position))
                    && !unproven.contains(&Thing::Found(pair.index))
            };
            let left = self.closest_once(candidates, is_proven);
            if left.len() == count {
                return self.untold(&search, left);
            }
        }
    }

    /// The candidates for everything that is open, as far as they matter, and the things for which there may be others as
    /// near as these.
    fn look<C: FnMut(usize, usize) -> Option<usize>>(
        &self,
        search: &mut Search<C>,
    ) -> (Vec<Candidate>, BTreeSet<Thing>) {
        let is_left = |position: usize, index: usize| self.is_open(position) && self.is_free(index);
        let groups: Vec<(Traits, Vec<usize>, Vec<usize>)> = search
            .groups
            .iter()
            .map(|(identity, group)| {
                let open = group.positions.iter().copied().filter(|position| self.is_open(*position));
                let free = group.indexes.iter().copied().filter(|index| self.is_free(*index));
                (identity.clone(), open.collect(), free.collect())
            })
            .collect();
        let mut unproven = BTreeSet::new();
        for (identity, open, free) in groups {
            if open.len().saturating_mul(free.len()) <= MOST.saturating_mul(open.len() + free.len()) {
                for position in open {
                    for index in &free {
                        search.compare((position, *index));
                    }
                }
                continue;
            }
            let open = open.into_iter().map(Thing::Wanted);
            for thing in open.chain(free.into_iter().map(Thing::Found)) {
                if !search.look_around(&identity, thing, &is_left) {
                    unproven.insert(thing);
                }
            }
        }
        let known = search.costs.iter().filter(|((position, index), _)| is_left(*position, *index));
        let candidate = |((position, index), cost): (&(usize, usize), &Option<usize>)| {
            Some(Candidate { position: *position, index: *index, cost: (*cost)? })
        };
        let mut candidates: Vec<_> = known.filter_map(candidate).collect();
        candidates.sort_by_key(|pair| (pair.position, pair.index));
        (candidates, unproven)
    }

    /// The candidates that are left, and those that were not compared because nothing told them from others: which is which
    /// cannot be said.
    fn untold<C>(&self, search: &Search<C>, mut left: Vec<Candidate>) -> Vec<Candidate> {
        let named: BTreeSet<_> = left.iter().map(|pair| pair.position).collect();
        for group in search.groups.values() {
            let free: Vec<_> = group.indexes.iter().copied().filter(|index| self.is_free(*index)).collect();
            let open = group.positions.iter().copied().filter(|position| self.is_open(*position));
            for position in open.filter(|position| !named.contains(position)) {
                let untold = free.iter().filter(|index| !search.costs.contains_key(&(position, **index)));
                left.extend(untold.map(|index| Candidate { position, index: *index, cost: usize::MAX }));
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::{super::counted::comparisons, *};

    /// A thing: what it is of, and what it says in three places, the last of which nothing tells.
    type Thing3 = (&'static str, u32, u32, u32);

    fn traits(thing: &Thing3) -> (Traits, Traits) {
        let said = Traits::from([("a", thing.1.to_string()), ("b", thing.2.to_string())]);
        (Traits::from([("of", thing.0.to_owned())]), said)
    }

    fn cost(a: &Thing3, b: &Thing3) -> usize {
        usize::from(a.1 != b.1) + usize::from(a.2 != b.2) + usize::from(a.3 != b.3)
    }

    fn nearest(wanted: &[Thing3], found: &[Thing3]) -> (Vec<Option<usize>>, usize, usize) {
        let mut pairing = Pairing::new(wanted, found);
        let mut left = 0;
        let count = comparisons(|| {
            left = pairing.nearest(traits, traits, |name| name, |a, b| Some(cost(a, b))).len();
        });
        (pairing.into_partners(), left, count)
    }

    fn closest(wanted: &[Thing3], found: &[Thing3]) -> Vec<Option<usize>> {
        let mut pairing = Pairing::new(wanted, found);
        let candidates =
            pairing.candidates(|thing| traits(thing).0, |thing| traits(thing).0, |a, b| Some(cost(a, b)));
        pairing.closest(candidates);
        pairing.into_partners()
    }

    #[test]
    fn many_things_that_differ_a_little_are_told_by_few_comparisons() {
        let wanted: Vec<Thing3> = (0..500).map(|n| ("x", n, n, 0)).collect();
        for change in [|n| ("x", n, n + 1000, 0), |n| ("x", n + 1000, n, 0), |n| ("x", n, n, 1)] {
            let found: Vec<Thing3> = (0..500).rev().map(change).collect();
            let (partners, left, count) = nearest(&wanted, &found);
            let expected: Vec<_> = (0..500).rev().map(Some).collect();
            assert_eq!((partners, left), (expected, 0));
            assert!(count <= 1000, "{count}");
        }
    }

    #[test]
    fn what_nothing_tells_apart_is_left_without_comparing_each_with_each() {
        let wanted = vec![("x", 1, 1, 0); 500];
        let found = vec![("x", 1, 1, 1); 500];
        let (partners, left, count) = nearest(&wanted, &found);
        assert_eq!((partners, left), (vec![None; 500], 250_000));
        assert_eq!(count, 0);
        let other: Vec<Thing3> = (0..500).map(|n| ("x", n + 1000, n + 1000, 0)).collect();
        let (partners, left, count) = nearest(&wanted, &other);
        assert_eq!((partners, left, count), (vec![None; 500], 250_000, 0));
    }

    #[test]
    fn few_things_are_told_as_if_each_were_compared_with_each() {
        let thing = |n: u32| ("x", n % 3, n % 5, n % 2);
        for seed in 0..200_u32 {
            let side =
                |salt: u32| (0..6).map(|n| thing(seed.wrapping_mul(31) ^ (n * 7 + salt))).collect::<Vec<_>>();
            let (wanted, found) = (side(0), side(3));
            assert_eq!(nearest(&wanted, &found).0, closest(&wanted, &found), "{wanted:?} {found:?}");
        }
    }

    #[test]
    fn many_things_are_paired_only_as_they_would_be_if_each_were_compared_with_each() {
        for seed in 1..20_u32 {
            let side = |salt: u32| -> Vec<Thing3> {
                let thing = |n: u32| {
                    let noise = n.wrapping_mul(2_654_435_761).wrapping_add(seed * salt) >> 16;
                    (
                        "x",
                        if noise.is_multiple_of(4) { noise % 900 } else { n },
                        if noise.is_multiple_of(7) { n + salt } else { n },
                        noise % 3,
                    )
                };
                (0..200).map(thing).collect()
            };
            let (wanted, found) = (side(1), side(5));
            let (partners, _, count) = nearest(&wanted, &found);
            let exact = closest(&wanted, &found);
            for (partner, exact) in partners.iter().zip(&exact) {
                assert!(partner.is_none() || partner == exact, "seed {seed}: {partner:?} and not {exact:?}");
            }
            assert!(count < 200 * 20, "{count}");
            let told = partners.iter().flatten().count();
            assert!(told * 10 >= exact.iter().flatten().count() * 8, "seed {seed}: {told} of {exact:?}");
        }
    }
}
