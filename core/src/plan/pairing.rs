//! Pairing: which of the things that were found is which of the things that are wanted.
//!
//! A thing that is paired wrongly is changed, ended or paid for in the place of another, so each rule says when it
//! would have to guess, and leaves that to the caller. What the things are is the caller's affair: it says what can be
//! looked up of one ([`Traits`]) and compares two of them. Only things with the same traits are compared, so that the
//! cost grows with the number of things and not with its square.

mod nearest;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    hash::Hash,
};

/// What a thing says, by the names of the places that it is looked up by. A wanted thing has those that a found one
/// must share to be the same, and leaves out what it does not care about.
pub(super) type Traits = BTreeMap<&'static str, String>;

/// What a found thing says in a place where it may be meant whatever is wanted there.
pub(super) const ANYTHING: &str = "\0anything";
/// In most so many places a found thing may be meant whatever is wanted.
const MOST_OPEN: usize = 4;

/// Found things by what they say.
struct Index {
    found: Vec<(usize, Traits)>,
    /// Places in which a found thing says [`ANYTHING`].
    open: Vec<&'static str>,
    /// For each set of places, the found things by what they say there.
    tables: HashMap<Vec<&'static str>, HashMap<Vec<String>, Vec<usize>>>,
}

impl Index {
    fn new(found: impl Iterator<Item = (usize, Traits)>) -> Self {
        let found: Vec<(usize, Traits)> = found.collect();
        let said = found.iter().flat_map(|(_, traits)| traits);
        let open: BTreeSet<_> =
            said.filter(|(_, value)| *value == ANYTHING).map(|(place, _)| *place).collect();
        let open = open.into_iter().take(MOST_OPEN).collect();
        Self { found, open, tables: HashMap::new() }
    }

    /// The found things, in their order, that say what a wanted one says in every place where it says something.
    fn candidates(&mut self, wanted: &Traits) -> Vec<usize> {
        let places: Vec<_> = wanted.keys().copied().collect();
        let table = self.tables.entry(places).or_insert_with_key(|places| {
            let mut table: HashMap<_, Vec<_>> = HashMap::new();
            for (index, traits) in &self.found {
                let values = places.iter().map(|place| traits.get(place).cloned());
                if let Some(values) = values.collect::<Option<Vec<_>>>() {
                    table.entry(values).or_default().push(*index);
                }
            }
            table
        });
        let values: Vec<_> = wanted.values().cloned().collect();
        let mut found = table.get(&values).cloned().unwrap_or_default();
        let open: Vec<_> = wanted.keys().enumerate().filter(|(_, place)| self.open.contains(place)).collect();
        // Each way to have some of the open places open; almost always there is none.
        for way in 1..1_u32 << open.len() {
            let mut values = values.clone();
            for (bit, (at, _)) in open.iter().enumerate() {
                if let (true, Some(value)) = (way & (1 << bit) != 0, values.get_mut(*at)) {
                    ANYTHING.clone_into(value);
                }
            }
            found.extend(table.get(&values).into_iter().flatten());
        }
        found.sort_unstable();
        found
    }
}

/// A pair that could be, and how much differs between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Position of the wanted thing.
    pub position: usize,
    /// Index of the found thing.
    pub index: usize,
    /// Number of differences.
    pub cost: usize,
}

/// Wanted things, found things, and the pairs that have been told so far.
pub(super) struct Pairing<'a, W, F> {
    wanted: &'a [W],
    found: &'a [F],
    /// For each wanted thing, the found one that it is.
    partners: Vec<Option<usize>>,
    /// For each found thing, the wanted one that it is.
    holders: Vec<Option<usize>>,
}

impl<'a, W, F> Pairing<'a, W, F> {
    /// No pairs yet.
    pub(super) fn new(wanted: &'a [W], found: &'a [F]) -> Self {
        Self { wanted, found, partners: vec![None; wanted.len()], holders: vec![None; found.len()] }
    }

    /// For each wanted thing, the index of the found one that it is.
    pub(super) fn into_partners(self) -> Vec<Option<usize>> {
        self.partners
    }

    /// Wanted things without a partner, with their positions.
    pub(super) fn open(&self) -> impl Iterator<Item = (usize, &'a W)> {
        let things = self.wanted.iter().enumerate().zip(&self.partners);
        things.filter(|(_, partner)| partner.is_none()).map(|(thing, _)| thing)
    }

    /// Found things without a partner, with their indexes.
    pub(super) fn free(&self) -> impl Iterator<Item = (usize, &'a F)> {
        let things = self.found.iter().enumerate().zip(&self.holders);
        things.filter(|(_, holder)| holder.is_none()).map(|(thing, _)| thing)
    }

    fn is_open(&self, position: usize) -> bool {
        self.partners.get(position) == Some(&None)
    }

    fn is_free(&self, index: usize) -> bool {
        self.holders.get(index) == Some(&None)
    }

    /// Takes a found thing for a wanted one. A found thing that had a partner leaves it.
    fn join(&mut self, position: usize, index: usize) {
        if let (Some(partner), Some(holder)) = (self.partners.get_mut(position), self.holders.get_mut(index))
        {
            *partner = Some(index);
            *holder = Some(position);
        }
    }

    /// Counts a comparison, for tests.
    fn counted() {
        #[cfg(test)]
        counted::COMPARISONS.with(|count| count.set(count.get() + 1));
    }

    fn things(&self, position: usize, index: usize) -> Option<(&'a W, &'a F)> {
        Self::counted();
        self.wanted.get(position).zip(self.found.get(index))
    }

    /// Pairs by a key that is on both sides: each open thing, in order, has the first free one with its key.
    pub(super) fn by_key<K: Eq + Hash>(
        &mut self,
        wanted: impl Fn(&W) -> Option<K>,
        found: impl Fn(&F) -> Option<K>,
    ) {
        let mut by_key: HashMap<K, VecDeque<usize>> = HashMap::new();
        for (index, thing) in self.free() {
            if let Some(key) = found(thing) {
                by_key.entry(key).or_default().push_back(index);
            }
        }
        let open: Vec<_> = self.open().collect();
        for (position, thing) in open {
            let holders = wanted(thing).and_then(|key| by_key.get_mut(&key));
            if let Some(index) = holders.and_then(VecDeque::pop_front) {
                self.join(position, index);
            }
        }
    }

    /// Pairs each open thing that has traits, in order, with the first free one that shares them and fits.
    pub(super) fn first_fit(
        &mut self,
        wanted: impl Fn(&W) -> Option<Traits>,
        found: impl Fn(&F) -> Traits,
        mut fits: impl FnMut(&W, &F) -> bool,
    ) {
        let mut index = Index::new(self.free().map(|(index, thing)| (index, found(thing))));
        let mut queues: HashMap<Traits, VecDeque<usize>> = HashMap::new();
        let open: Vec<_> = self.open().collect();
        for (position, thing) in open {
            let Some(traits) = wanted(thing) else { continue };
            let queue = queues.entry(traits).or_insert_with_key(|traits| index.candidates(traits).into());
            while queue.front().is_some_and(|index| !self.is_free(*index)) {
                queue.pop_front();
            }
            let fit = queue.iter().position(|index| {
                let things = if self.is_free(*index) { self.things(position, *index) } else { None };
                things.is_some_and(|(wanted, found)| fits(wanted, found))
            });
            if let Some(index) = fit.and_then(|fit| queue.remove(fit)) {
                self.join(position, index);
            }
        }
    }

    /// Pairs things that say the same, those with the fewest candidates first. Found things of one `class` are
    /// interchangeable, and only one of each is compared. Returns the wanted things that are the same as found ones of
    /// several classes, with those: which one is meant cannot be told.
    pub(super) fn same<C: Eq + Hash>(
        &mut self,
        wanted: impl Fn(&W) -> Traits,
        found: impl Fn(&F) -> Traits,
        class: impl Fn(&F) -> C,
        mut is_same: impl FnMut(&W, &F) -> bool,
    ) -> Vec<(usize, Vec<usize>)> {
        let mut classes = self.classes(class);
        let mut index = self.index_of(&classes, found);
        let size = |number: &usize| classes.get(*number).map_or(0, VecDeque::len);
        let mut open: Vec<(usize, usize, Vec<usize>)> = Vec::new();
        for (position, thing) in self.open() {
            let candidates = index.candidates(&wanted(thing)).into_iter();
            let is_alike = |number: &usize| {
                let index = classes.get(*number).and_then(VecDeque::front);
                let things = index.and_then(|index| self.things(position, *index));
                things.is_some_and(|(wanted, found)| is_same(wanted, found))
            };
            let alike: Vec<_> = candidates.filter(is_alike).collect();
            open.push((alike.iter().map(size).sum(), position, alike));
        }
        open.sort_by_key(|(count, _, _)| *count);
        let mut questions = Vec::new();
        for (_, position, mut alike) in open {
            alike.retain(|number| classes.get(*number).is_some_and(|class| !class.is_empty()));
            if let [number] = *alike {
                let index = classes.get_mut(number).and_then(VecDeque::pop_front);
                if let Some(index) = index {
                    self.join(position, index);
                }
            } else if !alike.is_empty() {
                let of_class = |number: &usize| classes.get(*number).into_iter().flatten().copied();
                questions.push((position, alike.iter().flat_map(of_class).collect()));
            }
        }
        questions
    }

    /// The free things, those that are interchangeable together.
    fn classes<C: Eq + Hash>(&self, class: impl Fn(&F) -> C) -> Vec<VecDeque<usize>> {
        let mut classes: Vec<VecDeque<usize>> = Vec::new();
        let mut numbers: HashMap<C, usize> = HashMap::new();
        for (index, thing) in self.free() {
            let number = *numbers.entry(class(thing)).or_insert(classes.len());
            match classes.get_mut(number) {
                Some(class) => class.push_back(index),
                None => classes.push(VecDeque::from([index])),
            }
        }
        classes
    }

    /// The classes by what their first things say.
    fn index_of(&self, classes: &[VecDeque<usize>], found: impl Fn(&F) -> Traits) -> Index {
        let first = |class: &VecDeque<usize>| class.front().and_then(|index| self.found.get(*index));
        let traits = classes.iter().enumerate().map(|(number, class)| (number, first(class)));
        Index::new(traits.filter_map(|(number, thing)| Some((number, found(thing?)))))
    }

    /// For each open thing, the free ones that have its traits and could be it. `cost` is the number of differences,
    /// `None` for a pair that cannot be.
    pub(super) fn candidates(
        &self,
        wanted: impl Fn(&W) -> Traits,
        found: impl Fn(&F) -> Traits,
        mut cost: impl FnMut(&W, &F) -> Option<usize>,
    ) -> Vec<Candidate> {
        let mut index = Index::new(self.free().map(|(index, thing)| (index, found(thing))));
        let mut candidates = Vec::new();
        for (position, thing) in self.open() {
            for index in index.candidates(&wanted(thing)) {
                let things = self.things(position, index);
                let cost = things.and_then(|(wanted, found)| cost(wanted, found));
                candidates.extend(cost.map(|cost| Candidate { position, index, cost }));
            }
        }
        candidates
    }

    /// Pairs things that differ least, as long as each is the other's only best. Returns the candidates that are left,
    /// between things of which that cannot be said.
    pub(super) fn closest(&mut self, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        loop {
            let before = candidates.len();
            candidates = self.closest_once(candidates, |_| true);
            if candidates.len() == before {
                return candidates;
            }
        }
    }

    /// Pairs those that are each other's only best and may be paired, all at once: they stay so whatever else is paired.
    /// Returns the candidates that are left; all of them when there were no such pairs.
    fn closest_once(
        &mut self,
        mut candidates: Vec<Candidate>,
        may_be: impl Fn(&Candidate) -> bool,
    ) -> Vec<Candidate> {
        candidates.retain(|pair| self.is_open(pair.position) && self.is_free(pair.index));
        let best_of_wanted = best(candidates.iter().map(|pair| (pair.position, pair.cost)));
        let best_of_found = best(candidates.iter().map(|pair| (pair.index, pair.cost)));
        let is_best = |pair: &&Candidate| {
            let only_one = Some(&(pair.cost, 1));
            best_of_wanted.get(&pair.position) == only_one && best_of_found.get(&pair.index) == only_one
        };
        let pairs: Vec<_> = candidates.iter().filter(is_best).filter(|pair| may_be(pair)).copied().collect();
        for pair in pairs {
            self.join(pair.position, pair.index);
        }
        candidates.retain(|pair| self.is_open(pair.position) && self.is_free(pair.index));
        candidates
    }

    /// Takes a candidate, if neither of the two has a partner yet.
    pub(super) fn take(&mut self, pair: Candidate) {
        if self.is_open(pair.position) && self.is_free(pair.index) {
            self.join(pair.position, pair.index);
        }
    }

    /// Pairs as many things as can be paired. A thing that says little fits several, and gives way to one that fits no
    /// other. Found things of one `class` are interchangeable.
    pub(super) fn most<C: Eq + Hash>(
        &mut self,
        wanted: impl Fn(&W) -> Traits,
        found: impl Fn(&F) -> Traits,
        class: impl Fn(&F) -> C,
        mut fits: impl FnMut(&W, &F) -> bool,
    ) {
        let classes = self.classes(class);
        let mut index = self.index_of(&classes, found);
        let open: Vec<_> = self.open().collect();
        let mut edges = vec![Vec::new(); self.wanted.len()];
        for (position, thing) in open.iter().copied() {
            let Some(edges) = edges.get_mut(position) else { continue };
            for class in index.candidates(&wanted(thing)).iter().filter_map(|number| classes.get(*number)) {
                let things = class.front().and_then(|index| self.things(position, *index));
                if things.is_some_and(|(wanted, found)| fits(wanted, found)) {
                    edges.extend(class);
                }
            }
        }
        for (position, _) in open {
            self.augment(position, &edges, &mut vec![false; self.found.len()]);
        }
    }

    /// Gives a wanted thing one that fits, and if need be another one to the thing that has it (an augmenting path).
    fn augment(&mut self, position: usize, edges: &[Vec<usize>], tried: &mut [bool]) -> bool {
        for only_free in [true, false] {
            for &index in edges.get(position).into_iter().flatten() {
                let holder = self.holders.get(index).copied().flatten();
                if tried.get(index) != Some(&false) || (only_free && holder.is_some()) {
                    continue;
                }
                if let Some(tried) = tried.get_mut(index) {
                    *tried = true;
                }
                if holder.is_none_or(|holder| self.augment(holder, edges, tried)) {
                    self.join(position, index);
                    return true;
                }
            }
        }
        false
    }
}

/// For each thing, the least cost of its pairs and how many have it.
fn best(pairs: impl Iterator<Item = (usize, usize)>) -> HashMap<usize, (usize, usize)> {
    let mut best: HashMap<usize, (usize, usize)> = HashMap::new();
    for (thing, cost) in pairs {
        let (least, count) = best.entry(thing).or_insert((cost, 0));
        if cost < *least {
            (*least, *count) = (cost, 1);
        } else if cost == *least {
            *count += 1;
        }
    }
    best
}

/// How many comparisons were made, so that tests can tell a cost that grows with the square.
#[cfg(test)]
pub(super) mod counted {
    use std::cell::Cell;

    thread_local! {
        pub(super) static COMPARISONS: Cell<usize> = const { Cell::new(0) };
    }

    /// The comparisons that something makes.
    pub(in crate::plan) fn comparisons(run: impl FnOnce()) -> usize {
        COMPARISONS.with(|count| count.set(0));
        run();
        COMPARISONS.with(Cell::get)
    }
}

#[cfg(test)]
mod tests {
    use super::{counted::comparisons, *};

    /// A thing: what it is of, and what it says.
    type Thing = (&'static str, u32);

    fn of(thing: &Thing) -> Traits {
        Traits::from([("of", thing.0.to_owned())])
    }

    fn whole(thing: &Thing) -> Traits {
        Traits::from([("of", thing.0.to_owned()), ("says", thing.1.to_string())])
    }

    fn cost(a: &Thing, b: &Thing) -> Option<usize> {
        usize::try_from(a.1.abs_diff(b.1)).ok()
    }

    fn closest(wanted: &[Thing], found: &[Thing]) -> (Vec<Option<usize>>, usize) {
        let mut pairing = Pairing::new(wanted, found);
        let candidates = pairing.candidates(of, of, cost);
        let left = pairing.closest(candidates);
        (pairing.into_partners(), left.len())
    }

    #[test]
    fn a_key_pairs_each_thing_once_and_in_order() {
        let (wanted, found) = ([("a", 1), ("b", 2), ("a", 3), ("a", 4)], [("a", 5), ("a", 6), ("c", 7)]);
        let mut pairing = Pairing::new(&wanted, &found);
        pairing.by_key(|thing: &Thing| Some(thing.0), |thing: &Thing| Some(thing.0));
        assert_eq!(pairing.free().collect::<Vec<_>>(), [(2, &("c", 7))]);
        assert_eq!(pairing.into_partners(), [Some(0), None, Some(1), None]);
    }

    #[test]
    fn a_thing_without_a_key_is_left_to_later_rules() {
        let (wanted, found) = ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)]);
        let mut pairing = Pairing::new(&wanted, &found);
        pairing.by_key(|thing: &Thing| (thing.0 == "a").then_some(0), |thing| (thing.0 == "a").then_some(0));
        assert_eq!(pairing.open().collect::<Vec<_>>(), [(1, &("b", 2))]);
        pairing.by_key(|_| Some(()), |_| Some(()));
        assert_eq!(pairing.into_partners(), [Some(1), Some(0)]);
    }

    #[test]
    fn the_first_that_fits_is_taken_and_no_other_thing_gets_it() {
        let (wanted, found) = ([("a", 2), ("a", 2), ("a", 9)], [("a", 1), ("a", 2), ("b", 9), ("a", 2)]);
        let mut pairing = Pairing::new(&wanted, &found);
        pairing.first_fit(|thing| Some(of(thing)), of, |a, b| a == b);
        assert_eq!(pairing.into_partners(), [Some(1), Some(3), None]);
    }

    #[test]
    fn a_wanted_thing_is_looked_up_by_what_it_says_and_by_nothing_else() {
        let found = [("a", 1), ("b", 1), ("a", 2)].map(|thing| whole(&thing));
        let mut index = Index::new(found.into_iter().enumerate());
        assert_eq!(index.candidates(&Traits::from([("of", "a".to_owned())])), [0, 2]);
        assert_eq!(index.candidates(&whole(&("a", 2))), [2]);
        assert_eq!(index.candidates(&Traits::new()), [0, 1, 2]);
        assert!(index.candidates(&Traits::from([("else", "a".to_owned())])).is_empty());
    }

    #[test]
    fn what_says_the_same_is_paired_and_what_could_be_several_is_a_question() {
        let found = [("a", 10), ("a", 11), ("b", 20), ("b", 20)];
        let wanted = [("a", 1), ("b", 2), ("b", 2), ("b", 2)];
        let mut pairing = Pairing::new(&wanted, &found);
        let questions = pairing.same(of, of, |thing| *thing, |a, b| a.0 == b.0);
        assert_eq!(questions, [(0, vec![0, 1])]);
        assert_eq!(pairing.into_partners(), [None, Some(2), Some(3), None]);
    }

    #[test]
    fn what_could_be_one_thing_only_goes_first() {
        let (wanted, found) = ([("a", 0), ("a", 2)], [("a", 2), ("a", 3)]);
        let mut pairing = Pairing::new(&wanted, &found);
        let questions = pairing.same(of, of, |thing| *thing, |a, b| a.1 == 0 || a == b);
        assert_eq!(questions, []);
        assert_eq!(pairing.into_partners(), [Some(1), Some(0)]);
    }

    #[test]
    fn the_closest_are_paired_as_long_as_each_is_the_others_only_best() {
        assert_eq!(closest(&[("a", 1), ("a", 10)], &[("a", 11), ("a", 3)]), (vec![Some(1), Some(0)], 0));
        assert_eq!(closest(&[("a", 1)], &[("b", 1)]), (vec![None], 0));
        // Each is as far from the one as from the other.
        assert_eq!(closest(&[("a", 5), ("a", 5)], &[("a", 4), ("a", 6)]), (vec![None, None], 4));
        // One pair is clear; what is left of the rest is clear then.
        assert_eq!(closest(&[("a", 1), ("a", 3)], &[("a", 1), ("a", 9)]), (vec![Some(0), Some(1)], 0));
    }

    #[test]
    fn a_thing_that_says_little_gives_way_to_one_that_fits_no_other() {
        let (wanted, found) = ([("a", 0), ("a", 2), ("a", 3)], [("a", 2), ("a", 1)]);
        let mut pairing = Pairing::new(&wanted, &found);
        pairing.most(of, of, |thing| *thing, |a, b| a.1 == 0 || a == b);
        assert_eq!(pairing.into_partners(), [Some(1), Some(0), None]);
    }

    #[test]
    fn the_number_of_comparisons_grows_with_the_number_of_things() {
        let different: Vec<Thing> = (0..500).map(|number| ("a", number)).collect();
        let alike = vec![("a", 1); 500];
        for things in [&different, &alike] {
            let pair = |rule: &dyn Fn(&mut Pairing<'_, Thing, Thing>)| {
                let mut pairing = Pairing::new(things, things);
                let count = comparisons(|| rule(&mut pairing));
                assert_eq!(pairing.open().count(), 0);
                count
            };
            let first_fit =
                pair(&|pairing| pairing.first_fit(|thing| Some(whole(thing)), whole, |a, b| a == b));
            let same = pair(&|pairing| drop(pairing.same(whole, whole, |thing| *thing, |a, b| a == b)));
            let most = pair(&|pairing| pairing.most(whole, whole, |thing| *thing, |a, b| a == b));
            assert_eq!((first_fit, same, most), (500, 500, 500));
        }
    }
}
