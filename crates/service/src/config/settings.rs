//! Every setting there is: its key, the kind of its value, its default.
//!
//! The file reader, the environment, the flags, `config print` and the
//! suggestions for misspelt keys all read this one table, so a setting that is
//! missing here does not exist anywhere.

use std::sync::LazyLock;

use flow_core::Chain;

use super::value::{Kind, Value};

/// The free-form tables of librdkafka properties.
pub(super) const PROPERTY_TABLES: [&str; 2] = ["kafka.consumer", "kafka.producer"];

/// Prefix of every environment variable read here.
pub(super) const ENVIRONMENT_PREFIX: &str = "USDT_FLOW_";

/// One setting.
pub(super) struct Setting {
    /// Its dotted key.
    pub(super) key: String,
    /// What its value may be.
    pub(super) kind: Kind,
    /// Its value when nobody sets it. Without one the setting stays unset, or
    /// follows from another.
    pub(super) default: Option<Value>,
}

impl Setting {
    /// The environment variable that sets it.
    pub(super) fn variable(&self) -> String {
        variable(&self.key)
    }
}

/// The environment variable of a dotted key.
pub(super) fn variable(key: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", key.to_uppercase().replace('.', "_"))
}

/// The setting of that key.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// Every setting, in the order in which it is printed.
pub(super) static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    let mut settings = kafka();
    settings.extend(Chain::ALL.into_iter().flat_map(chain_input));
    settings.extend(input());
    settings.extend(output());
    settings.extend(engine());
    settings.extend(history());
    settings.extend(checkpoint());
    settings.extend(shell());
    settings
});

fn setting(key: impl Into<String>, kind: Kind, default: Option<Value>) -> Setting {
    Setting { key: key.into(), kind, default }
}

fn text(value: &str) -> Option<Value> {
    Some(Value::Text(value.to_owned()))
}

fn kafka() -> Vec<Setting> {
    vec![
        setting("kafka.bootstrap_servers", Kind::Text, text("127.0.0.1:9092")),
        setting("kafka.group_id", Kind::Text, text("usdt-flow")),
        setting("kafka.transactional_id", Kind::Text, None),
        setting("kafka.instance_id", Kind::Text, None),
        setting("kafka.security_protocol", Kind::Text, text("plaintext")),
        setting("kafka.ssl_ca_file", Kind::Path, None),
        setting("kafka.ssl_certificate_file", Kind::Path, None),
        setting("kafka.ssl_key_file", Kind::Path, None),
        setting("kafka.sasl_mechanism", Kind::Text, text("SCRAM-SHA-512")),
        setting("kafka.sasl_username", Kind::Text, None),
        setting("kafka.sasl_password", Kind::Secret, None),
        setting("kafka.sasl_password_file", Kind::Path, None),
        setting("kafka.ssl_key_password", Kind::Secret, None),
        setting("kafka.ssl_key_password_file", Kind::Path, None),
    ]
}

fn chain_input(chain: Chain) -> [Setting; 5] {
    let key = |name: &str| format!("input.{chain}.{name}");
    [
        setting(key("topics"), Kind::Topics, Some(Value::Topics(Vec::new()))),
        setting(key("window_blocks"), Kind::Number(1..=100_000), Some(Value::Number(2))),
        setting(key("finality_blocks"), Kind::Number(0..=100_000), Some(Value::Number(64))),
        setting(key("align_ms"), Kind::Number(0..=600_000), Some(Value::Number(2_000))),
        setting(key("idle_flush_ms"), Kind::Number(100..=3_600_000), Some(Value::Number(10_000))),
    ]
}

fn input() -> Vec<Setting> {
    let none = || Some(Value::Texts(Vec::new()));
    vec![
        setting("input.cases_topic", Kind::Text, None),
        setting("input.labels_topic", Kind::Text, None),
        setting("input.case_files", Kind::Paths, none()),
        setting("input.label_files", Kind::Paths, none()),
        setting("input.opening_files", Kind::Paths, none()),
    ]
}

fn output() -> Vec<Setting> {
    vec![
        setting("output.topic_prefix", Kind::Text, text("usdt.flow")),
        setting("output.alerts_topic", Kind::Text, None),
        setting("output.freezes_topic", Kind::Text, None),
        setting("output.deadletter_topic", Kind::Text, None),
        setting("output.ledgers_topic", Kind::Text, None),
        setting("output.audit_topic", Kind::Text, None),
        setting("output.owners_topic", Kind::Text, None),
    ]
}

fn engine() -> Vec<Setting> {
    let amount = || Kind::Number(0..=u64::MAX);
    let lag = |chain: Chain| format!("engine.freeze_lag_seconds.{chain}");
    let thresholds = vec![10_000_000_000, 100_000_000_000, 1_000_000_000_000];
    vec![
        setting("engine.policy", Kind::Text, text("haircut")),
        setting("engine.alert_min_units", amount(), Some(Value::Number(0))),
        setting("engine.thresholds_units", Kind::Numbers, Some(Value::Numbers(thresholds))),
        setting("engine.freeze_min_units", amount(), Some(Value::Number(1_000_000_000))),
        setting(
            "engine.freeze_rest_seconds",
            Kind::Number(0..=31_536_000),
            Some(Value::Number(300)),
        ),
        setting(
            "engine.freeze_update_seconds",
            Kind::Number(0..=31_536_000),
            Some(Value::Number(60)),
        ),
        setting(
            "engine.ledger_update_seconds",
            Kind::Number(1..=86_400),
            Some(Value::Number(3_600)),
        ),
        setting(lag(Chain::Tron), Kind::Number(0..=31_536_000), Some(Value::Number(9_360))),
        setting(lag(Chain::Ethereum), Kind::Number(0..=31_536_000), Some(Value::Number(18_000))),
    ]
}

fn history() -> Vec<Setting> {
    let size = |most| Kind::Number(1..=most);
    vec![
        setting("history.dir", Kind::Path, None),
        setting("history.segment_transfers", size(1 << 20), Some(Value::Number(1 << 20))),
        setting("history.graph_transfers", size(1 << 30), Some(Value::Number(1 << 16))),
    ]
}

fn checkpoint() -> Vec<Setting> {
    let off = || Some(Value::Truth(false));
    vec![
        setting("checkpoint.url", Kind::Text, text("usdt-flow-state")),
        setting("checkpoint.interval_seconds", Kind::Number(1..=86_400), Some(Value::Number(60))),
        setting("checkpoint.keep", Kind::Number(2..=1_000), Some(Value::Number(3))),
        setting("checkpoint.s3.endpoint", Kind::Text, None),
        setting("checkpoint.s3.region", Kind::Text, text("us-east-1")),
        setting("checkpoint.s3.path_style", Kind::Truth, off()),
        setting("checkpoint.s3.allow_http", Kind::Truth, off()),
    ]
}

fn shell() -> Vec<Setting> {
    vec![
        setting("limits.memory_max_mb", Kind::Number(0..=1 << 24), Some(Value::Number(0))),
        setting("commit.interval_ms", Kind::Number(1..=10_000), Some(Value::Number(50))),
        setting("commit.max_records", Kind::Number(1..=1_000_000), Some(Value::Number(50_000))),
        setting("http.metrics_listen", Kind::Text, text("127.0.0.1:9464")),
        setting("http.health_listen", Kind::Text, text("127.0.0.1:9465")),
        setting("http.linger_seconds", Kind::Number(0..=600), Some(Value::Number(30))),
        setting("casework.key_file", Kind::Path, None),
        setting("log.format", Kind::Text, text("text")),
        setting("log.level", Kind::Text, text("info")),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_and_variables_are_unique() {
        let keys: BTreeSet<&str> = SETTINGS.iter().map(|s| s.key.as_str()).collect();
        let variables: BTreeSet<String> = SETTINGS.iter().map(Setting::variable).collect();
        assert_eq!(keys.len(), SETTINGS.len());
        assert_eq!(variables.len(), SETTINGS.len());
    }

    #[test]
    fn a_variable_is_the_key_in_capitals() {
        assert_eq!(variable("kafka.bootstrap_servers"), "USDT_FLOW_KAFKA_BOOTSTRAP_SERVERS");
    }
}
