//! How a case is traced, and what that cannot tell, in words for a court.

use flow_core::Policy;

/// How the policy decides which of the units that leave are the tainted ones.
pub(super) const fn rule(policy: Policy) -> &'static str {
    match policy {
        Policy::Haircut => {
            "In proportion: of a wallet that holds b units, t of them tainted, a transfer of a \
             units takes floor(t × a / b) tainted ones; the remainder of the division stays with \
             the sender."
        }
        Policy::Fifo => {
            "First in, first out: units leave a wallet in the order in which they came, so a \
             transfer of a units takes the tainted ones among the a oldest."
        }
        Policy::Lifo => {
            "Last in, first out: the units that came last leave first, so a transfer of a units \
             takes the tainted ones among the a newest."
        }
        Policy::DirtyFirst => {
            "Tainted units leave first: of a wallet that holds t tainted units, a transfer of a \
             units takes min(t, a) of them."
        }
        Policy::DirtyLast => {
            "Tainted units leave last: of a wallet that holds b units, t of them tainted, a \
             transfer of a units takes t − min(t, b − a) of them."
        }
        Policy::Poison => {
            "Any contact: all units of a wallet that tainted units ever reached count as tainted, \
             for good. Units multiply under this rule, so the sums need not add up."
        }
    }
}

/// Where the rule comes from, for whoever has to argue for it.
pub(super) const fn origin(policy: Policy) -> &'static str {
    match policy {
        Policy::Haircut => {
            "Sharing in proportion is the rule that Barlow Clowes International v Vaughan [1992] \
             4 All ER 22 discusses beside first in, first out; for digital money see Möser, Böhme \
             and Breuker, Towards risk scoring of Bitcoin transactions, 2014 (“haircut”)."
        }
        Policy::Fifo => {
            "The rule in Clayton’s Case, Devaynes v Noble (1816) 1 Mer 572; for digital money see \
             Anderson, Shumailov and Ahmed, Making Bitcoin legal, 2018."
        }
        Policy::Lifo => "Last in, first out is an accounting convention without a case of its own.",
        Policy::DirtyFirst => {
            "Compare Re Oatway [1903] 2 Ch 356, where what was spent first was taken from the \
             money of others."
        }
        Policy::DirtyLast => {
            "Compare Re Hallett’s Estate (1880) 13 Ch D 696 and, for the lowest intermediate \
             balance, James Roscoe (Bolton) Ltd v Winder [1915] 1 Ch 62."
        }
        Policy::Poison => {
            "Möser, Böhme and Breuker, Towards risk scoring of Bitcoin transactions, 2014 \
             (“poison”)."
        }
    }
}

/// What the words of the ledger mean.
pub(super) const DEFINITIONS: [(&str, &str); 8] = [
    (
        "emitted",
        "units that became tainted at a source of the case: what a source wallet held when it \
         became one and what it received later, or what a source transfer moved",
    ),
    ("held", "tainted units in wallets that are not frozen, those of the sources among them"),
    ("frozen", "tainted units in wallets that the issuer has frozen"),
    (
        "service",
        "tainted units that arrived at an account labelled as a service’s; they are followed no \
         further, since what a service pays out is not its depositor’s money",
    ),
    ("redeemed", "tainted units that were taken out of circulation by the issuer on redemption"),
    ("destroyed", "tainted units of a frozen wallet that the issuer destroyed"),
    ("dust", "tainted units that arrived in lots smaller than the case follows"),
    ("horizon", "tainted units that went over more transfers than the case follows"),
];

/// What a reader must not take from the figures.
pub(super) const LIMITS: [&str; 9] = [
    "An address is not a person. Nothing here says who holds the key of a wallet, and a wallet \
     that received tainted units is not thereby accused of anything.",
    "Units of USDT are interchangeable. Which of a wallet’s units left it is a rule, not an \
     observation; another rule gives other figures for every wallet that also held other units.",
    "A trail shows transfers by which tainted units could come to the wallet, in the order in \
     which they happened, with the amounts as they were then. Other units may have come by other \
     ways; the share of a wallet counts them all, a trail only itself.",
    "Labels are what the file of labels says. An account of a service that no label names counts \
     as a private wallet: then units are followed through that service into the money of its \
     other customers, and what follows is not proof. A wrong label ends the trail wrongly.",
    "What happens inside a service (an exchange, a bridge, a mixer), off the chain or on another \
     chain is not seen; nor are other tokens, so the trail ends where USDT is swapped.",
    "The past begins with its first block. What a wallet held before is known as a sum where a \
     transfer shows it, not where it came from; such units are clean unless the wallet is a \
     source.",
    "The file says what it says as of the last block of the past, named above. Wallets may have \
     moved or been frozen since.",
    "Whether the past holds every transfer depends on the source of the events. Gaps that a \
     source does not show cannot be told here; compare the balances with the chain.",
    "Transfers of no units and transfers of a wallet to itself move nothing and are left out.",
];
