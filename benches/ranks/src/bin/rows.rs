//! A run on samples of which each rank reads its own rows: `mpirun -n 2 rows A.npy T.npy`, of n × d numbers
//! in C order and n labels ±1, both of 64-bit floats. Prints what x came to, with its bits.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

use autodiff::{Var, objective, ranks};
use models::RankedDataset;
use models::data::Samples;
use nalgebra::{DMatrix, DVector};
use npyz::{DType, NpyHeader, Order};
use solvers::{Aid, Bilevel, Descent, Method, Optimiser};

/// An array of 64-bit floats by rows.
struct Rows {
    file: BufReader<File>,
    start: u64,
    shape: Vec<u64>,
}

impl Rows {
    fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let mut file = BufReader::new(File::open(path)?);
        let header = NpyHeader::from_reader(&mut file)?;
        let floats = matches!(header.dtype(), DType::Plain(of) if of.to_string() == "<f8");
        if !floats || (header.order() != Order::C && header.shape().len() > 1) {
            return Err("expected little-endian 64-bit floats in C order".into());
        }
        Ok(Rows {
            start: file.stream_position()?,
            shape: header.shape().to_vec(),
            file,
        })
    }

    fn width(&self) -> usize {
        self.shape.get(1).map_or(1, |d| *d as usize)
    }

    /// These rows, and no byte beyond them but for the buffer.
    fn read(&mut self, rows: &Range<usize>) -> Result<Vec<f64>, Box<dyn Error>> {
        let width = self.width();
        let at = self.start + (rows.start * width * 8) as u64;
        self.file.seek(SeekFrom::Start(at))?;
        let mut all = Vec::with_capacity(rows.len() * width);
        let mut number = [0; 8];
        for _ in 0..rows.len() * width {
            self.file.read_exact(&mut number)?;
            all.push(f64::from_le_bytes(number));
        }
        Ok(all)
    }
}

fn work() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [features, labels] = &words[..] else {
        return Err("expected two files: rows A.npy T.npy".into());
    };
    let mut features = Rows::open(Path::new(features))?;
    let mut labels = Rows::open(Path::new(labels))?;
    let (n, d) = (features.shape[0] as usize, features.width());
    let rows = RankedDataset::<f64>::rows(n, 1);
    let own = Samples {
        features: DMatrix::from_vec(d, rows.len(), features.read(&rows)?).into(),
        labels: labels.read(&rows)?,
    };
    let data = RankedDataset::binary(&own, n);
    drop(own);
    let lower =
        objective(move |x: Var, y: Var| data.logistic_loss(y) + 0.5 * x.exp().dot(y.square()));
    let upper = objective(|_: Var, y: Var| 0.5 * (y - 0.1).norm_squared());
    let problem = Bilevel::new(upper, lower, d, d)?;
    let descent = Descent::new(Aid::cg(), Optimiser::GradientDescent { rate: 0.1 }, 3);
    let mut run = descent.begin(&problem, DVector::from_element(d, -3.0))?;
    let finish = run.finish();
    if ranks::rank() == 0 {
        let bits = run.x().iter().fold(0u64, |h, v| {
            (h ^ v.to_bits()).rotate_left(9).wrapping_mul(31)
        });
        println!("{finish}; x {bits:016x}");
    }
    Ok(())
}

fn main() -> ExitCode {
    let work = || match work() {
        Ok(()) => 0,
        Err(reason) => ranks::fail(2, &reason.to_string()),
    };
    ExitCode::from(bilevel_ranks::run(|world| world, work))
}
