//! 4096 transfers, column by column: what is read from a segment at once.
//!
//! A chunk is small enough to stay in a core's cache while it is looked at, and
//! large enough that one read for all of it costs little. Senders and receivers
//! have a fixed width, so that a scan tests them as fast as memory delivers;
//! the numbers of a row are unpacked for the few rows that matter.
//!
//! What always holds: every account of a [`Columns`] is one that this or an
//! earlier segment introduced.

use super::bytes::{Reader, put_u32s};
use super::code::Numbers;
use super::row::{Place, pack};
use super::{Row, Section, SegmentError};
use crate::movement::NO_LOG_INDEX;

/// Transfers in each chunk but the last.
pub(crate) const CHUNK: u32 = 4096;

/// Rows between two marks: from a mark on, rows are found by their lengths.
const STRIDE: usize = 64;

/// Bytes behind the last row, so that numbers are read eight bytes at a time.
pub(super) const PAD: usize = 8;

/// What the directory tells of a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Where it begins in its section.
    pub(super) offset: u64,
    /// Bytes of its rows' numbers.
    pub(super) var: u32,
    pub(super) crc: u32,
}

/// The bytes of a chunk of so many rows, the numbers of its rows aside.
pub(super) const fn fixed_len(rows: usize) -> usize {
    rows * 10 + rows.div_ceil(STRIDE) * 4
}

/// A chunk in the making: its columns as the bytes that they will be.
#[derive(Debug, Default)]
pub(super) struct Draft {
    log_before: u32,
    from: Vec<[u8; 4]>,
    to: Vec<[u8; 4]>,
    control: Vec<[u8; 2]>,
    marks: Vec<[u8; 4]>,
    numbers: Numbers,
}

impl Draft {
    /// Begins anew.
    pub(super) fn clear(&mut self) {
        for column in [&mut self.from, &mut self.to, &mut self.marks] {
            column.clear();
        }
        self.control.clear();
        self.numbers.clear();
    }

    pub(super) const fn rows(&self) -> usize {
        self.from.len()
    }

    /// Senders and receivers.
    pub(super) fn accounts(&self) -> [&[[u8; 4]]; 2] {
        [&self.from, &self.to]
    }

    #[inline]
    pub(super) fn push(&mut self, row: &Row) {
        if self.rows().is_multiple_of(STRIDE) {
            self.marks.push(self.numbers_len().to_le_bytes());
            self.log_before = NO_LOG_INDEX;
        }
        self.from.push(row.from.to_le_bytes());
        self.to.push(row.to.to_le_bytes());
        self.control.push(pack(row, self.log_before, &mut self.numbers).to_le_bytes());
        self.log_before = row.log_index;
    }

    fn numbers_len(&self) -> u32 {
        u32::try_from(self.numbers.bytes().len()).expect("4096 rows of at most 48 bytes")
    }

    /// Appends the chunk to its section, its entry to the directory, and
    /// begins the next one.
    pub(super) fn seal(&mut self, chunks: &mut Vec<u8>, directory: &mut Vec<u8>) {
        let start = chunks.len();
        chunks.extend_from_slice(self.from.as_flattened());
        chunks.extend_from_slice(self.to.as_flattened());
        chunks.extend_from_slice(self.control.as_flattened());
        chunks.extend_from_slice(self.marks.as_flattened());
        chunks.extend_from_slice(self.numbers.bytes());
        put_u32s(directory, [self.numbers_len(), crc32fast::hash(&chunks[start..])]);
        self.clear();
    }
}

/// The transfers of one chunk. Kept by the caller, so that its buffers serve
/// every chunk of a walk. Rows count from the beginning of the chunk.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    first: u32,
    from: Vec<u32>,
    to: Vec<u32>,
    control: Vec<u16>,
    marks: Vec<u32>,
    bytes: Vec<u8>,
    var_start: usize,
}

impl Columns {
    /// How many transfers there are.
    pub(crate) const fn len(&self) -> usize {
        self.from.len()
    }

    /// The global id of a row's transfer; of the first row for `row` 0.
    pub(crate) fn transfer(&self, row: usize) -> u32 {
        self.first + u32::try_from(row).expect("a chunk has 4096 rows")
    }

    /// Who was debited, row by row.
    pub(crate) fn froms(&self) -> &[u32] {
        &self.from
    }

    /// Who was credited, row by row.
    pub(crate) fn tos(&self) -> &[u32] {
        &self.to
    }

    /// One row, wherever it lies. For rising rows [`Columns::rows`] is quicker.
    pub(crate) fn row(&self, row: usize) -> Row {
        self.rows().row_at(row)
    }

    /// A cursor for rows that rise.
    pub(crate) const fn rows(&self) -> Rows<'_> {
        Rows { columns: self, next: 0, place: Place::at_mark(0) }
    }

    fn var(&self) -> &[u8] {
        &self.bytes[self.var_start..]
    }

    /// Room for the bytes of a chunk, to be filled before [`Columns::parse`].
    pub(super) fn buffer(&mut self, len: usize) -> &mut [u8] {
        self.bytes.resize(len + PAD, 0);
        self.bytes[len..].fill(0);
        &mut self.bytes[..len]
    }

    /// Takes the buffer for a chunk of so many rows that begins at `offset`.
    pub(super) fn parse(
        &mut self,
        first: u32,
        rows: usize,
        entry: Entry,
    ) -> Result<(), SegmentError> {
        let bytes = &self.bytes[..self.bytes.len() - PAD];
        let offset = entry.offset;
        if crc32fast::hash(bytes) != entry.crc {
            return Err(SegmentError::Checksum { section: Section::Chunks, offset });
        }
        let mut reader = Reader::new(Section::Chunks, bytes, offset);
        refill(&mut self.from, reader.slice(rows * 4)?, u32::from_le_bytes);
        refill(&mut self.to, reader.slice(rows * 4)?, u32::from_le_bytes);
        refill(&mut self.control, reader.slice(rows * 2)?, u16::from_le_bytes);
        refill(&mut self.marks, reader.slice(rows.div_ceil(STRIDE) * 4)?, u32::from_le_bytes);
        self.first = first;
        self.var_start = fixed_len(rows);
        Ok(())
    }

    /// Forgets everything, so that a failed read leaves nothing half done.
    pub(super) fn clear(&mut self) {
        self.from.clear();
        self.to.clear();
        self.control.clear();
        self.marks.clear();
        self.var_start = 0;
    }

    /// Whether all accounts lie below `end`.
    pub(super) fn are_below(&self, end: u32) -> bool {
        let below = |ids: &[u32]| ids.iter().fold(0, |most, id| most.max(*id)) < end;
        self.from.is_empty() || (below(&self.from) && below(&self.to))
    }

    /// Whether each row ends where the next mark, or the chunk, says so.
    pub(super) fn rows_fit(&self) -> bool {
        let mut place = Place::at_mark(0);
        let mut marks = self.marks.iter();
        for (row, control) in self.control.iter().enumerate() {
            if row.is_multiple_of(STRIDE)
                && marks.next().is_none_or(|mark| *mark as usize != place.at)
            {
                return false;
            }
            place.skip(*control, self.var());
        }
        place.at + PAD == self.var().len()
    }
}

fn refill<const N: usize, T>(column: &mut Vec<T>, bytes: &[u8], read: impl Fn([u8; N]) -> T) {
    column.clear();
    let (words, _) = bytes.as_chunks::<N>();
    column.extend(words.iter().map(|word| read(*word)));
}

/// A cursor over the rows of a chunk: what lies between two rows is skipped at
/// a glance at its lengths, and at most 63 rows of it.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    columns: &'a Columns,
    next: usize,
    place: Place,
}

impl Rows<'_> {
    /// The row; asking for an earlier one than before is allowed, and slower.
    pub(crate) fn row_at(&mut self, row: usize) -> Row {
        let columns = self.columns;
        let mark = row - row % STRIDE;
        if row < self.next || mark >= self.next {
            self.next = mark;
            self.place = Place::at_mark(columns.marks[row / STRIDE] as usize);
        }
        for control in &columns.control[self.next..row] {
            self.place.skip(*control, columns.var());
        }
        let ends = (columns.from[row], columns.to[row]);
        self.next = row + 1;
        self.place.unpack(ends, columns.control[row], columns.var())
    }
}
