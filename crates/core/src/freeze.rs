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

use crate::alert::{self, Sight};
use crate::effect::{Actor, Claim, FreezeRecommendation, FreezeStatus};
use crate::history::HistoryError;
use crate::ledger::Ledger;
use crate::movement::{AccountId, BlockMeta};
use crate::trace::{Lane, LaneIx, Touch, Tracer, World};
use crate::{Amount, Chain};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct FreezeDesk {
    pub(crate) records: HashMap<AccountId, Record, FixedState>,
    /// By chain: when which account will have rested long enough.
    pub(crate) due: [BTreeSet<(u64, AccountId)>; 2],
    /// The entry of `due` that counts for an account.
    pub(crate) due_of: HashMap<AccountId, u64, FixedState>,
    /// How many records were told of an account, also on blocks that are
    /// reverted.
    pub(crate) revisions: HashMap<AccountId, u32, FixedState>,
    /// What was before each change since the journal asked last.
    changes: Vec<DeskChange>,
}

/// What a part of the desk was before it changed.
#[derive(Clone, Debug)]
pub(crate) enum DeskChange {
    Record(AccountId, Option<Record>),
    DueOf(AccountId, Option<u64>),
    Due { chain: Chain, due: (u64, AccountId), was_there: bool },
}

impl DeskChange {
    /// The account whose record changed, if one did.
    pub(crate) fn account(&self) -> Option<AccountId> {
        match self {
            DeskChange::Record(account, _) => Some(*account),
            DeskChange::DueOf(..) | DeskChange::Due { .. } => None,
        }
    }
}

/// What was last told of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) status: FreezeStatus,
    pub(crate) raised_ms: u64,
    /// Who was told to act, and the units that each case claimed.
    pub(crate) actor: Actor,
    pub(crate) claimed: Vec<(String, Amount)>,
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
    /// A desk with these records, and these accounts to look at.
    pub(crate) fn of(
        records: HashMap<AccountId, Record, FixedState>,
        due: [BTreeSet<(u64, AccountId)>; 2],
        due_of: HashMap<AccountId, u64, FixedState>,
        revisions: HashMap<AccountId, u32, FixedState>,
    ) -> FreezeDesk {
        FreezeDesk { records, due, due_of, revisions, changes: Vec::new() }
    }

    /// Looks at every account that the block touched, and at those whose rest
    /// is over by its time.
    pub(crate) fn end_block(
        &mut self,
        block: &BlockMeta,
        touches: &[(AccountId, Touch)],
        sight: &mut Sight<'_>,
        out: &mut Vec<FreezeRecommendation>,
    ) -> Result<(), HistoryError> {
        let mut touched = BTreeMap::new();
        for (account, touch) in touches {
            let key = sight.accounts.key(*account);
            let (_, seen): &mut (_, Option<bool>) = touched.entry(key).or_insert((*account, None));
            if *touch != Touch::Woken {
                *seen = Some(seen.unwrap_or(false) || *touch == Touch::Destroyed);
            }
        }
        for (account, touched) in touched.into_values() {
            self.look(account, touched, block, sight, out)?;
        }
        let mut rested = self.rested(block);
        rested.sort_unstable_by_key(|(due, account)| (*due, sight.accounts.key(*account)));
        for (_, account) in rested {
            self.look(account, None, block, sight, out)?;
        }
        Ok(())
    }

    /// Takes out the accounts whose rest is over by the block's time.
    fn rested(&mut self, block: &BlockMeta) -> Vec<(u64, AccountId)> {
        let mut rested = Vec::new();
        let chain = block.chain.index();
        while let Some(due) = self.due[chain].first().copied() {
            if due.0 > block.timestamp_ms {
                break;
            }
            self.due[chain].pop_first();
            self.changes.push(DeskChange::Due { chain: block.chain, due, was_there: true });
            if self.due_of.get(&due.1) == Some(&due.0) {
                self.set_due_of(due.1, None);
                rested.push(due);
            }
        }
        rested
    }

    /// Looks at accounts whose claims changed without a transfer: a case or a
    /// label came, changed or went. `block` is the head of their chain.
    pub(crate) fn review(
        &mut self,
        account: AccountId,
        block: &BlockMeta,
        sight: &mut Sight<'_>,
        out: &mut Vec<FreezeRecommendation>,
    ) -> Result<(), HistoryError> {
        self.look(account, None, block, sight, out)
    }

    /// What changed since last asked.
    pub(crate) fn take_changes(&mut self) -> Vec<DeskChange> {
        std::mem::take(&mut self.changes)
    }

    /// Puts back what was; the newest change comes first.
    pub(crate) fn undo(&mut self, change: DeskChange) {
        match change {
            DeskChange::Record(account, Some(record)) => {
                self.records.insert(account, record);
            }
            DeskChange::Record(account, None) => {
                self.records.remove(&account);
            }
            DeskChange::DueOf(account, Some(due)) => {
                self.due_of.insert(account, due);
            }
            DeskChange::DueOf(account, None) => {
                self.due_of.remove(&account);
            }
            DeskChange::Due { chain, due, was_there: true } => {
                self.due[chain.index()].insert(due);
            }
            DeskChange::Due { chain, due, was_there: false } => {
                self.due[chain.index()].remove(&due);
            }
        }
    }

    /// What was last told of the account.
    pub(crate) fn told(&self, account: AccountId) -> Option<&Record> {
        self.records.get(&account)
    }

    /// The record as it stands, told anew after a reorganisation took back
    /// `gone`; where none is left the recommendation is withdrawn.
    pub(crate) fn retell(
        &mut self,
        account: AccountId,
        gone: Option<&Record>,
        block: &BlockMeta,
        sight: &mut Sight<'_>,
    ) -> Result<Option<FreezeRecommendation>, HistoryError> {
        let record = match (self.records.get(&account), gone) {
            (Some(record), _) => record.clone(),
            (None, Some(gone)) => Record { status: FreezeStatus::Withdrawn, ..gone.clone() },
            (None, None) => return Ok(None),
        };
        let service = is_service(account, sight.world);
        let holds = holds(account, service, sight.tracer, sight.ledger);
        let kept = record.status != FreezeStatus::Withdrawn;
        let holds = if kept { holds.as_slice() } else { &[] };
        let revision = self.next_revision(account);
        Ok(Some(recommendation(account, revision, &record, holds, block, sight)?))
    }

    /// The record as it stands, as of the head of its chain: nothing is told
    /// by it.
    pub(crate) fn standing(
        &self,
        account: AccountId,
        head: &BlockMeta,
        sight: &mut Sight<'_>,
    ) -> Result<Option<FreezeRecommendation>, HistoryError> {
        let Some(record) = self.records.get(&account) else { return Ok(None) };
        let service = is_service(account, sight.world);
        let holds = holds(account, service, sight.tracer, sight.ledger);
        let revision = self.revisions.get(&account).copied().unwrap_or(0);
        recommendation(account, revision, record, &holds, head, sight).map(Some)
    }

    fn next_revision(&mut self, account: AccountId) -> u32 {
        let revision = self.revisions.entry(account).or_default();
        *revision = revision.saturating_add(1);
        *revision
    }

    /// `touched`: a movement of the block touched the account; `true`: one
    /// that destroyed its funds.
    fn look(
        &mut self,
        account: AccountId,
        touched: Option<bool>,
        block: &BlockMeta,
        sight: &mut Sight<'_>,
        out: &mut Vec<FreezeRecommendation>,
    ) -> Result<(), HistoryError> {
        let service = is_service(account, sight.world);
        if !service && self.passes_over(account, sight) {
            return Ok(());
        }
        let holds = holds(account, service, sight.tracer, sight.ledger);
        let most = holds.iter().map(|hold| hold.units).max().unwrap_or(0);
        let enough = most >= sight.world.config.freeze_min_units && most > 0;
        let record = self.records.get(&account).filter(|record| record.is_open());
        let frozen = sight.ledger.holding(account).frozen;
        let status = match record {
            Some(record) => match touched {
                Some(destroyed) => {
                    let unclaimed = holds.is_empty();
                    Some(next_status(record.status, destroyed, frozen, enough, unclaimed))
                }
                None => {
                    let told = record.tells(&actor(account, sight.world), &holds, sight.tracer);
                    reviewed_status(told, frozen, enough, holds.is_empty())
                }
            },
            None if !enough || frozen => None,
            None if service => Some(FreezeStatus::Raised),
            None => self.rest(account, &holds, block, sight.world),
        };
        if let Some(status) = status {
            out.push(self.record(account, status, &holds, block, sight)?);
        }
        Ok(())
    }

    /// Whether a private account needs no record, as most do: it has none that is
    /// open, and no case holds enough there. Told without regard to how cases are
    /// traced, so `false` says nothing.
    fn passes_over(&self, account: AccountId, sight: &Sight<'_>) -> bool {
        let enough = sight.world.config.freeze_min_units.max(1);
        let taints = sight.tracer.taints.of(sight.ledger, account);
        taints.iter().all(|taint| taint.units < enough)
            && !self.records.get(&account).is_some_and(Record::is_open)
    }

    /// `Raised` if the units have rested long enough; else notes when they
    /// will have.
    fn rest(
        &mut self,
        account: AccountId,
        holds: &[Hold],
        block: &BlockMeta,
        world: World<'_>,
    ) -> Option<FreezeStatus> {
        let moved_ms = holds.iter().map(|hold| hold.moved_ms).max().unwrap_or(0);
        let due_ms = moved_ms.saturating_add(world.config.freeze_rest_ms);
        if due_ms <= block.timestamp_ms {
            return Some(FreezeStatus::Raised);
        }
        self.set_due_of(account, Some(due_ms));
        let due = (due_ms, account);
        if self.due[block.chain.index()].insert(due) {
            self.changes.push(DeskChange::Due { chain: block.chain, due, was_there: false });
        }
        None
    }

    fn set_due_of(&mut self, account: AccountId, due: Option<u64>) {
        let before = match due {
            Some(due) => self.due_of.insert(account, due),
            None => self.due_of.remove(&account),
        };
        self.changes.push(DeskChange::DueOf(account, before));
    }

    fn record(
        &mut self,
        account: AccountId,
        status: FreezeStatus,
        holds: &[Hold],
        block: &BlockMeta,
        sight: &mut Sight<'_>,
    ) -> Result<FreezeRecommendation, HistoryError> {
        let raised_ms = match self.records.get(&account) {
            Some(before) if status != FreezeStatus::Raised => before.raised_ms,
            _ => block.timestamp_ms,
        };
        let case = |hold: &Hold| (sight.tracer.lane(hold.lane).case.id.clone(), hold.units);
        let claimed = holds.iter().map(case).collect();
        let record = Record { status, raised_ms, actor: actor(account, sight.world), claimed };
        let revision = self.next_revision(account);
        let told = recommendation(account, revision, &record, holds, block, sight)?;
        let before = self.records.insert(account, record);
        self.changes.push(DeskChange::Record(account, before));
        Ok(told)
    }
}

fn recommendation(
    account: AccountId,
    revision: u32,
    record: &Record,
    holds: &[Hold],
    block: &BlockMeta,
    sight: &mut Sight<'_>,
) -> Result<FreezeRecommendation, HistoryError> {
    Ok(FreezeRecommendation {
        account: sight.accounts.key(account),
        revision,
        status: record.status,
        actor: record.actor.clone(),
        block: block.number,
        timestamp_ms: block.timestamp_ms,
        raised_ms: record.raised_ms,
        balance: sight.ledger.holding(account).balance,
        policy: sight.world.config.policies[0],
        claims: claims(holds, sight)?,
    })
}

fn is_service(account: AccountId, world: World<'_>) -> bool {
    world.labels.get(&account).is_some_and(|label| label.stop)
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
/// Of several policies the case's first one counts.
fn holds(account: AccountId, service: bool, tracer: &Tracer, ledger: &Ledger) -> Vec<Hold> {
    let leads = |ix: LaneIx, lane: &Lane| lane.siblings[0] == ix;
    let mut holds: Vec<Hold> = if service {
        let arrived = |(ix, lane): (LaneIx, &Lane)| {
            let arrival = lane.arrivals.get(&account).filter(|_| leads(ix, lane))?;
            let (units, hops, node) = (arrival.units, arrival.hops, arrival.node);
            Some(Hold { lane: ix, units, hops, node, moved_ms: 0 })
        };
        tracer.lanes().filter_map(arrived).collect()
    } else {
        let held = tracer.taints.of(ledger, account).iter().filter(|taint| taint.units > 0);
        let held = held.filter(|taint| leads(taint.lane, tracer.lane(taint.lane)));
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

fn claims(holds: &[Hold], sight: &mut Sight<'_>) -> Result<Vec<Claim>, HistoryError> {
    let most = alert::PATH_STEPS_MAX / holds.len().max(1);
    let mut claims = Vec::new();
    for hold in holds {
        let lane = sight.tracer.lane(hold.lane);
        let node = lane.nodes.get(hold.node as usize).copied();
        let (path, path_omitted) = match node {
            Some(node) => sight.path(hold.lane, node, most)?,
            None => Default::default(),
        };
        let case = lane.case.id.clone();
        claims.push(Claim { case, tainted: hold.units, hops: hold.hops, path, path_omitted });
    }
    Ok(claims)
}
