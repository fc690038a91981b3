//! Cases and their lanes, and the taints of all accounts.

use super::{Scope, must, rises, sums};
use crate::image::{RestoreError, format};
use crate::policy::Policy;
use crate::{Amount, Source};

/// A lane as it is when the image was begun.
pub(super) struct OpenLane<'a> {
    pub(super) lane: &'a format::Lane,
    /// The id of its case.
    pub(super) case: &'a str,
    pub(super) traced_at: u32,
}

/// Lanes by rank; none where a case only waits to be traced.
pub(super) type Lanes<'a> = Vec<Option<OpenLane<'a>>>;

/// The lane of that rank, which must be open.
pub(super) fn open<'a, 'b>(
    lanes: &'b Lanes<'a>,
    rank: u32,
) -> Result<&'b OpenLane<'a>, RestoreError> {
    let lane = lanes.get(rank as usize).and_then(Option::as_ref);
    lane.ok_or(RestoreError::Malformed("a lane is named that is not open"))
}

/// Checks cases and what their lanes hold by themselves.
pub(super) fn cases<'a>(
    cases: &'a [format::OpenCase],
    scope: Scope<'_>,
) -> Result<Lanes<'a>, RestoreError> {
    must(rises(cases.iter().map(|case| &case.case.id)), "cases are out of order")?;
    let traced = cases.iter().filter_map(|case| Some((case.traced.as_ref()?.group, Some(case))));
    let waiting = cases.iter().filter_map(|case| Some((case.waiting?.group, None)));
    let mut groups: Vec<(u32, Option<&format::OpenCase>)> = traced.chain(waiting).collect();
    groups.sort_unstable_by_key(|(group, _)| *group);
    let is_rank = |(rank, group): (u32, &(u32, _))| rank == group.0;
    must((0..).zip(&groups).all(is_rank), "lanes have wrong ranks")?;
    let mut numbers: Vec<u32> =
        cases.iter().filter_map(|case| Some(case.waiting?.number)).collect();
    numbers.sort_unstable();
    must(
        (0..).zip(&numbers).all(|(rank, number)| rank == *number),
        "late traces have wrong ranks",
    )?;
    let mut lanes = Lanes::new();
    for (_, case) in groups {
        match case.and_then(|case| Some((case, case.traced.as_ref()?))) {
            Some((case, traced)) => traced_lanes(case, traced, scope, &mut lanes)?,
            None => lanes.extend(scope.policies.iter().map(|_| None)),
        }
    }
    cases.iter().try_for_each(|case| is_followed(case, scope))?;
    Ok(lanes)
}

/// A case is traced, or waits to be, with wallets that are known.
fn is_followed(case: &format::OpenCase, scope: Scope<'_>) -> Result<(), RestoreError> {
    must(case.traced.is_some() || case.waiting.is_some(), "a case is not traced")?;
    must(case.traced_at <= scope.blocks, "a case was traced in the future")?;
    let known = |source: &Source| match source {
        Source::Wallet { account, .. } => scope.accounts.find(*account).is_some(),
        Source::Transfer { .. } => true,
    };
    let is_known = case.waiting.is_none() || case.case.sources.iter().all(known);
    must(is_known, "a source is no account")
}

fn traced_lanes<'a>(
    case: &'a format::OpenCase,
    traced: &'a format::Traced,
    scope: Scope<'_>,
    lanes: &mut Lanes<'a>,
) -> Result<(), RestoreError> {
    must(traced.case.id == case.case.id, "a case is traced as another")?;
    must(traced.lanes.len() == scope.policies.len(), "a case has not one lane for each policy")?;
    for (lane, policy) in traced.lanes.iter().zip(scope.policies) {
        self::lane(lane, *policy, scope)?;
        let (case, traced_at) = (case.case.id.as_str(), case.traced_at);
        lanes.push(Some(OpenLane { lane, case, traced_at }));
    }
    Ok(())
}

fn lane(lane: &format::Lane, policy: Policy, scope: Scope<'_>) -> Result<(), RestoreError> {
    sums::totals(&lane.totals)?;
    let parents = (0..).zip(&lane.nodes).all(|(ix, node)| node.parent.is_none_or(|up| up < ix));
    must(parents, "a path does not end")?;
    let transfers = lane.nodes.iter().map(|node| node.transfer);
    must(transfers.is_sorted(), "a path tree does not grow")?;
    must(policy.is_ordered() || lane.runs.is_empty(), "runs where order does not matter")?;
    must(rises(lane.runs.iter().map(|(account, _)| account)), "runs are out of order")?;
    must(lane.members.iter().all(|account| scope.has(*account)), "a member is no account")?;
    let mut reached: Vec<u32> = lane.reached.iter().map(|(account, _)| *account).collect();
    reached.sort_unstable();
    must(rises(&reached), "a service's account was reached twice")?;
    must(reached.iter().all(|account| scope.has(*account)), "a service's account is none")
}

/// How far the accounts of a lane have been met.
struct Cursor {
    /// Its members by id, and how many of them were met.
    members: Vec<u32>,
    met: usize,
    runs_met: usize,
    held: u128,
    frozen: u128,
}

/// Checks that accounts hold what they can, that the members of a lane are
/// those that it tainted, and that its sums are theirs.
pub(super) fn taints(
    lanes: &Lanes<'_>,
    taints: &[(u32, Vec<format::Taint>)],
    holdings: &[format::Holding],
    scope: Scope<'_>,
) -> Result<(), RestoreError> {
    must(rises(taints.iter().map(|(account, _)| account)), "taints are out of order")?;
    let cursor = |lane: &Option<OpenLane<'_>>| {
        let mut members = lane.as_ref().map_or(Vec::new(), |lane| lane.lane.members.clone());
        members.sort_unstable();
        Cursor { members, met: 0, runs_met: 0, held: 0, frozen: 0 }
    };
    let mut cursors: Vec<Cursor> = lanes.iter().map(cursor).collect();
    for (account, list) in taints {
        let holding = holdings.get(*account as usize);
        let holding = holding.ok_or(RestoreError::Malformed("taints of no account"))?;
        must(!list.is_empty(), "an account without taints stands among the tainted")?;
        self::list(list, holding, scope)?;
        for taint in list {
            let lane = open(lanes, taint.lane)?.lane;
            cursors[taint.lane as usize].meet(*account, taint, holding, lane, scope)?;
        }
    }
    for (cursor, lane) in cursors.iter().zip(lanes) {
        if let Some(lane) = lane {
            cursor.end(lane)?;
        }
    }
    Ok(())
}

impl Cursor {
    fn meet(
        &mut self,
        account: u32,
        taint: &format::Taint,
        holding: &format::Holding,
        lane: &format::Lane,
        scope: Scope<'_>,
    ) -> Result<(), RestoreError> {
        let is_member = self.members.get(self.met) == Some(&account);
        must(is_member, "the members of a lane are not those that it taints")?;
        self.met += 1;
        *(if holding.frozen() { &mut self.frozen } else { &mut self.held }) +=
            u128::from(taint.units);
        if has_runs(taint, scope) {
            let runs = lane.runs.get(self.runs_met).filter(|(id, _)| *id == account);
            let fits = runs.is_some_and(|(_, runs)| runs_fit(runs, taint.units, holding.balance));
            must(fits, "tainted units lie nowhere")?;
            self.runs_met += 1;
        }
        Ok(())
    }

    fn end(&self, open: &OpenLane<'_>) -> Result<(), RestoreError> {
        let OpenLane { lane, case, .. } = open;
        let is_met = self.met == lane.members.len();
        must(is_met, "the members of a lane are not those that it taints")?;
        must(self.runs_met == lane.runs.len(), "clean units lie among the tainted")?;
        if (self.held, self.frozen) == (lane.totals.held, lane.totals.frozen) {
            return Ok(());
        }
        Err(RestoreError::NotConserved((*case).to_owned()))
    }
}

/// Checks the taints of an account by themselves.
pub(super) fn list(
    list: &[format::Taint],
    holding: &format::Holding,
    scope: Scope<'_>,
) -> Result<(), RestoreError> {
    must(rises(list.iter().map(|taint| taint.lane)), "the taints of an account are out of order")?;
    for taint in list {
        must(taint.units <= holding.balance, "more tainted units than units")?;
        let is_whole = taint.is_whole(scope.policies);
        must(!is_whole || taint.units == holding.balance, "clean units where all are tainted")?;
    }
    Ok(())
}

/// Whether it matters which of the account's units are the tainted ones.
pub(super) fn has_runs(taint: &format::Taint, scope: Scope<'_>) -> bool {
    scope.policy(taint.lane).is_ordered() && !taint.source && taint.units > 0
}

/// Whether the runs are in order, are so many units, and lie within the balance.
pub(super) fn runs_fit(runs: &format::Runs, units: Amount, balance: Amount) -> bool {
    let (mut end, mut sum) = (0_u64, 0_u64);
    for (start, len) in &runs.runs {
        let place = start.wrapping_sub(runs.head);
        let next = place.checked_add(*len).filter(|next| *next <= balance);
        let (Some(next), true) = (next, *len > 0 && place >= end) else { return false };
        // Below the balance, as they do not overlap.
        sum += len;
        end = next;
    }
    sum == units && !runs.runs.is_empty()
}
