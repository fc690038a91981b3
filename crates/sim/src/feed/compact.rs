//! The compact format. It knows no multisig steps.

use flow_codec::compact;
use flow_core::Block;

/// The block as one record, with nothing said of what is final.
pub fn compact(block: &Block) -> Vec<u8> {
    compact::encode(block, None)
}

/// Blocks as a file: each record behind its length.
pub fn compact_file<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> Vec<u8> {
    let mut file = Vec::new();
    for block in blocks {
        compact::write_delimited(&compact(block), &mut file);
    }
    file
}
