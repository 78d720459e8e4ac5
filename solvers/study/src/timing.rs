//! Times of what is run more than once.

/// The most runs that a time is the median of.
const RUNS: usize = 5;
/// No further run is begun after so many seconds.
const ENOUGH: f64 = 0.25;

/// The median of a few times, with their range: a single shot is mostly noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Timing {
    /// The median.
    pub(crate) seconds: f64,
    /// The least and the largest.
    pub(crate) range: (f64, f64),
}

impl Timing {
    /// Of a first run that took so many seconds, and of what `again` takes, up to five runs that
    /// together take about a quarter of a second.
    pub(crate) fn of(first: f64, mut again: impl FnMut() -> f64) -> Self {
        let mut seconds = vec![first];
        while seconds.len() < RUNS && seconds.iter().sum::<f64>() < ENOUGH {
            seconds.push(again());
        }
        seconds.sort_by(f64::total_cmp);
        let (least, largest) = (seconds[0], seconds[seconds.len() - 1]);
        let (below, above) = ((seconds.len() - 1) / 2, seconds.len() / 2);
        Timing {
            seconds: 0.5 * (seconds[below] + seconds[above]),
            range: (least, largest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_runs_are_repeated_and_long_ones_are_not() {
        let mut next = [0.03, 0.01, 0.05, 0.02].into_iter();
        let quick = Timing::of(0.04, || next.next().expect("four more"));
        assert_eq!((quick.seconds, quick.range), (0.03, (0.01, 0.05)));
        let long = Timing::of(1.0, || unreachable!("it took long enough"));
        assert_eq!((long.seconds, long.range), (1.0, (1.0, 1.0)));
        let twice = Timing::of(0.2, || 0.1);
        assert!((twice.seconds - 0.15).abs() < 1e-15, "{twice:?}");
    }
}
