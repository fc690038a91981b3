//! A vector of which a copy as of one moment can be taken while it goes on
//! being changed: page by page, and whatever is about to change is copied first.
//!
//! What always holds: every mutable access goes through a method that saves the
//! page if a copy is under way; when none is, that is one branch.

use std::ops::Deref;

/// Items of each page but the last.
const PAGE: usize = 4096;

/// See the module.
#[derive(Debug)]
pub(crate) struct Paged<T> {
    live: Vec<T>,
    copy: Option<Box<Pages<T>>>,
}

/// A vector as it was when the copy was begun.
#[derive(Debug)]
pub(crate) struct Pages<T> {
    len: usize,
    pages: Vec<Option<Box<[T]>>>,
    /// All pages before this one are copied.
    next: usize,
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Paged::from(Vec::new())
    }
}

impl<T> From<Vec<T>> for Paged<T> {
    fn from(live: Vec<T>) -> Self {
        Paged { live, copy: None }
    }
}

impl<T> Deref for Paged<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.live
    }
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Pages { len: 0, pages: Vec::new(), next: 0 }
    }
}

impl<T: Clone> Paged<T> {
    /// Begins a copy of all items as they are now, in place of one under way.
    pub(crate) fn begin_copy(&mut self) {
        let len = self.live.len();
        let pages = std::iter::repeat_with(|| None).take(len.div_ceil(PAGE)).collect();
        self.copy = Some(Box::new(Pages { len, pages, next: 0 }));
    }

    /// Copies one page that is not copied yet; `false` when there is none.
    pub(crate) fn copy_page(&mut self) -> bool {
        let Some(copy) = &mut self.copy else { return false };
        while copy.pages.get(copy.next).is_some_and(Option::is_some) {
            copy.next += 1;
        }
        let page = copy.next;
        page < copy.pages.len() && {
            copy.save(page, &self.live);
            true
        }
    }

    /// Takes the copy, which is whole.
    pub(crate) fn take_copy(&mut self) -> Pages<T> {
        self.copy.take().map_or_else(Pages::default, |copy| *copy)
    }

    /// Whether no page is left to copy.
    pub(crate) fn is_copied(&self) -> bool {
        let whole = |copy: &Pages<T>| copy.pages[copy.next..].iter().all(Option::is_some);
        self.copy.as_deref().is_none_or(whole)
    }

    /// Gives the copy up.
    pub(crate) fn drop_copy(&mut self) {
        self.copy = None;
    }

    /// The item, to be changed.
    #[inline]
    pub(crate) fn at_mut(&mut self, ix: usize) -> &mut T {
        if self.copy.is_some() {
            self.save(ix);
        }
        &mut self.live[ix]
    }

    #[cold]
    #[inline(never)]
    fn save(&mut self, ix: usize) {
        if let Some(copy) = &mut self.copy
            && ix < copy.len
        {
            copy.save(ix / PAGE, &self.live);
        }
    }

    /// All items, to be changed.
    pub(crate) fn all_mut(&mut self) -> &mut [T] {
        self.save_from(0);
        &mut self.live
    }

    /// Appends an item, which no copy under way has.
    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        self.live.push(item);
    }

    /// Takes off the items from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.save_from(len);
        self.live.truncate(len);
    }

    /// Takes off the first `count` items.
    pub(crate) fn forget(&mut self, count: usize) {
        self.save_from(0);
        self.live.drain(..count);
    }

    /// Copies every page that has an item from `ix` on.
    fn save_from(&mut self, ix: usize) {
        if let Some(copy) = &mut self.copy {
            for page in ix / PAGE..copy.pages.len() {
                copy.save(page, &self.live);
            }
        }
    }
}

impl<T: Clone> Pages<T> {
    fn save(&mut self, page: usize, live: &[T]) {
        let slot = &mut self.pages[page];
        if slot.is_none() {
            let end = self.len.min((page + 1) * PAGE);
            *slot = Some(live[page * PAGE..end].into());
        }
    }
}

impl<T> Pages<T> {
    /// How many items there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The item at that place.
    pub(crate) fn get(&self, ix: usize) -> Option<&T> {
        self.pages.get(ix / PAGE)?.as_deref()?.get(ix % PAGE)
    }

    /// All items in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten().flat_map(|page| page.iter())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What happens to a vector while it is being copied.
    #[derive(Clone, Debug)]
    enum Change {
        Set(usize),
        SetAll,
        Push(usize),
        Truncate(usize),
        Forget(usize),
        CopyPage,
    }

    fn change() -> impl Strategy<Value = Change> {
        let most = 3 * PAGE;
        prop_oneof![
            4 => (0..most).prop_map(Change::Set),
            1 => Just(Change::SetAll),
            2 => (0..most).prop_map(Change::Push),
            1 => (0..most).prop_map(Change::Truncate),
            1 => (0..most).prop_map(Change::Forget),
            3 => Just(Change::CopyPage),
        ]
    }

    fn apply(change: &Change, paged: &mut Paged<usize>, stamp: usize) {
        match *change {
            Change::Set(ix) if ix < paged.len() => *paged.at_mut(ix) = stamp,
            Change::SetAll => paged.all_mut().fill(stamp),
            Change::Push(count) => (0..count).for_each(|_| paged.push(stamp)),
            Change::Truncate(len) => paged.truncate(len),
            Change::Forget(count) => paged.forget(count.min(paged.len())),
            Change::CopyPage => drop(paged.copy_page()),
            Change::Set(_) => {}
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn a_copy_is_as_of_its_beginning(
            len in 0..4 * PAGE,
            changes in proptest::collection::vec(change(), 0..12),
        ) {
            let mut paged = Paged::from((0..len).collect::<Vec<_>>());
            let mut plain = paged.live.clone();
            paged.begin_copy();
            for (stamp, change) in changes.iter().enumerate() {
                apply(change, &mut paged, stamp);
                let mut other = Paged::from(std::mem::take(&mut plain));
                apply(change, &mut other, stamp);
                plain = other.live;
            }
            while paged.copy_page() {}
            prop_assert!(paged.is_copied());
            let copy = paged.take_copy();
            prop_assert_eq!(copy.len(), len);
            prop_assert!(copy.iter().copied().eq(0..len));
            prop_assert!((0..len).all(|ix| copy.get(ix) == Some(&ix)));
            prop_assert_eq!(copy.get(len), None);
            prop_assert_eq!(&paged.live, &plain);
        }
    }

    #[test]
    fn each_page_is_copied_once() {
        let mut paged = Paged::from(vec![0; 2 * PAGE + 1]);
        paged.begin_copy();
        assert!(!paged.is_copied());
        *paged.at_mut(PAGE) = 1;
        assert!(paged.copy_page() && !paged.is_copied());
        assert!(paged.copy_page() && paged.is_copied());
        assert!(!paged.copy_page());
        paged.drop_copy();
        assert!(paged.is_copied() && !paged.copy_page());
        *paged.at_mut(0) = 2;
        paged.begin_copy();
        while paged.copy_page() {}
        assert_eq!(paged.take_copy().iter().sum::<i32>(), 3);
    }
}
