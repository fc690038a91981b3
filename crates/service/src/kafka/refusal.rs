//! What the brokers refuse, and what to do about it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::report::Explain;

/// The brokers answer, and do not let us. No other session would do better.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(RDKafkaErrorCode);

const GRANT: &str = "grant the right with kafka-acls; docs/kafka.md#rights lists all that \
                     are needed, and `usdt-flow doctor` tells which are missing";

/// Whether this code is a refusal, and in which words.
fn words(code: RDKafkaErrorCode, subject: &str) -> Option<(String, &'static str)> {
    use RDKafkaErrorCode as Code;
    let told = match code {
        Code::TopicAuthorizationFailed => {
            (format!("the brokers do not let this principal use {subject}"), GRANT)
        }
        Code::GroupAuthorizationFailed => {
            ("the brokers do not let this principal use the group kafka.group_id".to_owned(), GRANT)
        }
        Code::TransactionalIdAuthorizationFailed => (
            "the brokers do not let this principal use the transactional id \
             kafka.transactional_id with -tron or -ethereum behind it"
                .to_owned(),
            GRANT,
        ),
        Code::ClusterAuthorizationFailed => {
            ("the brokers do not let this principal use the cluster".to_owned(), GRANT)
        }
        Code::Authentication | Code::SaslAuthenticationFailed => (
            "the brokers do not accept name and password".to_owned(),
            "check kafka.sasl_username, kafka.sasl_mechanism, and \
             USDT_FLOW_KAFKA_SASL_PASSWORD or the file of kafka.sasl_password_file",
        ),
        Code::UnsupportedSASLMechanism => (
            "the brokers do not speak that mechanism of SASL".to_owned(),
            "set kafka.sasl_mechanism to one of sasl.enabled.mechanisms of the brokers",
        ),
        _ => return None,
    };
    Some(told)
}

/// An error with what to do about it, if the brokers refused; else as it was.
pub(super) fn explained(error: KafkaError, subject: &str) -> anyhow::Error {
    match error.rdkafka_error_code().and_then(|code| of(code, subject)) {
        Some(refused) => refused,
        None => error.into(),
    }
}

/// What to do about a code, if it is a refusal.
pub(super) fn of(code: RDKafkaErrorCode, subject: &str) -> Option<anyhow::Error> {
    let (message, hint) = words(code, subject)?;
    Err::<(), _>(Refused(code)).explain(message, hint).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_and_other_errors_are_as_they_were() {
        let denied = KafkaError::MessageConsumption(RDKafkaErrorCode::TopicAuthorizationFailed);
        let told = explained(denied, "topic a.b");
        assert!(format!("{told:#}").contains("topic a.b"));
        assert!(crate::report::hint(&told).unwrap().contains("kafka-acls"));
        assert!(told.chain().any(|cause| cause.is::<Refused>()));
        let other = explained(KafkaError::Canceled, "topic a.b");
        assert!(!other.chain().any(|cause| cause.is::<Refused>()));
    }
}
