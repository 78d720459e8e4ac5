//! W8: images, each with a lower level of its own.

use std::io;
use std::sync::Arc;

use autodiff::Real;
use models::{Images, tv_denoising_on};

use super::Task;
use super::inputs::{Source, Writer};
use super::sweep::{Setting, cast};

/// Images, and the pixels of a side.
const COUNT: usize = 32;
const SIDE: usize = 64;

/// A point of the problem `tv-denoising` on random images, and a direction of y.
pub(super) struct Pictures {
    pub(super) images: Images,
    x: Vec<f64>,
    pub(super) y: Vec<f64>,
    pub(super) v: Vec<f64>,
}

pub(super) fn inputs() -> Pictures {
    let mut source = Source::new(9);
    let clean = (0..COUNT).map(|_| source.matrix(SIDE, SIDE, 0.2).add_scalar(0.5));
    let pixels = COUNT * SIDE * SIDE;
    Pictures {
        images: Images::Own {
            clean: clean.collect(),
            train: COUNT,
            seed: 9,
        },
        x: vec![-3.0, -3.0],
        y: source.vector(pixels, 0.5, 0.2),
        v: source.vector(pixels, 0.0, 1.0),
    }
}

impl Pictures {
    /// The observations are where the problem starts.
    pub(super) fn write(&self, to: &Writer<'_>, set: &str) -> io::Result<()> {
        let observed = tv_denoising_on::<f64>(self.images.clone());
        let observed = observed.bilevel.start().as_slice();
        to.array(set, "x", &[self.x.len()], &self.x)?;
        for (name, pixels) in [("observed", observed), ("y", &self.y), ("v", &self.v)] {
            to.array(set, name, &[COUNT, SIDE, SIDE], pixels)?;
        }
        Ok(())
    }
}

/// Gradient by y; HVP and cross product, linearised once and at a fresh point.
pub(super) fn tasks<T: Real>() -> Vec<Box<dyn Task>> {
    let data = inputs();
    let problem = tv_denoising_on::<T>(data.images);
    let setting = Arc::new(Setting {
        program: problem.bilevel.lower().clone(),
        inputs: [cast(&data.x), cast(&data.y)],
        directions: [None, Some(cast(&data.v))],
    });
    vec![
        setting.gradient(&[1]),
        setting.linearised(&[0, 1]),
        setting.fresh(&[0, 1]),
    ]
}
