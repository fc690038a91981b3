//! A story to read: a line for each step, `tron 12: A>B 7 #1.0` for a block.
//!
//! Letters are addresses in the order of appearance, the same on both chains,
//! and `0` is the zero address. `#1.0` is the number of a transaction and the
//! log index in it or in the block, `#1.-` without one.

use std::fmt;

use flow_core::{AccountKey, Action, Address, Block, Case, Label, LedgerEvent, Source, TxHash};

use super::{Step, Story};

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Names::default();
        for (account, amount) in &self.opening {
            writeln!(f, "opening {} {amount}", names.key(*account))?;
        }
        for step in &self.steps {
            writeln!(f, "{}", names.step(step))?;
        }
        Ok(())
    }
}

/// The addresses that have been named.
#[derive(Default)]
struct Names(Vec<Address>);

impl Names {
    fn address(&mut self, address: Address) -> String {
        if address == Address::ZERO {
            return "0".to_owned();
        }
        let known = self.0.iter().position(|other| *other == address);
        let rank = known.unwrap_or_else(|| {
            self.0.push(address);
            self.0.len() - 1
        });
        let letter = ('A'..='Z').nth(rank);
        letter.map_or_else(|| format!("Z{rank}"), String::from)
    }

    fn key(&mut self, account: AccountKey) -> String {
        format!("{} {}", account.chain, self.address(account.address))
    }

    fn step(&mut self, step: &Step) -> String {
        match step {
            Step::Block(block) => self.block(block),
            Step::Revert { chain, number } => format!("revert {chain} from {number}"),
            Step::Finalize { chain, number } => format!("finalize {chain} to {number}"),
            Step::Open(case) => self.case(case),
            Step::Close(id) => format!("close {id}"),
            Step::Label(Label { account, entity, stop, .. }) => {
                let stop = if *stop { " stop" } else { "" };
                format!("label {} {entity}{stop}", self.key(*account))
            }
            Step::Unlabel(account) => format!("unlabel {}", self.key(*account)),
        }
    }

    fn block(&mut self, block: &Block) -> String {
        let events: Vec<String> = block.events.iter().map(|event| self.event(event)).collect();
        format!("{} {}: {}", block.chain, block.number, events.join(", ")).trim_end().to_owned()
    }

    fn event(&mut self, event: &LedgerEvent) -> String {
        let what = match event.action {
            Action::Transfer { from, to, amount } => {
                format!("{}>{} {amount}", self.address(from), self.address(to))
            }
            Action::Issue { to, amount } => format!("issue {} {amount}", self.address(to)),
            Action::Redeem { from, amount } => format!("redeem {} {amount}", self.address(from)),
            Action::Destroy { account, amount } => {
                format!("destroy {} {amount}", self.address(account))
            }
            Action::BlacklistAdd { account } => format!("freeze {}", self.address(account)),
            Action::BlacklistRemove { account } => format!("release {}", self.address(account)),
            Action::Multisig(_) => "multisig".to_owned(),
        };
        let index = event.log_index.map_or_else(|| "-".to_owned(), |index| index.to_string());
        format!("{what} {}.{index}", tx(event.tx))
    }

    fn case(&mut self, case: &Case) -> String {
        let sources = case.sources.iter().map(|source| match *source {
            Source::Wallet { account, since_block } => {
                format!("{} since {since_block}", self.key(account))
            }
            Source::Transfer { chain, tx: of, log_index } => {
                format!("{chain} {}.{log_index}", tx(of))
            }
        });
        let sources: Vec<String> = sources.collect();
        let min =
            if case.min_units > 0 { format!(" min {}", case.min_units) } else { String::new() };
        let hops = case.max_hops.map_or_else(String::new, |hops| format!(" hops {hops}"));
        format!("open {}{min}{hops}: {}", case.id, sources.join(", ")).trim_end().to_owned()
    }
}

/// Generated transactions carry their number in the last bytes of the hash.
fn tx(hash: TxHash) -> String {
    let number = hash.0[24..].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("#{number}")
}
