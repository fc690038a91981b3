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
//! the group whatever the followers do, but leaves it when one of them has shown
//! no sign of life for long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use flow_core::Chain;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use super::reader::partitions;
use super::refusal;
use crate::config::Config;
use crate::follow::Duties;
use crate::http::Health;

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(50);

/// The pause between two looks whether somebody else is there.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// How long the brokers may take to say who is in the group.
const MEMBERS_MAX: Duration = Duration::from_secs(5);

/// A follower that has shown no sign of life for so long does not publish.
const STUCK_MAX: Duration = Duration::from_secs(180);

/// Tells the followers what the group says.
#[derive(Debug)]
struct Group {
    duties: Arc<Duties>,
    failed: Mutex<Option<String>>,
}

impl ClientContext for Group {}

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
    joined: bool,
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
            .set("heartbeat.interval.ms", "1000");
        if let Some(id) = &kafka.instance_id {
            client.set("group.instance.id", id);
        }
        for (key, value) in &kafka.consumer {
            client.set(key, value);
        }
        let group = Group { duties: Arc::clone(&duties), failed: Mutex::new(None) };
        let consumer: BaseConsumer<Group> =
            client.create_with_context(group).context("cannot make a Kafka consumer")?;
        partitions(&consumer, &config.output.owners_topic)?;
        Ok(Membership { config, duties, health, consumer, joined: false })
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
                } else {
                    looked = if due { Some(Instant::now()) } else { looked };
                    std::thread::sleep(POLL);
                    continue;
                }
            }
            self.poll()?;
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

    /// A follower that hangs must not keep its chain.
    fn mind_the_stuck(&self) -> anyhow::Result<()> {
        for input in &self.config.inputs {
            let silence = self.health.silence_of(input.chain);
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
