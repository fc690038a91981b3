//! How the figures came about, what they cannot tell, and how to get them again.

use super::{Report, Text, columns};
use crate::casework::document::words;
use crate::casework::method::{DEFINITIONS, LIMITS, origin, rule};

impl Report<'_> {
    pub(super) fn method(&mut self) {
        let policy = self.trace().policy;
        self.document.chapter("Method");
        self.document.say(
            "Every transfer of USDT in the past named above was applied in the order of the chain, \
             which gives the balance of every wallet after each of them. Units that leave a source \
             of the case are tainted; with every transfer out of a wallet that holds tainted \
             units, the rule of attribution says how many of the units that leave are tainted. \
             Amounts are whole numbers of base units, of which one USDT has 1,000,000; nothing is \
             estimated, and every division says which way it rounds.",
        );
        let name = format!("{} (version {}). ", policy.name(), policy.version());
        self.document.say(Text::strong(name).and(rule(policy)));
        self.document.say(origin(policy));
        let row = |(word, meaning): &(&str, &str)| vec![Text::plain(*word), (*meaning).into()];
        self.document
            .table(&[words("word"), words("means")], DEFINITIONS.iter().map(row).collect());
        self.document.say(
            "The rules in full, so that another program can give the same numbers, are in \
             docs/semantics.md of usdt-flow.",
        );
        self.document.chapter("What this cannot tell");
        self.document.list(LIMITS.map(Text::from));
    }

    pub(super) fn again(&mut self) {
        let version = env!("CARGO_PKG_VERSION");
        self.document.chapter("How to get this again");
        self.document.say(format!(
            "This file was made by usdt-flow {version}. The same command on the same files gives \
             the same bytes:",
        ));
        self.document.listing(&self.frame.command);
        let row = |input: &crate::casework::inputs::Input| {
            let name = Text::code(&input.name);
            let name = match input.segments {
                None => name,
                Some(1) => name.next_line().and("1 segment"),
                Some(many) => name.next_line().and(format!("{many} segments")),
            };
            vec![
                Text::plain(input.holds),
                name,
                input.bytes.to_string().into(),
                Text::code(&input.sha256),
            ]
        };
        let rows = self.frame.inputs.iter().map(row).collect();
        self.document.table(&columns(&["what", "file", "bytes:", "SHA-256"]), rows);
        if self.frame.inputs.iter().any(|input| input.segments.is_some()) {
            self.document.say("The sum of a history is that of the sums of its segments:");
            self.document.listing("cd HISTORY && sha256sum segment-*.usf | sha256sum");
        }
    }
}
