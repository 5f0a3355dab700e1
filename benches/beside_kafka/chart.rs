//! Draws the tables that this bench has printed: `-- chart docs/speed.md docs/speed.svg`.

use std::fmt::Write;
use std::path::Path;

/// A row of a table: what was measured, and two figures of each.
struct Row {
    what: String,
    rate: [f64; 2],
    cpu: [f64; 2],
}

const BAR: f64 = 300.0;
const LEFT: f64 = 270.0;
const STEP: usize = 34;

pub(crate) fn run(from: &Path, to: &Path) {
    let text = std::fs::read_to_string(from).expect("readable");
    let rows: Vec<Row> = text.lines().filter_map(row).collect();
    assert!(!rows.is_empty(), "{} has no table of this bench", from.display());
    std::fs::write(to, chart(&rows)).expect("writable");
}

/// `| what | 1 MB/s | 2 | ratio | 3 s/GB | 4 | ratio |`
fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
    let [what, klamm, kafka, _, klamm_cpu, kafka_cpu, _] = cells[..] else { return None };
    let figure = |cell: &str| cell.split(' ').next().and_then(|number| number.parse().ok());
    klamm.ends_with("MB/s").then_some(())?;
    let (rate, cpu) = ([figure(klamm)?, figure(kafka)?], [figure(klamm_cpu)?, figure(kafka_cpu)?]);
    Some(Row { what: what.to_owned(), rate, cpu })
}

fn chart(rows: &[Row]) -> String {
    let height = 60 + rows.len() * STEP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"980\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\">MB/s (longer is better)</text><text x=\"{}\" y=\"20\">CPU seconds a GB (shorter is better)</text>\n\
         <rect x=\"10\" y=\"10\" width=\"12\" height=\"12\" fill=\"#2563eb\"/><text x=\"27\" y=\"20\">Klamm</text>\
         <rect x=\"80\" y=\"10\" width=\"12\" height=\"12\" fill=\"#9ca3af\"/><text x=\"97\" y=\"20\">Kafka 4.3.1</text>\n",
        LEFT + BAR + 60.0
    );
    for (number, row) in rows.iter().enumerate() {
        let y = 38 + number * STEP;
        writeln!(svg, "<text x=\"10\" y=\"{}\">{}</text>", y + 16, row.what).expect("a string takes all");
        bars(&mut svg, LEFT, y, row.rate);
        bars(&mut svg, LEFT + BAR + 60.0, y, row.cpu);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Each pair has a scale of its own: the ratio is what counts.
fn bars(svg: &mut String, x: f64, y: usize, figures: [f64; 2]) {
    let most = f64::max(figures[0], figures[1]);
    for (number, (figure, colour)) in figures.into_iter().zip(["#2563eb", "#9ca3af"]).enumerate() {
        let (y, width) = (y + number * 13, BAR * figure / most);
        writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width:.1}\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\" font-size=\"10\">{figure}</text>",
            x + width + 4.0,
            y + 10
        )
        .expect("a string takes all");
    }
}
