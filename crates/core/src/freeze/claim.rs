//! What cases hold in an account, and how it is told.

use crate::Amount;
use crate::alert::{PATH_STEPS_MAX, Sight};
use crate::effect::Claim;
use crate::history::HistoryError;
use crate::ledger::Ledger;
use crate::movement::AccountId;
use crate::trace::{LaneIx, Tracer};

/// The most claims that a record lists: those of more cases would leave no room
/// for their paths.
const CLAIMS_MAX: usize = 16;

/// One case's hold on an account, before its path is drawn.
#[derive(Clone, Copy)]
pub(super) struct Hold {
    pub(super) lane: LaneIx,
    pub(super) units: Amount,
    pub(super) hops: u32,
    pub(super) node: u32,
    pub(super) moved_ms: u64,
}

/// What cases hold in an account, taken together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stake {
    /// The greatest hold; of equal ones the one that moved last, then the one
    /// that is farthest from its source.
    pub(super) units: Amount,
    pub(super) moved_ms: u64,
    pub(super) hops: u32,
    /// When units of any case moved last.
    pub(super) stirred_ms: u64,
}

/// Hands over what each case holds in the account, or sent to it if it is a
/// service's, in the order of lanes. Of several policies the case's first one
/// counts.
fn each_hold(
    account: AccountId,
    service: bool,
    tracer: &Tracer,
    ledger: &Ledger,
    mut hand_over: impl FnMut(Hold),
) {
    if service {
        for (lane, arrival) in tracer.arrivals(account).filter(|(ix, _)| tracer.leads(*ix)) {
            let (units, hops, node) = (arrival.units, arrival.hops, arrival.node);
            hand_over(Hold { lane, units, hops, node, moved_ms: 0 });
        }
        return;
    }
    for taint in tracer.taints.of(ledger, account) {
        if taint.units > 0 && tracer.leads(taint.lane) {
            let (units, hops, node) = (taint.units, taint.hops, taint.node);
            hand_over(Hold { lane: taint.lane, units, hops, node, moved_ms: taint.moved_ms });
        }
    }
}

/// What each case holds there.
pub(super) fn holds(
    account: AccountId,
    service: bool,
    tracer: &Tracer,
    ledger: &Ledger,
) -> Vec<Hold> {
    let mut holds = Vec::new();
    each_hold(account, service, tracer, ledger, |hold| holds.push(hold));
    holds
}

/// What cases hold there, taken together.
pub(super) fn stake(account: AccountId, service: bool, tracer: &Tracer, ledger: &Ledger) -> Stake {
    let mut stake = Stake::default();
    each_hold(account, service, tracer, ledger, |hold| {
        stake.stirred_ms = stake.stirred_ms.max(hold.moved_ms);
        let rank = (hold.units, hold.moved_ms, hold.hops);
        if rank > (stake.units, stake.moved_ms, stake.hops) {
            (stake.units, stake.moved_ms, stake.hops) = rank;
        }
    });
    stake
}

/// The units that each case holds, in the order of case ids.
pub(super) fn by_case(holds: &[Hold], tracer: &Tracer) -> Vec<(String, Amount)> {
    let mut units: Vec<_> =
        holds.iter().map(|hold| (tracer.lane(hold.lane).case.id.clone(), hold.units)).collect();
    units.sort_unstable();
    units
}

/// The greatest claims with their paths, in the order of case ids, and how many
/// there are besides.
pub(super) fn claims(
    holds: &[Hold],
    sight: &mut Sight<'_>,
) -> Result<(Vec<Claim>, u32), HistoryError> {
    let case = |hold: &Hold| sight.tracer.lane(hold.lane).case.id.as_str();
    let mut told: Vec<&Hold> = holds.iter().collect();
    if told.len() > CLAIMS_MAX {
        told.select_nth_unstable_by(CLAIMS_MAX, |a, b| (b.units, case(a)).cmp(&(a.units, case(b))));
        told.truncate(CLAIMS_MAX);
    }
    told.sort_unstable_by(|a, b| case(a).cmp(case(b)));
    let omitted = u32::try_from(holds.len() - told.len()).unwrap_or(u32::MAX);
    let most = PATH_STEPS_MAX / told.len().max(1);
    let mut claims = Vec::with_capacity(told.len());
    for hold in told {
        let lane = sight.tracer.lane(hold.lane);
        let node = lane.nodes.get(hold.node as usize).copied();
        let (path, path_omitted) = match node {
            Some(node) => sight.path(hold.lane, node, most)?,
            None => Default::default(),
        };
        let case = lane.case.id.clone();
        claims.push(Claim { case, tainted: hold.units, hops: hold.hops, path, path_omitted });
    }
    Ok((claims, omitted))
}
