//! A line plot as SVG: the same points give the same bytes.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const BOTTOM: f64 = 50.0;

/// Told apart by those who do not see colours as most do (Okabe and Ito).
const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#555555"];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    Log,
}

pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

pub(crate) struct Plot {
    pub(crate) title: &'static str,
    /// What the axes show, with units.
    pub(crate) x: (&'static str, Scale),
    pub(crate) y: (&'static str, Scale),
    pub(crate) series: Vec<Series>,
}

/// Values from `low` to `high`, both of them ticks, on so many pixels.
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl Axis {
    fn of(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Axis {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(f64::NEG_INFINITY, f64::max);
        let mut ticks = vec![];
        if scale == Scale::Log {
            let mut decade = 10_f64.powf(least.log10().floor());
            while ticks.last().is_none_or(|last| *last <= most) {
                ticks.extend([1.0, 2.0, 5.0].map(|step| step * decade));
                decade *= 10.0;
            }
            // No more room at the ends than needed.
            let first = ticks.iter().rposition(|tick| *tick <= least).unwrap_or(0);
            let last = ticks.iter().position(|tick| *tick >= most).unwrap_or(ticks.len() - 1);
            ticks = ticks[first..=last.max(first + 1)].to_vec();
        } else {
            let most = most.max(1.0);
            let rough = most / 6.0;
            let decade = 10_f64.powf(rough.log10().floor());
            let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
            let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
            ticks.push(0.0);
            while ticks.last().is_none_or(|last| *last < most) {
                ticks.push(step * f64::from(u32::try_from(ticks.len()).unwrap_or(0)));
            }
        }
        Axis { scale, low: ticks[0], high: ticks[ticks.len() - 1], ticks }
    }

    /// Where the value lies, from 0 to 1.
    fn share(&self, value: f64) -> f64 {
        let Axis { low, high, .. } = self;
        match self.scale {
            Scale::Linear => (value - low) / (high - low),
            Scale::Log => (value / low).ln() / (high / low).ln(),
        }
    }
}

impl Plot {
    pub(crate) fn svg(&self) -> String {
        let lines = f64::from(u32::try_from(self.series.len()).unwrap_or(0));
        let top = 50.0 + 16.0 * lines;
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = Axis::of(self.x.1, points().map(|point| point.0));
        let y = Axis::of(self.y.1, points().map(|point| point.1));
        let across = |value: f64| LEFT + x.share(value) * (WIDTH - LEFT - RIGHT);
        let down = |value: f64| HEIGHT - BOTTOM - y.share(value) * (HEIGHT - top - BOTTOM);
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        let mut line = |text: String| writeln!(svg, "{text}").expect("a string takes all");
        let title = self.title;
        line(format!("<text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{title}</text>"));
        for value in &x.ticks {
            let (at, text) = (across(*value), short(*value));
            line(format!("<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"#dddddd\"/>"));
            let below = bottom + 18.0;
            line(format!("<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{text}</text>"));
        }
        for value in &y.ticks {
            let (at, text) = (down(*value), short(*value));
            line(format!("<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#dddddd\"/>"));
            let (left, base) = (LEFT - 8.0, at + 4.0);
            line(format!("<text x=\"{left}\" y=\"{base:.1}\" text-anchor=\"end\">{text}</text>"));
        }
        let (middle, base) = (f64::midpoint(LEFT, right), HEIGHT - 10.0);
        let (label, upright) = (self.x.0, f64::midpoint(top, bottom));
        line(format!("<text x=\"{middle}\" y=\"{base}\" text-anchor=\"middle\">{label}</text>"));
        let label = self.y.0;
        line(format!(
            "<text transform=\"translate(20 {upright}) rotate(-90)\" text-anchor=\"middle\">{label}</text>"
        ));
        for (at, series) in self.series.iter().enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            let place = |point: &(f64, f64)| format!("{:.1},{:.1}", across(point.0), down(point.1));
            let places: Vec<String> = series.points.iter().map(place).collect();
            line(format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                places.join(" ")
            ));
            for point in &series.points {
                let (cx, cy) = (across(point.0), down(point.1));
                line(format!("<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"3\" fill=\"{colour}\"/>"));
            }
            let base = 46.0 + 16.0 * f64::from(u32::try_from(at).unwrap_or(0));
            let (rule, text, name) = (base - 4.0, LEFT + 30.0, series.name);
            line(format!("<path d=\"M{LEFT} {rule}h24\" stroke=\"{colour}\" stroke-width=\"2\"/>"));
            line(format!("<text x=\"{text}\" y=\"{base}\">{name}</text>"));
        }
        line("</svg>".to_owned());
        svg
    }
}

/// The number as it stands at an axis.
fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{} M", value / 1e6),
        1e3.. => format!("{} k", value / 1e3),
        _ => format!("{}", (value * 1e3).round() / 1e3),
    }
}
