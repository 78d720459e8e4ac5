//! Operators; data of the caller (`&DMatrix`, `&DVector`, scalars) becomes constants.

use std::ops::{Add, Div, Mul, Neg, Sub};

use nalgebra::{DMatrix, DVector};

use crate::real::Real;
use crate::rules::elementwise::Binary;
use crate::var::Var;

macro_rules! operator {
    ($($Trait:ident $method:ident $Row:ident;)*) => { $(
        impl<'r, T: Real> $Trait for Var<'r, T> {
            type Output = Var<'r, T>;
            #[track_caller]
            fn $method(self, other: Self) -> Self { self.elementwise_with(Binary::$Row, other) }
        }

        impl<'r, T: Real> $Trait<&Var<'r, T>> for Var<'r, T> {
            type Output = Var<'r, T>;
            #[track_caller]
            fn $method(self, other: &Self) -> Self { self.elementwise_with(Binary::$Row, *other) }
        }

        impl<'r, T: Real> $Trait<Var<'r, T>> for &Var<'r, T> {
            type Output = Var<'r, T>;
            #[track_caller]
            fn $method(self, other: Var<'r, T>) -> Var<'r, T> {
                self.elementwise_with(Binary::$Row, other)
            }
        }

        impl<'r, T: Real> $Trait<&Var<'r, T>> for &Var<'r, T> {
            type Output = Var<'r, T>;
            #[track_caller]
            fn $method(self, other: &Var<'r, T>) -> Var<'r, T> {
                self.elementwise_with(Binary::$Row, *other)
            }
        }

        impl<'r, T: Real> $Trait<T> for Var<'r, T> {
            type Output = Var<'r, T>;
            #[track_caller]
            fn $method(self, other: T) -> Self {
                self.elementwise_with(Binary::$Row, self.scalar(other))
            }
        }

        impl<'r> $Trait<Var<'r, f64>> for f64 {
            type Output = Var<'r, f64>;
            #[track_caller]
            fn $method(self, other: Var<'r, f64>) -> Var<'r, f64> {
                other.scalar(self).elementwise_with(Binary::$Row, other)
            }
        }

        impl<'r> $Trait<Var<'r, f32>> for f32 {
            type Output = Var<'r, f32>;
            #[track_caller]
            fn $method(self, other: Var<'r, f32>) -> Var<'r, f32> {
                other.scalar(self).elementwise_with(Binary::$Row, other)
            }
        }
    )* };
}

operator! {
    Add add Add;
    Sub sub Sub;
    Mul mul Mul;
    Div div Div;
}

macro_rules! with_data {
    ($($Trait:ident $method:ident $Row:ident $Data:ident $constant:ident;)*) => { $(
        impl<'r, T: Real> $Trait<&$Data<T>> for Var<'r, T> {
            type Output = Var<'r, T>;
            #[track_caller]
            fn $method(self, other: &$Data<T>) -> Self {
                self.elementwise_with(Binary::$Row, $constant(self, other))
            }
        }

        impl<'r, T: Real> $Trait<Var<'r, T>> for &$Data<T> {
            type Output = Var<'r, T>;
            #[track_caller]
            fn $method(self, other: Var<'r, T>) -> Var<'r, T> {
                $constant(other, self).elementwise_with(Binary::$Row, other)
            }
        }
    )* };
}

with_data! {
    Add add Add DVector vector;
    Sub sub Sub DVector vector;
    Add add Add DMatrix matrix;
    Sub sub Sub DMatrix matrix;
}

#[track_caller]
fn vector<'r, T: Real>(v: Var<'r, T>, data: &DVector<T>) -> Var<'r, T> {
    v.vector(data.as_slice())
}

#[track_caller]
fn matrix<'r, T: Real>(v: Var<'r, T>, data: &DMatrix<T>) -> Var<'r, T> {
    v.matrix(data)
}

impl<T: Real> Neg for Var<'_, T> {
    type Output = Self;
    #[track_caller]
    fn neg(self) -> Self {
        self.neg_()
    }
}

/// The matrix product with a constant matrix.
impl<'r, T: Real> Mul<Var<'r, T>> for &DMatrix<T> {
    type Output = Var<'r, T>;
    #[track_caller]
    fn mul(self, v: Var<'r, T>) -> Var<'r, T> {
        v.matrix(self).matmul(v)
    }
}
