//! The first word with the brokers: whether they answer, and if not, why.
//!
//! librdkafka tries for ever and says why in an event; here that is waited for,
//! so that a wrong password is told as one and not as a broker that is away.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use super::{refusal, tls};
use crate::config::KafkaConfig;
use crate::report::Explain;

/// How long the brokers may take to say that they refuse us.
pub(crate) const HELLO_MAX: Duration = Duration::from_secs(5);

/// The longest wait for one answer before the reasons are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Keeps the last reason.
#[derive(Default)]
struct Listening {
    said: Mutex<Option<(RDKafkaErrorCode, String)>>,
}

impl ClientContext for Listening {
    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        // That no broker is up says less than why one is not.
        if code != RDKafkaErrorCode::AllBrokersDown {
            *self.said.lock().expect("no holder panics") = Some((code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Listening {}

/// What the brokers say of themselves and their topics.
///
/// # Errors
/// If they do not answer in time, or refuse us; the error says what to do.
pub(crate) fn reach(kafka: &KafkaConfig, patience: Duration) -> anyhow::Result<Metadata> {
    let mut config = super::client(kafka);
    config.set("group.id", &kafka.group_id);
    let client: BaseConsumer<Listening> = config
        .create_with_context(Listening::default())
        .explain("cannot make a Kafka client", "check the files and names under [kafka]")?;
    let began = Instant::now();
    loop {
        let failed = match client.fetch_metadata(None, LOOK) {
            Ok(metadata) => return Ok(metadata),
            Err(failed) => failed,
        };
        // The event comes with a poll alone; what it returns is the code of the same.
        while client.poll(Duration::ZERO).is_some() {}
        let said = client.context().said.lock().expect("no holder panics").take();
        if let Some((code, reason)) = said {
            if let Some(refused) = refusal::of(code, "the cluster") {
                return Err(refused);
            }
            if code == RDKafkaErrorCode::SSL {
                return Err(no_tls(kafka, &reason));
            }
            if began.elapsed() >= patience {
                return Err(unreached(anyhow::anyhow!(reason), kafka, patience));
            }
        }
        if began.elapsed() >= patience {
            return Err(unreached(failed.into(), kafka, patience));
        }
    }
}

fn unreached(cause: anyhow::Error, kafka: &KafkaConfig, patience: Duration) -> anyhow::Error {
    let (servers, seconds) = (&kafka.bootstrap_servers, patience.as_secs());
    let message = format!("no answer from Kafka at {servers} within {seconds} s");
    let hint = "check that a broker runs there and that kafka.bootstrap_servers names it; that \
                kafka.security_protocol is the one of that listener; and that the broker's \
                advertised.listeners can be reached from here";
    Err::<(), _>(cause).explain(message, hint).expect_err("it failed")
}

/// librdkafka does not say what is wrong with a certificate, so it is looked at.
fn no_tls(kafka: &KafkaConfig, reason: &str) -> anyhow::Error {
    let cause = tls::complaint(kafka).unwrap_or_else(|| reason.to_owned());
    let message = format!("no TLS with Kafka at {}", kafka.bootstrap_servers);
    let hint = "if the certificate has expired, renew it on the broker; if its authority is \
                not believed, name it in kafka.ssl_ca_file; if it is for another name, \
                use that name in kafka.bootstrap_servers";
    Err::<(), _>(super::TlsFailed(cause)).explain(message, hint).expect_err("it failed")
}
