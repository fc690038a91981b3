//! Gives a client back the brokers that it lost for good.
//!
//! Asked about a topic, a broker that has only just started may name no broker
//! at all, and librdkafka forgets those that an answer does not name. It names
//! the bootstrap servers to itself again, unless the same answer comes in
//! between; then it has no broker from there on, asks nobody, and says nothing
//! (librdkafka issue 5301, open as of its version 2.13). A cluster of one
//! broker, and one that starts as a whole, bring that about.
//!
//! So the bootstrap servers are named to a client again some time after it said
//! that a broker is away. One that has them already takes no notice.

use std::ffi::CString;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::Client;

use crate::config::KafkaConfig;

/// Times after an error. Most brokers are back by one of them; of one that
/// stays away an error comes again.
const AFTER: [Duration; 6] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(60),
    Duration::from_secs(180),
    Duration::from_secs(600),
];

/// What one client needs to be helped up.
#[derive(Debug)]
pub struct Lifeline {
    servers: CString,
    /// When an error came, and how often the servers were named since.
    lost: Option<(Instant, usize)>,
}

impl Lifeline {
    /// For a client that reaches these brokers.
    pub fn new(kafka: &KafkaConfig) -> Lifeline {
        Lifeline::to(&kafka.bootstrap_servers)
    }

    /// For a client of those bootstrap servers.
    pub fn to(servers: &str) -> Lifeline {
        // A zero in the name would have kept the client from being made.
        Lifeline { servers: CString::new(servers).unwrap_or_default(), lost: None }
    }

    /// An error said that a broker is away.
    pub fn lose(&mut self) {
        // Errors that keep coming do not put the first time off for ever.
        if self.lost.is_none_or(|(_, named)| named > 0) {
            self.lost = Some((Instant::now(), 0));
        }
    }

    /// A broker was heard.
    pub fn hear(&mut self) {
        self.lost = None;
    }

    /// Names the servers to the client if it is time. To be called as long as
    /// nothing is heard.
    pub fn mind<C: ClientContext>(&mut self, client: &Client<C>) {
        let Some((since, named)) = &mut self.lost else { return };
        if since.elapsed() < AFTER[*named] {
            return;
        }
        *named += 1;
        if *named == AFTER.len() {
            self.lost = None;
        }
        self.name_servers(client);
    }

    /// Names the servers to the client now; how many brokers it knows by them.
    #[expect(unsafe_code, reason = "the wrapper has no function for it")]
    pub fn name_servers<C: ClientContext>(&self, client: &Client<C>) -> i32 {
        // SAFETY: the client lives as long as it is borrowed, and the names as
        // long as `self` is; librdkafka copies them, and locks what it changes.
        unsafe {
            rdkafka::bindings::rd_kafka_brokers_add(client.native_ptr(), self.servers.as_ptr())
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};

    use super::*;

    /// Nobody listens there.
    const SERVERS: &str = "127.0.0.1:1,127.0.0.1:2";

    fn client() -> BaseConsumer {
        ClientConfig::new().set("bootstrap.servers", "127.0.0.1:3").create().unwrap()
    }

    fn past(seconds: u64) -> Instant {
        Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap()
    }

    #[test]
    fn the_client_knows_each_server_afterwards() {
        assert_eq!(Lifeline::to(SERVERS).name_servers(client().client()), 2);
    }

    #[test]
    fn servers_are_named_some_times_after_an_error_and_no_more_once_a_broker_is_heard() {
        let consumer = client();
        let mut lifeline = Lifeline::to(SERVERS);
        lifeline.mind(consumer.client());
        assert_eq!(lifeline.lost, None);
        lifeline.lose();
        lifeline.mind(consumer.client());
        assert!(matches!(lifeline.lost, Some((_, 0))), "{lifeline:?}");

        lifeline.lost = Some((past(6), 0));
        lifeline.lose();
        lifeline.mind(consumer.client());
        lifeline.mind(consumer.client());
        assert!(matches!(lifeline.lost, Some((_, 1))), "{lifeline:?}");
        // Another error begins anew.
        lifeline.lose();
        assert!(matches!(lifeline.lost, Some((at, 0)) if at.elapsed() < AFTER[0]), "{lifeline:?}");
        lifeline.hear();
        assert_eq!(lifeline.lost, None);

        lifeline.lost = Some((past(601), 0));
        AFTER.iter().for_each(|_| lifeline.mind(consumer.client()));
        assert_eq!(lifeline.lost, None);
    }
}
