//! What a write notes of what it sets of single things: `commits/launch:rolloverFraction=1f2e3d4c`, and how that is read.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    plan::{Recorded, three_way::OF},
    terms::Digest,
};

/// The field that says that an override was added.
const ADDED: &str = "added";
/// The field of a list that says how many items a create was to make.
const CREATED: &str = "created";
/// The list whose items go by what they say.
pub(super) const OVERRIDES: &str = "overrides";
/// Member that says whether a threshold is watched.
pub(super) const IS_ENABLED_FIELD: &str = "isEnabled";
/// What seats with an ID are noted as.
pub(super) const SEATS: &str = "initialSeatIds";
/// What the number of seats without an ID is noted as.
pub(super) const UNASSIGNED: &str = "initialUnassignedSeats";

/// That overrides are added, and how many there are: where some of the notes were left out, none of them tells anything.
pub(super) fn added_notes(paths: &BTreeSet<String>) -> Vec<String> {
    if paths.is_empty() {
        return Vec::new();
    }
    let count = format!("{OVERRIDES}{OF}{ADDED}={}", paths.len());
    std::iter::once(count).chain(paths.iter().map(|path| format!("{path}{OF}{ADDED}"))).collect()
}

/// Whether a write without a reply has added overrides and not this one, so that none of what is there was made for it.
pub(super) fn was_not_added(recorded: &Recorded, path: &str) -> bool {
    let (all, one) = (format!("{OVERRIDES}{OF}{ADDED}="), format!("{path}{OF}{ADDED}"));
    let is_one = |note: &&String| note.starts_with(OVERRIDES) && note.ends_with(&format!("{OF}{ADDED}"));
    let tells = |sets: &[String]| {
        let count = sets.iter().find_map(|note| note.strip_prefix(&all)?.parse::<usize>().ok());
        count.is_some_and(|count| sets.iter().filter(is_one).count() == count)
    };
    let mut adding =
        recorded.lost.iter().filter(|write| write.sets.iter().any(|note| note.starts_with(&all))).peekable();
    adding.peek().is_some() && adding.all(|write| tells(&write.sets) && !write.sets.contains(&one))
}

/// That a create makes so many items of a list. Not every list tells afterwards that its items came with the contract.
pub(super) fn created_note(list: &str, count: usize) -> Option<String> {
    (count > 0).then(|| format!("{list}{OF}{CREATED}={count}"))
}

/// How many items of a list the creates with some fingerprints were to make; nothing unless that is noted, and they agree.
pub(super) fn created(recorded: &Recorded, creates: &[Digest], list: &str) -> Option<usize> {
    let noted = format!("{list}{OF}{CREATED}=");
    let count = |sets: &Vec<String>| sets.iter().find_map(|note| note.strip_prefix(&noted)?.parse().ok());
    let sent = recorded.lost.iter().filter(|write| creates.contains(&write.digest));
    let mut counts = sent.map(|write| count(&write.sets));
    let first = counts.next()??;
    counts.all(|other| other == Some(first)).then_some(first)
}

/// Notes of writes without a reply, by the thing that they are of: the field of each, and the note itself; none for a field of
/// an item that the write was to add.
pub(super) fn noted(recorded: &Recorded) -> BTreeMap<String, Vec<(String, Option<String>)>> {
    let mut noted: BTreeMap<String, Vec<(String, Option<String>)>> = BTreeMap::new();
    for note in recorded.lost.iter().flat_map(|write| &write.sets) {
        let place = note.rsplit_once('=').map_or(note.as_str(), |(place, _)| place);
        let Some((thing, fields)) = place.split_once(OF) else { continue };
        let whole = Some(note.clone()).filter(|_| note.contains('='));
        let of_thing = fields.split(',').map(|field| (field.to_owned(), whole.clone()));
        noted.entry(thing.to_owned()).or_default().extend(of_thing);
    }
    noted
}

/// Whether a write without a reply was to set seats of a subscription, so that they have to be read.
pub(super) fn sets_seats(recorded: &Recorded, key: &str) -> bool {
    let notes = noted(recorded).remove(&format!("subscriptions/{key}")).unwrap_or_default();
    notes.iter().any(|(field, _)| [SEATS, UNASSIGNED].contains(&field.as_str()))
}
