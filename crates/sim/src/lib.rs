//! Seeded USDT traffic with known answers, and the oracle that knows them.
//!
//! [`oracle`] works out taint under every policy, the slow and obvious way;
//! [`ledger_gen`] makes small ledgers full of corner cases, and stories of
//! reverted blocks and late cases, to compare an engine with it;
//! [`judge`] does that;
//! [`heist`] plays thefts against an issuer, to try choices of what to freeze;
//! [`workload`] makes realistic traffic with planted crimes for demos and
//! benches; [`feed`] writes blocks in the record formats that users have.
//! What always holds: everything follows from one seed, in integers.
//!
//! Deliberately absent: clocks, files and network.

mod dice;
pub mod feed;
pub mod heist;
pub mod judge;
pub mod ledger_gen;
pub mod oracle;
pub mod workload;

pub use dice::Dice;
