//! Small, nasty ledgers for property tests, and stories of how they came about.
//!
//! Few accounts, so that units circulate; every kind of event; amounts so small
//! that rounding decides or so large that products need 128 bits; the same
//! addresses and transaction hashes on both chains; sources that wake late,
//! twice, never, or inside a transaction of several transfers. A [`Story`] adds
//! what a live engine meets: blocks that leave the chain and come back, finality,
//! and cases and labels that come, change and go in between.
//!
//! What always holds: block numbers rise on each chain, (transaction, log
//! index) names at most one event of a chain, the cases and the labelled accounts
//! of a ledger are distinct, and no reserved address is a source.

use flow_core::{AccountKey, Amount, Block, Case, Label};

use crate::dice::Dice;

mod generator;
mod minimal;
mod notation;
mod story;
mod teller;

pub(crate) use generator::position;
use generator::{Generator, case};
pub use minimal::{minimal, shrink};
pub use story::{Step, Story};
pub use teller::random_story;

/// A ledger with cases, labels and opening balances.
#[derive(Clone, Debug)]
pub struct RandomLedger {
    /// The blocks of both chains, interleaved.
    pub blocks: Vec<Block>,
    /// The cases to trace.
    pub cases: Vec<Case>,
    /// The labels, known from the first event.
    pub labels: Vec<Label>,
    /// Balances before the first event.
    pub opening: Vec<(AccountKey, Amount)>,
}

/// The ledger of that seed.
pub fn random_ledger(seed: u64) -> RandomLedger {
    let mut dice = Dice::new(seed);
    let mut generator = Generator::new(&mut dice);
    let opening = generator.opening(&mut dice);
    let blocks = generator.blocks(&mut dice);
    let pool = generator.source_pool(&mut dice, &blocks);
    let cases = (0..dice.between(1, 4)).map(|number| case(&mut dice, &pool, number)).collect();
    let labels = generator.labels(&mut dice);
    RandomLedger { blocks, cases, labels, opening }
}
