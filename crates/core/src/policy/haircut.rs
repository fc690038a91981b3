//! Haircut: taint leaves in proportion. Rounds down; the sender keeps the
//! remainder.

use crate::Amount;

/// `floor(tainted · amount / balance)`, the product taken in 128 bits.
pub(super) fn moved(tainted: Amount, balance: Amount, amount: Amount) -> Amount {
    if tainted == balance {
        return amount;
    }
    if let Some(product) = tainted.checked_mul(amount) {
        return product / balance;
    }
    let quotient = u128::from(tainted) * u128::from(amount) / u128::from(balance);
    Amount::try_from(quotient).expect("tainted ≤ balance, so the quotient is at most amount")
}

#[cfg(test)]
mod tests {
    use super::moved;

    #[test]
    fn rounds_down_and_takes_the_product_in_128_bits() {
        assert_eq!(moved(1, 3, 2), 0);
        assert_eq!(moved(2, 3, 2), 1);
        assert_eq!(moved(5, 5, 3), 3);
        assert_eq!(moved(u64::MAX - 1, u64::MAX, u64::MAX), u64::MAX - 1);
        assert_eq!(moved(u64::MAX - 1, u64::MAX, u64::MAX - 1), u64::MAX - 2);
    }
}
