//! Haircut: taint leaves in proportion. Rounds down; the sender keeps the
//! remainder.

use crate::Amount;

/// Of an account's units those that a debit takes. Made once for all cases that
/// taint them: dividing is what takes long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) amount: Amount,
    pub(super) balance: Amount,
    /// `floor(amount · 2^64 / balance)`; 0 where all leaves.
    ratio: u64,
}

impl Share {
    /// Of `amount` units debited from an account that holds `balance`, which is
    /// no less.
    pub(crate) fn of(amount: Amount, balance: Amount) -> Share {
        let all = amount == balance;
        let ratio = if all { 0 } else { (u128::from(amount) << 64) / u128::from(balance) };
        Share { amount, balance, ratio: u64::try_from(ratio).expect("a part is less than one") }
    }

    /// `floor(tainted · amount / balance)`, exactly.
    #[inline]
    pub(super) fn moved(&self, tainted: Amount) -> Amount {
        if self.amount == self.balance {
            return tainted;
        }
        // Rounding took less than 1 of the ratio, so it takes less than
        // tainted / 2^64, which is less than 1, of what is sought.
        let tainted = u128::from(tainted);
        let least = (tainted * u128::from(self.ratio)) >> 64;
        let rest = tainted * u128::from(self.amount) - least * u128::from(self.balance);
        let least = u64::try_from(least).expect("128 bits less 64");
        least + u64::from(rest >= u128::from(self.balance))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moved(tainted: Amount, balance: Amount, amount: Amount) -> Amount {
        Share::of(amount, balance).moved(tainted)
    }

    #[test]
    fn rounds_down() {
        assert_eq!(moved(1, 3, 2), 0);
        assert_eq!(moved(2, 3, 2), 1);
        assert_eq!(moved(5, 5, 3), 3);
        assert_eq!(moved(u64::MAX - 1, u64::MAX, u64::MAX), u64::MAX - 1);
        assert_eq!(moved(u64::MAX - 1, u64::MAX, u64::MAX - 1), u64::MAX - 2);
    }

    /// Numbers of every length, and those beside the ends.
    fn any_amount() -> impl Strategy<Value = Amount> {
        let any_length = (any::<u64>(), 0..64_u32).prop_map(|(bits, shift)| bits >> shift);
        prop_oneof![any_length, 0..4_u64, u64::MAX - 3..=u64::MAX]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn is_the_quotient_of_128_bits(
            (tainted, balance, amount) in (any_amount(), any_amount(), any_amount())
        ) {
            let balance = balance.max(1);
            let (tainted, amount) = (tainted.min(balance), amount.min(balance));
            let exact = u128::from(tainted) * u128::from(amount) / u128::from(balance);
            prop_assert_eq!(u128::from(moved(tainted, balance, amount)), exact);
        }
    }
}
