//! A picture as pixels: with the fonts of the package alone, so that every machine gives the same.

use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};
use std::sync::{Arc, LazyLock};

/// The family that stands for every other one.
const FAMILY: &str = "Roboto";

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(include_bytes!("../fonts/Roboto-Regular.ttf").to_vec());
    fonts.load_font_data(include_bytes!("../fonts/Roboto-Bold.ttf").to_vec());
    fonts.set_sans_serif_family(FAMILY);
    Arc::new(fonts)
});

/// Width, height and the bytes of an SVG, red, green and blue of each pixel row by row from the top left, on white.
///
/// # Errors
/// What is wrong with the SVG.
pub(crate) fn pixels(svg: &str) -> Result<(usize, usize, Vec<u8>), String> {
    let options = Options { fontdb: Arc::clone(&FONTS), font_family: FAMILY.into(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| error.to_string())?;
    let size = tree.size().to_int_size();
    let mut pixmap = Pixmap::new(size.width(), size.height()).ok_or("a picture without a pixel")?;
    pixmap.fill(Color::WHITE);
    resvg::render(&tree, Transform::identity(), &mut pixmap.as_mut());
    // White is opaque, and what is drawn over it, too.
    let rgb = pixmap.pixels().iter().flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect();
    Ok((size.width() as usize, size.height() as usize, rgb))
}
