//! Lists that an API tells in pages. One that never ends costs neither calls nor memory without end.

use std::collections::HashSet;

use serde_json::Value;

/// Most pages of one list: one with more is an error, not a guess.
const MOST_PAGES: usize = 500;
/// Most bytes of all pages of one list together.
const MOST_BYTES: usize = 64 << 20;

/// The pages of a list that were read so far.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// What is on them.
    pub(super) items: Vec<Value>,
    bytes: usize,
    tokens: HashSet<String>,
}

impl Pages {
    /// Takes a page of so many bytes, and gives the token of the one that is to be read after it, if there is another.
    ///
    /// # Errors
    /// Why the list is not read on: it is too long, or its pages go round in a circle.
    pub(super) fn take(
        &mut self,
        bytes: usize,
        items: Vec<Value>,
        next: Option<&str>,
    ) -> Result<Option<String>, &'static str> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MOST_BYTES {
            return Err("the list is too long");
        }
        self.items.extend(items);
        let Some(next) = next.filter(|next| !next.is_empty()) else { return Ok(None) };
        if !self.tokens.insert(next.to_owned()) {
            return Err("the pages of the list go round in a circle");
        }
        if self.tokens.len() >= MOST_PAGES {
            return Err("the list has too many pages");
        }
        Ok(Some(next.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_without_an_end_is_given_up_before_it_costs_much() {
        let mut list = Pages::default();
        assert_eq!(list.take(1, vec![json!(1)], Some("a")), Ok(Some("a".to_owned())));
        assert_eq!(list.take(1, vec![json!(2)], Some("")), Ok(None));
        assert_eq!(list.items, [json!(1), json!(2)]);
        let read = |bytes: usize, token: &dyn Fn(usize) -> String| {
            let mut list = Pages::default();
            (0..).find_map(|page| Some((page, list.take(bytes, Vec::new(), Some(&token(page))).err()?)))
        };
        assert_eq!(read(1, &|_| "again".to_owned()).map(|(page, _)| page), Some(1), "in a circle");
        assert_eq!(read(1, &|page| (page % 7).to_string()).map(|(page, _)| page), Some(7));
        assert_eq!(read(1, &|page| page.to_string()).map(|(page, _)| page), Some(MOST_PAGES - 1));
        assert_eq!(read(8 << 20, &|page| page.to_string()).map(|(page, _)| page), Some(8), "64 MiB");
        assert_eq!(read(usize::MAX, &|page| page.to_string()).map(|(page, _)| page), Some(0));
    }
}
