//! The transfers from the crime to those who hold most.

use flow_codec::address;

use super::{Report, Text, columns, count, day_and_time};
use crate::casework::Unit;
use crate::casework::trail::{Trail, trails};
use crate::trace::hop::FullHop;
use crate::trace::table::arrival;

impl Report<'_> {
    pub(super) fn trails(&mut self) -> anyhow::Result<()> {
        let most = self.frame.trails;
        let wallets = self.standing.wallets.iter().take(most).map(|wallet| (wallet.id, "holds"));
        let services =
            self.standing.services.iter().take(most).map(|service| (service.id, "received"));
        let wanted: Vec<(u32, &str)> = wallets.chain(services).collect();
        self.document.chapter("Trails from the crime");
        let (wallets, services) = (self.standing.wallets.len(), self.standing.services.len());
        self.document.say(format!(
            "For {} of {wallets} wallets and {} of {services} accounts of services, those with \
             most tainted units: the way by which most of them could come from a source of the \
             case, transfer by transfer. Strength is the fewest tainted units that one of these \
             transfers moved.",
            wallets.min(most),
            services.min(most),
        ));
        for (id, verb) in wanted {
            self.trails_to(id, verb)?;
        }
        Ok(())
    }

    fn trails_to(&mut self, id: u32, verb: &str) -> anyhow::Result<()> {
        let found = trails(self.past, self.ledger.traced().1, id, self.frame.k)?;
        let account = self.past.account(id);
        let units = match verb {
            "holds" => {
                let wallets = self.standing.wallets.iter();
                wallets.filter(|wallet| wallet.id == id).map(|wallet| wallet.tainted).next()
            }
            _ => {
                let services = self.standing.services.iter();
                services.filter(|service| service.id == id).map(|there| there.arrived).next()
            }
        };
        let units = self.told(units.unwrap_or(0));
        let address = address::format(account.chain, account.address);
        let heading = Text::plain("To ").and_code(address);
        self.document.section(heading.and(format!(", which {verb} {units} of tainted units")));
        if found.trails.is_empty() {
            self.document.say("It is itself a source of the case.");
        }
        for (at, trail) in found.trails.iter().enumerate() {
            self.trail(at, trail);
        }
        if found.given_up {
            self.document.say("The search for more ways was given up; there may be others.");
        }
        Ok(())
    }

    fn trail(&mut self, at: usize, trail: &Trail) {
        let strength = self.told(trail.strength);
        let transfers = count(trail.hops.len(), "transfer", "transfers");
        self.document.say(format!("Way {}: {transfers}, strength {strength}.", at + 1));
        let rows = trail_rows(self.trace().policy.name(), self.frame.unit, trail);
        let units = match self.frame.unit {
            Unit::Usdt => ["moved (USDT):", "tainted (USDT):"],
            Unit::Base => ["moved (base units):", "tainted (base units):"],
        };
        let names = ["#:", "when", "transfer", units[0], units[1]];
        self.document.table(&columns(&names), rows);
    }
}

/// The transfers of a trail, one row each.
pub(in crate::casework) fn trail_rows(policy: &str, unit: Unit, trail: &Trail) -> Vec<Vec<Text>> {
    let steps = trail.hops.iter().enumerate();
    steps.map(|(at, full)| step(at, full, policy, unit)).collect()
}

fn step(at: usize, full: &FullHop, policy: &str, unit: Unit) -> Vec<Text> {
    let (from, to) = full.ends();
    let index = full.facts.log_index.map_or(String::new(), |index| format!(", log {index}"));
    let missing = match full.hop.missing {
        0 => String::new(),
        units => format!(
            "; {} {} of what it held came before the first event",
            unit.of(units),
            unit.name()
        ),
    };
    let when = day_and_time(full.facts.timestamp_ms).next_line();
    let transfer = Text::plain("from ").and_code(from).next_line();
    let transfer = transfer.and("to ").and_code(to).next_line();
    let transfer = transfer.and("tx ").and_code(full.tx()).next_line();
    let transfer = transfer.and(format!("{policy}: {}{missing}", full.arithmetic)).next_line();
    vec![
        Text::plain((at + 1).to_string()),
        when.and(format!("{} block {}{index}", full.facts.chain, full.facts.block)),
        transfer.and(arrival(full)),
        unit.of(full.hop.amount).into(),
        unit.of(full.hop.moved).into(),
    ]
}
