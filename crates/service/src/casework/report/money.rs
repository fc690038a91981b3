//! Where the money is: the ledger, services by day, wallets, and what to freeze.

use super::{Report, Text, adds_up, columns, count, day_and_time, name, share, time};
use crate::casework::Unit;
use crate::casework::percent;
use crate::casework::standing::{Advice, ServiceAccount, Wallet};

impl Report<'_> {
    pub(super) fn money(&mut self) {
        let totals = self.trace().totals.clone();
        let policy = self.trace().policy;
        let mut lines = vec![("held in wallets".to_owned(), totals.held)];
        lines.push(("frozen by the issuer".to_owned(), totals.frozen));
        lines
            .extend(totals.services.iter().map(|(entity, units)| (format!("at {entity}"), *units)));
        lines.push(("redeemed".to_owned(), totals.redeemed));
        lines.push(("destroyed by the issuer".to_owned(), totals.destroyed));
        lines.push(("dust".to_owned(), totals.dust));
        lines.push(("horizon".to_owned(), totals.horizon));
        let sum: u128 = lines.iter().map(|(_, units)| *units).sum();
        let row = |what: Text, units: u128| {
            vec![what, Unit::Usdt.of(units).into(), Unit::Base.of(units).into()]
        };
        let mut rows: Vec<Vec<Text>> =
            lines.into_iter().map(|(what, units)| row(what.into(), units)).collect();
        rows.push(row(Text::strong("sum"), sum));
        rows.push(row(Text::strong("emitted at the sources"), totals.emitted));
        self.document.chapter("Where the money is");
        self.document.table(&columns(&["", "USDT:", "base units:"]), rows);
        self.document.say(if !adds_up(policy) {
            "Under this rule units multiply, so the sum need not equal what was emitted."
        } else if sum == totals.emitted {
            "The ledger adds up: the sum equals what was emitted, to the unit."
        } else {
            "The ledger does not add up: this file must not be used."
        });
        self.arrivals();
    }

    fn arrivals(&mut self) {
        let unit = self.frame.unit;
        let row =
            |(day, chain, entity, transfers, units): (&str, flow_core::Chain, &str, _, u128)| {
                let transfers: u64 = transfers;
                vec![
                    Text::plain(day),
                    chain.name().into(),
                    entity.into(),
                    transfers.to_string().into(),
                    unit.of(units).into(),
                ]
            };
        let rows: Vec<Vec<Text>> = self.ledger.days().map(row).collect();
        if rows.is_empty() {
            return;
        }
        self.document.section("Arrivals at services, by day (UTC)");
        let names = ["day", "chain", "service", "transfers:", self.tainted_column()];
        self.document.table(&columns(&names), rows);
    }

    /// What people booked by hand; nothing if they booked nothing.
    pub(super) fn booked(&mut self) -> anyhow::Result<()> {
        let (unit, case) = (self.frame.unit, &self.case().id);
        let mut rows: Vec<Vec<Text>> = Vec::new();
        for booking in self.frame.bookings.iter().filter(|booking| booking.case == *case) {
            rows.push(vec![
                Text::plain(&booking.date),
                Text::plain(&booking.chain),
                booking.kind.name().into(),
                unit.of(booking.units()?).into(),
                Text::plain(&booking.reference),
                Text::plain(&booking.note),
            ]);
        }
        if rows.is_empty() {
            return Ok(());
        }
        self.document.chapter("What was booked by hand");
        let amount = match unit {
            Unit::Usdt => "amount (USDT):",
            Unit::Base => "amount (base units):",
        };
        let names = ["date", "chain", "kind", amount, "reference", "note"];
        self.document.table(&columns(&names), rows);
        self.document.say(
            "These are statements of people, each with its document. They stand beside the traced \
             ledger, which does not rest on them.",
        );
        Ok(())
    }

    /// The heading of a column of tainted units.
    const fn tainted_column(&self) -> &'static str {
        match self.frame.unit {
            Unit::Usdt => "tainted (USDT):",
            Unit::Base => "tainted (base units):",
        }
    }

    const fn balance_column(&self) -> &'static str {
        match self.frame.unit {
            Unit::Usdt => "balance (USDT):",
            Unit::Base => "balance (base units):",
        }
    }

    pub(super) fn wallets(&mut self) {
        let (wallets, unit) = (&self.standing.wallets, self.frame.unit);
        let row = |(at, wallet): (usize, &Wallet)| {
            let mut who = wallet
                .label
                .as_ref()
                .map_or(String::new(), |label| format!(", {} ({})", label.entity, label.kind));
            if wallet.advice == Advice::Frozen {
                who.push_str(", frozen by the issuer");
            }
            vec![
                Text::plain((at + 1).to_string()),
                name(wallet.account).and(who),
                unit.of(wallet.tainted).into(),
                unit.of(wallet.balance).into(),
                percent(wallet.share_ppm).into(),
                wallet.hops.to_string().into(),
                day_and_time(wallet.moved_ms),
            ]
        };
        let shown = wallets.len().min(self.frame.wallets);
        let rows: Vec<Vec<Text>> = wallets.iter().take(shown).enumerate().map(row).collect();
        let rest = &wallets[shown..];
        let left: u128 = rest.iter().map(|wallet| u128::from(wallet.tainted)).sum();
        let rest = (!rest.is_empty()).then(|| {
            let more = count(rest.len(), "more wallet holds", "more wallets hold");
            format!("{more} {} of tainted units.", self.told(left))
        });
        self.document.chapter("Who holds tainted units");
        if rows.is_empty() {
            self.document.say("No wallet holds any.");
            return;
        }
        let (tainted, balance) = (self.tainted_column(), self.balance_column());
        let names = ["#:", "wallet", tainted, balance, "share:", "hops:", "last moved"];
        self.document.table(&columns(&names), rows);
        self.document
            .parts
            .extend(rest.map(|rest| crate::casework::document::Part::Paragraph(rest.into())));
        self.document.say(
            "Share is the tainted part of the balance, rounded down. Hops is the least number of \
             transfers between a source and the wallet. Last moved is when tainted units came or \
             went last.",
        );
    }

    pub(super) fn freezing(&mut self) -> anyhow::Result<()> {
        self.document.chapter("What to freeze");
        let (least, rest) =
            (self.told(self.config.freeze_min_units), self.config.freeze_rest_ms / 1_000);
        self.document.say(format!(
            "Named here is whoever holds at least {least} of tainted units that have been at rest \
             for {rest} seconds, most first. A private wallet can be frozen by the issuer, Tether; \
             an account of a service only by that service, whose compliance desk is asked. A \
             freeze catches the clean units of a wallet too: the smaller the share, the more \
             reason for care.",
        ));
        self.freezable(Advice::AskIssuer, "Ask the issuer", "No wallet is for the issuer.");
        if self.standing.wallets.iter().any(|wallet| wallet.advice == Advice::AskService) {
            self.freezable(Advice::AskService, "Ask the service: deposit addresses", "");
        }
        self.at_services()?;
        let moving = self.standing.wallets.iter().filter(|wallet| wallet.advice == Advice::Moving);
        let (many, units) = moving
            .fold((0, 0), |(many, units), wallet| (many + 1, units + u128::from(wallet.tainted)));
        if many > 0 {
            let (more, units) = (count(many, "more wallet", "more wallets"), self.told(units));
            self.document.say(format!(
                "{more} with {units} of tainted units had moved them too lately to be at rest; \
                 look again.",
            ));
        }
        Ok(())
    }

    fn freezable(&mut self, advice: Advice, heading: &str, none: &str) {
        let unit = self.frame.unit;
        let row = |wallet: &Wallet| {
            let asked = match (&wallet.label, advice) {
                (Some(label), Advice::AskService) => format!("compliance desk of {}", label.entity),
                _ => "issuer (Tether)".to_owned(),
            };
            vec![
                name(wallet.account),
                asked.into(),
                unit.of(wallet.tainted).into(),
                unit.of(wallet.balance.saturating_sub(wallet.tainted)).into(),
                share(wallet.tainted, wallet.balance).into(),
            ]
        };
        let asked = self.standing.wallets.iter().filter(|wallet| wallet.advice == advice);
        let rows: Vec<Vec<Text>> = asked.map(row).collect();
        self.document.section(heading);
        if rows.is_empty() {
            self.document.say(none);
            return;
        }
        let clean = match unit {
            Unit::Usdt => "clean (USDT):",
            Unit::Base => "clean (base units):",
        };
        let names = ["wallet", "who is asked", self.tainted_column(), clean, "share:"];
        self.document.table(&columns(&names), rows);
    }

    fn at_services(&mut self) -> anyhow::Result<()> {
        let asked: Vec<ServiceAccount> =
            self.standing.services.iter().filter(|service| service.ask).cloned().collect();
        if asked.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::new();
        for service in asked {
            let first = self.past.transfer(self.trace().hops[service.ranks.0].transfer)?;
            let last = self.past.transfer(self.trace().hops[service.ranks.1].transfer)?;
            rows.push(vec![
                name(service.account),
                format!("compliance desk of {} ({})", service.label.entity, service.label.kind)
                    .into(),
                self.frame.unit.of(service.arrived).into(),
                service.transfers.to_string().into(),
                Text::plain(time(first.timestamp_ms)).next_line().and(time(last.timestamp_ms)),
            ]);
        }
        self.document.section("Ask the service: where tracing ends");
        let names =
            ["account", "who is asked", self.tainted_column(), "transfers:", "first and last"];
        self.document.table(&columns(&names), rows);
        self.document.say(
            "These are sums of what arrived. Units of many customers mix there, so no share of a \
             balance is told, and the issuer is not asked to freeze such an account.",
        );
        Ok(())
    }
}
