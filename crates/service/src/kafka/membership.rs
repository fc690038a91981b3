//! Membership in the group: which chains this instance publishes for.
//!
//! The topic of owners has one partition for each chain and no records. The
//! group's members subscribe to it, and Kafka's own assignment of its partitions
//! says who publishes for which chain: one alone for all, two for one each, more
//! than there are chains stand by. What always holds: a chain is given to one
//! member at a time; whoever is given it fences the one before, so a member
//! that has not heard of its loss cannot write.
//!
//! An instance joins when it is warm, or when nobody else is there: so a new one
//! takes no chain from another before it can follow it. The thread speaks with
//! the group whatever the followers do, and so it is the one to tell whether
//! brokers answer; but it leaves the group when a follower has shown no sign of
//! life for long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use flow_core::Chain;
use prometheus::IntGauge;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use super::lifeline::Lifeline;
use super::reader::partitions;
use super::refusal;
use super::watching::{STATISTICS_MS, brokers_up};
use crate::config::{Config, InputConfig};
use crate::follow::Duties;
use crate::http::Health;
use crate::metrics::Metrics;

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(50);

/// The pause between two looks whether somebody else is there.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// How long the brokers may take to say who is in the group.
const MEMBERS_MAX: Duration = Duration::from_secs(5);

/// A follower that has shown no sign of life for so long does not publish.
const STUCK_MAX: Duration = Duration::from_secs(180);

/// A thread that has not come to look at the followers for so long stood still
/// with them: the process was stopped, or the machine slept.
const STOOD_STILL: Duration = Duration::from_secs(10);

/// How long brokers may take to answer: one that hangs keeps its connections.
const ANSWER_MS: &str = "10000";

/// How long the group waits for a member that is to join anew, and a member for
/// the answer: five minutes unless told otherwise, in which nobody publishes.
const JOIN_MS: &str = "30000";

/// The pause between two questions whether any broker answers. librdkafka waits
/// minutes for some answers, such as that to who joins, and on a connection on
/// which nothing is asked nothing is missed.
const ASK_PAUSE: Duration = Duration::from_secs(5);

/// How long the answer may take.
const ASK_MAX: Duration = Duration::from_secs(5);

/// Tells the followers what the group says, and the metrics whether it speaks.
#[derive(Debug)]
struct Group {
    duties: Arc<Duties>,
    failed: Mutex<Option<String>>,
    /// Whether a broker answered the question that was asked last.
    answered: AtomicBool,
    brokers_up: Vec<IntGauge>,
}

impl ClientContext for Group {
    fn stats(&self, statistics: Statistics) {
        let answered = self.answered.load(Ordering::Relaxed);
        self.tell_up(if answered { brokers_up(&statistics) } else { 0 });
    }
}

impl ConsumerContext for Group {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let assigned = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        // A chain is given up before the group hears that it is.
        if !assigned {
            self.set(list, false);
        }
        let done = match (assigned, cooperative) {
            (true, true) => consumer.incremental_assign(list),
            (true, false) => consumer.assign(list),
            (false, true) => consumer.incremental_unassign(list),
            (false, false) => consumer.unassign(),
        };
        match done {
            Ok(()) if assigned => {
                self.set(list, true);
                self.duties.set_joined(true);
            }
            Ok(()) => {}
            Err(error) => {
                let mut failed = self.failed.lock().expect("no holder panics");
                *failed = Some(format!("the assignment of chains failed: {error}"));
            }
        }
    }
}

impl Group {
    fn tell_up(&self, brokers: i64) {
        self.brokers_up.iter().for_each(|gauge| gauge.set(brokers));
    }

    fn set(&self, list: &TopicPartitionList, own: bool) {
        for element in list.elements() {
            let rank = usize::try_from(element.partition()).ok();
            if let Some(chain) = rank.and_then(|rank| Chain::ALL.get(rank)) {
                tracing::info!(%chain, own, "the group has spoken");
                self.duties.set(*chain, own);
            }
        }
    }
}

/// See the module.
pub struct Membership<'a> {
    config: &'a Config,
    duties: Arc<Duties>,
    health: Arc<Health>,
    consumer: BaseConsumer<Group>,
    lifeline: Lifeline,
    joined: bool,
    /// When it was asked last whether brokers answer.
    asked_at: Instant,
    /// When the followers were looked at last.
    looked_at: Instant,
    /// Since when this thread has looked at them without standing still.
    awake_since: Instant,
}

impl<'a> Membership<'a> {
    /// Reaches the brokers; nothing is joined yet.
    ///
    /// # Errors
    /// If the brokers do not answer, or the topic of owners is missing.
    pub fn open(
        config: &'a Config,
        duties: Arc<Duties>,
        health: Arc<Health>,
        metrics: &Metrics,
    ) -> anyhow::Result<Membership<'a>> {
        let kafka = &config.kafka;
        let mut client = super::client(kafka);
        client
            .set("group.id", &kafka.group_id)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "latest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            // The least that brokers allow unless told otherwise.
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "1000")
            .set("max.poll.interval.ms", JOIN_MS)
            .set("socket.timeout.ms", ANSWER_MS)
            .set("statistics.interval.ms", STATISTICS_MS);
        if let Some(id) = &kafka.instance_id {
            client.set("group.instance.id", id);
        }
        for (key, value) in &kafka.consumer {
            client.set(key, value);
        }
        let brokers_up = |input: &InputConfig| metrics.chain(input.chain).brokers_up.clone();
        let group = Group {
            duties: Arc::clone(&duties),
            failed: Mutex::new(None),
            answered: AtomicBool::new(true),
            brokers_up: config.inputs.iter().map(brokers_up).collect(),
        };
        let consumer: BaseConsumer<Group> =
            client.create_with_context(group).context("cannot make a Kafka consumer")?;
        partitions(&consumer, &config.output.owners_topic)?;
        let now = Instant::now();
        Ok(Membership {
            config,
            duties,
            health,
            consumer,
            lifeline: Lifeline::new(kafka),
            joined: false,
            asked_at: now,
            looked_at: now,
            awake_since: now,
        })
    }

    /// Speaks with the group until `stop`, then leaves it.
    ///
    /// # Errors
    /// If the group refuses this instance for good.
    pub fn run(mut self, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut looked: Option<Instant> = None;
        while !stop.load(Ordering::Relaxed) {
            if !self.joined {
                let due = looked.is_none_or(|at| at.elapsed() >= LOOK_PAUSE);
                if due && (self.is_warm() || self.is_alone()) {
                    self.join()?;
                } else if due {
                    looked = Some(Instant::now());
                }
            }
            // One that has joined nothing is told how its connections are.
            self.poll()?;
            self.ask();
            self.mind_the_stuck()?;
        }
        Ok(())
    }

    /// Leaves the group, so that another takes over at once.
    pub fn leave(self) {
        self.consumer.unsubscribe();
        // Dropping the consumer closes it, and closing it leaves the group.
    }

    fn join(&mut self) -> anyhow::Result<()> {
        let topic = self.config.output.owners_topic.as_str();
        self.consumer.subscribe(&[topic]).context("cannot join the group")?;
        self.joined = true;
        Ok(())
    }

    fn poll(&self) -> anyhow::Result<()> {
        if let Some(Err(error)) = self.consumer.poll(POLL) {
            if let Some((code, reason)) = self.consumer.client().fatal_error() {
                anyhow::bail!(
                    "the group has shut this instance out ({code}: {reason}); give each instance \
                     a kafka.instance_id of its own"
                );
            }
            let refused =
                error.rdkafka_error_code().and_then(|code| refusal::of(code, "the group"));
            if let Some(refused) = refused {
                return Err(refused);
            }
            if !super::is_transient(&error) {
                tracing::warn!(%error, "the group does not answer as it should");
            }
        }
        let failed = self.consumer.context().failed.lock().expect("no holder panics").take();
        failed.map_or(Ok(()), |failed| Err(anyhow::anyhow!(failed)))
    }

    /// Asks now and then whether any broker answers, and tells if none does.
    fn ask(&mut self) {
        if self.asked_at.elapsed() < ASK_PAUSE {
            return;
        }
        let topic = self.config.output.owners_topic.as_str();
        let answered = self.consumer.fetch_metadata(Some(topic), ASK_MAX).is_ok();
        let group = self.consumer.context();
        group.answered.store(answered, Ordering::Relaxed);
        if !answered {
            group.tell_up(0);
            self.lifeline.name_servers(self.consumer.client());
        }
        self.asked_at = Instant::now();
    }

    /// Whether every follower has come to the head.
    fn is_warm(&self) -> bool {
        self.config.inputs.iter().all(|input| self.duties.is_warm(input.chain))
    }

    /// Whether no other member is there, as far as the brokers say.
    fn is_alone(&self) -> bool {
        let group =
            self.consumer.client().fetch_group_list(Some(&self.config.kafka.group_id), MEMBERS_MAX);
        let Ok(group) = group else { return true };
        let own = self.config.kafka.instance_id.as_deref();
        // A static member's id begins with the name that it was given.
        let ours = |id: &str| own.is_some_and(|own| id.starts_with(&format!("{own}-")));
        let mut members = group.groups().iter().flat_map(|group| group.members());
        members.all(|member| ours(member.id()))
    }

    /// A follower that hangs must not keep its chain. Where all stood still, none
    /// had the time to show a sign of life.
    fn mind_the_stuck(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        if now.duration_since(self.looked_at) > STOOD_STILL {
            self.awake_since = now;
        }
        self.looked_at = now;
        for input in &self.config.inputs {
            let silence = self.health.silence_of(input.chain).min(now - self.awake_since);
            anyhow::ensure!(
                !self.duties.owns(input.chain) || silence < STUCK_MAX,
                "{} has not been followed for {} s; this instance gives it up",
                input.chain,
                silence.as_secs()
            );
        }
        Ok(())
    }
}
