//! What a reader holds at a time: an allocator that counts the bytes of each thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;

use png::ColorType;

use crate::common::*;
use crate::pairs::{idx, packed};
use crate::png::png;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // Not at the end of a thread, when these are gone.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    // A block that grows counts once: large ones are moved by their pages, not copied.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `f` gives, and the most bytes that this thread held during it beyond those before.
pub(crate) fn peak<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let value = f();
    (value, (PEAK.get() - before) as usize)
}

const ROWS: usize = 3000;
const COLUMNS: usize = 200;

fn ratio(name: &str, path: &Path) -> f64 {
    let (splits, peak) = peak(|| data::load(path, 0));
    let splits = splits.unwrap();
    let parts = [&splits.train, &splits.valid]
        .into_iter()
        .chain(&splits.test);
    let numbers: usize = parts
        .map(|p| p.features.dense().len() + p.labels.len())
        .sum();
    assert_eq!(numbers, ROWS * (COLUMNS + 1), "{name}");
    let ratio = peak as f64 / (8 * numbers) as f64;
    println!("{name}: {peak} bytes at the peak, {ratio:.2} of the data");
    ratio
}

/// Some megabytes in each format: at most twice the data, and buffers of a fixed size.
#[test]
fn readers_hold_at_most_twice_the_data() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let value = |i: usize, j: usize| ((i * 31 + j * 17) % 255) as u8;
    let cells = || (0..ROWS).flat_map(|i| (0..COLUMNS).map(move |j| value(i, j)));
    let bytes = Vec::from_iter(cells());
    let doubles = Vec::from_iter(cells().map(f64::from));
    let shape = [ROWS as u64, COLUMNS as u64];
    let labels = Vec::from_iter((0..ROWS).map(|i| (i % 10) as f64));

    let (mut csv, mut libsvm) = (String::new(), String::new());
    for i in 0..ROWS {
        let row = || (0..COLUMNS).map(|j| value(i, j));
        row().for_each(|v| write!(csv, "{v},").unwrap());
        writeln!(csv, "{}", i % 10).unwrap();
        write!(libsvm, "{}", i % 10).unwrap();
        (1..)
            .zip(row())
            .for_each(|(j, v)| write!(libsvm, " {j}:{v}").unwrap());
        libsvm.push('\n');
    }
    let half = (ROWS / 2) as u64;
    let order = Order::C;
    let part = |order| {
        npy(
            "<f8",
            order,
            &[half, shape[1]],
            &doubles[..doubles.len() / 2],
        )
    };
    let part_labels = || floats(&[half], &labels[..ROWS / 2]);
    let archive = |order, packing| {
        let arrays = vec![
            ("x_train", part(order)),
            ("t_train", part_labels()),
            ("x_valid", part(order)),
            ("t_valid", part_labels()),
        ];
        zipped(&arrays, packing)
    };
    let images = idx(0x08, &[ROWS as u32, 10, 20], &bytes);
    let digits = Vec::from_iter(labels.iter().map(|t| *t as u8));
    let digits = idx(0x08, &[ROWS as u32], &digits);
    let pair = |x: &str, t: &str| {
        let folder = folder.path().display();
        std::path::PathBuf::from(format!("{folder}/{x},{folder}/{t}"))
    };
    write("x.npy", &npy("<f8", order, &shape, &doubles));
    write("t.npy", &floats(&shape[..1], &labels));
    write("x.idx", &images);
    write("x.idx.gz", &packed(&images));
    write("t.idx", &digits);
    for (name, path, most) in [
        ("csv", write("a.csv", csv.as_bytes()), 2.1),
        ("libsvm", write("a.libsvm", libsvm.as_bytes()), 1.1),
        ("npz", write("a.npz", &archive(Order::C, Stored)), 1.1),
        (
            "npz, packed",
            write("b.npz", &archive(Order::C, Deflated)),
            1.1,
        ),
        (
            "npz, Fortran",
            write("c.npz", &archive(Order::Fortran, Stored)),
            1.6,
        ),
        ("npy pair", pair("x.npy", "t.npy"), 2.1),
        ("idx pair", pair("x.idx", "t.idx"), 2.1),
        ("idx pair, packed", pair("x.idx.gz", "t.idx"), 2.1),
    ] {
        let ratio = ratio(name, &path);
        assert!(ratio < most, "{name}: {ratio}");
    }
}

#[test]
fn images_are_held_once() {
    let folder = TempDir::new().unwrap();
    for i in 0..8 {
        let pixels = Vec::from_iter((0..3 * 300 * 300).map(|k| (k * (i + 3)) as u8));
        let bytes = png(&pixels, 300, 300, ColorType::Rgb);
        std::fs::write(folder.path().join(format!("{i}.png")), bytes).unwrap();
    }
    let (images, peak) = peak(|| data::read_images(folder.path()).unwrap());
    let ratio = peak as f64 / (8 * images.len() * 300 * 300) as f64;
    println!("png: {peak} bytes at the peak, {ratio:.2} of the data");
    assert!(ratio < 1.5, "{ratio}");
}
