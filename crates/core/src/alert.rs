//! From a finding to an alert: its stable id, its risk, its path of proof.

use sha2::{Digest, Sha256};

use crate::effect::{Alert, AlertId, AlertStatus, PathStep, RiskLevel, Rule};
use crate::trace::{Finding, Lane, Node, ROOT, Tracer, World};
use crate::{Amount, Chain, TransferRef};

/// The most transfers that one record shows, of all its paths together: a
/// record must fit into a message of Kafka's default size, 1 MiB.
pub(crate) const PATH_STEPS_MAX: usize = 1_800;

/// Tells a finding as an alert.
pub(crate) fn build(finding: &Finding, tracer: &Tracer, world: World<'_>) -> Alert {
    let lane = tracer.lane(finding.lane);
    let (from, to, transfer, tx) = world.graph.transfer(finding.transfer);
    let block = world.history.block(transfer.block);
    let counterparty = if finding.subject == from { to } else { from };
    let subject = world.graph.account(finding.subject);
    let trigger = TransferRef { tx, position: transfer.position };
    let last =
        Node { transfer: finding.transfer, parent: finding.parent, tainted: finding.tainted };
    let (path, path_omitted) = path(lane, last, world, PATH_STEPS_MAX);
    let label = world.labels.get(&finding.subject).filter(|_| finding.rule == Rule::CashOut);
    Alert {
        id: alert_id(finding, lane, block.chain, trigger, &subject.address.0),
        revision: 1,
        status: AlertStatus::Final,
        rule: finding.rule,
        risk: risk(finding.rule, finding.tainted, transfer.amount),
        case: lane.case.id.clone(),
        case_title: lane.case.title.clone(),
        category: lane.case.category.clone(),
        policy: lane.policy,
        attributions: Vec::new(),
        subject,
        counterparty: world.graph.account(counterparty).address,
        trigger,
        block: block.number,
        block_hash: block.hash,
        timestamp_ms: block.timestamp_ms,
        amount: transfer.amount,
        tainted: finding.tainted,
        balance: tracer.book.holding(finding.subject).balance,
        held: tracer.book.taint(finding.subject, finding.lane).map_or(0, |taint| taint.units),
        hops: finding.hops,
        service: label.map(|label| (label.entity.clone(), label.kind.clone())),
        threshold: finding.threshold,
        retroactive: false,
        path,
        path_omitted,
    }
}

/// The transfers that lead to `last` and itself, oldest first. Of more than
/// `most` the middle is left out; the second value says how many.
pub(crate) fn path(lane: &Lane, last: Node, world: World<'_>, most: usize) -> (Vec<PathStep>, u32) {
    let mut nodes = vec![last];
    let mut parent = last.parent;
    while parent != ROOT {
        let node = lane.nodes[parent as usize];
        nodes.push(node);
        parent = node.parent;
    }
    nodes.reverse();
    let omitted = nodes.len().saturating_sub(most.max(2));
    if omitted > 0 {
        let from = most.max(2) / 2;
        nodes.drain(from..from + omitted);
    }
    let step = |node: &Node| {
        let (_, _, transfer, _) = world.graph.transfer(node.transfer);
        let block = world.history.block(transfer.block);
        world.graph.step(node.transfer, node.tainted, block.number, block.timestamp_ms)
    };
    (nodes.iter().map(step).collect(), u32::try_from(omitted).unwrap_or(u32::MAX))
}

fn alert_id(
    finding: &Finding,
    lane: &Lane,
    chain: Chain,
    trigger: TransferRef,
    subject: &[u8; 20],
) -> AlertId {
    let mut hash = Sha256::new();
    // Variable-length parts carry their length, so that no two lists of parts
    // give the same bytes.
    for text in [chain.name(), finding.rule.name(), lane.policy.name(), &lane.case.id] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(lane.policy.version().to_be_bytes());
    hash.update(trigger.tx.0);
    hash.update(trigger.position.to_be_bytes());
    hash.update(subject);
    hash.update(finding.threshold.unwrap_or(0).to_be_bytes());
    let digest = hash.finalize();
    AlertId(digest[..16].try_into().expect("SHA-256 has 32 bytes"))
}

fn risk(rule: Rule, tainted: Amount, amount: Amount) -> RiskLevel {
    if rule == Rule::SourceMoved {
        return RiskLevel::Severe;
    }
    match u128::from(tainted) * 100 / u128::from(amount) {
        50.. => RiskLevel::High,
        10.. => RiskLevel::Medium,
        _ => RiskLevel::Low,
    }
}
