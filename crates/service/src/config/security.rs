//! How the way to the brokers is protected.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The protocol that a broker's listener speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Neither secret nor with a name.
    #[default]
    Plaintext,
    /// TLS; a client may show a certificate.
    Ssl,
    /// A name and a password, in the open.
    SaslPlaintext,
    /// A name and a password within TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// Every protocol.
    pub const ALL: [SecurityProtocol; 4] = [
        SecurityProtocol::Plaintext,
        SecurityProtocol::Ssl,
        SecurityProtocol::SaslPlaintext,
        SecurityProtocol::SaslSsl,
    ];

    /// The name that Kafka and the configuration use.
    pub const fn name(self) -> &'static str {
        match self {
            SecurityProtocol::Plaintext => "plaintext",
            SecurityProtocol::Ssl => "ssl",
            SecurityProtocol::SaslPlaintext => "sasl_plaintext",
            SecurityProtocol::SaslSsl => "sasl_ssl",
        }
    }

    /// Whether it is TLS.
    pub const fn is_tls(self) -> bool {
        matches!(self, SecurityProtocol::Ssl | SecurityProtocol::SaslSsl)
    }

    /// Whether a name and a password are needed.
    pub const fn is_sasl(self) -> bool {
        matches!(self, SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl)
    }
}

/// The mechanisms of SASL that are supported, the best one first.
pub const SASL_MECHANISMS: [&str; 3] = ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"];

/// Protocol, files and name; passwords stand beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityConfig {
    /// The protocol.
    pub protocol: SecurityProtocol,
    /// Whom to believe, in PEM; `None`: whom the system believes.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, in PEM, where the brokers ask for one.
    pub certificate_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// One of [`SASL_MECHANISMS`].
    pub mechanism: String,
    /// The name under which the brokers know us.
    pub username: Option<String>,
}

impl SecurityConfig {
    /// The properties of librdkafka, but for the passwords.
    pub fn properties(&self) -> BTreeMap<&'static str, String> {
        let mut properties = BTreeMap::new();
        if self.protocol == SecurityProtocol::Plaintext {
            return properties;
        }
        properties.insert("security.protocol", self.protocol.name().to_owned());
        let files = [
            ("ssl.ca.location", &self.ca_file),
            ("ssl.certificate.location", &self.certificate_file),
            ("ssl.key.location", &self.key_file),
        ];
        if self.protocol.is_tls() {
            for (name, file) in files {
                let file = file.as_ref().map(|file| file.display().to_string());
                properties.extend(file.map(|file| (name, file)));
            }
        }
        if self.protocol.is_sasl() {
            properties.insert("sasl.mechanism", self.mechanism.clone());
            properties.extend(self.username.clone().map(|name| ("sasl.username", name)));
        }
        properties
    }
}
