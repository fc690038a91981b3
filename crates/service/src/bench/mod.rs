//! `usdt-flow bench`: the service measured over a user's own broker.
//!
//! What always holds: what is measured is this very binary, run as a child
//! process with a configuration of its own and seen from outside alone: its
//! `/metrics`, its topics, its exit; records follow from a fixed seed; all
//! topics are new, and are deleted however the bench ends, unless it is killed.
//!
//! Deliberately absent: criterion's benches of the pure crates, in `benches`.

mod broker;
mod child;
mod drain;
mod format;
mod latency;
mod machine;
mod statistics;
mod stop;
mod table;
mod throughput;
mod usage;

pub use format::RecordFormat;
pub(crate) use latency::latency;
pub(crate) use throughput::throughput;
