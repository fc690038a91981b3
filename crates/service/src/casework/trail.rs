//! The trail of transfers from the crime to an account.

use flow_core::{Past, Trace, paths_from_sources};

use crate::trace::hop::FullHop;

/// One way that tainted units took from a source of the case to an account.
#[derive(Clone, Debug)]
pub struct Trail {
    /// The fewest tainted units that one of its transfers moved.
    pub strength: u64,
    /// Its transfers, oldest first.
    pub hops: Vec<FullHop>,
}

/// The strongest trails to an account.
#[derive(Clone, Debug)]
pub struct Trails {
    /// The strongest first.
    pub trails: Vec<Trail>,
    /// Whether the search was given up before there were enough.
    pub given_up: bool,
}

/// The `k` strongest trails to the account; none to a source that received
/// nothing from another one.
///
/// # Errors
/// If the past cannot be read.
pub fn trails(past: &mut Past, trace: &Trace, account: u32, k: usize) -> anyhow::Result<Trails> {
    let found = paths_from_sources(trace, account, k);
    let mut trails = Vec::new();
    for path in found.paths {
        let hops = FullHop::all(past, trace, path.hops.iter().map(|hop| *hop as usize))?;
        trails.push(Trail { strength: path.strength, hops });
    }
    Ok(Trails { trails, given_up: found.given_up })
}
