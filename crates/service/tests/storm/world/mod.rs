//! What happens in one seed, whoever listens: a chain with reorganisations, the
//! records that tell of it, and cases and labels that come meanwhile.

mod feed;
mod knowledge;
mod node;
mod record;
mod town;

use flow_core::{AccountKey, Amount, Block, Case, Chain, Label};
use flow_sim::Dice;

pub(crate) use feed::Append;
pub(crate) use knowledge::{NewChange, Timeline};
use node::{Node, Pace};
use record::Style;
use town::Town;

/// A topic and how many partitions it has.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) name: &'static str,
    pub(crate) partitions: usize,
}

/// See the module.
pub(crate) struct World {
    pub(crate) chain: Chain,
    pub(crate) topics: Vec<Topic>,
    pub(crate) window_blocks: u64,
    pub(crate) finality_blocks: u64,
    /// Records in the order in which they come.
    pub(crate) feed: Vec<Append>,
    /// The blocks that hold in the end and of which anything is told.
    pub(crate) blocks: Vec<Block>,
    /// Their records, each once and in order.
    pub(crate) quiet: Vec<Vec<u8>>,
    /// Heights of which nothing is ever told.
    pub(crate) gaps: usize,
    pub(crate) reorgs: u64,
    pub(crate) opening: Vec<(AccountKey, Amount)>,
    /// Known from files.
    pub(crate) cases: Vec<Case>,
    pub(crate) labels: Vec<Label>,
    /// What topics tell.
    pub(crate) timeline: Timeline,
    pub(crate) end_ms: u64,
    /// The most units that a transaction moves.
    pub(crate) most: Amount,
}

impl World {
    /// The world of those dice.
    pub(crate) fn new(dice: &mut Dice) -> World {
        let chain = if dice.one_in(3) { Chain::Ethereum } else { Chain::Tron };
        let mut town = Town::new(dice, chain);
        let opening = town.opening(dice);
        let finality = dice.between(3, 8);
        let solid_lag = (chain == Chain::Tron && dice.one_in(3)).then_some(finality);
        let style = Style {
            // On TRON they tell the order of transactions.
            headers: chain == Chain::Tron || dice.one_in(2),
            removed_headers: dice.one_in(2),
            top_down: !dice.one_in(3),
            solid_lag,
        };
        let pace = pace(dice, finality);
        let history = Node::new(dice, &mut town, style, pace).run();
        let feed = feed::Feed::new(dice, style, pace);
        let missing = feed.missing(dice, &history);
        let mut blocks = history.chain;
        blocks.retain(|block| !missing.contains(&block.number));
        let quiet = blocks.iter().flat_map(|block| style.told(block)).map(|sent| sent.payload);
        let quiet = quiet.collect();
        let end_ms = history.end_ms;
        let appends = feed.appends(dice, chain, history.batches, &missing);
        let labels = town.labels(dice);
        let (cases, timeline) = knowledge::tell(dice, &town, &blocks, end_ms);
        World {
            chain,
            topics: feed.topics.clone(),
            window_blocks: feed.window_blocks,
            // Where records tell what is final, nothing else need.
            finality_blocks: if solid_lag.is_some() { 64 } else { finality },
            feed: appends,
            blocks,
            quiet,
            gaps: missing.len(),
            reorgs: history.reorgs,
            opening,
            cases,
            labels,
            timeline,
            end_ms,
            most: town.most(),
        }
    }
}

fn pace(dice: &mut Dice, finality_blocks: u64) -> Pace {
    Pace {
        blocks: 20 + dice.index(50),
        block_ms: dice.between(20, 120),
        step_ms: dice.between(20, 40),
        reorg_one_in: dice.pick(&[0, 6, 10, 20]),
        depth_max: usize::try_from(finality_blocks).expect("few blocks"),
        finality_blocks,
        silence_one_in: dice.pick(&[0, 15, 30]),
        silence_ms: dice.between(300, 4_000),
    }
}
