//! Charts as SVG: lines over two logarithmic axes.
//!
//! The charts are plain, so they need no crate: axes with powers of ten, a color for each line, a
//! legend.

use std::fmt::Write;

/// A chart: lines over two axes.
#[derive(Debug)]
pub struct Chart<'a> {
    /// The title.
    pub title: String,
    /// The label of the horizontal axis.
    pub x_label: &'a str,
    /// The label of the vertical axis.
    pub y_label: &'a str,
    /// The lines.
    pub lines: Vec<Line<'a>>,
    /// The position of a horizontal line for comparison.
    pub bound: Option<f64>,
}

/// A line of a chart. All numbers must be positive.
#[derive(Debug)]
pub struct Line<'a> {
    /// Its name in the legend.
    pub name: &'a str,
    /// The points, from left to right.
    pub points: Vec<(f64, f64)>,
}

const COLORS: &[&str] = &["#c0392b", "#2471a3", "#239b56", "#7d3c98"];

/// Size of a chart in pixels.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 340.0;

/// Margins around the lines, in pixels.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

/// Height of a name in the legend, in pixels.
const LEGEND: f64 = 16.0;

/// Draws the charts, two in a row, as SVG.
pub fn svg(charts: &[Chart<'_>]) -> String {
    let (width, height) = (2.0 * WIDTH, charts.len().div_ceil(2) as f64 * HEIGHT);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (idx, chart) in charts.iter().enumerate() {
        let (x, y) = ((idx % 2) as f64 * WIDTH, (idx / 2) as f64 * HEIGHT);
        let _ = writeln!(text, "<g transform=\"translate({x} {y})\">\n{}</g>", chart.draw());
    }
    text + "</svg>\n"
}

impl Chart<'_> {
    fn draw(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x_axis = Axis::around(points().map(|point| point.0), LEFT, WIDTH - RIGHT);
        let y_values = points().map(|point| point.1).chain(self.bound);
        let y_axis = Axis::around(y_values, HEIGHT - BOTTOM, TOP);
        let mut text = String::new();
        // The legend is on the left, above or below the start of the lines.
        let height = LEGEND * self.lines.len() as f64;
        let is_taken = |line: &Line<'_>| {
            line.points.first().is_some_and(|&(_, y)| y_axis.position(y) < TOP + height + LEGEND)
        };
        let legend = match self.lines.iter().any(is_taken) {
            true => HEIGHT - BOTTOM - height,
            false => TOP + LEGEND,
        };
        self.draw_frame(&x_axis, &y_axis, &mut text);
        if let Some(bound) = self.bound {
            let y = y_axis.position(bound);
            let _ = writeln!(
                text,
                "<path d=\"M{LEFT} {y:.1}H{:.1}\" stroke=\"#888\" stroke-dasharray=\"4\"/>\n\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#666\">{bound}</text>",
                WIDTH - RIGHT,
                WIDTH - RIGHT,
                y - 4.0
            );
        }
        for (idx, line) in self.lines.iter().enumerate() {
            let color = COLORS[idx % COLORS.len()];
            let positions = line
                .points
                .iter()
                .map(|(x, y)| format!("{:.1},{:.1}", x_axis.position(*x), y_axis.position(*y)));
            let positions = positions.collect::<Vec<_>>().join(" ");
            let legend = legend + LEGEND * idx as f64;
            let _ = writeln!(
                text,
                "<polyline points=\"{positions}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.8\"/>\n\
                 <text x=\"{:.1}\" y=\"{legend:.1}\" fill=\"{color}\">{}</text>",
                LEFT + 10.0,
                line.name
            );
        }
        text
    }

    /// Draws the title and the axes with their marks.
    fn draw_frame(&self, x_axis: &Axis, y_axis: &Axis, text: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let middle = (LEFT + right) / 2.0;
        let _ = writeln!(
            text,
            "<text x=\"{middle}\" y=\"22\" text-anchor=\"middle\" font-size=\"14\">{}</text>\n\
             <text x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n\
             <text x=\"16\" y=\"{:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {:.1})\">{}</text>\n\
             <path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"black\"/>",
            self.title,
            HEIGHT - 12.0,
            self.x_label,
            (TOP + bottom) / 2.0,
            (TOP + bottom) / 2.0,
            self.y_label,
        );
        for mark in x_axis.marks() {
            let x = x_axis.position(mark);
            let _ = writeln!(
                text,
                "<path d=\"M{x:.1} {bottom}V{TOP}\" stroke=\"#eee\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                label(mark)
            );
        }
        for mark in y_axis.marks() {
            let y = y_axis.position(mark);
            let _ = writeln!(
                text,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#eee\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                label(mark)
            );
        }
    }
}

/// A logarithmic axis between two positions.
#[derive(Debug)]
struct Axis {
    /// The logarithms of the ends.
    low: f64,
    high: f64,
    begin: f64,
    end: f64,
}

impl Axis {
    /// Returns an axis with room for these values.
    fn around(values: impl Iterator<Item = f64>, begin: f64, end: f64) -> Self {
        let (low, high) = values
            .map(f64::log10)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        // A margin around the values. Equal values need one too.
        let margin = ((high - low) * 0.05).max(0.02);
        Self { low: low - margin, high: high + margin, begin, end }
    }

    fn position(&self, value: f64) -> f64 {
        self.begin + (value.log10() - self.low) / (self.high - self.low) * (self.end - self.begin)
    }

    /// Returns the marks: powers of ten, and numbers between them if there are few.
    fn marks(&self) -> Vec<f64> {
        let step = ((self.high - self.low) / 6.0).ceil().max(1.0) as i32;
        let powers = (self.low.floor() as i32..=self.high.ceil() as i32).filter(|power| power % step == 0);
        let between: &[f64] = match self.high - self.low {
            ..0.9 => &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
            ..2.5 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let marks = powers.flat_map(|power| between.iter().map(move |mantissa| number(*mantissa, power)));
        marks.filter(|mark| (self.low..=self.high).contains(&mark.log10())).collect()
    }
}

/// Writes a mark. Long numbers become powers of ten.
fn label(mark: f64) -> String {
    let power = mark.log10();
    match (-3.0..5.0).contains(&power) {
        true => mark.to_string(),
        false => format!("10<tspan dy=\"-5\" font-size=\"9\">{power:.0}</tspan>"),
    }
}

/// Computes `mantissa * 10^power` by parsing its decimal form, so that it prints in its short form.
fn number(mantissa: f64, power: i32) -> f64 {
    format!("{mantissa}e{power}").parse().expect("a number in this form can be read")
}

#[cfg(test)]
mod tests;
