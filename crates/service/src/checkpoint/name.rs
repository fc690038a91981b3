//! How the objects of a chain are called.

use std::fmt::Write as _;

use flow_core::Chain;

use super::manifest::SegmentName;

/// A checkpoint by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The name of its object.
    pub name: String,
    /// The records that it stands for; the most is the newest.
    pub records: u64,
    /// The CRC-32 of the whole object.
    pub check: u32,
    /// The length of the object as it lies there.
    pub bytes: u64,
}

/// What the names of all objects of a chain begin with: the group, with what is
/// not plain in a file's name escaped as in a URL, and the chain.
pub fn scope(group_id: &str, chain: Chain) -> String {
    let mut scope = String::new();
    for byte in group_id.bytes() {
        // Only dots would be a folder's name that leads elsewhere.
        let plain = byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if plain || (byte == b'.' && !scope.is_empty()) {
            scope.push(char::from(byte));
        } else {
            write!(scope, "%{byte:02X}").expect("strings take all text");
        }
    }
    format!("{scope}/{chain}")
}

/// The name of a checkpoint.
pub(super) fn checkpoint(scope: &str, records: u64, check: u32) -> String {
    format!("{scope}/checkpoint-{records:020}-{check:08x}.usc")
}

/// The name of a segment.
pub(super) fn segment(scope: &str, segment: SegmentName) -> String {
    let SegmentName { number, bytes, check } = segment;
    format!("{scope}/segment-{number:06}-{bytes:x}-{check:08x}.usf")
}

/// Reads the name of a checkpoint; `None` if it is none of this scope.
pub(super) fn read_checkpoint(scope: &str, name: &str, bytes: u64) -> Option<Generation> {
    let (records, check) =
        inner(scope, name, "checkpoint-", ".usc").and_then(|inner| inner.split_once('-'))?;
    let records = records.parse().ok()?;
    let check = u32::from_str_radix(check, 16).ok()?;
    // One spelling for each, so that nothing foreign is taken for ours.
    (checkpoint(scope, records, check) == name).then(|| Generation {
        name: name.to_owned(),
        records,
        check,
        bytes,
    })
}

/// Reads the name of a segment; `None` if it is none of this scope.
pub(super) fn read_segment(scope: &str, name: &str) -> Option<SegmentName> {
    let mut fields = inner(scope, name, "segment-", ".usf")?.split('-');
    let number = fields.next()?.parse().ok()?;
    let bytes = u64::from_str_radix(fields.next()?, 16).ok()?;
    let check = u32::from_str_radix(fields.next()?, 16).ok()?;
    let read = SegmentName { number, bytes, check };
    (segment(scope, read) == name).then_some(read)
}

/// Whether a file's name, without its folder, is that of an object of ours.
pub(super) fn is_ours(file: &str) -> bool {
    let name = format!("/{file}");
    read_checkpoint("", &name, 0).is_some() || read_segment("", &name).is_some()
}

fn inner<'a>(scope: &str, name: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let file = name.strip_prefix(scope)?.strip_prefix('/')?;
    file.strip_prefix(begin)?.strip_suffix(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_nothing_else_is() {
        let name = checkpoint("g/tron", 42, 0xab);
        assert_eq!(name, "g/tron/checkpoint-00000000000000000042-000000ab.usc");
        let read = read_checkpoint("g/tron", &name, 7).unwrap();
        assert_eq!((read.records, read.check, read.bytes), (42, 0xab, 7));
        let named = SegmentName { number: 3, bytes: 255, check: 1 };
        assert_eq!(segment("g/tron", named), "g/tron/segment-000003-ff-00000001.usf");
        assert_eq!(read_segment("g/tron", &segment("g/tron", named)), Some(named));
        for other in [
            "g/tron/checkpoint-42-000000ab.usc",
            "g/tron/checkpoint-00000000000000000042-000000AB.usc",
            "g/tron/checkpoint-00000000000000000042-000000ab.usc#1",
            "g/ethereum/checkpoint-00000000000000000042-000000ab.usc",
        ] {
            assert_eq!(read_checkpoint("g/tron", other, 7), None, "{other}");
        }
        assert_eq!(read_segment("g/tron", "g/tron/segment-000003-ff-00000001-2.usf"), None);
    }

    #[test]
    fn a_group_of_any_name_is_one_folder() {
        assert_eq!(scope("usdt-flow.v1", Chain::Tron), "usdt-flow.v1/tron");
        assert_eq!(scope("..", Chain::Tron), "%2E./tron");
        assert_eq!(scope("a/b é", Chain::Ethereum), "a%2Fb%20%C3%A9/ethereum");
    }
}
