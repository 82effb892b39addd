//! An allocator that counts, for the figures of memory.
//!
//! Counting is off until [`start_counting`]: runs that measure time pay one predictable branch per
//! allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

static COUNTING: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicIsize = AtomicIsize::new(0);

/// Counts from now on; called first thing in a process that measures memory.
pub fn start_counting() {
    COUNTING.store(true, Ordering::Relaxed);
}

/// Bytes asked for and not given back since counting started, without what the allocator adds to
/// each block.
pub fn live_bytes() -> isize {
    LIVE.load(Ordering::Relaxed)
}

/// The system's allocator, counted.
#[derive(Debug)]
pub struct Counting;

#[inline]
fn count(bytes: isize) {
    if COUNTING.load(Ordering::Relaxed) {
        LIVE.fetch_add(bytes, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to `System` unchanged, which keeps the contract; counting touches only
// atomics, so it neither allocates nor panics.
#[allow(unsafe_code)] // The trait cannot be implemented without.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: `block` came from `System` through this allocator, with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: `block` came from `System` with this layout; the promise about `size` is passed
        // on.
        unsafe { System.realloc(block, layout, size) }
    }
}
