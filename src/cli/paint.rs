//! Colours for a terminal, and for nothing else.

use std::{
    ffi::OsStr,
    io::{self, IsTerminal},
};

use clap::ValueEnum;

/// When there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A colour, or the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    /// Of what is as it should be.
    Green,
    /// Of what waits.
    Yellow,
    /// Of what is wrong.
    Red,
    /// Of what matters less.
    Dim,
    /// Of what matters more.
    Bold,
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(bool);

impl Paint {
    /// Colours for the standard output.
    pub(super) fn of_stdout(when: When) -> Self {
        let variable = |name| std::env::var_os(name);
        let (no_color, term) = (variable("NO_COLOR"), variable("TERM"));
        Self(decide(when, io::stdout().is_terminal(), no_color.as_deref(), term.as_deref()))
    }

    /// A text in a colour, if there are any.
    pub(super) fn text(self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Red => "31",
            Colour::Dim => "2",
            Colour::Bold => "1",
        };
        if self.0 && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    #[cfg(test)]
    pub(super) const fn with(is_on: bool) -> Self {
        Self(is_on)
    }
}

/// `NO_COLOR` counts when it is set to anything but nothing (no-color.org).
fn decide(when: When, is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => {
            is_terminal && no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_colours_on_a_terminal_unless_somebody_says_otherwise() {
        let text = |text: &'static str| Some(OsStr::new(text));
        assert!(decide(When::Auto, true, None, text("xterm")));
        assert!(decide(When::Auto, true, text(""), None));
        assert!(!decide(When::Auto, false, None, text("xterm")));
        assert!(!decide(When::Auto, true, text("1"), text("xterm")));
        assert!(!decide(When::Auto, true, None, text("dumb")));
        assert!(decide(When::Always, false, text("1"), None) && !decide(When::Never, true, None, None));
    }

    #[test]
    fn a_text_without_colours_is_the_text() {
        assert_eq!(Paint::with(false).text(Colour::Red, "no"), "no");
        assert_eq!(Paint::with(true).text(Colour::Red, "no"), "\u{1b}[31mno\u{1b}[0m");
        assert_eq!(Paint::with(true).text(Colour::Red, ""), "");
    }
}
