//! The report in a real browser: it renders, on a desk and on a phone, in the light and in the dark.
//!
//! The browser is the one that `BILEVEL_BROWSER` names, or a Chromium on the path. Without either
//! nothing is checked here, which the test says; `.ci/browser` installs one. `BILEVEL_REPORT` names
//! another page to look at than those made here.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const PROBE: &str = include_str!("probe.js");

/// The page in a frame, as a browser's own window is never as narrow as a phone's.
const AROUND: &str = "<!doctype html><html><head><meta name=\"color-scheme\" content=\"light dark\">\
    <title>t</title></head><body><iframe src=\"page.html\" width=\"WIDTH\" height=\"HEIGHT\"></iframe>\
    <script>addEventListener('message', (event) => { const found = document.createElement('pre'); \
    found.id = 'probe'; found.textContent = event.data; document.body.append(found); });</script>\
    </body></html>";

/// A browser's window: width, height, and whether dark colours are preferred.
const WINDOWS: [(u32, u32, bool); 3] = [(1280, 900, false), (1280, 900, true), (390, 844, false)];

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

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().expect("a list")
}

fn check(browser: &Path, page: &str) {
    let mut backgrounds = Vec::new();
    for window in WINDOWS {
        let seen = look(browser, page, window);
        assert_eq!(list(&seen, "errors"), &[] as &[Value], "{window:?}");
        assert!(!list(&seen, "plots").is_empty() && !list(&seen, "tables").is_empty());
        for plot in list(&seen, "plots") {
            let count = |key: &str| plot[key].as_u64().expect("a count");
            assert!(count("series") > 0 && count("texts") > 4, "{plot}");
            assert_eq!(count("drawn"), count("series") - count("empty"), "{plot}");
            assert_eq!(list(plot, "outside"), &[] as &[Value], "{window:?}: {plot}");
            assert_eq!(plot["dimmed"], true, "{plot}");
        }
        for table in list(&seen, "tables") {
            let rows = table["rows"].as_u64().expect("a count");
            assert!(rows > 0, "{table}");
            assert_eq!(table["sorts"], true, "{table}");
            assert_eq!(table["restores"], true, "{table}");
        }
        assert!(
            list(&seen, "tables").iter().any(|t| t["turns"] == true),
            "no table turns around when it is sorted"
        );
        // Nothing hangs over the edge: what is wide scrolls in a box of its own.
        let width = |key: &str| seen[key].as_u64().expect("a width");
        assert!(width("wide") <= width("window"), "{window:?}: {seen}");
        assert_ne!(seen["background"], seen["colour"], "{window:?}");
        backgrounds.push(seen["background"].clone());
    }
    assert_ne!(
        backgrounds[0], backgrounds[1],
        "the dark page is the light one"
    );
}

/// The page that a command leaves.
fn page(words: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let out = Command::new(env!("CARGO_BIN_EXE_bilevel"))
        .args(words)
        .arg("--out")
        .arg(dir.path())
        .output()
        .expect("the program starts");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    std::fs::read_to_string(dir.path().join("report.html")).expect("a report")
}

#[test]
fn reports_render_without_an_error_and_every_plot_has_marks() {
    let Some(browser) = browser() else { return };
    if let Some(file) = std::env::var_os("BILEVEL_REPORT") {
        let page = std::fs::read_to_string(&file).expect("a report");
        return check(&browser, &page);
    }
    let solve = ["solve", "--problem", "quadratic", "--method", "aid-cg"];
    let memory = ["memory", "--problem", "quadratic", "--depths", "10,30,100"];
    for words in [&solve[..], &memory] {
        check(&browser, &page(words));
    }
}

#[test]
fn the_probe_sees_what_is_wrong() {
    let Some(browser) = browser() else { return };
    let broken = "<!doctype html><html><head><title>t</title></head><body>\
                  <figure class=\"plot\"><figcaption>p</figcaption><svg class=\"chart\" \
                  width=\"100\" height=\"50\"><text x=\"90\" y=\"20\">far too long</text></svg>\
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
}
