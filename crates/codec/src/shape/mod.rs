//! Reading a record by one that came before.
//!
//! A source writes its records from one template: from one to the next little
//! but values differs. So a record is laid against one that the parser took:
//! where all between the values is the same, byte for byte, the values are cut
//! out and nothing is parsed. This is speculative parsing, as in Li et al.,
//! "Mison" (VLDB 2017), for whole records.
//!
//! What always holds: what fits reads exactly as the parser would have read
//! it, and what does not fit goes to the parser; so which records came before
//! changes no meaning and no error, and costs time alone.

mod leaves;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub(crate) use self::leaves::Step;

use self::leaves::{Kind, leaves};

/// Templates remembered; the one that was of use longest ago makes room.
const SHAPES_MAX: usize = 8;

/// Longer records are left to the parser.
const SAMPLE_BYTES_MAX: usize = 16 * 1024;

/// After a record was looked at in vain, so many at most are not looked at.
const PAUSE_MAX: u32 = 1024;

/// Templates of one format. `T` is what all records of a template share.
#[derive(Debug)]
pub(crate) struct Shapes<T> {
    /// The one that fitted last stands first.
    known: Vec<(Shape, T)>,
    /// Records that are still to pass before one is looked at.
    rest: u32,
    pause: u32,
}

impl<T> Default for Shapes<T> {
    fn default() -> Self {
        Shapes { known: Vec::new(), rest: 0, pause: 0 }
    }
}

impl<T: Copy + PartialEq> Shapes<T> {
    /// The values of a record that fits, each at the place of its role.
    pub(crate) fn fit<'a, const N: usize>(
        &mut self,
        text: &'a str,
    ) -> Option<([Option<&'a str>; N], T)> {
        for at in 0..self.known.len() {
            let (shape, shared) = &self.known[at];
            let mut values = [None; N];
            if shape.fit(text, &mut values) {
                let shared = *shared;
                self.known.swap(0, at);
                self.pause /= 2;
                return Some((values, shared));
            }
        }
        None
    }

    /// Remembers a record that fitted nowhere and that the parser took. `role`
    /// tells which values are read, and at which place each is handed out;
    /// `agrees`, whether these are what the parser made of it: it may find fields
    /// where no role does, such as those of an object written as an array.
    pub(crate) fn learn<const N: usize>(
        &mut self,
        text: &str,
        shared: T,
        role: impl Fn(&[Step<'_>]) -> Option<usize>,
        agrees: impl FnOnce(&[Option<&str>; N]) -> bool,
    ) {
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        self.pause = (self.pause * 2).clamp(1, PAUSE_MAX);
        self.rest = self.pause - 1;
        let mut alike = self.known.iter_mut().filter(|(_, known)| *known == shared);
        if alike.any(|(shape, _)| shape.absorb(text)) {
            return;
        }
        let mut values = [None; N];
        if let Some(shape) = Shape::of(text, role)
            && shape.fit(text, &mut values)
            && agrees(&values)
        {
            self.known.truncate(SHAPES_MAX - 1);
            self.known.insert(0, (shape, shared));
        }
    }
}

/// A template: a record, and which of its values may be others.
#[derive(Debug)]
struct Shape {
    sample: String,
    leaves: Vec<Leaf>,
    /// Made from the leaves that may be others.
    slots: Vec<Slot>,
}

/// A string or a number of the sample.
#[derive(Clone, Debug)]
struct Leaf {
    /// Without quotes.
    value: Range<usize>,
    kind: Kind,
    role: Option<usize>,
    /// It is read, or was another in another record.
    varies: bool,
}

/// A value that may be another, with what stands before it.
#[derive(Debug)]
struct Slot {
    before: Range<usize>,
    /// Where the sample goes on.
    after: usize,
    kind: Kind,
    role: Option<usize>,
}

impl Shape {
    /// The template of which that record is the first; `None` if there can be
    /// none.
    fn of(text: &str, role: impl Fn(&[Step<'_>]) -> Option<usize>) -> Option<Shape> {
        if text.len() > SAMPLE_BYTES_MAX {
            return None;
        }
        let mut found = Vec::new();
        let mut is_plain = true;
        leaves(text, |path, value, kind| {
            let role = role(path);
            match kind {
                Some(kind) => found.push(Leaf { value, kind, role, varies: role.is_some() }),
                None => is_plain &= role.is_none(),
            }
        })?;
        let mut shape = Shape { sample: text.to_owned(), leaves: found, slots: Vec::new() };
        shape.slots = slots(&shape.leaves, |leaf| leaf.varies);
        is_plain.then_some(shape)
    }

    /// Takes another record into the template if they differ in values alone.
    fn absorb(&mut self, text: &str) -> bool {
        let all = slots(&self.leaves, |_| true);
        let mut values = Vec::with_capacity(all.len());
        if !laid(&self.sample, &all, text, |_, value| values.push(value)) {
            return false;
        }
        for (leaf, value) in self.leaves.iter_mut().zip(values) {
            leaf.varies |= self.sample[leaf.value.clone()] != *value;
        }
        self.slots = slots(&self.leaves, |leaf| leaf.varies);
        true
    }

    /// Cuts the values out of a record; `false` if it does not fit.
    fn fit<'a>(&self, text: &'a str, values: &mut [Option<&'a str>]) -> bool {
        laid(&self.sample, &self.slots, text, |slot, value| {
            if let Some(place) = slot.role.and_then(|role| values.get_mut(role)) {
                *place = Some(value);
            }
        })
    }
}

fn slots(leaves: &[Leaf], chosen: impl Fn(&Leaf) -> bool) -> Vec<Slot> {
    let mut from = 0;
    let slot = |leaf: &Leaf| {
        let Range { start, end } = leaf.value;
        let before = std::mem::replace(&mut from, end)..start;
        Slot { before, after: end, kind: leaf.kind, role: leaf.role }
    };
    leaves.iter().filter(|leaf| chosen(leaf)).map(slot).collect()
}

/// Lays a record against a sample, and hands out its values in order; `false`
/// if it differs elsewhere.
fn laid<'a>(
    sample: &str,
    slots: &[Slot],
    text: &'a str,
    mut take: impl FnMut(&Slot, &'a str),
) -> bool {
    let mut rest = text;
    for slot in slots {
        let Some(after) = rest.strip_prefix(&sample[slot.before.clone()]) else { return false };
        let Some(length) = slot.kind.length(after.as_bytes()) else { return false };
        let (value, after) = after.split_at(length);
        take(slot, value);
        rest = after;
    }
    let end = slots.last().map_or(0, |slot| slot.after);
    rest == &sample[end..]
}
