//! The oracle under each policy, against ledgers worked out by hand. Letters
//! are accounts on TRON; A is the source. Runs read from the oldest units to
//! the newest, tainted ones with a star.

use flow_core::{
    AccountKey, Action, Address, Amount, Block, Case, Chain, Label, LedgerEvent, Policy, Source,
    TxHash,
};
use flow_sim::oracle::{Oracle, Outcome, Step};

fn account(name: char) -> Address {
    Address([u8::try_from(name).expect("ASCII"); 20])
}

fn key(name: char) -> AccountKey {
    AccountKey { chain: Chain::Tron, address: account(name) }
}

fn pay(from: char, to: char, amount: Amount) -> Action {
    Action::Transfer { from: account(from), to: account(to), amount }
}

fn issue(to: char, amount: Amount) -> Action {
    Action::Issue { to: account(to), amount }
}

fn stop(name: char) -> Label {
    let (entity, kind) = ("Alder".to_owned(), "exchange".to_owned());
    Label { account: key(name), entity, kind, stop: true }
}

fn wallet(name: char, since_block: u64) -> Source {
    Source::Wallet { account: key(name), since_block }
}

/// The case whose source is A, always.
fn from_a() -> Case {
    Case {
        id: "case".to_owned(),
        title: None,
        category: None,
        sources: vec![wallet('A', 0)],
        min_units: 0,
        max_hops: None,
    }
}

/// A ledger under one policy, one block for each action, numbered from 1.
struct Ledger {
    oracle: Oracle,
    number: u8,
}

impl Ledger {
    fn new(policy: Policy, case: &Case, labels: &[Label], opening: &[(char, Amount)]) -> Self {
        let opening: Vec<_> = opening.iter().map(|(name, amount)| (key(*name), *amount)).collect();
        Ledger { oracle: Oracle::new(policy, case, labels, &opening), number: 0 }
    }

    /// A from the start, no labels, nothing held before.
    fn plain(policy: Policy) -> Self {
        Ledger::new(policy, &from_a(), &[], &[])
    }

    fn apply(&mut self, action: Action) -> Option<Step> {
        self.number += 1;
        let tx = TxHash([self.number; 32]);
        let event = LedgerEvent { tx, log_index: Some(0), position: 0, action };
        let block = Block {
            chain: Chain::Tron,
            number: u64::from(self.number),
            hash: None,
            timestamp_ms: 0,
            events: vec![event],
        };
        let step = self.oracle.apply(&block, &event);
        self.oracle.check();
        step
    }

    fn play(&mut self, actions: &[Action]) -> &mut Self {
        for action in actions {
            self.apply(*action);
        }
        self
    }

    /// The units of an account: `3* 2` for three tainted ones under two clean.
    fn units(&self, name: char) -> String {
        let run = |(units, tainted)| format!("{units}{}", if tainted { "*" } else { "" });
        let runs = self.oracle.runs(key(name)).into_iter().map(run);
        runs.collect::<Vec<_>>().join(" ")
    }

    /// Rows as `name tainted/balance hops`.
    fn rows(&self) -> String {
        let rows = self.oracle.answer().rows.into_iter().map(|row| {
            let name = char::from(row.account.address.0[0]);
            format!("{name} {}/{} hop {}", row.tainted, row.balance, row.hops)
        });
        rows.collect::<Vec<_>>().join("; ")
    }

    fn hops(&self, name: char) -> u32 {
        self.oracle.holding(key(name)).hops
    }

    fn emitted(&self) -> u128 {
        self.oracle.answer().totals.emitted
    }
}

/// B holds 4 clean, 3 tainted and 2 clean units, in that order.
fn sandwich(policy: Policy) -> Ledger {
    let mut ledger = Ledger::new(policy, &from_a(), &[], &[('B', 4)]);
    ledger.play(&[pay('A', 'B', 3), issue('B', 2)]);
    ledger
}

#[test]
fn one_debit_under_every_policy() {
    // 6 of 9 units leave, 3 of the 9 tainted. In proportion that is 2; among
    // the 6 oldest are 2 of the 3; among the 6 newest all 3 and 1 clean; taint
    // first moves 3; taint last moves 3 − min(3, 9 − 6) = 0.
    let moved = [
        (Policy::Haircut, 2),
        (Policy::Fifo, 2),
        (Policy::Lifo, 3),
        (Policy::DirtyFirst, 3),
        (Policy::DirtyLast, 0),
        (Policy::Poison, 6),
    ];
    for (policy, moved) in moved {
        let step = sandwich(policy).apply(pay('B', 'C', 6)).expect("a transfer");
        let tainted = if policy == Policy::Poison { 9 } else { 3 };
        assert_eq!((step.from_before, step.from_tainted), (9, tainted), "{}", policy.name());
        assert_eq!(step.moved, moved, "{}", policy.name());
        let (hops, outcome) = if moved > 0 { (2, Outcome::Held) } else { (0, Outcome::Clean) };
        assert_eq!((step.hops, step.outcome), (hops, outcome), "{}", policy.name());
    }
}

#[test]
fn fifo_keeps_the_order_through_two_hops() {
    let mut ledger = sandwich(Policy::Fifo);
    assert_eq!(ledger.units('B'), "4 3* 2");
    // C holds 1 before. 6 leave B: 4 clean, then 2 tainted, behind C's own.
    ledger.play(&[issue('C', 1), pay('B', 'C', 6)]);
    assert_eq!((ledger.units('B'), ledger.units('C')), ("1* 2".into(), "5 2*".into()));
    // The rest of B comes behind that: the tainted unit joins the others.
    ledger.play(&[pay('B', 'C', 3)]);
    assert_eq!(ledger.units('C'), "5 3* 2");
    // C's first 6 are 5 clean ones and 1 tainted.
    ledger.play(&[pay('C', 'D', 6)]);
    assert_eq!((ledger.units('C'), ledger.units('D')), ("2* 2".into(), "5 1*".into()));
    assert_eq!(ledger.rows(), "C 2/4 hop 2; D 1/6 hop 3");
}

#[test]
fn lifo_reverses_with_one_transfer() {
    let mut ledger = sandwich(Policy::Lifo);
    ledger.play(&[issue('C', 1), pay('B', 'C', 8)]);
    // Newest first left 2 clean, 3 tainted, 3 clean; 1 stays.
    assert_eq!((ledger.units('B'), ledger.units('C')), ("1".into(), "3 3* 3".into()));
    // What lies on top now were the oldest of those that left B.
    ledger.play(&[pay('C', 'D', 4)]);
    assert_eq!((ledger.units('C'), ledger.units('D')), ("3 2*".into(), "3 1*".into()));
    // A second transfer turns the order round again.
    ledger.play(&[pay('D', 'E', 4)]);
    assert_eq!(ledger.units('E'), "1* 3");
}

#[test]
fn dirty_first_spends_taint_before_anything_else() {
    let mut ledger = sandwich(Policy::DirtyFirst);
    ledger.play(&[pay('B', 'C', 2)]);
    assert_eq!(ledger.rows(), "B 1/7 hop 1; C 2/2 hop 2");
    ledger.play(&[pay('B', 'C', 5), pay('C', 'D', 4)]);
    assert_eq!(ledger.rows(), "D 3/4 hop 3");
}

#[test]
fn dirty_last_keeps_taint_until_nothing_clean_is_left() {
    let mut ledger = sandwich(Policy::DirtyLast);
    // 6 of the 9 are clean, so 6 leave clean; one more is tainted.
    ledger.play(&[pay('B', 'C', 6)]);
    assert_eq!(ledger.rows(), "B 3/3 hop 1");
    ledger.play(&[pay('B', 'C', 1)]);
    assert_eq!(ledger.rows(), "B 2/2 hop 1; C 1/7 hop 2");
}

#[test]
fn poison_stays_after_the_account_is_emptied() {
    let mut ledger = Ledger::new(Policy::Poison, &from_a(), &[], &[('B', 4)]);
    // One tainted unit turns all that B holds; nobody emitted the other 4.
    ledger.play(&[pay('A', 'B', 1)]);
    assert_eq!((ledger.rows(), ledger.emitted()), ("A 0/0 hop 0; B 5/5 hop 1".into(), 1));
    ledger.play(&[pay('B', 'C', 5)]);
    assert_eq!(ledger.rows(), "A 0/0 hop 0; B 0/0 hop 1; C 5/5 hop 2");
    // Clean units that come later are tainted in B, and so are missing ones.
    ledger.play(&[issue('B', 2)]);
    assert_eq!(ledger.rows(), "A 0/0 hop 0; B 2/2 hop 1; C 5/5 hop 2");
    let step = ledger.apply(pay('B', 'D', 3)).expect("a transfer");
    assert_eq!((step.from_before, step.from_tainted, step.moved), (3, 3, 3));
    assert_eq!(ledger.rows(), "A 0/0 hop 0; B 0/0 hop 1; C 5/5 hop 2; D 3/3 hop 2");
    assert_eq!(ledger.emitted(), 1);
}

#[test]
fn poison_never_forgets_the_least_hop() {
    let mut ledger = Ledger::plain(Policy::Poison);
    // C is reached by B with hop 2, then by A with hop 1, and emptied.
    ledger.play(&[pay('A', 'B', 4), pay('B', 'C', 1), pay('A', 'C', 1), pay('C', 'D', 2)]);
    assert_eq!((ledger.hops('C'), ledger.hops('D')), (1, 2));
    // Units with hop 2 change nothing; without poison they would count.
    let mut haircut = Ledger::plain(Policy::Haircut);
    haircut.play(&[pay('A', 'B', 4), pay('B', 'C', 1), pay('A', 'C', 1), pay('C', 'D', 2)]);
    for (ledger, hops) in [(&mut ledger, 1), (&mut haircut, 2)] {
        ledger.play(&[pay('B', 'C', 1)]);
        assert_eq!(ledger.hops('C'), hops);
    }
}

#[test]
fn poison_emits_in_the_two_ways_of_sources_alone() {
    let paid = Source::Transfer { chain: Chain::Tron, tx: TxHash([3; 32]), log_index: 0 };
    let case = Case { sources: vec![wallet('A', 0), paid, wallet('B', 5)], ..from_a() };
    let mut ledger = Ledger::new(Policy::Poison, &case, &[], &[('A', 2), ('B', 3), ('C', 7)]);
    ledger.play(&[pay('A', 'B', 2)]);
    assert_eq!(ledger.emitted(), 2);
    // The third transfer is a source: of a clean sender all units are emitted.
    ledger.play(&[issue('D', 1), pay('C', 'D', 4)]);
    assert_eq!(ledger.emitted(), 6);
    // When B wakes all that it holds is tainted already. A clean unit that
    // arrives there is emitted, a tainted one is not.
    ledger.play(&[issue('E', 1), issue('E', 1), pay('E', 'B', 1)]);
    assert_eq!(ledger.emitted(), 7);
    ledger.play(&[pay('D', 'B', 5)]);
    assert_eq!((ledger.emitted(), ledger.hops('B')), (7, 0));
}

#[test]
fn poison_stops_at_services_and_limits_but_not_in_touched_accounts() {
    let case = Case { min_units: 3, max_hops: Some(2), ..from_a() };
    let mut ledger = Ledger::new(Policy::Poison, &case, &[stop('X')], &[('A', 20), ('C', 5)]);
    // X is a service and C gets dust: neither is touched.
    ledger.play(&[pay('A', 'X', 4), pay('A', 'C', 2)]);
    assert_eq!(ledger.rows(), "A 14/14 hop 0");
    // Once B is touched, dust still goes to the bucket and is tainted as well.
    ledger.play(&[pay('A', 'B', 3), pay('A', 'B', 1)]);
    assert_eq!(ledger.rows(), "A 10/10 hop 0; B 4/4 hop 1");
    ledger.play(&[pay('B', 'D', 3), pay('D', 'E', 3)]);
    assert_eq!(ledger.rows(), "A 10/10 hop 0; B 1/1 hop 1; D 0/0 hop 2");
    let totals = ledger.oracle.answer().totals;
    assert_eq!((totals.service["Alder"], totals.dust, totals.horizon), (4, 3, 3));
    assert_eq!((totals.emitted, totals.held), (20, 11));
}

#[test]
fn missing_units_are_the_oldest() {
    // B holds 3 tainted and sends 5: 2 clean ones are put under them.
    for (policy, arrived) in [(Policy::Fifo, "2 3*"), (Policy::Lifo, "3* 2")] {
        let mut ledger = Ledger::plain(policy);
        ledger.play(&[pay('A', 'B', 3), pay('B', 'C', 5)]);
        assert_eq!(ledger.units('C'), arrived, "{}", policy.name());
    }
    // And under all that lies there already.
    let mut ledger = sandwich(Policy::Fifo);
    ledger.play(&[pay('B', 'C', 10)]);
    assert_eq!(ledger.units('C'), "5 3* 2");
}

#[test]
fn missing_units_of_a_source_are_tainted() {
    for policy in Policy::ALL {
        let mut ledger = Ledger::plain(policy);
        ledger.play(&[pay('A', 'B', 3)]);
        assert_eq!((ledger.units('B'), ledger.emitted()), ("3*".into(), 3), "{}", policy.name());
    }
}

#[test]
fn units_that_arrive_clean_are_one_run() {
    // 6 of the 9 leave with 2 tainted ones: fewer than 3, so dust.
    let coarse = Case { min_units: 3, ..from_a() };
    let near = Case { max_hops: Some(1), ..from_a() };
    for (case, outcome) in [(&coarse, Outcome::Dust), (&near, Outcome::Horizon)] {
        let mut ledger = Ledger::new(Policy::Fifo, case, &[], &[('B', 4)]);
        ledger.play(&[pay('A', 'B', 3), issue('B', 2)]);
        let step = ledger.apply(pay('B', 'C', 6)).expect("a transfer");
        assert_eq!((step.moved, step.outcome), (2, outcome.clone()));
        assert_eq!((ledger.units('B'), ledger.units('C')), ("1* 2".into(), "6".into()));
        let totals = ledger.oracle.answer().totals;
        assert_eq!(totals.dust + totals.horizon, 2);
    }
    let mut ledger = Ledger::new(Policy::Lifo, &from_a(), &[stop('X')], &[('B', 4)]);
    ledger.play(&[pay('A', 'B', 3), issue('B', 2)]);
    let step = ledger.apply(pay('B', 'X', 4)).expect("a transfer");
    assert_eq!((step.moved, step.outcome), (2, Outcome::Service("Alder".into())));
    assert_eq!((ledger.units('B'), ledger.units('X')), ("4 1*".into(), "4".into()));
}

#[test]
fn a_source_that_wakes_taints_every_run() {
    let case = Case { sources: vec![wallet('A', 0), wallet('B', 3)], ..from_a() };
    let mut ledger = Ledger::new(Policy::Lifo, &case, &[], &[('B', 4)]);
    ledger.play(&[pay('A', 'B', 3), issue('B', 2)]);
    assert_eq!((ledger.units('B'), ledger.emitted()), ("4 3* 2".into(), 3));
    // The first event of block 3 wakes B: its 6 clean units are emitted.
    let step = ledger.apply(pay('B', 'C', 1)).expect("a transfer");
    assert_eq!((step.moved, step.hops), (1, 1));
    assert_eq!((ledger.units('B'), ledger.emitted()), ("8*".into(), 9));
}

#[test]
fn a_source_transfer_taints_every_run_of_its_parcel() {
    let paid = Source::Transfer { chain: Chain::Tron, tx: TxHash([3; 32]), log_index: 0 };
    let case = Case { sources: vec![wallet('A', 0), paid], ..from_a() };
    let mut ledger = Ledger::new(Policy::Fifo, &case, &[], &[('B', 4)]);
    ledger.play(&[pay('A', 'B', 3), issue('B', 2)]);
    // 4 clean and 2 tainted units leave; the 4 are emitted.
    let step = ledger.apply(pay('B', 'C', 6)).expect("a transfer");
    assert_eq!((step.moved, step.hops, ledger.emitted()), (6, 1, 7));
    assert_eq!((ledger.units('B'), ledger.units('C')), ("1* 2".into(), "6*".into()));
}

#[test]
fn redeemed_units_are_those_that_would_leave() {
    let redeem = Action::Redeem { from: account('B'), amount: 6 };
    let policies = [Policy::Fifo, Policy::Lifo, Policy::DirtyFirst, Policy::DirtyLast];
    for (policy, redeemed) in policies.into_iter().zip([2, 3, 3, 0]) {
        let mut ledger = sandwich(policy);
        assert_eq!(ledger.apply(redeem), None);
        assert_eq!(ledger.oracle.answer().totals.redeemed, redeemed, "{}", policy.name());
    }
}

#[test]
fn only_transfers_that_move_units_are_told_of() {
    let mut ledger = Ledger::new(Policy::Fifo, &from_a(), &[], &[('A', 5), ('D', u64::MAX)]);
    for action in [pay('A', 'B', 0), pay('A', 'A', 2), pay('A', 'D', 1), issue('B', 1)] {
        assert_eq!(ledger.apply(action), None, "{action:?}");
    }
    let step = ledger.apply(pay('B', 'A', 1)).expect("a transfer");
    assert_eq!((step.moved, step.hops, step.outcome), (0, 0, Outcome::AtSource));
}
