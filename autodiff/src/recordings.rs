//! The bytes of recordings, each counted once where several owners share it.

use std::sync::Arc;

use crate::bytes::Meter;
use crate::program::Program;
use crate::real::Real;

/// A share in a recording's bytes on a meter, and in those of the programs it takes gradients of, for
/// as long as this lives; what is on the meter already is not counted again.
pub(crate) struct Share<T: Real> {
    program: Arc<Program<T>>,
    meter: Meter,
}

impl<T: Real> Share<T> {
    pub(crate) fn new(program: &Arc<Program<T>>, meter: &Meter) -> Self {
        for part in distinct([&**program]) {
            meter.share(key(part), part.own_bytes());
        }
        Share {
            program: program.clone(),
            meter: meter.clone(),
        }
    }
}

impl<T: Real> Drop for Share<T> {
    fn drop(&mut self) {
        // The program is still held, so that no other one can have its address yet.
        for part in distinct([&*self.program]) {
            self.meter.unshare(key(part), part.own_bytes());
        }
    }
}

impl<T: Real> Program<T> {
    /// Bytes of the recording: its nodes and constants, and the programs it takes gradients of, each
    /// once. Data that primitives share with the caller is the caller's.
    pub fn bytes(&self) -> usize {
        Program::bytes_together([self])
    }

    /// [`bytes`](Program::bytes) of several recordings, those that they share counted once.
    pub fn bytes_together<'a>(programs: impl IntoIterator<Item = &'a Program<T>>) -> usize {
        distinct(programs).iter().map(|p| p.own_bytes()).sum()
    }

    fn own_bytes(&self) -> usize {
        size_of_val(&self.nodes[..])
            + size_of_val(&self.constants[..])
            + size_of_val(&self.plan.pieces[..])
    }
}

/// The programs and those they take gradients of, each once.
fn distinct<'a, T: Real>(
    programs: impl IntoIterator<Item = &'a Program<T>>,
) -> Vec<&'a Program<T>> {
    let mut found: Vec<&Program<T>> = Vec::new();
    let mut left: Vec<&Program<T>> = programs.into_iter().collect();
    while let Some(program) = left.pop() {
        if !found.iter().any(|p| std::ptr::eq(*p, program)) {
            found.push(program);
            left.extend(program.nodes.iter().flat_map(|n| n.op.inner()));
        }
    }
    found
}

fn key<T: Real>(program: &Program<T>) -> usize {
    std::ptr::from_ref(program).addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::Point;
    use crate::shape::Shape;
    use crate::var::Var;

    #[test]
    fn what_is_shared_is_counted_once_and_until_its_last_owner_goes() {
        let g = Program::<f64>::record(&[Shape::vector(2); 2], |v| v[0].exp().dot(v[1].square()));
        let own = |p: &Program<f64>| p.own_bytes();
        assert_eq!(g.bytes(), own(&g));
        // Two gradients of one function.
        let twice = Program::<f64>::record(&[Shape::vector(2); 2], |v| {
            Var::gradient(&g, 0, v) + Var::gradient(&g, 1, v)
        });
        assert_eq!(twice.bytes(), own(&twice) + own(&g));
        assert_eq!(Program::bytes_together([&*g, &*twice, &*g]), twice.bytes());

        let meter = Meter::new();
        let counted = || meter.read().live_in(crate::bytes::Category::Program);
        let first = Point::new(g.clone(), &meter);
        let second = Share::new(&twice, &meter);
        let third = Point::new(g.clone(), &meter);
        assert_eq!(counted(), twice.bytes());
        drop(first);
        assert_eq!(counted(), twice.bytes());
        drop(second);
        assert_eq!(counted(), g.bytes());
        drop(third);
        assert_eq!(counted(), 0);
    }
}
