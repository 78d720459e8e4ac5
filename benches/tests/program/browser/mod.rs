//! The report in a real browser: it renders, on a desk and on a phone, in the light and in the dark.
//!
//! The browser is the one that `BILEVEL_BROWSER` names, or a Chromium on the path. Without either
//! nothing is checked here, which the test says; `.ci/browser` installs one. `BILEVEL_REPORT` names
//! another page to look at than those made here.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::common::Folder;

mod seen;

const PROBE: &str = include_str!("probe.js");

/// The page in a frame, as a browser's own window is never as narrow as a phone's.
const AROUND: &str = "<!doctype html><html><head><meta name=\"color-scheme\" content=\"light dark\">\
    <title>t</title></head><body><iframe src=\"page.html\" width=\"WIDTH\" height=\"HEIGHT\"></iframe>\
    <script>addEventListener('message', (event) => { const found = document.createElement('pre'); \
    found.id = 'probe'; found.textContent = event.data; document.body.append(found); });</script>\
    </body></html>";

/// A browser's window: width, height, and whether dark colours are preferred.
const WINDOWS: [(u32, u32, bool); 4] = [
    (1280, 900, false),
    (1280, 900, true),
    (390, 844, false),
    (390, 844, true),
];

fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("BILEVEL_BROWSER") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let all = std::env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name)));
    let found = all.into_iter().find(|file| file.is_file());
    if found.is_none() {
        println!("no browser found: not checked");
    }
    found
}

/// The document as the browser leaves it after the page's scripts.
fn dumped(browser: &Path, dir: &Path, file: &Path, dark: bool) -> String {
    let scheme = if dark { 0 } else { 1 };
    let out = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync"])
        .args(["--disable-quic", "--hide-scrollbars"])
        .arg(format!("--user-data-dir={}", dir.join("user").display()))
        .args(["--window-size=1400,1000", "--virtual-time-budget=5000"])
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .args(["--enable-logging=stderr", "--dump-dom"])
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("the browser starts");
    let log = String::from_utf8_lossy(&out.stderr);
    assert!(!log.contains("CONSOLE"), "{log}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// What [`PROBE`] saw of a page in a window.
fn look(browser: &Path, page: &str, (width, height, dark): (u32, u32, bool)) -> Value {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let file = dir.path().join(name);
        std::fs::write(&file, text).expect("written");
        file
    };
    // First in the head, so that no error comes before it.
    let head = format!("<head><script>{PROBE}</script>");
    write("page.html", &page.replacen("<head>", &head, 1));
    let [w, h] = [width, height].map(|n| n.to_string());
    let file = write(
        "around.html",
        &AROUND.replace("WIDTH", &w).replace("HEIGHT", &h),
    );
    // A browser that starts cold may spend the time it is given before the page is there.
    let mark = "<pre id=\"probe\">";
    let mut tries = (0..3).map(|_| dumped(browser, dir.path(), &file, dark));
    let dom = tries.find_map(|dom| Some(dom.split_once(mark)?.1.to_owned()));
    let found = dom.expect("a page that loads");
    let found = found[..found.find("</pre>").expect("closed")].to_owned();
    let escapes = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ];
    let json = escapes
        .iter()
        .fold(found, |text, (escape, plain)| text.replace(escape, plain));
    serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"))
}

/// The page that a command leaves, which may report a numerical failure.
fn page(folder: &Folder, words: &str) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_bilevel"))
        .args(words.split(' '))
        .args(["--out", "out"])
        .current_dir(folder.path("."))
        .output()
        .expect("the program starts");
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code().is_some_and(|code| code < 2), "{err}");
    std::fs::read_to_string(folder.path("out/report.html")).expect("a report")
}

/// A page and what stands on it: plots, tables, and choices of a horizontal axis.
fn check(words: &str, plots: usize, tables: usize, choices: usize) {
    let Some(browser) = browser() else { return };
    let folder = Folder::new();
    std::fs::write(folder.path("sweep.toml"), SWEEP).expect("written");
    let page = page(&folder, words);
    let counts = seen::check(&browser, &page);
    assert_eq!(counts, [plots, tables, choices], "{words}");
    // The command as it was typed, by the name of the program.
    assert!(page.contains(&format!("<code>bilevel {words} --out out</code>")));
}

const SWEEP: &str = "seeds = [0, 1, 2]\n[base]\nproblem = \"hyper-cleaning\"\niterations = 3\n\
                     depth = 10\n[grid]\nmethod = [\"itd\", \"aid-cg\"]\nrate = [0.1, 0.05]\n";

#[test]
fn the_page_of_compare_renders() {
    check("compare --problem ridge,quadratic", 4, 5, 0);
}

#[test]
fn the_page_of_memory_renders() {
    check("memory --problem quadratic --depths 10,30,100", 3, 1, 0);
}

#[test]
fn the_page_of_solve_renders() {
    check(
        "solve --problem hyper-cleaning --method aid-cg --iterations 4",
        4,
        2,
        1,
    );
}

#[test]
fn the_page_of_stability_renders() {
    let words =
        "stability --seeds 4 --samples 10,20 --steps 20 --schedule inverse:0.5,constant:0.1";
    check(words, 2, 1, 0);
}

#[test]
fn the_page_of_a_sweep_renders() {
    check("sweep sweep.toml", 3, 1, 0);
}

/// Of the main job, or whatever other page is named.
#[test]
fn a_page_that_is_named_renders() {
    let (Some(browser), Some(file)) = (browser(), std::env::var_os("BILEVEL_REPORT")) else {
        return;
    };
    let page = std::fs::read_to_string(&file).expect("a report");
    let [plots, tables, _] = seen::check(&browser, &page);
    assert!(plots > 0 && tables > 0);
}

#[test]
fn the_probe_sees_what_is_wrong() {
    let Some(browser) = browser() else { return };
    let broken = "<!doctype html><html><head><title>t</title></head>\
                  <body style=\"background: #fff; color: #ddd\">\
                  <figure class=\"plot\"><figcaption>p</figcaption><svg class=\"chart\" \
                  width=\"100\" height=\"50\"><text x=\"90\" y=\"20\">far too long</text>\
                  <text x=\"92\" y=\"20\">over it</text></svg>\
                  <ul class=\"legend\"><li><button>a</button></li></ul></figure>\
                  <div style=\"width: 3000px\">wide</div>\
                  <script>missing();</script></body></html>";
    let wrong = std::panic::catch_unwind(|| look(&browser, broken, WINDOWS[0]));
    let message = wrong.expect_err("an error on the console");
    let message = message.downcast_ref::<String>().expect("a message");
    assert!(message.contains("missing"), "{message}");
    let quiet = broken.replace("missing();", "");
    let seen = look(&browser, &quiet, WINDOWS[2]);
    assert_eq!(seen["plots"][0]["drawn"], 0);
    assert_eq!(seen["plots"][0]["outside"][0], "far too long");
    assert!(seen["wide"].as_u64() > seen["window"].as_u64());
    assert_eq!(seen["plots"][0]["overlaps"][0], "far too long / over it");
    assert_eq!(seen["plots"][0]["downloads"]["inside"], false);
    assert_eq!(seen["faint"][0], "rgb(221, 221, 221)");
}
