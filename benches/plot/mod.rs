//! Draws lines over a logarithmic number of subjects, as SVG.

use core::error::Error;
use std::path::Path;

use plotters::prelude::*;

/// A name, and a value at each number of subjects.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Of the lines, in their order.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 90, 181),
    RGBColor(220, 50, 32),
    RGBColor(110, 110, 110),
    RGBColor(64, 160, 80),
];

pub(crate) fn draw(path: &Path, title: &str, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let ends = |least: f64, (subjects, _): &(f64, f64)| least.min(*subjects);
    let first = points().fold(f64::MAX, ends);
    let last = points().fold(first, |most, (subjects, _)| most.max(*subjects));
    let highest = points().fold(0.0_f64, |most, (_, value)| most.max(*value));
    {
        let area = SVGBackend::new(path, (760, 440)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(42)
            .y_label_area_size(64)
            .build_cartesian_2d((first * 0.8..last * 1.25).log_scale(), 0.0..highest * 1.4)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc("subjects in the store")
            .y_desc("nanoseconds a call")
            .x_label_formatter(&|subjects| format!("10^{:.0}", subjects.log10()))
            .y_label_formatter(&|nanoseconds| format!("{nanoseconds:.0}"))
            .label_style(("sans-serif", 14))
            .draw()?;
        for (line, colour) in lines.iter().zip(COLOURS) {
            let series = LineSeries::new(line.points.iter().copied(), colour.stroke_width(2));
            chart
                .draw_series(series.point_size(4))?
                .label(line.name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(2))
                });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font(("sans-serif", 14))
            .legend_area_size(28)
            .margin(8)
            .draw()?;
        area.present()?;
    }
    Ok(())
}
