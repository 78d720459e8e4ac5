//! Mistakes of five kinds, each with the one line that the program prints.
//!
//! The tables are the files beside this one. A row may first write files (`+ NAME: CONTENT`, with
//! `\n` for the end of a line; `arrays x [4,2]; t [4]` is an npz file, or one NumPy array; a name
//! that ends with a slash is a folder) and run commands that succeed (`> WORDS`). `$ WORDS` is the
//! mistake, and the line below is all that is said of it; `…` at its end stands for more.

use crate::common::{Folder, npy, npz};

/// Writes what a row says of a file.
fn write(folder: &Folder, name: &str, content: &str) {
    let path = folder.path(name);
    if name.ends_with('/') {
        std::fs::create_dir_all(path).expect("a writable folder");
        return;
    }
    let dir = path.parent().expect("a folder");
    std::fs::create_dir_all(dir).expect("a writable folder");
    let Some(arrays) = content.strip_prefix("arrays ") else {
        return folder.write(name, unescaped(content));
    };
    let array = |text: &str| {
        let (key, shape) = text.split_once(' ').expect("a name and a shape");
        let axes = shape.trim_matches(['[', ']']).split(',');
        let axes = axes.filter(|axis| !axis.is_empty());
        let shape: Vec<usize> = axes.map(|axis| axis.parse().expect("an axis")).collect();
        let len = shape.iter().product();
        let bytes = match key.starts_with('t') {
            true => npy(&shape, &(0..len as i64).map(|i| i % 2).collect::<Vec<_>>()),
            false => npy(&shape, &vec![0.5; len]),
        };
        (key.to_owned(), bytes)
    };
    let arrays: Vec<(String, Vec<u8>)> = arrays.split("; ").map(array).collect();
    if name.ends_with(".npy") {
        return folder.write(name, &arrays[0].1);
    }
    let named = arrays
        .iter()
        .map(|(key, bytes)| (key.as_str(), bytes.clone()));
    folder.write(name, npz(&named.collect::<Vec<_>>()));
}

/// Bytes of a text with `\n` and `\xff`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.bytes());
        let (byte, len) = match after.strip_prefix('x') {
            Some(hex) => (u8::from_str_radix(&hex[..2], 16).expect("two digits"), 3),
            None => (b'\n', 1),
        };
        bytes.push(byte);
        rest = &after[len..];
    }
    bytes.extend(rest.bytes());
    bytes
}

/// Makes the mistakes of a table.
#[track_caller]
fn made(table: &str) {
    let rows: Vec<&str> = table.trim().split("\n\n").collect();
    assert!(rows.len() >= 25, "{} rows", rows.len());
    let mut differ = Vec::new();
    for row in rows {
        let folder = Folder::new();
        let mut lines = row.lines();
        while let Some(line) = lines.next() {
            let (what, rest) = line.split_at(2);
            match what {
                "+ " => {
                    let (name, content) = rest.split_once(": ").expect("a name and a content");
                    write(&folder, name, content);
                }
                "> " => drop(folder.run(rest).code(0)),
                "$ " => {
                    let expected = lines.next().expect("a line below the mistake");
                    differ.extend(mistake(&folder, rest, expected));
                }
                _ => panic!("{line:?} is no part of a row"),
            }
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// Makes a mistake; what was not as expected.
fn mistake(folder: &Folder, words: &str, expected: &str) -> Option<String> {
    let before = folder.contents();
    let run = folder.run(words);
    let line = run
        .err
        .strip_suffix('\n')
        .and_then(|l| l.strip_prefix("bilevel: "));
    let said = match expected.strip_suffix('…') {
        Some(start) => line.is_some_and(|line| line.starts_with(start) && !line.contains('\n')),
        None => line == Some(expected),
    };
    let same = folder.contents() == before;
    let right = said && run.code == Some(2) && run.out.is_empty() && same;
    (!right).then(|| {
        format!(
            "$ {words}\n{}\nexpected {expected}\n{run:?}, {same}",
            run.err
        )
    })
}

#[test]
fn with_flags() {
    made(include_str!("flags.txt"));
}

#[test]
fn in_toml() {
    made(include_str!("toml.txt"));
}

#[test]
fn in_data() {
    made(include_str!("data.txt"));
}

#[test]
fn of_shapes() {
    made(include_str!("shapes.txt"));
}

#[test]
fn with_folders() {
    made(include_str!("folders.txt"));
}

/// Of the library: a caller's mistake is a panic of one sentence with both shapes.
#[test]
fn of_shapes_in_calls() {
    use autodiff::{Var, objective};
    use nalgebra::{DVector, dvector};
    use solvers::{Aid, Bilevel, Descent, Itd, Method, Optimiser, Strategy};

    let upper = || objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + x.norm_squared());
    let lower = || objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    let problem = Bilevel::new(upper(), lower(), 2, 2).expect("shapes that fit");
    let said = |call: &dyn Fn()| {
        let call = std::panic::AssertUnwindSafe(call);
        let panic = std::panic::catch_unwind(call).expect_err("a mistake");
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .expect("a message")
    };
    let three = || DVector::from_element(3, 0.0);
    let gd = Optimiser::GradientDescent { rate: 0.1 };
    for (call, expected) in [
        (
            &(|| drop(Itd::reverse(3).hypergradient(&problem, &three(), &mut problem.workspace())))
                as &dyn Fn(),
            ["3 entries", "2"],
        ),
        (
            &|| drop(Aid::cg().hypergradient(&problem, &three(), &mut problem.workspace())),
            ["3 entries", "2"],
        ),
        (
            &|| drop(Descent::new(Aid::cg(), gd, 3).begin(&problem, three())),
            ["3 entries", "2"],
        ),
        (
            &|| drop(Bilevel::new(upper(), lower(), 2, 3)),
            ["vector(3)", "vector(2)"],
        ),
        (
            &|| drop(problem.clone().starting_from(dvector![0.0])),
            ["1", "2"],
        ),
        (
            &|| _ = problem.upper().point().value(&[&[0.0; 3][..], &[0.0; 2]]),
            ["3", "2"],
        ),
    ] {
        let said = said(call);
        assert!(said.lines().count() == 1, "{said}");
        for part in expected {
            assert!(said.contains(part), "{part} in {said}");
        }
    }
}
