//! Reading the file layer: TOML with the line of each value.
//!
//! The file is read to its end whatever is wrong with it.

use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Origin, Problem};
use super::raw::{RawConfig, is_section, misplaced_secret, unknown};
use super::settings::{self, PROPERTY_TABLES, Setting};
use super::value::{Kind, Value, property};

impl RawConfig {
    pub(super) fn read_file(&mut self, path: &Path, problems: &mut Vec<Problem>) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("cannot read the configuration {}: {error}", path.display());
                problems.push(Problem::new(message));
                return;
            }
        };
        let file = File { path: path.into(), text: &text };
        let (table, errors) = DeTable::parse_recoverable(&text);
        if errors.is_empty() {
            self.read_table(&file, "", table.get_ref(), problems);
        }
        // The source line that the parser would quote may hold a secret.
        problems.extend(errors.iter().map(|error| {
            let start = error.span().map_or(0, |span| span.start);
            Problem::new(format!("not TOML: {}", error.message())).at(file.origin(start))
        }));
    }

    fn read_table(
        &mut self,
        file: &File<'_>,
        prefix: &str,
        table: &DeTable<'_>,
        problems: &mut Vec<Problem>,
    ) {
        // The parser keeps keys by name; problems are told by line.
        let mut rows: Vec<_> = table.iter().collect();
        rows.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in rows {
            let key = dotted(prefix, name.get_ref());
            let origin = file.origin(name.span().start);
            if let Some(setting) = settings::find(&key) {
                self.read_setting(file, setting, value, problems);
                continue;
            }
            match value.get_ref() {
                DeValue::Table(inner) if PROPERTY_TABLES.contains(&key.as_str()) => {
                    self.read_properties(file, &key, inner, problems);
                }
                DeValue::Table(inner) if is_section(&key) => {
                    self.read_table(file, &key, inner, problems);
                }
                _ if is_section(&key) => {
                    let message = "expected a table, as in `[section]`";
                    problems.push(Problem::of(key, message).at(origin));
                }
                _ => problems.push(unknown(&key).at(origin)),
            }
        }
    }

    fn read_setting(
        &mut self,
        file: &File<'_>,
        setting: &Setting,
        value: &Spanned<DeValue<'_>>,
        problems: &mut Vec<Problem>,
    ) {
        let origin = file.origin(value.span().start);
        if matches!(setting.kind, Kind::Secret) {
            problems.push(misplaced_secret(setting).at(origin));
            return;
        }
        match setting.kind.parse_toml(value.get_ref()) {
            Ok(value) => {
                let value = file.resolve(&setting.kind, value);
                self.set(&setting.key, value, origin);
            }
            Err(message) => problems.push(Problem::of(&setting.key, message).at(origin)),
        }
    }

    fn read_properties(
        &mut self,
        file: &File<'_>,
        prefix: &str,
        table: &DeTable<'_>,
        problems: &mut Vec<Problem>,
    ) {
        for (name, value) in table {
            let key = dotted(prefix, name.get_ref());
            // Unquoted, the dots of a property's name nest tables.
            if let DeValue::Table(inner) = value.get_ref() {
                self.read_properties(file, &key, inner, problems);
                continue;
            }
            let origin = file.origin(name.span().start);
            match property(value.get_ref()) {
                Ok(text) => self.set(&key, Value::Text(text), origin),
                Err(message) => problems.push(Problem::of(key, message).at(origin)),
            }
        }
    }
}

/// The configuration file while it is read.
struct File<'a> {
    path: Arc<Path>,
    text: &'a str,
}

impl File<'_> {
    fn origin(&self, at: usize) -> Origin {
        let lines = self.text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        Origin::File(self.path.clone(), lines + 1)
    }

    /// Relative paths start at the folder of the file, wherever the command
    /// is run.
    fn resolve(&self, kind: &Kind, value: Value) -> Value {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let absolute = |path: String| {
            let joined = folder.join(path);
            // Fails only where the current folder is gone; then reading fails too.
            std::path::absolute(&joined).unwrap_or(joined).to_string_lossy().into_owned()
        };
        match (kind, value) {
            (Kind::Path, Value::Text(path)) => Value::Text(absolute(path)),
            (Kind::Paths, Value::Texts(paths)) => {
                Value::Texts(paths.into_iter().map(absolute).collect())
            }
            (_, value) => value,
        }
    }
}

fn dotted(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}
