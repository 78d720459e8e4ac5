//! The page around the plots and tables.

use std::fmt::Write as _;

use super::made::{COMMAND, Made};
use super::model::{Claim, Page, Section};
use super::{contents as data, escape, figure, prose, table};

const STYLE: &str = concat!(include_str!("page.css"), "\n", include_str!("chart.css"));
const SCRIPT: &str = concat!(
    include_str!("page.js"),
    "\n",
    include_str!("values.js"),
    "\n",
    include_str!("downloads.js")
);

/// Forbids every request, so that the page is known to need none.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
                      script-src 'unsafe-inline'; img-src data:";

/// Lays out a page as one HTML document that needs no other file and no network.
///
/// The same page gives the same bytes.
pub fn render(page: &Page) -> String {
    let title = escape(&page.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>{title}</h1>\n"
    );
    if !page.subtitle.is_empty() {
        let _ = writeln!(out, "<p class=\"subtitle\">{}</p>", escape(&page.subtitle));
    }
    facts(&mut out, page);
    contents(&mut out, &page.sections);
    out.push_str("</header>\n<main>\n");
    claims(&mut out, &page.claims);
    for (i, part) in page.sections.iter().enumerate() {
        section(&mut out, i, part);
    }
    out.push_str("</main>\n");
    if !page.notices.is_empty() {
        out.push_str("<footer>\n<h2>Data and licences</h2>\n<ul>\n");
        for notice in &page.notices {
            let _ = writeln!(out, "<li>{}</li>", prose(notice));
        }
        out.push_str("</ul>\n</footer>\n");
    }
    out.push_str(
        "<noscript><p class=\"note\">Without scripts, plots and tables stand as they are; their \
         numbers are in this file as JSON, in the element <code>contents</code>.</p></noscript>\n",
    );
    out.push_str(&data::element(page));
    let _ = write!(out, "<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

/// How the page was made, and what it is of.
fn facts(out: &mut String, page: &Page) {
    let fact = |name: &str, text: &str| {
        let text = match name {
            COMMAND => format!("<code>{}</code>", escape(text)),
            _ => prose(text),
        };
        format!("<div><dt>{}</dt><dd>{text}</dd></div>\n", escape(name))
    };
    let made = page.made.iter().flat_map(Made::facts);
    let own = page.facts.iter().map(|(name, text)| (&**name, &**text));
    let all: String = own
        .chain(made)
        .map(|(name, text)| fact(name, text))
        .collect();
    if !all.is_empty() {
        let _ = writeln!(out, "<dl class=\"facts\">\n{all}</dl>");
    }
}

fn contents(out: &mut String, sections: &[Section]) {
    if sections.len() < 2 {
        return;
    }
    out.push_str("<nav aria-label=\"Contents\"><ul>\n");
    for (i, section) in sections.iter().enumerate() {
        let _ = writeln!(
            out,
            "<li><a href=\"#s{}\">{}</a></li>",
            i + 1,
            escape(&section.title)
        );
    }
    out.push_str("</ul></nav>\n");
}

fn claims(out: &mut String, claims: &[Claim]) {
    if claims.is_empty() {
        return;
    }
    let held = claims.iter().filter(|claim| claim.holds).count();
    let _ = writeln!(
        out,
        "<section class=\"claims\" id=\"claims\">\n<h2>Claims</h2>\n\
         <p class=\"tally\">{held} of {} hold.</p>\n<ul>",
        claims.len()
    );
    for claim in claims {
        let (class, sign, word) = if claim.holds {
            ("holds", "✓", "holds")
        } else {
            ("fails", "✗", "fails")
        };
        let _ = writeln!(
            out,
            "<li class=\"{class}\"><span class=\"verdict\"><span aria-hidden=\"true\">{sign}\
             </span> {word}</span><span class=\"claim\">{}</span>\
             <span class=\"value\">{}</span></li>",
            prose(&claim.text),
            prose(&claim.value)
        );
    }
    out.push_str("</ul>\n</section>\n");
}

fn section(out: &mut String, i: usize, section: &Section) {
    let _ = writeln!(
        out,
        "<section id=\"s{}\">\n<h2>{}</h2>",
        i + 1,
        escape(&section.title)
    );
    let text = section.text.replace("\r\n", "\n");
    for paragraph in text.split("\n\n").map(str::trim).filter(|p| !p.is_empty()) {
        let _ = writeln!(out, "<p>{}</p>", prose(paragraph));
    }
    section
        .tables
        .iter()
        .for_each(|t| out.push_str(&table::table(t)));
    if !section.plots.is_empty() {
        out.push_str("<div class=\"plots\">\n");
        choice(out, i, section);
        section
            .plots
            .iter()
            .for_each(|p| out.push_str(&figure::figure(p)));
        out.push_str("</div>\n");
    }
    out.push_str("</section>\n");
}

/// The choice of a horizontal axis for the plots of a section. Style alone makes it work.
fn choice(out: &mut String, i: usize, section: &Section) {
    let Some(plot) = section.plots.iter().find(|plot| !plot.across.is_empty()) else {
        return;
    };
    out.push_str("<fieldset class=\"across\"><legend>Horizontal axis</legend>\n");
    let labels = std::iter::once(&plot.x_label).chain(plot.across.iter().map(|a| &a.label));
    for (k, label) in labels.enumerate() {
        let checked = if k == 0 { " checked" } else { "" };
        let _ = writeln!(
            out,
            "<label><input type=\"radio\" name=\"across-{i}\" value=\"{k}\"{checked}> {}</label>",
            escape(label)
        );
    }
    out.push_str("</fieldset>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::{Across, Plot, Series, Table};

    const NASTY: &str = "<script>alert('x')</script> & \"quoted\"";

    fn nasty() -> Page {
        let text = || NASTY.to_owned();
        Page {
            title: text(),
            subtitle: text(),
            claims: [true, false]
                .map(|holds| Claim {
                    text: text(),
                    value: text(),
                    holds,
                })
                .into(),
            sections: vec![
                Section {
                    title: text(),
                    text: format!("{NASTY}\n\n{NASTY}"),
                    tables: vec![Table {
                        caption: text(),
                        columns: vec![text()],
                        rows: vec![vec![NASTY.into()]],
                        ..Table::default()
                    }],
                    plots: vec![Plot {
                        title: text(),
                        x_label: text(),
                        y_label: text(),
                        note: text(),
                        x_log: true,
                        series: vec![Series {
                            name: text(),
                            points: vec![(0.0, 1.0), (1.0, 2.0)],
                            ..Series::default()
                        }],
                        ..Plot::default()
                    }],
                };
                2
            ],
            notices: vec![text()],
            facts: vec![(text(), text())],
            made: Some(Made {
                command: text(),
                date: text(),
                version: text(),
                machine: text(),
            }),
        }
    }

    #[test]
    fn all_text_is_escaped() {
        let html = render(&nasty());
        assert_eq!(html.matches("<script>").count(), 1);
        assert!(!html.contains("alert('") && !html.contains("& &quot;"));
        assert!(html.matches("&lt;script&gt;").count() > 20);
    }

    #[test]
    fn nothing_is_fetched() {
        let html = render(&nasty()).replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for word in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!html.contains(word), "{word}");
        }
    }

    #[test]
    fn rendering_is_deterministic() {
        assert_eq!(render(&nasty()), render(&nasty()));
    }

    #[test]
    fn verdicts_are_words_and_signs() {
        let html = render(&nasty());
        assert!(html.contains("✓</span> holds") && html.contains("✗</span> fails"));
        assert!(html.contains("1 of 2 hold."));
    }

    #[test]
    fn the_head_says_how_the_page_was_made() {
        let made = Made {
            command: "bilevel compare --data 'a b.csv'".into(),
            date: "2024-02-29 12:01 UTC".into(),
            version: "bilevel 0.1.0".into(),
            machine: "a processor, 2 cores".into(),
        };
        let mut page = Page::new("t").fact("Problem", "ridge & co");
        page.made = Some(made);
        let html = render(&page);
        assert!(html.contains("<dt>Problem</dt><dd>ridge &amp; co</dd>"));
        assert!(html.contains("<dd><code>bilevel compare --data &#39;a b.csv&#39;</code></dd>"));
        for text in [
            "2024-02-29 12:01 UTC",
            "bilevel 0.1.0",
            "a processor, 2 cores",
        ] {
            assert!(html.contains(&format!("<dd>{text}</dd>")), "{text}");
        }
    }

    #[test]
    fn plots_against_several_quantities_are_drawn_against_each() {
        let across = |label: &str| Across {
            label: label.into(),
            ..Across::default()
        };
        let plot = Plot {
            x_label: "iterations".into(),
            across: vec![across("calls"), across("time")],
            series: vec![Series {
                points: vec![(1.0, 2.0)],
                across: vec![vec![3.0], vec![4.0]],
                ..Series::default()
            }],
            ..Plot::default()
        };
        let html = render(&Page::default().section(Section {
            plots: vec![plot.clone(), plot],
            ..Section::default()
        }));
        // One choice for the plots of a section, and in each figure a chart for each of it.
        assert_eq!(html.matches("type=\"radio\"").count(), 3);
        for i in 0..3 {
            let charts = format!("<div class=\"across-{i}\"><svg");
            assert_eq!(html.matches(&charts).count(), 2, "{i}");
        }
        for label in ["iterations", "calls", "time"] {
            assert!(html.contains(&format!("> {label}</label>")), "{label}");
        }
    }

    #[test]
    fn an_empty_report_is_a_page() {
        let html = render(&Page::default());
        assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
        assert!(!html.contains("<section") && !html.contains("<footer>"));
    }
}
