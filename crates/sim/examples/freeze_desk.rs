//! How much of what was stolen is caught, by how the wallets to freeze are
//! chosen: `cargo run --release -p flow-sim --example freeze_desk [SEEDS]`.

use flow_sim::heist::{Choice, Heist, HeistConfig, play};

/// Thefts in 30 days; one freeze is asked for each so many hours.
const PLAYS: [(u64, u64); 3] = [(40, 2), (80, 4), (160, 8)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seeds: u64 = std::env::args().nth(1).map_or(Ok(10), |text| text.parse())?;
    println!(
        "{seeds} seeds\n\n| thefts | a freeze each | chosen by | caught of the stolen units | \
         clean units caught with 100 stolen | freezes that caught nothing |\n|---|---|---|---|---|---|"
    );
    let mut calibration = [(0_u64, 0_u64, 0_u64); 10];
    for ((thefts, every_hours), choice) in
        PLAYS.into_iter().flat_map(|play| Choice::ALL.map(|choice| (play, choice)))
    {
        let (mut stolen, mut caught, mut clean, mut freezes, mut empty) = (0, 0, 0, 0_u64, 0_u64);
        for seed in 1..=seeds {
            let config = HeistConfig { seed, thefts, days: 30, freezes: 1, every_hours, choice };
            let heist = play(config)?;
            stolen += u128::from(heist.stolen);
            for target in heist.targets.values() {
                caught += u128::from(target.caught);
                clean += u128::from(target.clean);
                freezes += 1;
                empty += u64::from(target.caught == 0);
            }
            if choice == Choice::Score {
                judge(&heist, &mut calibration);
            }
        }
        println!(
            "| {thefts} | {every_hours} h | {} | {} % | {} | {} % |",
            choice.name(),
            tenths(caught * 1_000 / stolen),
            clean * 100 / caught.max(1),
            tenths(u128::from(empty * 1_000 / freezes.max(1))),
        );
    }
    println!(
        "\n| chance told with `raised` | recommendations | it said | was still there |\n|---|---|---|---|"
    );
    for (tenth, (count, said, kept)) in calibration.into_iter().enumerate() {
        if count > 0 {
            let [said, kept] =
                [said / 1_000, kept * 1_000].map(|sum| tenths(u128::from(sum / count)));
            println!("| {} to {} % | {count} | {said} % | {kept} % |", tenth * 10, tenth * 10 + 10);
        }
    }
    Ok(())
}

/// The desk's own count at the end of a play.
fn judge(heist: &Heist, into: &mut [(u64, u64, u64); 10]) {
    for (all, bin) in into.iter_mut().zip(heist.engine.calibration()) {
        all.0 += bin.trials;
        all.1 += bin.trials * u64::from(bin.expected_ppm);
        all.2 += (bin.trials * u64::from(bin.kept_ppm) + 500_000) / 1_000_000;
    }
}

fn tenths(permille: u128) -> String {
    format!("{}.{}", permille / 10, permille % 10)
}
