//! Folders of PNG images.

use png::{BitDepth, ColorType, Encoder};

use crate::common::*;

/// A PNG file of `bytes`, those of 16 bits with the high one first.
pub(crate) fn png(bytes: &[u8], rows: u32, columns: u32, kind: ColorType) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, columns, rows);
    encoder.set_color(kind);
    if bytes.len() > (rows * columns) as usize * kind.samples() {
        encoder.set_depth(BitDepth::Sixteen);
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(bytes).unwrap();
    writer.finish().unwrap();
    file
}

fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn images_are_cut_to_their_middle() {
    let wide = Vec::from_iter(0..15u8);
    let deep = [0u16, 1, 256, 65535, 7, 8, 9, 10, 11, 12, 13, 14];
    let deep = Vec::from_iter(deep.iter().flat_map(|v| v.to_be_bytes()));
    let colours = [255, 0, 0, 0, 255, 0, 0, 0, 255, 51, 51, 51];
    let folder = folder(&[
        ("a.png", png(&wide, 3, 5, ColorType::Grayscale)),
        ("b.PNG", png(&colours, 2, 2, ColorType::Rgb)),
        ("c.png", png(&deep, 4, 3, ColorType::Grayscale)),
        (
            "d.png",
            png(&[9, 0, 8, 255, 7, 1, 6, 2], 2, 2, ColorType::GrayscaleAlpha),
        ),
        ("notes.txt", b"no image".to_vec()),
    ]);
    let images = data::read_images(folder.path()).unwrap();
    let square =
        |values: [f64; 4], over: f64| nalgebra::DMatrix::from_row_slice(2, 2, &values) / over;
    assert_eq!(images.len(), 4);
    assert_eq!(images[0], square([1.0, 2.0, 6.0, 7.0], 255.0));
    let expected = square([0.2126, 0.7152, 0.0722, 0.2], 1.0);
    assert!((&images[1] - expected).norm() < 1e-15);
    assert_eq!(images[2], square([65535.0, 7.0, 9.0, 10.0], 65535.0));
    assert_eq!(images[3], square([9.0, 8.0, 7.0, 6.0], 255.0));
}

#[test]
fn images_that_are_refused() {
    let gray = |rows, columns| {
        png(
            &vec![3; (rows * columns) as usize],
            rows,
            columns,
            ColorType::Grayscale,
        )
    };
    let refused = |bytes: Vec<u8>| {
        let folder = folder(&[("a.png", gray(40, 40)), ("b.png", bytes)]);
        message(
            &folder.path().join("b.png"),
            data::read_images(folder.path()),
        )
    };
    let expected = "the image: 1 × 9 pixels, expected 2 to 16384 rows and columns";
    assert_eq!(refused(gray(1, 9)), expected);
    assert!(refused(gray(16_385, 2)).starts_with("the image: 16385 × 2 pixels, expected"));
    let whole = gray(40, 40);
    for length in [0, 8, 20, 40, whole.len() / 2, whole.len() - 14] {
        let text = refused(whole[..length].to_vec());
        assert!(
            text.starts_with("the image: ") && text.ends_with(", expected a whole PNG image"),
            "{text}"
        );
    }
    let mut flipped = whole.clone();
    flipped[45] ^= 4;
    assert!(refused(flipped).ends_with("expected a whole PNG image"));
    // A header of 16,384² pixels, its checksum sound, before the data of 1600.
    let mut large = whole;
    large[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    let mut sum = flate2::Crc::new();
    sum.update(&large[12..29]);
    large[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    assert!(refused(large).contains("16384 × 16384 pixels do not fit in "));

    let file = file(".png", b"");
    let text = message(file.path(), data::read_images(file.path()));
    assert!(
        text.contains("it is a file, expected a folder of PNG or JPEG images"),
        "{text}"
    );
    let text = message("absent".as_ref(), data::read_images("absent".as_ref()));
    assert!(text.starts_with("cannot be read"), "{text}");
}

/// One icon among photographs would make cuts of its size of all.
#[test]
fn an_image_much_smaller_than_the_others_is_refused() {
    let gray = |rows: u32, columns: u32| {
        let pixels = vec![3; (rows * columns) as usize];
        png(&pixels, rows, columns, ColorType::Grayscale)
    };
    let sizes = |side: u32, others: &[(u32, u32)]| {
        let names = ["b.png", "c.png", "d.png"];
        let others = names
            .into_iter()
            .zip(others)
            .map(|(n, (r, c))| (n, gray(*r, *c)));
        let files: Vec<_> = others.chain([("icon.png", gray(side, 9))]).collect();
        let folder = folder(&files);
        let read = data::read_images(folder.path()).map(|images| images[0].nrows());
        read.map_err(|e| {
            let text = e.to_string();
            let start = format!("{}/", folder.path().display());
            text.strip_prefix(&start).unwrap_or(&text).to_owned()
        })
    };
    let photos = [(12, 30), (20, 10), (11, 11)];
    assert_eq!(
        sizes(4, &photos).unwrap_err(),
        "icon.png: the image: its smallest side of 4 pixels, to which all would be cut, is less \
         than half of 11, the median, expected images of like sizes: take this one out, or enlarge \
         it"
    );
    assert!(sizes(4, &photos[..1]).is_err());
    // Half as large is alike.
    assert_eq!(sizes(6, &photos), Ok(6));
    // Most of them are small: the large one is cut.
    assert_eq!(sizes(4, &[(4, 5), (5, 5), (40, 40)]), Ok(4));
}
