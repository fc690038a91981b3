//! The recorded slice of TRON that comes with usdt-flow. Wallets are flagged
//! for the test; they are accused of nothing.

use flow_core::{AccountKey, Action, Block, Case, Chain, Label, Source};
use flow_sim::feed;

use crate::folder::{Folder, Known, lines};
use crate::recorded::{SLICE, blocks};

/// The first senders as sources, the busiest receiver as a service.
fn known(blocks: &[Block]) -> Known {
    let transfers = || blocks.iter().flat_map(|block| &block.events).map(|event| event.action);
    let mut senders = transfers().filter_map(|action| match action {
        Action::Transfer { from, amount: 1_000_000_000.., .. } => Some(from),
        _ => None,
    });
    let mut receipts = std::collections::BTreeMap::<_, u32>::new();
    for action in transfers() {
        if let Action::Transfer { to, .. } = action {
            *receipts.entry(to).or_default() += 1;
        }
    }
    let (busiest, _) = receipts.into_iter().max_by_key(|(_, count)| *count).expect("transfers");
    let account = |address| AccountKey { chain: Chain::Tron, address };
    let mut case = |id: &str, count| Case {
        id: id.to_owned(),
        title: None,
        category: None,
        sources: senders
            .by_ref()
            .take(count)
            .map(|sender| Source::Wallet { account: account(sender), since_block: 0 })
            .collect(),
        min_units: 0,
        max_hops: None,
    };
    let cases = vec![case("demo-1", 3), case("demo-2", 30)];
    let label = Label {
        account: account(busiest),
        entity: "Alder".to_owned(),
        kind: "exchange".to_owned(),
        stop: true,
    };
    Known { cases, labels: vec![label], opening: Vec::new() }
}

#[test]
fn the_slice_sums_up_and_reads_the_same_as_java_tron_messages() {
    let blocks = blocks();
    let folder = Folder::new(&known(&blocks));
    let slice = folder.replay(&[SLICE], &[]);
    let summary = folder.summary();
    assert_eq!(summary["events"]["transfer"], 29_047);
    assert_eq!(summary["events_total"], 29_047);
    assert_eq!(summary["transferred_units"], "167913949867410");
    assert_eq!(summary["transferred_usdt"], "167913949.867410");
    assert_eq!(summary["refused_total"], 0);
    assert_eq!(summary["ignored"], serde_json::json!({ "foreign_contract": 208 }));
    assert_eq!(summary["accounts"], 25_522);
    assert_eq!((&summary["zero_transfers"], &summary["self_transfers"]), (&701.into(), &1.into()));
    assert!(slice["alerts.jsonl"].lines().count() > 50);
    assert!(slice["freezes.jsonl"].lines().count() > 5);
    assert!(slice["services.csv"].lines().count() > 1);

    let messages: Vec<String> = blocks.iter().flat_map(feed::java_tron).collect();
    assert_eq!(messages.len(), 29_047);
    folder.write("messages.jsonl", lines(&messages));
    let java_tron = folder.replay(&["messages.jsonl"], &[]);
    for (name, text) in &slice {
        assert!(java_tron[name] == *text, "{name} differs");
    }
}
