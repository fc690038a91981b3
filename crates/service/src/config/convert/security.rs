//! `[kafka]`: protocol, certificates, name and password.

use std::path::PathBuf;

use super::Checks;
use crate::config::problem::{Problem, nearest};
use crate::config::security::{SASL_MECHANISMS, SecurityConfig, SecurityProtocol};
use crate::config::{KafkaConfig, Secret};

impl Checks<'_> {
    pub(super) fn security(&mut self) -> SecurityConfig {
        let file = |text: String| (!text.is_empty()).then(|| PathBuf::from(text));
        let security = SecurityConfig {
            protocol: self.protocol(),
            ca_file: file(self.text("kafka.ssl_ca_file")),
            certificate_file: file(self.text("kafka.ssl_certificate_file")),
            key_file: file(self.text("kafka.ssl_key_file")),
            mechanism: self.mechanism(),
            username: Some(self.text("kafka.sasl_username")).filter(|name| !name.is_empty()),
        };
        self.files_are_there(&security);
        security
    }

    fn protocol(&mut self) -> SecurityProtocol {
        let key = "kafka.security_protocol";
        let text = self.text(key).to_lowercase();
        let known = SecurityProtocol::ALL.into_iter().find(|known| known.name() == text);
        known.unwrap_or_else(|| {
            let names = SecurityProtocol::ALL.map(SecurityProtocol::name);
            let hint = nearest(&text, names)
                .map_or(format!("they are {}", names.join(", ")), |name| {
                    format!("did you mean {name:?}?")
                });
            self.problem(key, format!("{text:?} is not a security protocol"), hint);
            SecurityProtocol::Plaintext
        })
    }

    fn mechanism(&mut self) -> String {
        let key = "kafka.sasl_mechanism";
        let text = self.text(key).to_uppercase();
        if !SASL_MECHANISMS.contains(&text.as_str()) {
            let message = format!("{text:?} is not a mechanism that is supported");
            self.problem(key, message, format!("they are {}", SASL_MECHANISMS.join(", ")));
        }
        text
    }

    /// A file that is missing would be told by each client, and in other words.
    fn files_are_there(&mut self, security: &SecurityConfig) {
        if !security.protocol.is_tls() {
            return;
        }
        let files = [
            ("kafka.ssl_ca_file", &security.ca_file),
            ("kafka.ssl_certificate_file", &security.certificate_file),
            ("kafka.ssl_key_file", &security.key_file),
        ];
        for (key, file) in files {
            let Some(file) = file else { continue };
            if let Err(error) = std::fs::File::open(file) {
                let message = format!("cannot read {}: {error}", file.display());
                self.problem(key, message, "name a file in PEM that this user may read");
            }
        }
        if security.certificate_file.is_some() != security.key_file.is_some() {
            let message = "a certificate and its key belong together";
            self.problem("kafka.ssl_key_file", message, "set kafka.ssl_certificate_file as well");
        }
    }

    /// What is set and of no use, or of use and not set.
    pub(super) fn passwords(&mut self, kafka: &KafkaConfig, warnings: &mut Vec<Problem>) {
        let protocol = kafka.security.protocol;
        let unused = |secret: &Option<Secret>, used: bool| secret.is_some() && !used;
        if unused(&kafka.sasl_password, protocol.is_sasl())
            || unused(&kafka.ssl_key_password, protocol.is_tls())
        {
            let message =
                format!("a password is set, and `{}` makes no use of it", protocol.name());
            warnings.push(Problem::of("kafka.security_protocol", message));
        }
        if !protocol.is_sasl() {
            return;
        }
        if kafka.security.username.is_none() {
            let hint = "give the name under which the brokers know usdt-flow";
            self.problem("kafka.sasl_username", "SASL needs a name", hint);
        }
        if kafka.sasl_password.is_none() {
            let hint = "set USDT_FLOW_KAFKA_SASL_PASSWORD, or kafka.sasl_password_file";
            self.problem("kafka.sasl_password", "SASL needs a password", hint);
        }
        if protocol == SecurityProtocol::SaslPlaintext {
            let message = "freeze recommendations cross the network in the open";
            let hint = "use \"sasl_ssl\" unless the network is your own from end to end";
            warnings.push(Problem::of("kafka.security_protocol", message).hint(hint));
        }
    }
}
