//! Allocations: the steady state makes none, and the meter counts what the allocator gives.
//!
//! In an executable of their own, since they bring their allocator.

mod heap;
mod methods;
mod steady;
mod strategies;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Blocks from this size on are the buffers that a meter counts.
const LARGE: usize = 64 << 10;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LARGE_BYTES: Cell<isize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, which counts the allocations of each thread, its live bytes, and those
/// in large blocks.
struct Counting;

fn note(grown: usize, shrunk: usize) {
    let change = |count: &Cell<isize>, grown: usize, shrunk: usize| {
        count.set(count.get() + grown as isize - shrunk as isize);
        count.get()
    };
    let large = |size: usize| if size >= LARGE { size } else { 0 };
    // A thread that ends frees after its counters are gone.
    let _ = LARGE_BYTES.try_with(|b| change(b, large(grown), large(shrunk)));
    let _ = LIVE.try_with(|b| {
        let live = change(b, grown, shrunk);
        PEAK.try_with(|peak| peak.set(peak.get().max(live)))
    });
    if grown > 0 {
        let _ = ALLOCATIONS.try_with(|a| a.set(a.get() + 1));
    }
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;
