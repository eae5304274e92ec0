// SPDX-License-Identifier: MIT OR Apache-2.0

/// A bar that shows a length.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleBar {
    /// Its width in pixels.
    pub px: f64,
    /// The length that it stands for, such as `500 µm`.
    pub label: String,
}

impl ScaleBar {
    /// The longest of 1, 2 or 5 times a power of ten that takes at most a quarter of `width_px`.
    pub fn new(um_per_px: f64, width_px: f64) -> Option<Self> {
        let longest = um_per_px * width_px / 4.0;
        if !longest.is_normal() || longest <= 0.0 {
            return None;
        }
        let power = 10_f64.powf(longest.log10().floor());
        let um =
            [5.0, 2.0, 1.0].map(|digit| digit * power).into_iter().find(|um| *um <= longest)?;
        let label = if um >= 1000.0 { format!("{} mm", um / 1000.0) } else { format!("{um} µm") };
        Some(Self { px: um / um_per_px, label })
    }
}

#[cfg(test)]
mod tests {
    use super::ScaleBar;

    #[test]
    fn lengths_are_round() {
        let bar = |um_per_px, width| ScaleBar::new(um_per_px, width);
        assert_eq!(bar(1.0, 1000.0), Some(ScaleBar { px: 200.0, label: "200 µm".into() }));
        assert_eq!(bar(10.0, 1000.0), Some(ScaleBar { px: 200.0, label: "2 mm".into() }));
        assert_eq!(bar(0.5, 100.0), Some(ScaleBar { px: 20.0, label: "10 µm".into() }));
        assert_eq!(bar(f64::NAN, 100.0), None);
        assert_eq!(bar(0.0, 100.0), None);
    }
}
