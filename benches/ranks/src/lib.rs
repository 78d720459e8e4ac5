//! Ranks by MPI. The binding is six calls: begin with a level of threads, rank, size, gather, abort, and
//! the end.

use std::fmt;
use std::time::Duration;

use autodiff::ranks::{self, Ranks};
use ferrompi::{Communicator, Mpi, ThreadLevel};

/// The exit code after a panic, as of an error in the program.
const PANIC: u8 = 70;

/// All processes of `mpirun` or `srun`.
pub struct World(Communicator);

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.size())
    }
}

impl Ranks for World {
    fn rank(&self) -> usize {
        self.0.rank() as usize
    }

    fn size(&self) -> usize {
        self.0.size() as usize
    }

    fn gather(&self, counts: &[usize], all: &mut [u8]) {
        let first: usize = counts[..self.rank()].iter().sum();
        let own = all[first..][..counts[self.rank()]].to_vec();
        let (mut sizes, mut starts) = (Vec::new(), Vec::new());
        let mut start = 0;
        for count in counts {
            let (Ok(size), Ok(at)) = (i32::try_from(*count), i32::try_from(start)) else {
                self.fail(
                    2,
                    "a message of more than 2 GiB: expected fewer numbers in y or fewer ranks",
                );
            };
            sizes.push(size);
            starts.push(at);
            start += count;
        }
        if let Err(reason) = self.0.allgatherv(&own, all, &sizes, &starts) {
            // As where others ask for another message.
            self.fail(
                2,
                &format!("ranks have parted, or the network failed: {reason}"),
            );
        }
    }

    fn fail(&self, code: u8, reason: &str) -> ! {
        // What all meet is said by the first, which ends the others meanwhile.
        if self.rank() > 0 {
            std::thread::sleep(Duration::from_secs(3));
        }
        eprintln!("bilevel: {self:?}: {reason}");
        self.0.abort(code.into())
    }
}

/// Runs the program on the process's arguments; its exit code.
pub fn program() -> u8 {
    let itself = std::env::current_exe().map(|file| vec![file.into_os_string()]);
    bilevel_benches::cli::called(std::env::args_os(), itself.unwrap_or_default())
}

/// Does something on the ranks that `mpirun` or `srun` has started, and returns its exit code. `of` makes
/// the ranks of all processes.
///
/// A panic ends all: a rank that left would be waited for, for ever.
pub fn run<R: Ranks + 'static>(of: impl Fn(World) -> R, work: impl Fn() -> u8) -> u8 {
    // A solver may be called on a worker of a pool, one at a time.
    let mpi = match Mpi::init_thread(ThreadLevel::Serialized) {
        Ok(mpi) => mpi,
        Err(reason) => {
            eprintln!("bilevel: MPI: {reason}");
            return 2;
        }
    };
    ranks::set(of(World(mpi.world())));
    if mpi.world().size() > 1 {
        let (hook, world) = (std::panic::take_hook(), World(mpi.world()));
        std::panic::set_hook(Box::new(move |panic| {
            hook(panic);
            world.0.abort(PANIC.into());
        }));
    }
    let code = work();
    ranks::meet();
    code
}
