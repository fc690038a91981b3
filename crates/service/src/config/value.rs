//! The value of a setting, as TOML or as text, before it is given a meaning.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use toml::de::{DeTable, DeValue};

/// What a setting's value may be.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A string that is shown as `***` and never read from a file or a flag.
    Secret,
    /// An integer in that range.
    Number(RangeInclusive<u64>),
    /// `true` or `false`.
    Truth,
    /// Integers; as text, separated by commas.
    Numbers,
    /// A path; relative ones in a file start at the file's folder.
    Path,
    /// Paths; as text, separated by commas.
    Paths,
    /// Topics; as text `name` or `name:format`, separated by commas.
    Topics,
}

/// A value of the kind that its setting asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Of `Kind::Text`, `Secret`, `Path`, and of librdkafka properties.
    Text(String),
    /// Of `Kind::Number`.
    Number(u64),
    /// Of `Kind::Truth`.
    Truth(bool),
    /// Of `Kind::Numbers`.
    Numbers(Vec<u64>),
    /// Of `Kind::Paths`.
    Texts(Vec<String>),
    /// Of `Kind::Topics`.
    Topics(Vec<TopicText>),
}

/// A topic and the format of its records, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopicText {
    /// Its name.
    pub(super) name: String,
    /// The format's name; `auto` unless said.
    pub(super) format: String,
}

impl TopicText {
    fn auto(name: &str) -> Self {
        TopicText { name: name.to_owned(), format: "auto".to_owned() }
    }
}

impl Kind {
    /// Reads a TOML value.
    pub(super) fn parse_toml(&self, value: &DeValue<'_>) -> Result<Value, String> {
        match self {
            Kind::Text | Kind::Secret | Kind::Path => string(value).map(Value::Text),
            Kind::Number(range) => {
                number(value).and_then(|number| within(range, number)).map(Value::Number)
            }
            Kind::Truth => truth(value).map(Value::Truth),
            Kind::Numbers => list(value, number).map(Value::Numbers),
            Kind::Paths => list(value, string).map(Value::Texts),
            Kind::Topics => list(value, topic).map(Value::Topics),
        }
    }

    /// Reads what an environment variable or a flag says.
    pub(super) fn parse_text(&self, text: &str) -> Result<Value, String> {
        let items = || text.split(',').map(str::trim).filter(|item| !item.is_empty());
        match self {
            Kind::Text | Kind::Secret | Kind::Path => Ok(Value::Text(text.to_owned())),
            Kind::Number(range) => {
                digits(text.trim()).and_then(|number| within(range, number)).map(Value::Number)
            }
            Kind::Truth => truth_text(text.trim()).map(Value::Truth),
            Kind::Numbers => items().map(digits).collect::<Result<_, _>>().map(Value::Numbers),
            Kind::Paths => Ok(Value::Texts(items().map(str::to_owned).collect())),
            Kind::Topics => Ok(Value::Topics(items().map(topic_text).collect())),
        }
    }
}

impl Value {
    /// The value as TOML.
    pub(super) fn to_toml(&self) -> String {
        match self {
            Value::Text(text) => quote(text),
            Value::Number(number) => number.to_string(),
            Value::Truth(truth) => truth.to_string(),
            Value::Numbers(numbers) => join(numbers.iter().map(u64::to_string)),
            Value::Texts(texts) => join(texts.iter().map(|text| quote(text))),
            Value::Topics(topics) => join(topics.iter().map(|topic| {
                format!("{{ name = {}, format = {} }}", quote(&topic.name), quote(&topic.format))
            })),
        }
    }

    /// The value as JSON.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Text(text) => text.as_str().into(),
            Value::Number(number) => (*number).into(),
            Value::Truth(truth) => (*truth).into(),
            Value::Numbers(numbers) => numbers.as_slice().into(),
            Value::Texts(texts) => texts.as_slice().into(),
            Value::Topics(topics) => topics
                .iter()
                .map(|topic| serde_json::json!({"name": topic.name, "format": topic.format}))
                .collect(),
        }
    }
}

/// The scalar value of a librdkafka property as text.
pub(super) fn property(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Ok(flag.to_string()),
        other => Err(format!("expected a string, a number or a boolean, not {}", named(other))),
    }
}

fn string(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        other => Err(format!("expected a string in quotes, not {}", named(other))),
    }
}

fn truth(value: &DeValue<'_>) -> Result<bool, String> {
    match value {
        DeValue::Boolean(truth) => Ok(*truth),
        other => Err(format!("expected true or false, not {}", named(other))),
    }
}

fn truth_text(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
}

fn number(value: &DeValue<'_>) -> Result<u64, String> {
    match value {
        DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| format!("{number} is not an integer from 0 to {}", u64::MAX)),
        other => Err(format!("expected an integer, not {}", named(other))),
    }
}

fn digits(text: &str) -> Result<u64, String> {
    let plain = text.replace('_', "");
    plain.parse().map_err(|_| format!("{text:?} is not an integer from 0 to {}", u64::MAX))
}

fn within(range: &RangeInclusive<u64>, number: u64) -> Result<u64, String> {
    if range.contains(&number) {
        Ok(number)
    } else {
        Err(format!("{number} is not between {} and {}", range.start(), range.end()))
    }
}

fn list<T>(
    value: &DeValue<'_>,
    item: impl Fn(&DeValue<'_>) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    match value {
        DeValue::Array(values) => values.iter().map(|value| item(value.get_ref())).collect(),
        other => Err(format!("expected a list in brackets, not {}", named(other))),
    }
}

fn topic(value: &DeValue<'_>) -> Result<TopicText, String> {
    match value {
        DeValue::String(name) => Ok(TopicText::auto(name)),
        DeValue::Table(table) => topic_table(table),
        other => Err(format!(
            "expected a topic's name or {{ name = \"…\", format = \"…\" }}, not {}",
            named(other)
        )),
    }
}

fn topic_table(table: &DeTable<'_>) -> Result<TopicText, String> {
    let mut topic = TopicText::auto("");
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "name" => topic.name = string(value.get_ref())?,
            "format" => topic.format = string(value.get_ref())?,
            other => {
                return Err(format!("unknown key {other:?} of a topic; there are name and format"));
            }
        }
    }
    if topic.name.is_empty() { Err("a topic has no name".to_owned()) } else { Ok(topic) }
}

fn topic_text(item: &str) -> TopicText {
    match item.split_once(':') {
        Some((name, format)) => TopicText { name: name.to_owned(), format: format.to_owned() },
        None => TopicText::auto(item),
    }
}

fn named(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Integer(_) => "an integer".to_owned(),
        other => format!("a {}", other.type_str()),
    }
}

fn join(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control.is_control() => {
                write!(quoted, "\\u{:04X}", u32::from(control)).expect("strings take all text");
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_toml_of_a_list_of_topics_agree() {
        let text = Kind::Topics.parse_text("contractevent, block:java-tron").unwrap();
        assert_eq!(
            text.to_toml(),
            r#"[{ name = "contractevent", format = "auto" }, { name = "block", format = "java-tron" }]"#
        );
        let document = format!("topics = {}", text.to_toml());
        let table = DeTable::parse(&document).unwrap();
        let value = table.get_ref().get("topics").unwrap();
        assert_eq!(Kind::Topics.parse_toml(value.get_ref()), Ok(text));
    }

    #[test]
    fn a_number_outside_its_range_is_refused() {
        let kind = Kind::Number(1..=5);
        assert_eq!(kind.parse_text("5"), Ok(Value::Number(5)));
        assert_eq!(kind.parse_text("6"), Err("6 is not between 1 and 5".to_owned()));
        assert!(kind.parse_text("-1").is_err());
        assert!(kind.parse_text("five").is_err());
    }

    #[test]
    fn a_truth_is_one_word() {
        assert_eq!(Kind::Truth.parse_text(" true"), Ok(Value::Truth(true)));
        let wrong = Kind::Truth.parse_text("1");
        assert_eq!(wrong, Err("\"1\" is neither true nor false".to_owned()));
        let text = Kind::Truth.parse_toml(&DeValue::String("true".into()));
        assert_eq!(text, Err("expected true or false, not a string".to_owned()));
        assert_eq!(Kind::Truth.parse_toml(&DeValue::Boolean(false)), Ok(Value::Truth(false)));
    }

    #[test]
    fn quoting_survives_a_round_trip() {
        let odd = "a\"b\\c\n\u{7f}ü";
        let document = format!("x = {}", quote(odd));
        let table = DeTable::parse(&document).unwrap();
        assert_eq!(table.get_ref().get("x").unwrap().get_ref().as_str(), Some(odd));
    }
}
