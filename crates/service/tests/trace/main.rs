//! `usdt-flow trace` and `usdt-flow verify` as a user runs them: the real
//! binary over the recorded slice and over invented traffic.

mod ask;
mod case;
mod change;
mod common;
mod export;
mod packet;
mod report;
mod verify;

#[path = "../shared/slice.rs"]
mod recorded;
#[path = "../shared/folder.rs"]
mod shared_folder;
