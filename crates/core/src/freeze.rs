//! The freeze desk: which accounts to freeze, and how each recommendation
//! fares.
//!
//! Tainted units have come to rest when none has entered or left the account
//! for `freeze_rest_ms` of block time. An account whose tainted units for some
//! case are then at least `freeze_min_units` is recommended: to the issuer if
//! it is private, and for a service, as soon as the units arrive, to the
//! service's compliance desk. What always holds: at most one record for an
//! account and block; a record is the whole state as of its block.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::effect::{Actor, Claim, FreezeRecommendation, FreezeStatus};
use crate::graph::AccountId;
use crate::history::BlockIx;
use crate::ledger::LaneIx;
use crate::trace::{Touch, Tracer, World};
use crate::{Amount, alert};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct FreezeDesk {
    records: HashMap<AccountId, Record, FixedState>,
    /// By chain: when which account will have rested long enough.
    due: [BTreeSet<(u64, AccountId)>; 2],
    /// The entry of `due` that counts for an account.
    due_of: HashMap<AccountId, u64, FixedState>,
}

#[derive(Debug)]
struct Record {
    status: FreezeStatus,
    raised_ms: u64,
    /// Who was told to act, and the units that each case claimed.
    actor: Actor,
    claimed: Vec<(String, Amount)>,
}

impl Record {
    /// Whether the desk still waits for the funds to be caught.
    fn is_open(&self) -> bool {
        use FreezeStatus::{Frozen, Raised, Released, Updated};
        matches!(self.status, Raised | Updated | Frozen | Released)
    }

    /// Whether it tells of this actor and these claims already.
    fn tells(&self, actor: &Actor, holds: &[Hold], tracer: &Tracer) -> bool {
        let now = holds.iter().map(|hold| (&tracer.lane(hold.lane).case.id, hold.units));
        self.actor == *actor && now.eq(self.claimed.iter().map(|(case, units)| (case, *units)))
    }
}

/// One case's hold on an account, before its path is drawn.
#[derive(Clone, Copy)]
struct Hold {
    lane: LaneIx,
    units: Amount,
    hops: u32,
    node: u32,
    moved_ms: u64,
}

impl FreezeDesk {
    /// Looks at every account that the block touched, and at those whose rest
    /// is over by its time.
    pub(crate) fn end_block(
        &mut self,
        block: BlockIx,
        touches: &[(AccountId, Touch)],
        tracer: &Tracer,
        world: World<'_>,
        out: &mut Vec<FreezeRecommendation>,
    ) {
        let meta = world.history.block(block);
        let mut touched: BTreeMap<AccountId, Option<bool>> = BTreeMap::new();
        for (account, touch) in touches {
            let seen = touched.entry(*account).or_default();
            if *touch != Touch::Woken {
                *seen = Some(seen.unwrap_or(false) || *touch == Touch::Destroyed);
            }
        }
        for (account, touched) in touched {
            self.look(account, touched, block, tracer, world, out);
        }
        let chain = meta.chain.index();
        while let Some((due, account)) = self.due[chain].first().copied() {
            if due > meta.timestamp_ms {
                break;
            }
            self.due[chain].pop_first();
            if self.due_of.get(&account) == Some(&due) {
                self.due_of.remove(&account);
                self.look(account, None, block, tracer, world, out);
            }
        }
    }

    /// Looks at accounts whose claims changed without a transfer: a case or a
    /// label came, changed or went. `block` is the head of their chain.
    pub(crate) fn review(
        &mut self,
        account: AccountId,
        block: BlockIx,
        tracer: &Tracer,
        world: World<'_>,
        out: &mut Vec<FreezeRecommendation>,
    ) {
        self.look(account, None, block, tracer, world, out);
    }

    /// `touched`: a movement of the block touched the account; `true`: one
    /// that destroyed its funds.
    fn look(
        &mut self,
        account: AccountId,
        touched: Option<bool>,
        block: BlockIx,
        tracer: &Tracer,
        world: World<'_>,
        out: &mut Vec<FreezeRecommendation>,
    ) {
        let service = world.labels.get(&account).is_some_and(|label| label.stop);
        let holds = holds(account, service, tracer);
        let most = holds.iter().map(|hold| hold.units).max().unwrap_or(0);
        let enough = most >= world.config.freeze_min_units && most > 0;
        let record = self.records.get(&account).filter(|record| record.is_open());
        let frozen = tracer.book.holding(account).frozen;
        let status = match record {
            Some(record) => match touched {
                Some(destroyed) => {
                    let unclaimed = holds.is_empty();
                    Some(next_status(record.status, destroyed, frozen, enough, unclaimed))
                }
                None => {
                    let told = record.tells(&actor(account, world), &holds, tracer);
                    reviewed_status(told, frozen, enough, holds.is_empty())
                }
            },
            None if !enough || frozen => None,
            None if service => Some(FreezeStatus::Raised),
            None => self.rest(account, &holds, block, world),
        };
        if let Some(status) = status {
            out.push(self.record(account, status, &holds, block, tracer, world));
        }
    }

    /// `Raised` if the units have rested long enough; else notes when they
    /// will have.
    fn rest(
        &mut self,
        account: AccountId,
        holds: &[Hold],
        block: BlockIx,
        world: World<'_>,
    ) -> Option<FreezeStatus> {
        let meta = world.history.block(block);
        let moved_ms = holds.iter().map(|hold| hold.moved_ms).max().unwrap_or(0);
        let due_ms = moved_ms.saturating_add(world.config.freeze_rest_ms);
        if due_ms <= meta.timestamp_ms {
            return Some(FreezeStatus::Raised);
        }
        self.due_of.insert(account, due_ms);
        self.due[meta.chain.index()].insert((due_ms, account));
        None
    }

    fn record(
        &mut self,
        account: AccountId,
        status: FreezeStatus,
        holds: &[Hold],
        block: BlockIx,
        tracer: &Tracer,
        world: World<'_>,
    ) -> FreezeRecommendation {
        let meta = world.history.block(block);
        let before = self.records.get(&account);
        let raised_ms = match before {
            Some(before) if status != FreezeStatus::Raised => before.raised_ms,
            _ => meta.timestamp_ms,
        };
        let actor = actor(account, world);
        let claims = claims(holds, tracer, world);
        let claimed = claims.iter().map(|claim| (claim.case.clone(), claim.tainted)).collect();
        let record = Record { status, raised_ms, actor: actor.clone(), claimed };
        self.records.insert(account, record);
        FreezeRecommendation {
            account: world.graph.account(account),
            status,
            actor,
            block: meta.number,
            timestamp_ms: meta.timestamp_ms,
            raised_ms,
            balance: tracer.book.holding(account).balance,
            policy: world.config.policy,
            claims,
        }
    }
}

/// The status of an open record after a movement; `destroyed`: one that burnt
/// the funds.
fn next_status(
    status: FreezeStatus,
    destroyed: bool,
    frozen: bool,
    enough: bool,
    unclaimed: bool,
) -> FreezeStatus {
    use FreezeStatus::{Destroyed, Escaped, Frozen, Released, Updated};
    match status {
        _ if destroyed && unclaimed => Destroyed,
        _ if frozen => Frozen,
        Frozen if enough => Released,
        _ if enough => Updated,
        _ => Escaped,
    }
}

/// The status of an open record after a look without a movement: what is
/// claimed can have changed with a case or a label only. `None`: it has not.
fn reviewed_status(
    told: bool,
    frozen: bool,
    enough: bool,
    unclaimed: bool,
) -> Option<FreezeStatus> {
    match (told, frozen) {
        _ if unclaimed => Some(FreezeStatus::Withdrawn),
        (true, _) => None,
        (false, true) => Some(FreezeStatus::Frozen),
        (false, false) if enough => Some(FreezeStatus::Updated),
        (false, false) => Some(FreezeStatus::Withdrawn),
    }
}

fn actor(account: AccountId, world: World<'_>) -> Actor {
    match world.labels.get(&account) {
        Some(label) if label.stop || label.kind == "deposit" => {
            Actor::Service { entity: label.entity.clone(), kind: label.kind.clone() }
        }
        _ => Actor::Issuer,
    }
}

/// What each case holds in the account, or sent to it if it is a service's.
fn holds(account: AccountId, service: bool, tracer: &Tracer) -> Vec<Hold> {
    let mut holds: Vec<Hold> = if service {
        let arrived = |(lane, state): (LaneIx, &crate::trace::Lane)| {
            let arrival = state.arrivals.get(&account)?;
            let (units, hops, node) = (arrival.units, arrival.hops, arrival.node);
            Some(Hold { lane, units, hops, node, moved_ms: 0 })
        };
        tracer.lanes().filter_map(arrived).collect()
    } else {
        let held = tracer.book.taints(account).iter().filter(|taint| taint.units > 0);
        held.map(|taint| Hold {
            lane: taint.lane,
            units: taint.units,
            hops: taint.hops,
            node: taint.node,
            moved_ms: taint.moved_ms,
        })
        .collect()
    };
    holds.sort_by(|a, b| tracer.lane(a.lane).case.id.cmp(&tracer.lane(b.lane).case.id));
    holds
}

fn claims(holds: &[Hold], tracer: &Tracer, world: World<'_>) -> Vec<Claim> {
    let most = alert::PATH_STEPS_MAX / holds.len().max(1);
    let claim = |hold: &Hold| {
        let lane = tracer.lane(hold.lane);
        let (path, path_omitted) = lane
            .nodes
            .get(hold.node as usize)
            .map_or_else(Default::default, |node| alert::path(lane, *node, world, most));
        let case = lane.case.id.clone();
        Claim { case, tainted: hold.units, hops: hold.hops, path, path_omitted }
    };
    holds.iter().map(claim).collect()
}
