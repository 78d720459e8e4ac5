//! `bilevel report`.

use std::path::PathBuf;

use serde_json::json;
use study::Page;

use super::args::Common;
use super::failure::{Failure, input};
use super::out_folder::{self, same_folder};
use super::output::{PAGE, line, prepare, say};

/// The folder of a page.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Folder that a command with --out left its report.html in; the page goes to --out if given
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
}

/// Lays out the page of a folder again, as this version does it.
pub(super) fn run(args: &Args, common: &Common) -> Result<(), Failure> {
    if !args.dir.join(PAGE).is_file() {
        return Err(Failure::Input(format!(
            "{}: no {PAGE}: expected a folder that a command with --out left its page in",
            args.dir.display()
        )));
    }
    let page = Page::read(args.dir.join(PAGE)).map_err(input)?;
    let out = match &common.out {
        Some(out) if !same_folder(out, &args.dir) => {
            out_folder::for_pages(out, common)?;
            out
        }
        // The page that is there is made anew.
        _ => {
            prepare(&args.dir)?;
            &args.dir
        }
    };
    let path = out.join(PAGE);
    let written = page.write(&path);
    written.map_err(|e| Failure::Input(format!("{}: {e}", out.display())))?;
    if common.json {
        say(&line(&json!({ "report": path })));
    }
    eprintln!("wrote {}", path.display());
    Ok(())
}
