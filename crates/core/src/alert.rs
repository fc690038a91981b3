//! From a finding to an alert: its stable id, its risk, its path of proof.

use sha2::{Digest, Sha256};

use crate::accounts::Accounts;
use crate::effect::{Alert, AlertId, AlertStatus, Attribution, PathStep, RiskLevel, Rule};
use crate::graph::TransferGraph;
use crate::history::{History, HistoryError};
use crate::ledger::Ledger;
use crate::trace::{Finding, Lane, LaneIx, Node, ROOT, Tracer, World};
use crate::{Amount, Chain, TransferRef};

/// The most transfers that one record shows, of all its paths together: a
/// record must fit into a message of Kafka's default size, 1 MiB.
pub(crate) const PATH_STEPS_MAX: usize = 1_800;

/// All that is read to tell a finding.
pub(crate) struct Sight<'a> {
    pub(crate) accounts: &'a Accounts,
    pub(crate) ledger: &'a Ledger,
    pub(crate) tracer: &'a Tracer,
    pub(crate) world: World<'a>,
    pub(crate) graph: &'a mut TransferGraph,
    pub(crate) history: &'a mut History,
}

impl Sight<'_> {
    /// The stable id of the alert, and its transfer.
    pub(crate) fn identify(
        &mut self,
        finding: &Finding,
    ) -> Result<(AlertId, TransferRef), HistoryError> {
        let trigger = self.history.transfer(finding.transfer)?.mark.place();
        let lane = self.tracer.lane(finding.lane);
        let subject = self.accounts.key(finding.subject);
        let id = alert_id(finding, lane, subject.chain, trigger, &subject.address.0);
        Ok((id, trigger))
    }

    /// Tells a finding as an alert, for the first time.
    pub(crate) fn alert(
        &mut self,
        finding: &Finding,
        id: AlertId,
        trigger: TransferRef,
    ) -> Result<Alert, HistoryError> {
        let lane = self.tracer.lane(finding.lane);
        let Finding { transfer, parent, tainted, .. } = *finding;
        let last = Node { transfer, parent, tainted };
        let (path, path_omitted) = self.path(finding.lane, last, PATH_STEPS_MAX)?;
        let labels = self.world.labels;
        let label = labels.get(&finding.subject).filter(|_| finding.rule == Rule::CashOut);
        Ok(Alert {
            id,
            revision: 1,
            status: AlertStatus::Final,
            rule: finding.rule,
            risk: risk(finding.rule, finding.tainted, finding.amount),
            case: lane.case.id.clone(),
            case_title: lane.case.title.clone(),
            category: lane.case.category.clone(),
            policy: lane.policy,
            attributions: attributions(finding, lane),
            subject: self.accounts.key(finding.subject),
            counterparty: self.accounts.key(finding.counterparty).address,
            trigger,
            block: finding.block.number,
            block_hash: finding.block.hash,
            timestamp_ms: finding.block.timestamp_ms,
            amount: finding.amount,
            tainted: finding.tainted,
            balance: finding.balance,
            held: finding.held,
            hops: finding.hops,
            service: label.map(|label| (label.entity.clone(), label.kind.clone())),
            threshold: finding.threshold,
            retroactive: false,
            path,
            path_omitted,
        })
    }

    /// The transfers that lead to `last` and itself, oldest first. Of more than
    /// `most` the middle is left out; the second value says how many.
    pub(crate) fn path(
        &mut self,
        lane: LaneIx,
        last: Node,
        most: usize,
    ) -> Result<(Vec<PathStep>, u32), HistoryError> {
        let known = &self.tracer.lane(lane).nodes;
        let mut nodes = vec![last];
        let mut parent = last.parent;
        while parent != ROOT {
            let node = known[parent as usize];
            nodes.push(node);
            parent = node.parent;
        }
        nodes.reverse();
        let omitted = nodes.len().saturating_sub(most.max(2));
        if omitted > 0 {
            let from = most.max(2) / 2;
            nodes.drain(from..from + omitted);
        }
        let mut steps = Vec::with_capacity(nodes.len());
        for node in nodes {
            let Node { transfer, tainted, .. } = node;
            steps.push(self.graph.step(transfer, tainted, self.history, self.accounts)?);
        }
        Ok((steps, u32::try_from(omitted).unwrap_or(u32::MAX)))
    }
}

fn attributions(finding: &Finding, lane: &Lane) -> Vec<Attribution> {
    if finding.attributions.is_empty() {
        let Finding { tainted, held, .. } = *finding;
        return vec![Attribution { policy: lane.policy, tainted, held }];
    }
    finding.attributions.clone()
}

fn alert_id(
    finding: &Finding,
    lane: &Lane,
    chain: Chain,
    trigger: TransferRef,
    subject: &[u8; 20],
) -> AlertId {
    AlertId::of(&AlertFacts {
        chain,
        rule: finding.rule,
        policy: lane.policy,
        case: &lane.case.id,
        trigger,
        subject,
        threshold: finding.threshold,
    })
}

/// What an alert's id is made of.
#[derive(Clone, Copy, Debug)]
pub struct AlertFacts<'a> {
    /// The chain of the triggering transfer.
    pub chain: Chain,
    /// Why.
    pub rule: Rule,
    /// How taint was attributed.
    pub policy: crate::Policy,
    /// The case's id.
    pub case: &'a str,
    /// The triggering transfer.
    pub trigger: TransferRef,
    /// The address that the alert is about.
    pub subject: &'a [u8; 20],
    /// The threshold reached.
    pub threshold: Option<Amount>,
}

impl AlertId {
    /// The id of the alert with those facts.
    pub fn of(facts: &AlertFacts<'_>) -> AlertId {
        let mut hash = Sha256::new();
        // Variable-length parts carry their length, so that no two lists of
        // parts give the same bytes.
        let AlertFacts { chain, rule, policy, case, .. } = facts;
        for text in [chain.name(), rule.name(), policy.name(), case] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(policy.version().to_be_bytes());
        hash.update(facts.trigger.tx.0);
        hash.update(facts.trigger.position.to_be_bytes());
        hash.update(facts.subject);
        hash.update(facts.threshold.unwrap_or(0).to_be_bytes());
        let digest = hash.finalize();
        AlertId(digest[..16].try_into().expect("SHA-256 has 32 bytes"))
    }
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
