//! Fields of input records, as the JSON formats write them.
//!
//! Borrowed from the record wherever JSON allows it, so that decoding a log
//! allocates nothing. What always holds: a number is exact or refused.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use flow_core::{Amount, BlockHash};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::address::{parse_block_hash, parse_word, read_digits, strip_0x};
use crate::error::{DecodeError, shown};

/// A JSON string, borrowed unless it holds escapes.
#[derive(Debug, PartialEq)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text(Cow::Borrowed(text))
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// A whole number: a JSON number, or a string of decimal or `0x` hex digits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Number {
    /// Read exactly.
    Exact(u64),
    /// Negative, fractional, too large or no number: as it was written.
    Unfit(String),
}

impl Number {
    /// The number of a string, or of digits that fit into 64 bits.
    pub(crate) fn of_text(text: &str) -> Number {
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => parse_digits(digits, 16),
            None => parse_digits(text, 10),
        };
        parsed.map_or_else(|| Number::Unfit(shown(text)), Number::Exact)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number::Exact(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
                Ok(Number::Unfit(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
                Ok(Number::Unfit(value.to_string()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Number, E> {
                Ok(Number::of_text(text))
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// Topics of a log: the EVM allows at most [`Topics::MAX`].
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Topics {
    words: [[u8; 32]; Topics::MAX],
    count: usize,
    unfit: Option<String>,
}

impl Topics {
    pub(crate) const MAX: usize = 4;

    /// Those of these texts.
    pub(crate) fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Topics {
        let mut topics = Topics::default();
        texts.into_iter().for_each(|text| topics.push(text));
        topics
    }

    /// Whether all of them are 32 bytes of hex, and not too many.
    pub(crate) fn are_fit(&self) -> bool {
        self.unfit.is_none()
    }

    /// The topics, if all of them are 32 bytes of hex.
    pub(crate) fn words(&self) -> Result<&[[u8; 32]], DecodeError> {
        match &self.unfit {
            None => Ok(&self.words[..self.count]),
            Some(value) => Err(DecodeError::hash("topics", value)),
        }
    }

    /// Adds one. Of those that are none the first is told.
    fn push(&mut self, text: &str) {
        if self.unfit.is_some() {
            return;
        }
        match (self.words.get_mut(self.count), parse_word(text)) {
            (Some(slot), Some(word)) => {
                *slot = word;
                self.count += 1;
            }
            _ => self.unfit = Some(shown(text)),
        }
    }
}

impl<'de> Deserialize<'de> for Topics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TopicsVisitor;
        impl<'de> Visitor<'de> for TopicsVisitor {
            type Value = Topics;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of topics")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Topics, A::Error> {
                let mut topics = Topics::default();
                while topics.unfit.is_none() {
                    match seq.next_element::<Text<'de>>()? {
                        Some(text) => topics.push(&text),
                        None => return Ok(topics),
                    }
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(topics)
            }
        }
        deserializer.deserialize_seq(TopicsVisitor)
    }
}

/// The data of a log, decoded without allocation.
#[derive(Debug)]
pub(crate) struct LogData {
    bytes: [u8; LogData::MAX],
    length: usize,
}

impl LogData {
    /// No event of interest has more than three words.
    pub(crate) const MAX: usize = 96;

    /// Reads hex with or without `0x`; `None` if it is not hex or too long.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = strip_0x(text);
        let length = digits.len() / 2;
        let mut data = LogData { bytes: [0; Self::MAX], length };
        read_digits(digits, data.bytes.get_mut(..length)?).ok()?;
        Some(data)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The value of a field that is needed.
pub(crate) fn required<T>(field: &'static str, value: Option<T>) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::MissingField { field })
}

/// A number that is needed.
pub(crate) fn number(field: &'static str, value: Option<Number>) -> Result<u64, DecodeError> {
    match required(field, value)? {
        Number::Exact(value) => Ok(value),
        Number::Unfit(text) => Err(DecodeError::number(field, &text)),
    }
}

/// A log index that is needed.
pub(crate) fn index(field: &'static str, value: Option<Number>) -> Result<u32, DecodeError> {
    let value = number(field, value)?;
    u32::try_from(value).map_err(|_| DecodeError::number(field, &value.to_string()))
}

/// A time in seconds, made milliseconds.
pub(crate) fn seconds(field: &'static str, value: Option<Number>) -> Result<u64, DecodeError> {
    to_millis(field, number(field, value)?)
}

/// A time in seconds that may be absent, made milliseconds.
pub(crate) fn optional_seconds(
    field: &'static str,
    value: Option<Number>,
) -> Result<Option<u64>, DecodeError> {
    value.map(|value| seconds(field, Some(value))).transpose()
}

/// Seconds as milliseconds.
pub(crate) fn to_millis(field: &'static str, seconds: u64) -> Result<u64, DecodeError> {
    seconds.checked_mul(1000).ok_or_else(|| DecodeError::number(field, &seconds.to_string()))
}

/// A number that may be absent.
pub(crate) fn optional(
    field: &'static str,
    value: Option<Number>,
) -> Result<Option<u64>, DecodeError> {
    value.map(|value| number(field, Some(value))).transpose()
}

/// The last final block, where told; sources write 0 when they do not know.
pub(crate) fn solid(
    field: &'static str,
    value: Option<Number>,
) -> Result<Option<u64>, DecodeError> {
    Ok(optional(field, value)?.filter(|number| *number > 0))
}

/// A block hash that may be absent.
pub(crate) fn block_hash(
    field: &'static str,
    text: Option<&str>,
) -> Result<Option<BlockHash>, DecodeError> {
    match text {
        None | Some("") => Ok(None),
        Some(text) => parse_block_hash(text).map(Some).map_err(|error| error.at(field)),
    }
}

/// Reads decimal digits.
pub(crate) fn parse_u64(field: &'static str, text: &str) -> Result<u64, DecodeError> {
    parse_digits(text, 10).ok_or_else(|| DecodeError::number(field, text))
}

/// Reads a log index.
pub(crate) fn parse_u32(field: &'static str, text: &str) -> Result<u32, DecodeError> {
    let value = parse_u64(field, text)?;
    u32::try_from(value).map_err(|_| DecodeError::number(field, text))
}

/// Reads an amount in base units, telling one that is too large from one that
/// is no number.
pub(crate) fn parse_amount(field: &'static str, text: &str) -> Result<Amount, DecodeError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecodeError::number(field, text));
    }
    text.parse().map_err(|_| DecodeError::AmountTooLarge { value: shown(text) })
}

/// A JSON scalar as text: the content of a string, the digits of a number, ""
/// for null.
pub(crate) fn scalar_text(value: Option<&RawValue>) -> Result<Cow<'_, str>, DecodeError> {
    let Some(raw) = value.map(RawValue::get) else {
        return Ok(Cow::Borrowed(""));
    };
    if raw.starts_with('"') {
        return Ok(serde_json::from_str::<Text<'_>>(raw)?.0);
    }
    match raw {
        "null" => Ok(Cow::Borrowed("")),
        _ if raw.starts_with(['{', '[', 't', 'f']) => {
            Err(serde_json::Error::custom("expected a string or a number").into())
        }
        _ => Ok(Cow::Borrowed(raw)),
    }
}

/// Digits alone: the standard parser would take a leading `+` too.
fn parse_digits(text: &str, radix: u32) -> Option<u64> {
    if text.starts_with('+') {
        return None;
    }
    u64::from_str_radix(text, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<u64, DecodeError> {
        number("n", Some(serde_json::from_str(json).unwrap()))
    }

    #[test]
    fn numbers_are_exact_or_refused() {
        for json in ["26", "\"26\"", "\"0x1a\""] {
            assert_eq!(read(json), Ok(26), "{json}");
        }
        assert_eq!(read("18446744073709551615"), Ok(u64::MAX));
        for json in ["-1", "1.5", "18446744073709551616", "\"\"", "\"+1\"", "\"0x\"", "\"x\""] {
            assert_eq!(read(json).unwrap_err().reason(), "invalid_number", "{json}");
        }
    }

    #[test]
    fn an_amount_too_large_is_no_wrong_number() {
        assert_eq!(parse_amount("value", "18446744073709551615"), Ok(u64::MAX));
        for (text, reason) in [
            ("18446744073709551616", "amount_too_large"),
            ("", "invalid_number"),
            ("-1", "invalid_number"),
            ("1e3", "invalid_number"),
            ("+5", "invalid_number"),
        ] {
            assert_eq!(parse_amount("value", text).unwrap_err().reason(), reason, "{text}");
        }
    }

    #[test]
    fn a_fifth_topic_and_half_a_topic_are_refused() {
        let word = format!("\"{}\"", "ab".repeat(32));
        let word = word.as_str();
        let topics = |words: &[&str]| -> Topics {
            serde_json::from_str(&format!("[{}]", words.join(","))).unwrap()
        };
        assert_eq!(topics(&[word; 4]).words().unwrap(), [[0xab; 32]; 4]);
        assert!(topics(&[word; 5]).words().is_err());
        assert!(topics(&[word, "\"abab\"", word]).words().is_err());
    }

    #[test]
    fn escapes_are_read() {
        let text: Text<'_> = serde_json::from_str("\"\\u0030x1a\"").unwrap();
        assert_eq!(&*text, "0x1a");
        let raw: &RawValue = serde_json::from_str("\"\\u0031\"").unwrap();
        assert_eq!(scalar_text(Some(raw)).unwrap(), "1");
    }

    #[test]
    fn log_data_is_at_most_three_words() {
        assert_eq!(LogData::parse("0x").unwrap().bytes(), b"");
        assert_eq!(LogData::parse(&"07".repeat(96)).unwrap().bytes(), [7; 96]);
        assert!(LogData::parse(&"07".repeat(97)).is_none());
        assert!(LogData::parse("0x0").is_none());
        assert!(LogData::parse("zz").is_none());
    }
}
