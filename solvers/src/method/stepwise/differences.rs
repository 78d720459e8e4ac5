//! Finite differences of any order.

/// The difference of this order for a first derivative at 0 from values at whole numbers j: each j
/// whose coefficient is not 0, ascending, with that. It is right for polynomials up to this degree.
///
/// The numbers are those from −p/2 to p/2 for an even order p, from −(p − 1)/2 to (p + 1)/2 for an odd
/// one: of order 1 the difference is that from 0 to 1.
pub(super) fn differences(order: usize) -> Vec<(i32, f64)> {
    let (even, high) = (order.is_multiple_of(2), order.div_ceil(2) as i32);
    let low = if even { -high } else { 1 - high };
    let others = |j: i32| (low..=high).filter(move |m| *m != j && *m != 0);
    let coefficient = |j: i32| match j {
        // Derivatives at 0 of Lagrange's polynomials.
        0 => -others(0).map(|m| 1.0 / f64::from(m)).sum::<f64>(),
        _ => {
            let factors = others(j).map(|m| f64::from(-m) / f64::from(j - m));
            factors.product::<f64>() / f64::from(j)
        }
    };
    let numbers = (low..=high).filter(|j| !(even && *j == 0));
    numbers.map(|j| (j, coefficient(j))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Σ a_j = 0, Σ j a_j = 1 and Σ j^k a_j = 0 for k up to the order.
    #[test]
    fn moments_are_those_of_a_derivative() {
        for order in 1..=10 {
            let nodes = differences(order);
            assert_eq!(nodes.len(), order + order % 2);
            for k in 0..=order as i32 {
                let terms = nodes.iter().map(|(j, a)| f64::from(*j).powi(k) * a);
                let scale: f64 = terms.clone().map(f64::abs).sum();
                let want = f64::from(u8::from(k == 1));
                let got: f64 = terms.sum();
                assert!(
                    (got - want).abs() <= 1e-14 * scale.max(1.0),
                    "{order}: {k}: {got}"
                );
            }
        }
    }

    /// Those that the official code and its paper have.
    #[test]
    fn coefficients_are_the_published_ones() {
        let published: [(usize, &[(i32, f64)]); 6] = [
            (1, &[(0, -1.0), (1, 1.0)]),
            (2, &[(1, 1.0 / 2.0)]),
            (
                3,
                &[(-1, -1.0 / 3.0), (0, -1.0 / 2.0), (1, 1.0), (2, -1.0 / 6.0)],
            ),
            (
                5,
                &[
                    (-2, 1.0 / 20.0),
                    (-1, -1.0 / 2.0),
                    (0, -1.0 / 3.0),
                    (1, 1.0),
                    (2, -1.0 / 4.0),
                    (3, 1.0 / 30.0),
                ],
            ),
            (
                8,
                &[
                    (1, 4.0 / 5.0),
                    (2, -1.0 / 5.0),
                    (3, 4.0 / 105.0),
                    (4, -1.0 / 280.0),
                ],
            ),
            (
                10,
                &[
                    (1, 5.0 / 6.0),
                    (2, -5.0 / 21.0),
                    (3, 5.0 / 84.0),
                    (4, -5.0 / 504.0),
                    (5, 1.0 / 1260.0),
                ],
            ),
        ];
        for (order, coefficients) in published {
            let nodes = differences(order);
            for (j, a) in coefficients {
                let at = |j: i32| nodes.iter().find(|(i, _)| *i == j).expect("a number").1;
                assert!((at(*j) - a).abs() <= 1e-15, "{order}: {j}");
                if order % 2 == 0 {
                    assert!((at(-j) + a).abs() <= 1e-15, "{order}: −{j}");
                }
            }
        }
    }
}
