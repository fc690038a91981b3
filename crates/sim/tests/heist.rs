//! The desk's records against what truly happened in a play of thefts.

use flow_core::{AccountKey, Chain, FreezeStatus};
use flow_sim::heist::{Choice, HeistConfig, play};

#[test]
fn the_desk_tells_what_truly_happened() {
    let (mut caught, mut escaped, mut urgent) = (0_u32, 0_u32, 0_usize);
    for (seed, choice) in [(1, Choice::Score), (2, Choice::Random), (3, Choice::LargestBalance)] {
        let config = HeistConfig { seed, thefts: 20, days: 12, freezes: 2, every_hours: 4, choice };
        let mut heist = play(config).expect("the play goes on to its end");
        heist.engine.audit().expect("the books balance");
        for (address, target) in &heist.targets {
            let account = AccountKey { chain: Chain::Tron, address: *address };
            let told =
                heist.engine.recommendation(account).expect("readable").expect("it was told");
            let progress = &told.progress;
            let submitted = progress.submission.expect("it was submitted");
            assert_eq!(submitted.timestamp_ms, target.submitted_ms, "seed {seed}: {address:?}");
            assert_eq!(progress.frozen_ms, target.frozen_ms, "seed {seed}: {address:?}");
            assert_eq!(progress.caught, target.caught, "seed {seed}: {address:?}");
            assert_eq!(told.status, FreezeStatus::Frozen, "seed {seed}: {address:?}");
            assert_eq!(told.balance, target.caught + target.clean, "seed {seed}: {address:?}");
            // What left since it was raised, to whom, how much of it stolen.
            let seen: Vec<_> = progress
                .escaped
                .newest
                .iter()
                .map(|escape| (escape.timestamp_ms, escape.to, escape.units, escape.tainted))
                .collect();
            let sent = target.sent.iter().filter(|sent| sent.0 > told.raised_ms).copied();
            assert_eq!(seen, sent.collect::<Vec<_>>(), "seed {seed}: {address:?}");
            caught += u32::from(target.caught > 0);
            escaped += u32::from(!seen.is_empty());
        }
        let units: u128 = heist.targets.values().map(|target| u128::from(target.caught)).sum();
        let frozen: u128 = heist.engine.case_totals().iter().map(|(_, totals)| totals.frozen).sum();
        assert_eq!(units, frozen, "seed {seed}");
        urgent +=
            heist.told.iter().filter(|record| record.urgent && !record.next.is_empty()).count();
    }
    assert!(caught > 20 && escaped > 10 && urgent > 10, "{caught} {escaped} {urgent}");
}
