//! Started several times over by something that starts ranks.

use autodiff::ranks;

use super::args::Command;
use super::failure::Failure;

/// What tells a process how many it was started as: Open MPI, MPICH and Intel MPI, Cray's PALS, and
/// a step of SLURM. A batch script knows how many tasks its job has and is one process, so what is
/// asked of SLURM is the step.
const SIZES: [(&str, &str); 4] = [
    ("OMPI_COMM_WORLD_SIZE", "mpirun"),
    ("PMI_SIZE", "mpirun"),
    ("PALS_SIZE", "aprun"),
    ("SLURM_STEP_NUM_TASKS", "srun"),
];

/// Refuses to be one of several processes that would all do the same, or as ranks what is not made for
/// them.
pub(super) fn refuse(command: &Command) -> Result<(), Failure> {
    match (ranks::size(), command) {
        (1, _) => {}
        (_, Command::Solve(_)) => return Ok(()),
        (size, _) => {
            let reason =
                format!("{size} ranks run `solve` alone: expected one process for the rest");
            return Err(Failure::Input(reason));
        }
    }
    match complaint(|name| std::env::var(name).ok()) {
        Some(complaint) => Err(Failure::Input(complaint)),
        None => Ok(()),
    }
}

fn complaint(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (name, by, size) = SIZES.into_iter().find_map(|(name, by)| {
        let size: usize = variable(name)?.parse().ok()?;
        (size > 1).then_some((name, by, size))
    })?;
    Some(format!(
        "started {size} times over by {by} ({name}={size}), and this program has no ranks: all would \
         do the same work: expected one process, or `sweep --shard K/N` for the parts of a sweep"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_processes_is_refused_and_a_batch_script_is_not() {
        let of = |pairs: &[(&str, &str)]| {
            let found = |name: &str| pairs.iter().find(|(of, _)| *of == name);
            complaint(|name| found(name).map(|(_, value)| value.to_string()))
        };
        for (name, by) in SIZES {
            let told = of(&[(name, "4")]).expect("one of four");
            assert!(told.contains(&format!("4 times over by {by}")), "{told}");
            assert_eq!(of(&[(name, "1")]), None);
            assert_eq!(of(&[(name, "several")]), None);
        }
        assert_eq!(of(&[("SLURM_NTASKS", "4"), ("SLURM_PROCID", "0")]), None);
        assert_eq!(of(&[]), None);
    }
}
