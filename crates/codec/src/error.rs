//! Why a record could not be decoded.
//!
//! What always holds: each error has one [`reason`](DecodeError::reason) out of
//! a closed set, fit for a metric, and a text for people that names the field
//! and shows at most `SHOWN_MAX` characters of its value.

/// Characters of an offending value that an error shows.
pub(crate) const SHOWN_MAX: usize = 80;

/// A record that could not be decoded. Where the record lay (file and line, or
/// topic and offset) is known to the caller, who adds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not text.
    #[error("not valid UTF-8 after byte {valid_up_to}")]
    InvalidUtf8 {
        /// How many bytes are valid.
        valid_up_to: usize,
    },
    /// The text is not JSON, or a value has the wrong JSON type.
    #[error("not the JSON expected: {detail}")]
    InvalidJson {
        /// What the parser says.
        detail: String,
    },
    /// The bytes of a compact record are not the message that its schema tells.
    #[error("not a compact record: {fault}")]
    InvalidProtobuf {
        /// What is wrong.
        fault: &'static str,
    },
    /// The CSV header is not one of those known.
    #[error("not a known CSV header: {detail}")]
    InvalidCsv {
        /// What is missing.
        detail: String,
    },
    /// The record is of none of the supported formats.
    #[error("not a record of any supported format")]
    UnknownFormat,
    /// A java-tron message with another `triggerName`.
    #[error("unknown java-tron triggerName `{name}`")]
    UnknownTrigger {
        /// The name.
        name: String,
    },
    /// An ethereum-etl message with another `type`.
    #[error("unknown ethereum-etl type `{name}`")]
    UnknownType {
        /// The name.
        name: String,
    },
    /// A plain event with another `event`.
    #[error("unknown event `{name}`")]
    UnknownEvent {
        /// The name.
        name: String,
    },
    /// A chain other than `ethereum` and `tron`.
    #[error("unknown chain `{name}`")]
    UnknownChain {
        /// The name.
        name: String,
    },
    /// A field that is needed is absent, empty or null.
    #[error("field `{field}` is missing")]
    MissingField {
        /// The field.
        field: &'static str,
    },
    /// A field is not the whole number that it should be.
    #[error("field `{field}` is not a whole number that fits: `{value}`")]
    InvalidNumber {
        /// The field.
        field: &'static str,
        /// Its value, shortened.
        value: String,
    },
    /// A field is not an address of its chain.
    #[error("field `{field}` is not an address: {fault}: `{value}`")]
    InvalidAddress {
        /// The field.
        field: &'static str,
        /// Its value, shortened.
        value: String,
        /// What is wrong with it.
        fault: AddressFault,
    },
    /// A field is not a 32-byte hash, or contradicts its record.
    #[error("field `{field}` is not a valid hash: `{value}`")]
    InvalidHash {
        /// The field.
        field: &'static str,
        /// Its value, shortened.
        value: String,
    },
    /// An amount above 2^64 − 1 base units, which no genuine supply allows.
    #[error("amount is above 2^64 - 1 base units: {value}")]
    AmountTooLarge {
        /// The amount, shortened.
        value: String,
    },
    /// Topics and data of a log do not fit its event.
    #[error("log does not fit the event {event}: {fault}")]
    InvalidLog {
        /// The event.
        event: &'static str,
        /// What does not fit.
        fault: &'static str,
    },
    /// The call data of a multisig transaction does not fit its function.
    #[error("call data does not fit {function}: {fault}")]
    InvalidCall {
        /// The function.
        function: &'static str,
        /// What does not fit.
        fault: &'static str,
    },
}

/// What is wrong with the text of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// Too many or too few characters.
    #[error("wrong length")]
    Length,
    /// A character outside the alphabet.
    #[error("wrong character")]
    Character,
    /// It does not begin as addresses of its chain do.
    #[error("wrong prefix")]
    Prefix,
    /// The base58 checksum does not match: mistyped, most likely.
    #[error("wrong checksum")]
    Checksum,
}

impl DecodeError {
    /// Every [`reason`](Self::reason).
    pub const REASONS: &'static [&'static str] = &[
        "invalid_utf8",
        "invalid_json",
        "invalid_protobuf",
        "invalid_csv",
        "unknown_format",
        "unknown_trigger",
        "unknown_type",
        "unknown_event",
        "unknown_chain",
        "missing_field",
        "invalid_number",
        "invalid_address",
        "invalid_hash",
        "amount_too_large",
        "invalid_log",
        "invalid_call",
    ];

    /// The kind of error: one of [`REASONS`](Self::REASONS).
    pub const fn reason(&self) -> &'static str {
        match self {
            DecodeError::InvalidUtf8 { .. } => "invalid_utf8",
            DecodeError::InvalidJson { .. } => "invalid_json",
            DecodeError::InvalidProtobuf { .. } => "invalid_protobuf",
            DecodeError::InvalidCsv { .. } => "invalid_csv",
            DecodeError::UnknownFormat => "unknown_format",
            DecodeError::UnknownTrigger { .. } => "unknown_trigger",
            DecodeError::UnknownType { .. } => "unknown_type",
            DecodeError::UnknownEvent { .. } => "unknown_event",
            DecodeError::UnknownChain { .. } => "unknown_chain",
            DecodeError::MissingField { .. } => "missing_field",
            DecodeError::InvalidNumber { .. } => "invalid_number",
            DecodeError::InvalidAddress { .. } => "invalid_address",
            DecodeError::InvalidHash { .. } => "invalid_hash",
            DecodeError::AmountTooLarge { .. } => "amount_too_large",
            DecodeError::InvalidLog { .. } => "invalid_log",
            DecodeError::InvalidCall { .. } => "invalid_call",
        }
    }

    /// The same error, told of another field.
    pub(crate) fn at(mut self, name: &'static str) -> Self {
        if let DecodeError::MissingField { field }
        | DecodeError::InvalidNumber { field, .. }
        | DecodeError::InvalidAddress { field, .. }
        | DecodeError::InvalidHash { field, .. } = &mut self
        {
            *field = name;
        }
        self
    }

    pub(crate) fn number(field: &'static str, value: &str) -> Self {
        DecodeError::InvalidNumber { field, value: shown(value) }
    }

    pub(crate) fn hash(field: &'static str, value: &str) -> Self {
        DecodeError::InvalidHash { field, value: shown(value) }
    }
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        DecodeError::InvalidJson { detail: shown(&error.to_string()) }
    }
}

impl From<std::str::Utf8Error> for DecodeError {
    fn from(error: std::str::Utf8Error) -> Self {
        DecodeError::InvalidUtf8 { valid_up_to: error.valid_up_to() }
    }
}

/// The value as an error shows it: no longer than [`SHOWN_MAX`] characters.
pub(crate) fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_between_characters() {
        assert_eq!(shown("short"), "short");
        let long = "é".repeat(SHOWN_MAX + 1);
        assert_eq!(shown(&long).chars().count(), SHOWN_MAX + 1);
    }

    #[test]
    fn the_text_names_field_value_and_fault() {
        let error = DecodeError::InvalidAddress {
            field: "address",
            value: "T1".into(),
            fault: AddressFault::Checksum,
        };
        let text = error.at("from").to_string();
        assert_eq!(text, "field `from` is not an address: wrong checksum: `T1`");
    }
}
