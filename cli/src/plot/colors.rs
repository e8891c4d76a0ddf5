//! Colours that people tell apart whatever colours they see: those of Okabe and Ito, families that differ in lightness, and
//! one scale from light to dark.

use plotters::style::RGBColor;

/// Text, axes.
pub(crate) const INK: RGBColor = RGBColor(33, 37, 41);
/// Text that is less important.
pub(crate) const FAINT_INK: RGBColor = RGBColor(90, 98, 106);
/// Lines behind the data.
pub(crate) const GRID: RGBColor = RGBColor(226, 230, 234);
/// Areas behind the data.
pub(crate) const SHADE: RGBColor = RGBColor(217, 221, 226);

/// Okabe and Ito, Color Universal Design, 2008.
pub(crate) const BLUE: RGBColor = RGBColor(0, 114, 178);
/// See [`BLUE`].
pub(crate) const SKY: RGBColor = RGBColor(86, 180, 233);
/// See [`BLUE`].
pub(crate) const GREEN: RGBColor = RGBColor(0, 158, 115);
/// See [`BLUE`].
pub(crate) const ORANGE: RGBColor = RGBColor(230, 159, 0);
/// See [`BLUE`].
pub(crate) const VERMILLION: RGBColor = RGBColor(213, 94, 0);
/// See [`BLUE`].
pub(crate) const PURPLE: RGBColor = RGBColor(204, 121, 167);
/// A neutral one beside them.
pub(crate) const GREY: RGBColor = RGBColor(140, 147, 155);

/// The components of a cost, in the order of their names.
pub(crate) const COMPONENTS: [RGBColor; 7] = [BLUE, SKY, GREEN, ORANGE, PURPLE, GREY, VERMILLION];

/// Placements from the device to the cloud: one hue a site of the language model, darker where more is sent there.
pub(crate) const PLACEMENTS: [RGBColor; 7] = [
    ORANGE,
    RGBColor(158, 202, 225),
    RGBColor(66, 146, 198),
    RGBColor(8, 69, 148),
    RGBColor(236, 200, 220),
    RGBColor(204, 121, 167),
    RGBColor(122, 40, 94),
];

/// Steps of [`scale`].
pub(crate) const STEPS: usize = 9;

/// A colour of the scale for a share from 0 (light) to 1 (dark), and its step.
pub(crate) fn step(share: f64) -> usize {
    ((share.clamp(0.0, 1.0) * STEPS as f64) as usize).min(STEPS - 1)
}

/// The colour of a step, light to dark: the yellow, green and blue of Brewer 2003.
pub(crate) fn scale(step: usize) -> RGBColor {
    const SCALE: [(u8, u8, u8); STEPS] = [
        (255, 255, 217),
        (237, 248, 177),
        (199, 233, 180),
        (127, 205, 187),
        (65, 182, 196),
        (29, 145, 192),
        (34, 94, 168),
        (37, 52, 148),
        (8, 29, 88),
    ];
    let (red, green, blue) = SCALE[step.min(STEPS - 1)];
    RGBColor(red, green, blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_gets_darker_with_every_step() {
        let light = |RGBColor(red, green, blue): RGBColor| {
            0.2126 * f64::from(red) + 0.7152 * f64::from(green) + 0.0722 * f64::from(blue)
        };
        let lights: Vec<f64> = (0..STEPS).map(|step| light(scale(step))).collect();
        assert!(lights.is_sorted_by(|a, b| a > b), "{lights:?}");
        assert_eq!([-1.0, 0.0, 0.5, 1.0, 2.0].map(step), [0, 0, 4, 8, 8]);
    }
}
