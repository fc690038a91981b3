//! What can be wrong with a configuration, told so that it can be put right.
//!
//! Every problem names the setting, where its value came from and what to do.
//! A secret's value is never part of a message.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// Nobody set it, and it follows from the setting of that name.
    Derived(&'static str),
    /// A line of the configuration file, counted from 1.
    File(Arc<Path>, usize),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line, as it is written there.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Derived(key) => write!(f, "default, from {key}"),
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    origin: Option<Origin>,
    key: Option<String>,
    message: String,
    hint: Option<String>,
}

impl Problem {
    /// A problem of the configuration as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Problem { origin: None, key: None, message: message.into(), hint: None }
    }

    /// A problem of one setting.
    pub fn of(key: impl Into<String>, message: impl Into<String>) -> Self {
        Problem { key: Some(key.into()), ..Problem::new(message) }
    }

    /// Says where the value came from.
    #[must_use]
    pub fn at(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n      {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Everything that is wrong, at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// All of a list that is not empty.
    pub(super) fn of(list: Vec<Problem>) -> Problems {
        debug_assert!(!list.is_empty(), "no problem, no error");
        Problems(list)
    }

    /// `Err` if anything is wrong.
    pub fn check(list: Vec<Problem>) -> Result<(), Problems> {
        if list.is_empty() { Ok(()) } else { Err(Problems(list)) }
    }

    /// Each of them, in the order found.
    pub fn list(&self) -> &[Problem] {
        &self.0
    }

    /// The same as a list of its own.
    pub fn into_list(self) -> Vec<Problem> {
        self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has a problem")?,
            n => write!(f, "the configuration has {n} problems")?,
        }
        self.0.iter().try_for_each(|problem| write!(f, "\n    {problem}"))
    }
}

impl std::error::Error for Problems {}

/// The candidate most like `word`, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance: edits of one character that turn one into the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("policy", "policy"), 0);
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        assert_eq!(nearest("polcy", ["policy", "level"]), Some("policy"));
        assert_eq!(nearest("colour", ["policy", "level"]), None);
    }

    #[test]
    fn a_problem_names_origin_key_and_remedy() {
        let problem = Problem::of("http.metrics_listen", "not an address")
            .at(Origin::File(Path::new("a.toml").into(), 7))
            .hint("write 127.0.0.1:9464");
        assert_eq!(
            problem.to_string(),
            "a.toml:7: http.metrics_listen: not an address\n      write 127.0.0.1:9464"
        );
    }
}
