//! What a seed decides before anything runs: the world, the settings, who runs
//! and how bad it gets.

use std::sync::OnceLock;
use std::time::Duration;

use flow_core::{EngineConfig, Policy};
use flow_sim::Dice;
use usdt_flow::checkpoint::S3Options;
use usdt_flow::config::{CheckpointConfig, CommitConfig, Config, InputConfig, InputTopic, Layers};
use usdt_flow::follow::Stream;

use crate::kafka::{ChangeLog, Input, Kafka, OutputTopic};
use crate::sim::{Group, Shelf, State, Weather};
use crate::world::World;

/// The consumer group.
pub(crate) const GROUP_ID: &str = "storm";

/// The storm goes on for so long after the last record, at most.
const AFTER_MS: u64 = 3_000;

/// Where checkpoints lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shelves {
    /// Nowhere.
    None,
    /// On one disk for all.
    Shared,
    /// On a disk for each.
    Own,
}

/// See the module.
pub(crate) struct Plan {
    pub(crate) world: World,
    pub(crate) config: Config,
    pub(crate) checkpoint: CheckpointConfig,
    /// When each instance starts first.
    pub(crate) starts: Vec<Duration>,
    shelves: Shelves,
    pub(crate) retention: bool,
    dice: Dice,
}

impl Plan {
    /// The plan of that seed.
    pub(crate) fn new(seed: u64) -> Plan {
        let mut dice = Dice::new(seed);
        let world = World::new(&mut dice);
        let config = config(&world, &mut dice);
        let checkpoint = CheckpointConfig {
            url: String::new(),
            interval: Duration::from_millis(dice.between(100, 2_500)),
            keep: 2 + dice.index(2),
            s3: S3Options::default(),
        };
        let instances = dice.pick(&[1, 1, 2, 2, 2, 3]);
        let starts = (0..instances).map(|_| Duration::from_millis(dice.below(1_500))).collect();
        let shelves = match dice.below(8) {
            0 => Shelves::None,
            1 | 2 => Shelves::Own,
            _ => Shelves::Shared,
        };
        let retention = shelves == Shelves::Shared && dice.one_in(3);
        Plan { world, config, checkpoint, starts, shelves, retention, dice }
    }

    /// The disk of an instance.
    pub(crate) fn shelf(&self, seat: usize) -> Option<usize> {
        match self.shelves {
            Shelves::None => None,
            Shelves::Shared => Some(0),
            Shelves::Own => Some(seat),
        }
    }

    /// The world as it is in the beginning.
    pub(crate) fn state(&self) -> State {
        let mut dice = self.dice.clone();
        let input = Input::new(&self.world.topics, &mut dice);
        let changes = ChangeLog::new(&self.world.timeline.changes, dice.one_in(2));
        let output = &self.config.output;
        let outputs = vec![
            OutputTopic::new(&output.alerts_topic, Some(Stream::Alerts), 1 + dice.index(2)),
            OutputTopic::new(&output.freezes_topic, Some(Stream::Freezes), 1 + dice.index(2)),
            OutputTopic::new(&output.deadletter_topic, None, 1),
            OutputTopic::new(&output.audit_topic, Some(Stream::Audit), 1),
            OutputTopic::new(&output.ledgers_topic, Some(Stream::Ledgers), 1 + dice.index(2)),
        ];
        let until = Duration::from_millis(self.world.end_ms + dice.below(AFTER_MS));
        let weather = Weather::new(&mut dice, until);
        let seats = self.starts.len();
        State::new(
            seats,
            dice,
            weather,
            Kafka::new(input, changes, outputs),
            (0..seats).map(|_| Shelf::default()).collect(),
            Group::new(self.world.chain),
            self.world.feed.iter().cloned().collect(),
            self.retention,
        )
    }
}

fn config(world: &World, dice: &mut Dice) -> Config {
    static DEFAULTS: OnceLock<Config> = OnceLock::new();
    let defaults = DEFAULTS
        .get_or_init(|| Config::load(&Layers::default()).expect("the defaults are valid").config);
    let mut config = defaults.clone();
    config.kafka.group_id = GROUP_ID.to_owned();
    let topic =
        |topic: &crate::world::Topic| InputTopic { name: topic.name.to_owned(), format: None };
    config.inputs = vec![InputConfig {
        chain: world.chain,
        topics: world.topics.iter().map(topic).collect(),
        window_blocks: world.window_blocks,
        finality_blocks: world.finality_blocks,
        align: Duration::from_millis(dice.between(300, 700)),
        idle_flush: Duration::from_millis(dice.between(600, 2_000)),
    }];
    config.engine = engine(world, dice);
    config.commit = CommitConfig {
        interval: Duration::from_millis(dice.between(10, 100)),
        max_records: 1 + dice.index(40),
    };
    config
}

fn engine(world: &World, dice: &mut Dice) -> EngineConfig {
    let first = dice.pick(&Policy::ALL);
    let second = dice.pick(&Policy::ALL);
    EngineConfig {
        policies: if dice.one_in(3) { vec![first, second] } else { vec![first] },
        alert_min_units: dice.pick(&[0, 0, 2]),
        thresholds: vec![world.most, 3 * world.most, 8 * world.most],
        freeze_min_units: dice.between(1, world.most),
        freeze_rest_ms: 3_000 * dice.between(1, 8),
        // What waits depends on when a case became known; the verdict must not.
        freeze_update_ms: 0,
        ledger_update_ms: 3_000 * dice.between(1, 8),
        segment_transfers: 3 + dice.index(30),
        graph_transfers: 4 + dice.index(40),
        ..EngineConfig::default()
    }
}
