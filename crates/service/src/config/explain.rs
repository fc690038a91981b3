//! The effective configuration with the origin of each value, for people and
//! for programs. Secrets are shown as `***`.

use std::fmt::Write as _;

use super::raw::{Entry, RawConfig};
use super::settings::{PROPERTY_TABLES, SETTINGS};
use super::value::{Kind, Value};

/// One setting as it is shown.
struct Row {
    /// The table it stands in.
    section: String,
    /// Its key in that table, quoted where TOML asks for it.
    name: String,
    key: String,
    value: Value,
    origin: String,
    secret: bool,
}

impl RawConfig {
    /// Key, value and origin in columns.
    pub fn to_table(&self) -> String {
        let rows: Vec<[String; 3]> =
            rows(self).into_iter().map(|row| [row.key, row.value.to_toml(), row.origin]).collect();
        let width = |column: usize| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).min(48)
        };
        let (key_width, value_width) = (width(0), width(1));
        let mut table = String::new();
        for [key, value, origin] in &rows {
            writeln!(table, "{key:key_width$}  {value:value_width$}  {origin}")
                .expect("strings take all text");
        }
        table
    }

    /// A configuration file that says the same, origins as comments.
    pub fn to_toml(&self) -> String {
        let mut document = String::new();
        let mut section = String::new();
        for row in rows(self) {
            if row.section != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                writeln!(document, "{gap}[{}]", row.section).expect("strings take all text");
                section.clone_from(&row.section);
            }
            // A file with a secret in it would be refused.
            let mark = if row.secret { "# " } else { "" };
            writeln!(document, "{mark}{} = {}  # {}", row.name, row.value.to_toml(), row.origin)
                .expect("strings take all text");
        }
        document
    }

    /// An object of dotted keys, each with its value and origin.
    pub fn to_json(&self) -> serde_json::Value {
        rows(self)
            .into_iter()
            .map(|row| {
                let shown = serde_json::json!({"value": row.value.to_json(), "origin": row.origin});
                (row.key, shown)
            })
            .collect()
    }
}

/// Every setting with a value, by section: TOML wants a table in one piece.
fn rows(raw: &RawConfig) -> Vec<Row> {
    let mut rows: Vec<Row> = SETTINGS
        .iter()
        .filter_map(|setting| {
            let (section, name) = setting.key.rsplit_once('.')?;
            let secret = matches!(setting.kind, Kind::Secret);
            Some(row(section, name, &setting.key, raw.get(&setting.key)?, secret))
        })
        .collect();
    for table in PROPERTY_TABLES {
        rows.extend(raw.properties(table).map(|(name, entry)| {
            row(table, &format!("\"{name}\""), &format!("{table}.{name}"), entry, is_secret(name))
        }));
    }
    rows.sort_by_key(|row| section_rank(&row.section));
    rows
}

fn row(section: &str, name: &str, key: &str, entry: &Entry, secret: bool) -> Row {
    let value = if secret { Value::Text("***".to_owned()) } else { entry.value.clone() };
    Row {
        section: section.to_owned(),
        name: name.to_owned(),
        key: key.to_owned(),
        value,
        origin: entry.origin.to_string(),
        secret,
    }
}

fn section_rank(section: &str) -> usize {
    let order = ["kafka", "kafka.consumer", "kafka.producer", "input"];
    let end = [
        "output",
        "engine",
        "history",
        "checkpoint",
        "checkpoint.s3",
        "limits",
        "commit",
        "http",
        "log",
    ];
    order
        .iter()
        .position(|known| *known == section)
        .or_else(|| end.iter().position(|known| *known == section).map(|rank| rank + 100))
        .unwrap_or(order.len())
}

/// Whether a librdkafka property holds what nobody else may read.
pub(super) fn is_secret(property: &str) -> bool {
    let exact = ["ssl.key.pem", "sasl.oauthbearer.config"];
    property.contains("password") || property.contains("secret") || exact.contains(&property)
}
