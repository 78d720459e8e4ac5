use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::*;

/// Plays both passes without any numbers and returns the steps that were run again.
///
/// Checks that every step is reversed from its own state, and that no more than `slots` are held.
fn play(depth: usize, slots: usize) -> usize {
    let mut schedule = Schedule::default();
    schedule.make_room(slots);
    schedule.start();
    let mut kept = vec![usize::MAX; slots.min(depth)];
    kept[0] = 0;
    let (mut at, mut steps) = (0, 0);
    for end in (1..=depth).rev() {
        schedule.reach(end, |made| match made {
            Move::Restore { slot } => at = kept[slot],
            Move::Advance { from, to } => {
                assert!(from == at && to > from);
                steps += to - from;
                at = to;
            }
            Move::Hold { slot } => kept[slot] = at,
        });
        assert_eq!(at, end - 1);
    }
    // The forward pass makes the first traverse, and the last step besides.
    steps - (depth - 1)
}

/// The least number of steps run again, from the principle of optimality.
///
/// `again[c][l]` is for l steps whose first state is held and whose first traverse is paid, with
/// c slots, that of the first state counted. If the next state is held after m steps, the right
/// part's traverse is paid as well; the left part is traversed again, for its m − 1 steps.
fn programme(depth: usize, slots: usize) -> Vec<Vec<usize>> {
    let mut again = vec![vec![0; depth + 1]; slots + 1];
    for c in 1..=slots {
        for l in 2..=depth {
            let none = (l - 1) * (l - 2) / 2;
            let split = |m: usize| again[c - 1][l - m] + (m - 1) + again[c][m];
            again[c][l] = match c {
                1 => none,
                _ => (1..l).map(split).min().unwrap_or(none),
            };
        }
    }
    again
}

#[test]
fn the_schedule_is_the_optimum_of_the_dynamic_programme() {
    let again = programme(300, 20);
    for slots in 1..=20 {
        let memory = crate::unroll::Memory::Checkpointed { slots };
        for depth in 1..=300 {
            let want = again[slots][depth];
            assert_eq!(play(depth, slots), want, "{depth} steps, {slots} slots");
            assert_eq!(
                memory.recomputed_steps(depth),
                want,
                "{depth} steps, {slots} slots"
            );
            let held = memory.states(depth);
            assert_eq!(
                play(depth, held),
                want,
                "{depth} steps, {held} slots of {slots}"
            );
        }
    }
}

/// The least number of steps run again over every order of moves whatever, by breadth-first search.
fn search(depth: usize, slots: usize) -> usize {
    // Held states as bits, the state at hand, and the steps not yet reversed.
    type Node = (u32, usize, usize);
    let mut best: HashMap<Node, usize> = HashMap::new();
    let mut queue = VecDeque::from([((1_u32, 0, depth), 0)]);
    while let Some((node, cost)) = queue.pop_front() {
        let (held, at, end) = node;
        if end == 0 {
            return cost - (depth - 1);
        }
        if best.get(&node).is_some_and(|c| *c <= cost) {
            continue;
        }
        best.insert(node, cost);
        if at + 1 == end {
            queue.push_front(((held, at, end - 1), cost));
        }
        if at + 1 < end {
            queue.push_back(((held, at + 1, end), cost + 1));
        }
        if (held.count_ones() as usize) < slots {
            queue.push_front(((held | 1 << at, at, end), cost));
        }
        for position in (0..depth).filter(|p| held >> p & 1 == 1) {
            queue.push_front(((held, position, end), cost));
            queue.push_front(((held & !(1 << position), at, end), cost));
        }
    }
    unreachable!("one slot is enough")
}

#[test]
fn no_order_of_moves_does_better() {
    for slots in 1..=4 {
        for depth in 1..=9 {
            let want = search(depth, slots);
            assert_eq!(play(depth, slots), want, "{depth} steps, {slots} slots");
        }
    }
}

#[test]
fn a_million_steps_are_scheduled_at_once() {
    let depth = 1_000_000;
    let begin = Instant::now();
    for slots in [8, 9, 16, 31, 64] {
        let want = forward_steps(depth, slots) - (depth - 1);
        assert_eq!(play(depth, slots), want, "{slots} slots");
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("five schedules of {depth} steps in {seconds:.3} s");
    assert!(seconds < 5.0, "{seconds} s");
}

/// [`play`] with a depth that the forward pass does not know.
fn play_online(depth: usize, slots: usize) -> usize {
    let mut schedule = Schedule::default();
    schedule.make_room(slots);
    schedule.start();
    let mut kept = vec![0; slots];
    for step in 1..depth {
        if let Some(slot) = schedule.offer(step) {
            kept[slot] = step;
        }
    }
    let (mut at, mut steps, mut runs) = (0, 0, vec![0; depth]);
    for end in (1..depth).rev() {
        schedule.reach(end, |made| match made {
            Move::Restore { slot } => at = kept[slot],
            Move::Advance { from, to } => {
                assert_eq!(from, at);
                runs[from..to].iter_mut().for_each(|n| *n += 1);
                steps += to - from;
                at = to;
            }
            Move::Hold { slot } => kept[slot] = at,
        });
        assert_eq!(at, end - 1);
    }
    // With the forward pass, no step is run more often than a known depth asks for.
    let most = 1 + runs.iter().max().unwrap_or(&0);
    assert_eq!(
        most,
        repetitions(depth, slots).max(1),
        "{depth} steps, {slots} slots"
    );
    steps
}

#[test]
fn an_unknown_depth_costs_little_more() {
    let mut worst: f64 = 1.0;
    for slots in 1..=20 {
        for depth in 1..=300 {
            let best = forward_steps(depth, slots);
            let online = play_online(depth, slots);
            assert_eq!(online, online_recomputed(depth, slots));
            let total = online + depth - 1;
            assert!(total >= best, "{depth} steps, {slots} slots");
            worst = worst.max(total as f64 / best.max(1) as f64);
            if depth <= slots + 1 {
                assert_eq!(online, 0, "{depth} steps, {slots} slots");
            }
        }
    }
    assert!(worst < 1.4, "{worst} times the steps of a known depth");
}

#[test]
fn numbers_of_the_published_formula() {
    // β and t by hand.
    assert_eq!((beta(3, 4), beta(10, 0), beta(2, 998)), (35, 1, 499_500));
    assert_eq!(beta(1_000_000, 1_000_000), u128::MAX);
    assert_eq!(forward_steps(10_000_000_000, 1), usize::MAX);
    assert_eq!(forward_steps(10, 3), 2 * 10 - 5);
    assert_eq!(forward_steps(1_000_000, 1), 499_999_500_000);
    assert_eq!(forward_steps(5, usize::MAX), 4);
    for (steps, slots) in [(2, 1), (35, 3), (36, 3), (1_000_000, 2), (1_000_000, 8)] {
        let r = repetitions(steps, slots);
        assert!(beta(slots, r) >= steps as u128 && beta(slots, r - 1) < steps as u128);
    }
}
