//! What customers are called: IDs, and the aliases of which a read has told whose they are.
//!
//! A resource that names its customer by an alias is found by one that has the ID, and the other way round, as soon as
//! either was told; not only once it is on record.

use std::collections::{HashMap, HashSet};

/// The aliases of customers, by account.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// The customer of an account that has an alias.
    customers: HashMap<(String, String), String>,
    /// The aliases of a customer of an account.
    of: HashMap<(String, String), HashSet<String>>,
}

impl Aliases {
    /// Learns what a customer is called, its ID first, and tells all that it is known to be called.
    pub(super) fn learn(&mut self, account: &str, names: &[&str]) -> Vec<String> {
        let Some((id, aliases)) = names.split_first() else { return Vec::new() };
        let in_account = |name: &str| (account.to_owned(), name.to_owned());
        for alias in aliases {
            let before = self.customers.insert(in_account(alias), (*id).to_owned());
            // It may have moved to another customer.
            if let Some(before) = before.filter(|before| before != id)
                && let Some(of) = self.of.get_mut(&in_account(&before))
            {
                of.remove(*alias);
            }
            self.of.entry(in_account(id)).or_default().insert((*alias).to_owned());
        }
        let known = self.of.get(&in_account(id)).into_iter().flatten();
        let others = known.filter(|known| !names.contains(&known.as_str())).cloned();
        names.iter().map(|name| (*name).to_owned()).chain(others).collect()
    }

    /// Forgets aliases that nobody uses any more.
    pub(super) fn keep(&mut self, is_used: impl Fn(&str) -> bool) {
        self.customers.retain(|(_, alias), _| is_used(alias));
        self.of.retain(|_, aliases| {
            aliases.retain(|alias| is_used(alias));
            !aliases.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_found_by_every_name_that_it_was_told_to_have_in_the_account() {
        let mut aliases = Aliases::default();
        assert_eq!(aliases.learn("one", &["id-1"]), ["id-1"]);
        assert_eq!(aliases.learn("one", &["id-1", "team@acme"]), ["id-1", "team@acme"]);
        assert_eq!(aliases.learn("one", &["id-1"]), ["id-1", "team@acme"]);
        assert_eq!(aliases.learn("one", &["id-1", "acme"]), ["id-1", "acme", "team@acme"]);
        assert_eq!(aliases.learn("two", &["id-1"]), ["id-1"], "another account");
        // An alias may move to another customer.
        assert_eq!(aliases.learn("one", &["id-2", "acme"]), ["id-2", "acme"]);
        assert_eq!(aliases.learn("one", &["id-1"]), ["id-1", "team@acme"]);
        aliases.keep(|alias| alias == "acme");
        assert_eq!(aliases.learn("one", &["id-1"]), ["id-1"]);
        assert_eq!(aliases.learn("one", &["id-2"]), ["id-2", "acme"]);
        assert!(aliases.learn("one", &[]).is_empty());
    }
}
