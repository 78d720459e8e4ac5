//! The compiled part of the Python package: recordings, problems and runs of the engine, behind a
//! guard that lets no panic out. `python/bilevel` wraps it, and has all that users read.

mod arrays;
mod check;
mod command_line;
mod data;
mod errors;
mod guard;
mod held;
mod layer;
mod losses;
mod oracle;
mod point;
mod problem;
mod program;
mod recording;
mod records;
mod room;
mod run;
mod sampled;
mod saved;
mod settings;
mod studies;

/// The module `bilevel._bilevel`.
#[pyo3::pymodule]
mod _bilevel {
    #[pymodule_export]
    use crate::check::check_functions;
    #[pymodule_export]
    use crate::command_line::command_line;
    #[pymodule_export]
    use crate::data::load;
    #[pymodule_export]
    use crate::guard::panics;
    #[pymodule_export]
    use crate::layer::Layer;
    #[pymodule_export]
    use crate::losses::Samples;
    #[pymodule_export]
    use crate::oracle::oracle;
    #[pymodule_export]
    use crate::point::Point;
    #[pymodule_export]
    use crate::problem::Problem;
    #[pymodule_export]
    use crate::program::Program;
    #[pymodule_export]
    use crate::recording::{Recording, Value, operations};
    #[pymodule_export]
    use crate::records::Records;
    #[pymodule_export]
    use crate::run::Run;
    #[pymodule_export]
    use crate::sampled::Table;
    #[pymodule_export]
    use crate::settings::{methods, problems, set_threads, strategies, threads};

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        use pyo3::types::PyModuleMethods;
        crate::guard::silence();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
