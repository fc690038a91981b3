//! The layers of the configuration, put one over the other: defaults, file,
//! environment, flags. The later one wins, and each value remembers its origin.
//!
//! Nothing is skipped in silence: a key of the file that means nothing is a
//! problem, and a variable that looks like ours and means nothing a warning.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flow_core::Chain;

use super::problem::{Origin, Problem, nearest};
use super::settings::{self, ENVIRONMENT_PREFIX, PROPERTY_TABLES, SETTINGS, Setting};
use super::value::{Kind, Value};

/// A setting given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The dotted key that it sets.
    pub key: String,
    /// Its value, as text.
    pub value: String,
    /// The flag as people write it, for messages: `--log-level`.
    pub flag: String,
}

impl Flag {
    /// What `flag` says about the setting `key`.
    pub fn new(key: &str, value: impl Into<String>, flag: &str) -> Self {
        Flag { key: key.to_owned(), value: value.into(), flag: flag.to_owned() }
    }
}

/// Where the configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// The environment: names and values.
    pub environment: Vec<(String, String)>,
    /// The flags; a later one wins over an earlier one.
    pub flags: Vec<Flag>,
}

impl Layers {
    /// The file, the environment of this process and the flags.
    pub fn of_process(file: Option<&Path>, flags: Vec<Flag>) -> Self {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Layers {
            file: file.map(Path::to_owned),
            environment: std::env::vars_os()
                .map(|(name, value)| (lossy(name), lossy(value)))
                .collect(),
            flags,
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Every setting that has a value, by its dotted key.
#[derive(Debug, Default)]
pub struct RawConfig {
    entries: BTreeMap<String, Entry>,
}

/// What reading the layers found besides values.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl RawConfig {
    /// Reads every layer, as far as it can be read.
    pub(super) fn read(layers: &Layers, findings: &mut Findings) -> RawConfig {
        let mut raw = RawConfig::default();
        for setting in SETTINGS.iter() {
            if let Some(value) = &setting.default {
                raw.set(&setting.key, value.clone(), Origin::Default);
            }
        }
        if let Some(path) = &layers.file {
            raw.read_file(path, &mut findings.problems);
        }
        raw.read_environment(&layers.environment, findings);
        for flag in &layers.flags {
            raw.read_flag(flag, &mut findings.problems);
        }
        raw.derive();
        raw
    }

    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The librdkafka properties of a free-form table, by their names.
    pub(super) fn properties<'a>(
        &'a self,
        table: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Entry)> + 'a {
        self.entries.iter().filter_map(move |(key, entry)| {
            let name = key.strip_prefix(table)?.strip_prefix('.')?;
            Some((name, entry))
        })
    }

    pub(super) fn set(&mut self, key: &str, value: Value, origin: Origin) {
        self.entries.insert(key.to_owned(), Entry { value, origin });
    }

    fn read_environment(&mut self, environment: &[(String, String)], findings: &mut Findings) {
        let rust_log = environment.iter().find(|(name, _)| name == "RUST_LOG");
        if let Some((name, value)) = rust_log.filter(|(_, value)| !value.is_empty()) {
            let origin = Origin::Environment(name.clone());
            self.set("log.level", Value::Text(value.clone()), origin);
        }
        for (name, value) in environment {
            let origin = Origin::Environment(name.clone());
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == *name) {
                self.read_text(setting, value, origin, &mut findings.problems);
            } else if let Some(key) = property_key(name) {
                self.set(&key, Value::Text(value.clone()), origin);
            } else if let Some(warning) = unknown_variable(name) {
                findings.warnings.push(warning);
            }
        }
    }

    fn read_flag(&mut self, flag: &Flag, problems: &mut Vec<Problem>) {
        let origin = Origin::Flag(flag.flag.clone());
        match settings::find(&flag.key) {
            Some(setting) if matches!(setting.kind, Kind::Secret) => {
                problems.push(misplaced_secret(setting).at(origin));
            }
            Some(setting) => self.read_text(setting, &flag.value, origin, problems),
            None if is_property(&flag.key) => {
                self.set(&flag.key, Value::Text(flag.value.clone()), origin);
            }
            None => problems.push(unknown(&flag.key).at(origin)),
        }
    }

    fn read_text(
        &mut self,
        setting: &Setting,
        text: &str,
        origin: Origin,
        problems: &mut Vec<Problem>,
    ) {
        match setting.kind.parse_text(text) {
            Ok(value) => self.set(&setting.key, value, origin),
            Err(message) => problems.push(Problem::of(&setting.key, message).at(origin)),
        }
    }

    /// Fills the settings that follow from others.
    fn derive(&mut self) {
        self.derive_from("kafka.transactional_id", "kafka.group_id", "");
        let prefix = "output.topic_prefix";
        self.derive_from("input.cases_topic", prefix, ".cases.v1");
        self.derive_from("input.labels_topic", prefix, ".labels.v1");
        self.derive_from("output.alerts_topic", prefix, ".alerts.v1");
        self.derive_from("output.freezes_topic", prefix, ".freeze-recommendations.v1");
        self.derive_from("output.deadletter_topic", prefix, ".deadletter.v1");
        self.derive_from("output.ledgers_topic", prefix, ".case-ledgers.v1");
        self.derive_from("output.audit_topic", prefix, ".audit.v1");
        self.derive_from("output.owners_topic", prefix, ".owners.v1");
    }

    fn derive_from(&mut self, key: &str, from: &'static str, suffix: &str) {
        if self.entries.contains_key(key) {
            return;
        }
        if let Some(Entry { value: Value::Text(base), .. }) = self.entries.get(from) {
            let value = Value::Text(format!("{base}{suffix}"));
            self.set(key, value, Origin::Derived(from));
        }
    }
}

/// Whether settings lie below this key.
pub(super) fn is_section(key: &str) -> bool {
    let below =
        |setting: &Setting| setting.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
    PROPERTY_TABLES.contains(&key) || SETTINGS.iter().any(below)
}

fn is_property(key: &str) -> bool {
    PROPERTY_TABLES.iter().any(|table| {
        key.strip_prefix(table).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.'))
    })
}

/// `USDT_FLOW_KAFKA_CONSUMER_FETCH_MIN_BYTES` sets `fetch.min.bytes`: no
/// property of librdkafka has an underscore in its name.
fn property_key(variable: &str) -> Option<String> {
    PROPERTY_TABLES.iter().find_map(|table| {
        let name = variable.strip_prefix(&settings::variable(table))?.strip_prefix('_')?;
        Some(format!("{table}.{}", name.to_lowercase().replace('_', ".")))
    })
}

pub(super) fn unknown(key: &str) -> Problem {
    let problem = Problem::of(key, "unknown key");
    if let Some(chain) = key.strip_prefix("input.").filter(|_| key.split('.').count() == 2) {
        let known = Chain::ALL.map(Chain::name);
        if nearest(key, SETTINGS.iter().map(|setting| setting.key.as_str())).is_none() {
            return problem
                .hint(format!("there is no chain {chain:?}; the chains are {}", known.join(", ")));
        }
    }
    match suggestion(key) {
        Some(known) => problem.hint(format!("did you mean {known}?")),
        None => problem.hint("`usdt-flow config print` lists every key"),
    }
}

/// A known key that is spelt much like this one, or has the same last part.
fn suggestion(key: &str) -> Option<String> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let mut known: Vec<String> = SETTINGS.iter().map(|setting| setting.key.clone()).collect();
    let moved = known.iter().find(|candidate| last(candidate) == last(key)).cloned();
    let sections: Vec<String> = known
        .iter()
        .flat_map(|key| key.match_indices('.').map(|(at, _)| key[..at].to_owned()))
        .collect();
    known.extend(sections);
    moved.or_else(|| nearest(key, known.iter().map(String::as_str)).map(str::to_owned))
}

fn unknown_variable(name: &str) -> Option<Problem> {
    let rest = name.strip_prefix(ENVIRONMENT_PREFIX)?;
    let section = rest.split('_').next().filter(|section| is_section(&section.to_lowercase()))?;
    let variables: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
    let warning =
        Problem::new(format!("{name} sets nothing")).at(Origin::Environment(name.to_owned()));
    Some(match nearest(name, variables.iter().map(String::as_str)) {
        Some(known) => warning.hint(format!("did you mean {known}?")),
        None => warning.hint(format!("no setting of [{}] has that name", section.to_lowercase())),
    })
}

pub(super) fn misplaced_secret(setting: &Setting) -> Problem {
    Problem::of(&setting.key, "a secret is read from the environment or from a file of its own")
        .hint(format!("set {} or {}_file instead", setting.variable(), setting.key))
}
