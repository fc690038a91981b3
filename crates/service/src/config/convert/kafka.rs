//! `[kafka]`: how it is reached, and with which properties.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::Checks;
use crate::config::explain::is_secret;
use crate::config::problem::Problem;
use crate::config::value::Value;
use crate::config::{KafkaConfig, Secret};

/// Properties that usdt-flow sets itself, and why they are not for others.
const FIXED_PROPERTIES: [(&str, &str); 19] = [
    ("bootstrap.servers", "set kafka.bootstrap_servers instead"),
    ("security.protocol", "set kafka.security_protocol instead"),
    ("ssl.ca.location", "set kafka.ssl_ca_file instead"),
    ("ssl.certificate.location", "set kafka.ssl_certificate_file instead"),
    ("ssl.key.location", "set kafka.ssl_key_file instead"),
    ("sasl.mechanism", "set kafka.sasl_mechanism instead"),
    ("sasl.mechanisms", "set kafka.sasl_mechanism instead"),
    ("sasl.username", "set kafka.sasl_username instead"),
    ("group.id", "set kafka.group_id instead"),
    ("group.instance.id", "set kafka.instance_id instead"),
    ("transactional.id", "set kafka.transactional_id instead"),
    ("enable.auto.commit", "offsets are committed with the records that they stand for"),
    ("enable.auto.offset.store", "offsets are committed with the records that they stand for"),
    ("isolation.level", "records of aborted transactions must stay unseen"),
    ("auto.offset.reset", "skipping to another offset would lose records without a word"),
    ("enable.partition.eof", "the end of a partition is how --until-end knows when to stop"),
    ("enable.idempotence", "transactions need it"),
    ("acks", "transactions need all replicas to acknowledge"),
    ("statistics.interval.ms", "usdt-flow has metrics of its own"),
];

impl Checks<'_> {
    pub(super) fn kafka(&mut self, warnings: &mut Vec<Problem>) -> KafkaConfig {
        let config = KafkaConfig {
            bootstrap_servers: self.bootstrap_servers(),
            group_id: self.filled("kafka.group_id"),
            transactional_id: self.filled("kafka.transactional_id"),
            instance_id: Some(self.text("kafka.instance_id")).filter(|id| !id.is_empty()),
            security: self.security(),
            sasl_password: self.secret("kafka.sasl_password", "kafka.sasl_password_file"),
            ssl_key_password: self.secret("kafka.ssl_key_password", "kafka.ssl_key_password_file"),
            consumer: self.properties("kafka.consumer"),
            producer: self.properties("kafka.producer"),
        };
        self.passwords(&config, warnings);
        config
    }

    fn bootstrap_servers(&mut self) -> String {
        let key = "kafka.bootstrap_servers";
        let servers = self.text(key);
        let is_server = |server: &str| {
            server.trim().rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
            })
        };
        if let Some(wrong) = servers.split(',').find(|server| !is_server(server)) {
            let message = format!("{wrong:?} is not HOST:PORT");
            self.problem(key, message, "for example \"127.0.0.1:9092\" or \"a:9092,b:9092\"");
        }
        servers
    }

    pub(super) fn filled(&mut self, key: &str) -> String {
        let text = self.text(key);
        if text.trim().is_empty() {
            self.problem(key, "is empty", "give it a name, or leave the key out for the default");
        }
        text
    }

    fn secret(&mut self, key: &str, file_key: &str) -> Option<Secret> {
        let value = self.text(key);
        let file = self.text(file_key);
        match (value.is_empty(), file.is_empty()) {
            (true, true) => None,
            (false, true) => Some(Secret(value)),
            (true, false) => match std::fs::read_to_string(&file) {
                Ok(text) => Some(Secret(text.trim_end_matches(['\r', '\n']).to_owned())),
                Err(error) => {
                    let message = format!("cannot read {file}: {error}");
                    self.problem(file_key, message, "name a file that holds the password alone");
                    None
                }
            },
            (false, false) => {
                let message = format!("{key} is set as well");
                self.problem(file_key, message, "keep one of the two");
                None
            }
        }
    }

    fn properties(&mut self, table: &str) -> BTreeMap<String, String> {
        let mut properties = BTreeMap::new();
        let raw = self.raw;
        for (name, entry) in raw.properties(table) {
            let Value::Text(value) = &entry.value else {
                continue;
            };
            let key = format!("{table}.{name}");
            if let Some((_, reason)) = FIXED_PROPERTIES.iter().find(|(fixed, _)| *fixed == name) {
                self.problem(&key, "usdt-flow sets this property itself", *reason);
            } else if is_secret(name) {
                let hint = "set kafka.sasl_password_file or kafka.ssl_key_password_file";
                self.problem(&key, "a secret does not belong here", hint);
            } else {
                self.known_property(&key, name, value);
                properties.insert(name.to_owned(), value.clone());
            }
        }
        properties
    }

    /// librdkafka itself says whether it knows the property and takes the value.
    fn known_property(&mut self, key: &str, name: &str, value: &str) {
        let checked = ClientConfig::new().set(name, value).create_native_config();
        if let Err(KafkaError::ClientConfig(_, description, ..)) = checked {
            let hint = "see CONFIGURATION.md of librdkafka for its properties";
            self.problem(key, description, hint);
        }
    }
}
