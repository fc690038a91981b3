//! The strings and numbers of a JSON text, and where each stands.

use std::ops::Range;

/// Digits that fit into 64 bits whatever they are.
const DIGITS_MAX: usize = 19;

/// One step from the top of a text to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// To the value of that key.
    Key(&'a str),
    /// To that element of an array.
    Item(usize),
}

/// What another value may be in the place of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The inside of a string without escapes.
    Text,
    /// A whole number, not below zero, of few digits.
    Number,
}

impl Kind {
    /// How long the value is with which a text begins; `None` if it is none of
    /// this kind.
    #[inline]
    pub(super) fn length(self, text: &[u8]) -> Option<usize> {
        match self {
            Kind::Text => {
                let length = memchr::memchr(b'"', text)?;
                is_plain(&text[..length]).then_some(length)
            }
            Kind::Number => {
                let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let padded = text.first() == Some(&b'0') && length > 1;
                ((1..=DIGITS_MAX).contains(&length) && !padded).then_some(length)
            }
        }
    }
}

/// Whether a string holds no escapes, and nothing that must be escaped. Looks at
/// all bytes, so that it looks at many at once.
fn is_plain(inside: &[u8]) -> bool {
    inside.iter().fold(true, |plain, byte| plain & (*byte >= b' ') & (*byte != b'\\'))
}

/// Calls `see` with each string and number of well-formed JSON: its path, where
/// it stands, without quotes, and its kind, `None` for a number of none. `None`
/// if there are escapes.
pub(super) fn leaves<'a>(
    text: &'a str,
    mut see: impl FnMut(&[Step<'a>], Range<usize>, Option<Kind>),
) -> Option<()> {
    let bytes = text.as_bytes();
    let mut path: Vec<Step<'a>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' => path.push(Step::Key("")),
            b'[' => path.push(Step::Item(0)),
            b'}' | b']' => drop(path.pop()?),
            b',' => {
                if let Some(Step::Item(number)) = path.last_mut() {
                    *number += 1;
                }
            }
            b'"' => {
                let start = at + 1;
                let end = start + Kind::Text.length(&bytes[start..])?;
                at = end;
                let next = bytes[end + 1..].iter().find(|byte| !byte.is_ascii_whitespace());
                match path.last_mut() {
                    Some(key @ Step::Key(_)) if next == Some(&b':') => {
                        *key = Step::Key(&text[start..end]);
                    }
                    _ => see(&path, start..end, Some(Kind::Text)),
                }
            }
            b'-' | b'0'..=b'9' => {
                let of_number = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                let end = at + bytes[at..].iter().take_while(of_number).count();
                let is_whole = Kind::Number.length(&bytes[at..end]) == Some(end - at);
                see(&path, at..end, is_whole.then_some(Kind::Number));
                at = end - 1;
            }
            // A colon, a space, or one of the letters of true, false and null.
            _ => {}
        }
        at += 1;
    }
    Some(())
}
