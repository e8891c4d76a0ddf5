//! Where the base stations of a scenario stand.

use super::config::ScenarioConfig;
use super::files::PhysicalFiles;
use super::physical::{PhysicalConfig, SitesConfig};
use crate::invalid::{Invalid, Range, number};
use crate::radio::mobility::{Area, Position};

impl ScenarioConfig {
    /// The places of the cells, in their order, all inside the area.
    pub(super) fn sites(
        &self,
        config: &PhysicalConfig,
        area: Area,
        files: &PhysicalFiles,
    ) -> Result<Vec<Position>, Invalid> {
        let count = self.cell.count as usize;
        let middle = Position { x_m: area.width_m / 2.0, y_m: area.depth_m / 2.0 };
        let places = match &config.sites {
            SitesConfig::Middle(_) if count == 1 => vec![middle],
            SitesConfig::Middle(_) => {
                let allowed =
                    "1, or physical.sites.hexagons, .places or .file: one place is not enough for more";
                return Err(Invalid::new("cell.count", count, allowed));
            }
            SitesConfig::Hexagons(typed) => {
                let key = "physical.sites.hexagons.distance_m";
                let distance_m = number(key, typed.distance_m, Range::Between(1.0, 1e5))?;
                hexagons(middle, distance_m).take(count).collect()
            }
            SitesConfig::Places(typed) if typed.at_m.len() == count => {
                typed.at_m.iter().map(|&[x_m, y_m]| Position { x_m, y_m }).collect()
            }
            SitesConfig::Places(typed) => {
                let value = format!("{} places", typed.at_m.len());
                let allowed = format!("{count}, one a cell");
                return Err(Invalid::new("physical.sites.places.at_m", value, allowed));
            }
            SitesConfig::File(typed) => {
                let refuse = |allowed| Invalid::new("physical.sites.file.path", &typed.path, allowed);
                let sites =
                    files.sites.as_ref().ok_or_else(|| refuse("the sites were not read".to_owned()))?;
                if sites.len() != count {
                    let has = sites.len();
                    return Err(refuse(format!("{count} sites, one a cell (cell.count); it has {has}")));
                }
                if let Some(site) = sites.iter().find(|site| !area.has(site.place)) {
                    let Position { x_m, y_m } = site.place;
                    return Err(refuse(format!(
                        "places inside the area of {} m by {} m (physical.radio.area); site {} is at {x_m} m, {y_m} m",
                        area.width_m, area.depth_m, site.name
                    )));
                }
                sites.iter().map(|site| site.place).collect()
            }
        };
        match places.iter().position(|place| !area.has(*place)) {
            Some(cell) => {
                let Position { x_m, y_m } = places[cell];
                let allowed = format!(
                    "places inside the area of {} m by {} m (physical.radio.area)",
                    area.width_m, area.depth_m
                );
                Err(Invalid::new("physical.sites", format!("cell {cell} at {x_m:.1}, {y_m:.1} m"), allowed))
            }
            None => Ok(places),
        }
    }
}

/// The places of hexagonal cells around a middle, ring by ring, each ring from the east and against the clock.
fn hexagons(middle: Position, distance_m: f64) -> impl Iterator<Item = Position> {
    // Steps along the sides of a ring, in units of the distance along two axes 60 degrees apart.
    const SIDES: [[i32; 2]; 6] = [[-1, 1], [-1, 0], [0, -1], [1, -1], [1, 0], [0, 1]];
    let rings = (1..).flat_map(|ring: i32| {
        let sides = SIDES.into_iter().flat_map(move |side| std::iter::repeat_n(side, ring as usize));
        sides.scan([ring, 0], |at, side| {
            let here = *at;
            *at = [at[0] + side[0], at[1] + side[1]];
            Some(here)
        })
    });
    std::iter::once([0, 0]).chain(rings).map(move |[q, r]| Position {
        x_m: middle.x_m + distance_m * (f64::from(q) + 0.5 * f64::from(r)),
        y_m: middle.y_m + distance_m * (0.75_f64.sqrt() * f64::from(r)),
    })
}
