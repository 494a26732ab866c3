//! A tree of lines, as people draw it.

/// A line, what is noted below it, and what hangs on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Branch {
    /// The line.
    pub(super) head: String,
    /// Lines below it, before its children.
    pub(super) notes: Vec<String>,
    /// What hangs on it.
    pub(super) children: Vec<Self>,
}

impl Branch {
    /// The lines of a tree with its root at the margin.
    pub(super) fn draw(&self) -> String {
        let mut text = String::new();
        self.lines("", "", &mut text);
        text
    }

    fn lines(&self, first: &str, rest: &str, text: &mut String) {
        text.extend([first, &self.head, "\n"]);
        let below = if self.children.is_empty() { "    " } else { "│   " };
        for note in &self.notes {
            text.extend([rest, below, note, "\n"]);
        }
        for (index, child) in self.children.iter().enumerate() {
            let (tee, bar) =
                if index + 1 == self.children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            child.lines(&format!("{rest}{tee}"), &format!("{rest}{bar}"), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(head: &str, children: Vec<Branch>) -> Branch {
        Branch { head: head.to_owned(), notes: vec![format!("on {head}")], children }
    }

    #[test]
    fn lines_lead_to_each_child_and_past_what_hangs_on_it() {
        let tree = branch("a", vec![branch("b", vec![branch("c", vec![])]), branch("d", vec![])]);
        assert_eq!(
            tree.draw(),
            "a\n│   on a\n├─ b\n│  │   on b\n│  └─ c\n│         on c\n└─ d\n       on d\n"
        );
    }
}
