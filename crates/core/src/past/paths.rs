//! The strongest paths of a trace from one account to another.
//!
//! A path is a chain of hops in rising order that visits no account twice; its
//! strength is the fewest tainted units that any of its hops moved. Units go on
//! from an account only if they stayed there tainted: not from a service, not
//! where they ended as dust or beyond the horizon, and not after a hop that left
//! the account without tainted units.
//!
//! One pass over the hops, from the newest to the oldest, tells for each how
//! strong a path through it can still be and how few hops it needs. Paths are
//! then tried best first, so the k found first are the k strongest. What always
//! holds: of equal strength fewer hops come first, then earlier ones.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{Hop, Trace, TraceGraph};
use crate::{Amount, Outcome, Policy};

/// Beginnings of paths that are tried at most.
const TRIED_MAX: usize = 1 << 22;

/// One path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracePath {
    /// The ranks of its hops in [`Trace::hops`], rising.
    pub hops: Vec<u32>,
    /// The fewest tainted units that one of them moved.
    pub strength: Amount,
}

/// The strongest paths, the strongest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// At most as many as were asked for.
    pub paths: Vec<TracePath>,
    /// Whether the search was given up before there were enough: those found
    /// are right, but there may be more.
    pub given_up: bool,
}

/// What can come of a hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Promise {
    /// At least as strong as any path that goes on with it; 0: none arrives.
    strength: Amount,
    /// At most as many hops as any such path takes, itself counted.
    hops: u32,
}

/// A beginning of a path, ordered by the best that can come of it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Beginning {
    bound: Amount,
    hops_min: Reverse<u32>,
    /// Ranks of hops; of two beginnings the one with earlier hops comes first.
    hops: Reverse<Vec<u32>>,
    /// The fewest units that one of them moved.
    strength: Amount,
}

/// The `k` strongest paths from one account to another.
pub fn strongest_paths(trace: &Trace, from: u32, to: u32, k: usize) -> Paths {
    search(trace, to, k, false, |search, queue| search.extend(queue, from, &[], Amount::MAX))
}

/// The `k` strongest paths from the crime to an account: they begin with a hop
/// out of an active source wallet, or with a transfer that is itself a source,
/// and hold no other such hop.
pub fn paths_from_sources(trace: &Trace, to: u32, k: usize) -> Paths {
    search(trace, to, k, true, |search, queue| {
        let ranks = 0..u32::try_from(trace.hops.len()).unwrap_or(u32::MAX);
        for rank in ranks.filter(|rank| leaves_a_source(&trace.hops[*rank as usize])) {
            search.push(queue, rank, &[], Amount::MAX);
        }
    })
}

fn search(
    trace: &Trace,
    to: u32,
    k: usize,
    from_sources: bool,
    begin: impl FnOnce(&Search<'_>, &mut BinaryHeap<Beginning>),
) -> Paths {
    let promises = promises(trace, to);
    let graph = TraceGraph::of(&trace.hops);
    let (policy, hops) = (trace.policy, &trace.hops);
    let search = Search { policy, hops, promises, graph, to, from_sources };
    let mut queue = BinaryHeap::new();
    begin(&search, &mut queue);
    let mut found = Paths::default();
    for _ in 0..TRIED_MAX {
        if found.paths.len() == k {
            return found;
        }
        let Some(Beginning { hops: Reverse(hops), strength, .. }) = queue.pop() else {
            return found;
        };
        let end = search.last(&hops).to;
        if end == to {
            found.paths.push(TracePath { hops, strength });
        } else {
            search.extend(&mut queue, end, &hops, strength);
        }
    }
    found.given_up = found.paths.len() < k;
    found
}

struct Search<'a> {
    policy: Policy,
    hops: &'a [Hop],
    promises: Vec<Promise>,
    graph: TraceGraph,
    to: u32,
    /// Whether a path leaves a source with its first hop and none after it.
    from_sources: bool,
}

impl Search<'_> {
    fn last(&self, hops: &[u32]) -> &Hop {
        let last = *hops.last().expect("a beginning has a hop");
        &self.hops[last as usize]
    }

    /// Adds every way to go on from an account.
    fn extend(
        &self,
        queue: &mut BinaryHeap<Beginning>,
        account: u32,
        before: &[u32],
        strength: Amount,
    ) {
        if account == self.to {
            return;
        }
        for next in self.departures(account, before.last().copied()) {
            let hop = &self.hops[next as usize];
            let begins_anew = self.from_sources && leaves_a_source(hop);
            if !begins_anew && !self.visits(before, account, hop.to) {
                self.push(queue, next, before, strength);
            }
        }
    }

    /// Adds a beginning with one hop more, if anything can come of it.
    fn push(&self, queue: &mut BinaryHeap<Beginning>, next: u32, before: &[u32], strength: Amount) {
        let (hop, promise) = (&self.hops[next as usize], self.promises[next as usize]);
        if promise.strength == 0 {
            return;
        }
        let taken = u32::try_from(before.len()).unwrap_or(u32::MAX);
        queue.push(Beginning {
            bound: strength.min(promise.strength),
            hops_min: Reverse(taken.saturating_add(promise.hops)),
            hops: Reverse(before.iter().copied().chain([next]).collect()),
            strength: strength.min(hop.moved),
        });
    }

    /// The hops with which units can go on that came with `arrival`: from there
    /// up to the one that takes the last of them.
    fn departures(&self, account: u32, arrival: Option<u32>) -> Vec<u32> {
        let after = arrival.map_or(0, |arrival| arrival + 1);
        let later = self.graph.hops_from(account).take_while(|next| *next >= after);
        let mut departures: Vec<u32> = later.collect();
        departures.reverse();
        if arrival.is_some() {
            let empties = |next: &u32| empties(self.policy, &self.hops[*next as usize]);
            let last = departures.iter().position(empties);
            departures.truncate(last.map_or(usize::MAX, |last| last + 1));
        }
        departures
    }

    /// Whether a path that has come to `account` has been at `next`.
    fn visits(&self, before: &[u32], account: u32, next: u32) -> bool {
        account == next || before.iter().any(|hop| self.hops[*hop as usize].from == next)
    }
}

/// What can come of each hop, worked out from the newest to the oldest.
fn promises(trace: &Trace, to: u32) -> Vec<Promise> {
    let hops = &trace.hops;
    // By account: the best that can come of its hops after the one looked at.
    let mut after: HashMap<u32, Promise, FixedState> = HashMap::default();
    let mut promises = vec![Promise::default(); hops.len()];
    for (ix, hop) in hops.iter().enumerate().rev() {
        let promise = if hop.to == to {
            Promise { strength: hop.moved, hops: 1 }
        } else if stays(hop) {
            after.get(&hop.to).map_or(Promise::default(), |next| Promise {
                strength: next.strength.min(hop.moved),
                hops: next.hops.saturating_add(1),
            })
        } else {
            Promise::default()
        };
        promises[ix] = promise;
        if empties(trace.policy, hop) {
            after.remove(&hop.from);
        }
        if promise.strength > 0 {
            let best = after.entry(hop.from).or_insert(promise);
            best.strength = best.strength.max(promise.strength);
            best.hops = best.hops.min(promise.hops);
        }
    }
    promises
}

/// Whether it takes units from an active source, or is one: only there do
/// units have one hop on arrival.
const fn leaves_a_source(hop: &Hop) -> bool {
    hop.hops == 1
}

/// Whether tainted units go on from where the hop led.
fn stays(hop: &Hop) -> bool {
    matches!(hop.outcome, Outcome::Held | Outcome::AtSource)
}

/// Whether the hop left its sender without tainted units, so that nothing that
/// came before can leave after it. Under `poison` that never happens.
fn empties(policy: Policy, hop: &Hop) -> bool {
    let all_tainted = !hop.marked && hop.moved == hop.tainted_before;
    policy != Policy::Poison && (all_tainted || hop.amount == hop.before)
}
