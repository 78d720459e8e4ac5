//! JPEG images, and folders in which they stand beside others.

use nalgebra::DMatrix;
use png::ColorType;

use models::catalogue::{Source, named};

use crate::common::*;
use crate::png::png;

/// 12 × 20 pixels of 20 + 3i + 10j.
pub(crate) const GRAY: &[u8] = include_bytes!("fixtures/gray.jpg");
/// 24 × 16 pixels of (200 − 4i, 40 + 8j, 90 + 2i + 3j), colours at half the resolution.
pub(crate) const COLOUR: &[u8] = include_bytes!("fixtures/colour.jpg");
/// The same in several scans.
pub(crate) const PROGRESSIVE: &[u8] = include_bytes!("fixtures/progressive.jpg");

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// The largest difference of two images in steps of 8 bits.
fn difference(found: &DMatrix<f64>, expected: impl Fn(f64, f64) -> f64) -> f64 {
    let at = |i, j| 255.0 * found[(i, j)] - expected(i as f64, j as f64);
    let shape = found.shape();
    DMatrix::from_fn(shape.0, shape.1, at).amax()
}

#[test]
fn jpeg_images_are_the_pixels_they_were_made_of() {
    // The contents say what a file is, whatever its name.
    let files = [
        ("a.JPG", GRAY),
        ("b.png", COLOUR),
        ("c.jpeg", PROGRESSIVE),
        ("d", GRAY),
    ];
    let folder = folder(&files);
    let images = data::read_images(folder.path()).unwrap();
    assert_eq!(images.len(), 4);
    // Of 20 columns the middle 12, of 24 rows the middle 12, of 16 columns the middle 12.
    let gray = |i: f64, j: f64| 20.0 + 3.0 * i + 10.0 * (j + 4.0);
    let colours = |i: f64, j: f64| {
        let (i, j) = (i + 6.0, j + 2.0);
        let [r, g, b] = [200.0 - 4.0 * i, 40.0 + 8.0 * j, 90.0 + 2.0 * i + 3.0 * j];
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    for (image, most) in [(&images[0], 1.1), (&images[3], 1.1)] {
        assert_eq!(image.shape(), (12, 12));
        assert!(
            difference(image, gray) < most,
            "{}",
            difference(image, gray)
        );
    }
    for image in &images[1..3] {
        // Coarse colours, and rounding on the way to red, green and blue.
        let found = difference(image, colours);
        assert!(found < 4.0, "{found}");
    }
}

#[test]
fn a_damaged_jpeg_is_refused() {
    let refused = |bytes: &[u8]| {
        let folder = folder(&[("a.jpg", bytes), ("b.jpg", GRAY)]);
        let text = message(
            &folder.path().join("a.jpg"),
            data::read_images(folder.path()),
        );
        assert!(text.starts_with("the image: "), "{text}");
        assert!(text.ends_with("expected a whole JPEG image"), "{text}");
        text
    };
    for length in [0, 2, 3, 20, 200, GRAY.len() / 2, GRAY.len() - 40] {
        refused(&GRAY[..length]);
    }
    for length in [PROGRESSIVE.len() / 2, COLOUR.len() / 2] {
        refused(if length == COLOUR.len() / 2 {
            &COLOUR[..length]
        } else {
            &PROGRESSIVE[..length]
        });
    }
    refused(b"no image");
    // A header of 16,384² pixels before the data of 240.
    let mut large = GRAY.to_vec();
    let frame = large.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    large[frame + 5..frame + 9].copy_from_slice(&[0x40, 0, 0x40, 0]);
    let text = refused(&large);
    assert!(
        text.contains("16384 × 16384 pixels do not fit in"),
        "{text}"
    );
}

/// What was read of a folder, in a line.
fn said(problem: &str, folder: &TempDir) -> String {
    let source = Source {
        data: Some(folder.path().to_owned()),
        ..Source::default()
    };
    let task = named(problem).and_then(|entry| entry.task::<f64>(&source));
    let start = format!("data {}: ", folder.path().display());
    let text = match task {
        Ok(task) => task.read.expect("data of the user").to_string(),
        Err(error) => return error.to_string(),
    };
    text.strip_prefix(&start).expect(&text).to_owned()
}

#[test]
fn what_a_folder_of_images_is_is_said() {
    let gray = |side: u32| {
        let pixels = vec![3; (side * side) as usize];
        png(&pixels, side, side, ColorType::Grayscale)
    };
    let same = folder(&[("a.png", &gray(12)), ("b.png", &gray(12))]);
    assert_eq!(
        said("tv-denoising", &same),
        "png; 2 images of 12 × 12 pixels; 2 to train on, 0 kept apart"
    );
    let mixed = folder(&[
        ("a.jpg", GRAY),
        ("b.jpg", PROGRESSIVE),
        ("c.png", &gray(13)),
        ("d.png", &gray(12)),
        ("notes.txt", b"no image"),
        (".hidden", b"no image"),
    ]);
    for problem in ["tv-deblurring", "foe-denoising", "icnn-denoising"] {
        assert_eq!(
            said(problem, &mixed),
            "png and jpeg; 4 images of 12 × 12 to 24 × 16 pixels, each cut to its middle 12 × 12; \
             left out, no images: notes.txt; 3 to train on, 1 kept apart"
        );
    }
    let small = folder(&[("a.png", &gray(4))]);
    let text = said("foe-denoising", &small);
    let expected = "the images: 4 × 4 pixels of each, expected at least 5 × 5, for its filters";
    assert!(text.ends_with(expected), "{text}");
}
