//! Asks the processor for memory some time before it is needed.
//!
//! A walk through the past knows many transfers ahead which accounts come, and
//! so does the engine of a whole block; what is known of them lies scattered over
//! more memory than any cache holds.
//! `late_case/haircut/a_hub_exactly` takes two thirds of the time with this.

#![expect(unsafe_code, reason = "the instruction reads nothing and cannot fault")]

/// Brings one item of the slice near, if there is such an item.
#[inline]
pub(crate) fn prefetch<T>(slice: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(item) = slice.get(at) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let first = std::ptr::from_ref(item).cast::<i8>();
        // SAFETY: both addresses lie within `item`, and a prefetch has no effect
        // but on the cache. An item may lie across two lines.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(first);
            _mm_prefetch::<_MM_HINT_T0>(first.add(size_of::<T>().saturating_sub(1)));
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, at);
}
