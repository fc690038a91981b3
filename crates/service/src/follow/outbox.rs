//! What is to be published with the next commit.

use super::outgoing::Outgoing;

/// So much is sent in one transaction, or little more: a slow topic must take it
/// in before the brokers give the transaction up.
const FULL_BYTES: usize = 1024 * 1024;

/// Outputs in the order in which they were told.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    outputs: Vec<Outgoing>,
    bytes: usize,
}

impl Outbox {
    pub(super) fn push(&mut self, output: Outgoing) {
        self.bytes += output.value.len();
        self.outputs.push(output);
    }

    pub(super) fn outputs(&self) -> &[Outgoing] {
        &self.outputs
    }

    pub(super) fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// Whether it is to be sent before anything is added.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= FULL_BYTES
    }

    pub(super) fn clear(&mut self) {
        self.outputs.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_full_by_bytes() {
        let output = |bytes| Outgoing {
            topic: "t".to_owned(),
            key: None,
            headers: Vec::new(),
            value: vec![0; bytes],
        };
        let mut outbox = Outbox::default();
        outbox.push(output(FULL_BYTES - 1));
        assert!(!outbox.is_full());
        outbox.push(output(1));
        assert!(outbox.is_full());
        outbox.clear();
        assert!(outbox.is_empty() && !outbox.is_full());
    }
}
