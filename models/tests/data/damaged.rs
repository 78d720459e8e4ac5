//! Damaged files are refused, never a panic.

use crate::common::*;

fn mutate(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..bytes.len().max(1));
        match rng.random_range(0..5) {
            _ if bytes.is_empty() => bytes.push(rng.random()),
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = rng.random(),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, rng.random()),
            _ => bytes.insert(at, b"0129-,(){}'\"\n"[rng.random_range(0..13)]),
        }
    }
}

/// Without truncating to nothing, which some file systems answer by flushing to the disk.
fn rewrite(file: &mut NamedTempFile, bytes: &[u8]) {
    file.rewind().unwrap();
    file.write_all(bytes).unwrap();
    file.as_file().set_len(bytes.len() as u64).unwrap();
}

#[test]
fn damaged_files_never_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let mut file = file("", b"");
    let archives = [zipped(&toy(), Stored), zipped(&toy(), Deflated)];
    let table = b"a,b,label\n1,2,0\n3.5,-4e2,1\n5,\"6\",0\n7,8,1\n9,10,1\n".to_vec();
    let start = Instant::now();
    let mut accepted = [0; 3];
    for trial in 0..20_000 {
        // Damage to the archive, then to an array inside a sound archive, then to a table.
        let mut bytes = archives[trial % 2].clone();
        mutate(&mut bytes, &mut rng);
        rewrite(&mut file, &bytes);
        accepted[0] += usize::from(data::read_npz(file.path()).is_ok());

        let mut arrays = toy();
        mutate(&mut arrays[trial % 6].1, &mut rng);
        rewrite(&mut file, &zipped(&arrays, Stored));
        accepted[1] += usize::from(data::read_npz(file.path()).is_ok());

        let mut bytes = table.clone();
        mutate(&mut bytes, &mut rng);
        rewrite(&mut file, &bytes);
        accepted[2] += usize::from(data::read_csv(file.path(), 0).is_ok());
    }
    // Some damage is harmless, most is not: both paths have been taken.
    assert!(
        accepted.iter().all(|&count| (100..19_900).contains(&count)),
        "{accepted:?}"
    );
    println!("{accepted:?} accepted in {:?}", start.elapsed());
}
