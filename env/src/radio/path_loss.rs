//! Path loss from 0.5 to 100 GHz.
//!
//! *Models.* What a link loses on average over its distance, with and without a line of sight.
//!
//! *Equation.* (lg is the decimal logarithm)
//!
//! ```text
//! UMi  LOS   32.4 + 21 lg d3 + 20 lg f                     up to d'BP, beyond it
//!            32.4 + 40 lg d3 + 20 lg f - 9.5 lg(d'BP^2 + (hBS - hUT)^2)
//!      NLOS  max(LOS, 35.3 lg d3 + 22.4 + 21.3 lg f - 0.3 (hUT - 1.5))
//! UMa  LOS   28 + 22 lg d3 + 20 lg f                       up to d'BP, beyond it
//!            28 + 40 lg d3 + 20 lg f - 9 lg(d'BP^2 + (hBS - hUT)^2)
//!      NLOS  max(LOS, 13.54 + 39.08 lg d3 + 20 lg f - 0.6 (hUT - 1.5))
//! InH  LOS   32.4 + 17.3 lg d3 + 20 lg f
//!      NLOS  max(LOS, 38.3 lg d3 + 17.3 + 24.9 lg f)
//! d3 = sqrt(d2^2 + (hBS - hUT)^2)      d'BP = 4 (hBS - hE) (hUT - hE) f / c
//! ```
//!
//! *Symbols.* d2, d3: distance on the map and in space, m; hBS, hUT: height of base station and user, m; f: carrier, GHz (Hz in
//! d'BP); hE: effective height of the surroundings, 1 m; c: speed of light, 299,792,458 m/s.
//!
//! *Assumptions.* Valid for 0.5 to 100 GHz; UMi and UMa: 10 m to 5 km, hBS exactly 10 and 25 m, hUT 1.5 to 22.5 m; InH: 1 to
//! 150 m. A configuration outside is refused; a distance outside is clamped, and the answer says so. In UMa the standard draws a
//! larger hE for some users above 13 m; it stays 1 m here (ours).
//!
//! *Source.* 3GPP TR 38.901, Table 7.4.1-1.

use crate::invalid::Invalid;
use crate::radio::site::Site;
use crate::units::{Decibel, SPEED_OF_LIGHT_M_PER_S};

/// Effective height of the surroundings, m.
const ENVIRONMENT_HEIGHT_M: f64 = 1.0;
/// The path of the radio's table, from that of a table of path loss.
pub(crate) fn radio_of(table: &str) -> &str {
    table.split_once(".path_loss").map_or(table, |(radio, _)| radio)
}

/// The key of the carrier in messages, beside a table of path loss.
pub(crate) fn carrier_key(table: &str) -> String {
    format!("{}.band.carrier_ghz", radio_of(table))
}
/// Carrier frequencies that the standard covers, Hz.
pub const VALID_CARRIER_HZ: std::ops::RangeInclusive<f64> = 0.5e9..=100e9;

/// A distance that a model may be asked about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Separation {
    /// On the map, m.
    pub d2d_m: f64,
    /// In space, m.
    pub d3d_m: f64,
    /// Whether the true distance was outside the validity of the model and was replaced by its end.
    pub is_clamped: bool,
}

/// `constant + slope lg d3`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) constant_db: f64,
    pub(super) slope_db: f64,
}

impl Line {
    fn at(self, lg_d3d: f64) -> f64 {
        self.constant_db + self.slope_db * lg_d3d
    }
}

/// The path loss of one site, carrier and pair of heights: one line or two with a line of sight, one without.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathLoss {
    /// The distances on the map that the model is valid for, m.
    pub(super) valid_m: [f64; 2],
    /// Height of the base station above that of the user, m.
    pub(super) height_difference_m: f64,
    /// Beyond this distance on the map the reflection from the ground counts, m; infinite where it never does.
    pub breakpoint_m: f64,
    pub(super) near: Line,
    pub(super) far: Line,
    pub(super) nlos: Line,
    /// Whether a link without a line of sight loses at least what it would lose with one.
    pub(super) is_nlos_worse: bool,
    /// Standard deviations of shadowing, without and with a line of sight.
    pub(super) sigmas: [Decibel; 2],
}

impl PathLoss {
    /// The model of a site. `table` is the path of the table of heights in messages.
    ///
    /// # Errors
    /// A frequency or height outside the validity of the standard.
    pub fn new(
        table: &str,
        site: Site,
        carrier_hz: f64,
        base_height_m: f64,
        user_height_m: f64,
    ) -> Result<Self, Invalid> {
        if !VALID_CARRIER_HZ.contains(&carrier_hz) {
            let allowed = format!(
                "a number from 0.5 to 100 with this path loss; [{}.path_loss.close_in] goes beyond",
                radio_of(table)
            );
            return Err(Invalid::new(carrier_key(table), carrier_hz / 1e9, allowed));
        }
        check_heights(table, site, base_height_m, user_height_m)?;
        let height_difference_m = base_height_m - user_height_m;
        let breakpoint_m = 4.0
            * (base_height_m - ENVIRONMENT_HEIGHT_M)
            * (user_height_m - ENVIRONMENT_HEIGHT_M)
            * carrier_hz
            / SPEED_OF_LIGHT_M_PER_S;
        let lg_f = libm::log10(carrier_hz / 1e9);
        let lg_bend = libm::log10(breakpoint_m * breakpoint_m + height_difference_m * height_difference_m);
        let line = |constant_db: f64, slope_db: f64| Line { constant_db, slope_db };
        let above_m = user_height_m - 1.5;
        let (breakpoint_m, near, far, nlos) = match site {
            Site::UmiStreetCanyon => (
                breakpoint_m,
                line(32.4 + 20.0 * lg_f, 21.0),
                line(32.4 + 20.0 * lg_f - 9.5 * lg_bend, 40.0),
                line(22.4 + 21.3 * lg_f - 0.3 * above_m, 35.3),
            ),
            Site::Uma => (
                breakpoint_m,
                line(28.0 + 20.0 * lg_f, 22.0),
                line(28.0 + 20.0 * lg_f - 9.0 * lg_bend, 40.0),
                line(13.54 + 20.0 * lg_f - 0.6 * above_m, 39.08),
            ),
            Site::InhOpen | Site::InhMixed => {
                let los = line(32.4 + 20.0 * lg_f, 17.3);
                (f64::INFINITY, los, los, line(17.3 + 24.9 * lg_f, 38.3))
            }
        };
        Ok(Self {
            valid_m: if site.is_indoor() { [0.0, 150.0] } else { [10.0, 5000.0] },
            height_difference_m,
            breakpoint_m,
            near,
            far,
            nlos,
            is_nlos_worse: true,
            sigmas: [false, true].map(|is_los| site.shadowing(is_los).sigma),
        })
    }

    /// A distance on the map, within the validity of the model.
    pub fn separation(&self, d2d_m: f64) -> Separation {
        let clamped_m = d2d_m.clamp(self.valid_m[0], self.valid_m[1]);
        let d3d_m = (clamped_m * clamped_m + self.height_difference_m * self.height_difference_m).sqrt();
        Separation { d2d_m: clamped_m, d3d_m: d3d_m.max(1.0), is_clamped: clamped_m != d2d_m || d3d_m < 1.0 }
    }

    /// The mean loss over a distance.
    pub fn loss(&self, separation: Separation, is_los: bool) -> Decibel {
        let lg_d3d = libm::log10(separation.d3d_m);
        let clear = if separation.d2d_m <= self.breakpoint_m { self.near } else { self.far };
        let (los_db, nlos_db) = (clear.at(lg_d3d), self.nlos.at(lg_d3d));
        Decibel(match (is_los, self.is_nlos_worse) {
            (true, _) => los_db,
            (false, true) => los_db.max(nlos_db),
            (false, false) => nlos_db,
        })
    }

    /// Standard deviation of shadowing.
    pub fn sigma(&self, is_los: bool) -> Decibel {
        self.sigmas[usize::from(is_los)]
    }
}

fn check_heights(table: &str, site: Site, base_height_m: f64, user_height_m: f64) -> Result<(), Invalid> {
    let refuse = |key: &str, value: f64, allowed: &str| {
        Err(Invalid::new(format!("{table}.{key}"), format!("{value:?}"), allowed))
    };
    if site.is_indoor() {
        if !(0.5..=10.0).contains(&base_height_m) {
            return refuse("base_height_m", base_height_m, "a number from 0.5 to 10.0 in an office");
        }
        if !(0.5..=10.0).contains(&user_height_m) {
            return refuse("user_height_m", user_height_m, "a number from 0.5 to 10.0 in an office");
        }
        return Ok(());
    }
    if base_height_m != site.base_height_m() {
        let allowed = format!("{:?}, the only height that the standard covers here", site.base_height_m());
        return refuse("base_height_m", base_height_m, &allowed);
    }
    if !(1.5..=22.5).contains(&user_height_m) {
        return refuse("user_height_m", user_height_m, "a number from 1.5 to 22.5");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::reference_tests::{Row, Table};

    fn model(row: &Row<'_>) -> Option<PathLoss> {
        let site = Site::of_reference(row.text("scenario"))?;
        let carrier_hz = row.number("fc_ghz") * 1e9;
        Some(
            PathLoss::new(
                "radio.path_loss.umi",
                site,
                carrier_hz,
                row.number("h_bs_m"),
                row.number("h_ut_m"),
            )
            .unwrap(),
        )
    }

    #[test]
    fn every_row_of_the_reference_is_met_within_a_thousandth_of_a_decibel() {
        let table = Table::open("tr38901_sionna.csv");
        let mut num_rows = 0;
        for row in table.rows() {
            let model = model(&row).unwrap();
            let separation = model.separation(row.number("d2d_m"));
            assert!((separation.d3d_m - row.number("d3d_m")).abs() < 1e-9, "{row:?}");
            assert!(!separation.is_clamped);
            for (is_los, column) in [(true, "pl_los_db"), (false, "pl_nlos_db")] {
                let loss = model.loss(separation, is_los);
                assert!((loss.0 - row.number(column)).abs() < 1e-5, "{loss:?} {row:?}");
            }
            num_rows += 1;
        }
        assert!(num_rows > 200);
    }

    #[test]
    fn another_simulator_agrees_within_its_own_tolerance() {
        let Some(table) = Table::beside("ns3_threegpp_golden.csv") else { return };
        let mut num_rows = 0;
        for row in table.rows().filter(|row| row.text("scenario") != "RMa") {
            let model = model(&row).unwrap();
            let loss = model.loss(model.separation(row.number("d2d_m")), row.text("los") == "1");
            assert!((loss.0 - row.number("pl_db_ns3")).abs() < row.number("tolerance_db"), "{row:?}");
            num_rows += 1;
        }
        assert_eq!(num_rows, 12);
    }

    #[test]
    fn a_street_at_28_ghz_and_100_m_loses_what_one_computes_by_hand() {
        let model = PathLoss::new("radio.path_loss.umi", Site::UmiStreetCanyon, 28e9, 10.0, 1.5).unwrap();
        let separation = model.separation(100.0);
        // d3 = 100.36 m, lg d3 = 2.001562; 20 lg 28 = 28.943161.
        assert!((model.loss(separation, true).0 - 103.376).abs() < 1e-3);
        // 35.3 * 2.001562 + 22.4 + 21.3 * 1.447158 = 123.880.
        assert!((model.loss(separation, false).0 - 123.880).abs() < 1e-3);
    }

    #[test]
    fn loss_grows_with_distance_and_is_continuous_at_the_breakpoint() {
        for site in Site::ALL {
            let user_height_m = site.user_height_m();
            let model =
                PathLoss::new("radio.path_loss.umi", site, 7e9, site.base_height_m(), user_height_m).unwrap();
            for is_los in [true, false] {
                let mut last = Decibel(0.0);
                for step in 0..2_000 {
                    let loss = model.loss(model.separation(0.1 * 1.006_f64.powi(step)), is_los);
                    assert!(
                        loss >= last && loss.0 - last.0 < if step == 0 { 200.0 } else { 0.2 },
                        "{site:?}"
                    );
                    last = loss;
                }
            }
        }
    }

    #[test]
    fn distances_outside_the_standard_are_clamped_and_told() {
        let model = PathLoss::new("radio.path_loss.umi", Site::Uma, 7e9, 25.0, 1.5).unwrap();
        for (asked_m, used_m, is_clamped) in [(9.0, 10.0, true), (10.0, 10.0, false), (6000.0, 5000.0, true)]
        {
            let separation = model.separation(asked_m);
            assert_eq!((separation.d2d_m, separation.is_clamped), (used_m, is_clamped));
        }
        let model = PathLoss::new("radio.path_loss.umi", Site::InhOpen, 7e9, 1.5, 1.0).unwrap();
        assert_eq!(model.separation(0.0), Separation { d2d_m: 0.0, d3d_m: 1.0, is_clamped: true });
        assert!(!model.separation(1.0).is_clamped);
    }

    #[test]
    fn configurations_outside_the_standard_are_refused_with_what_is_allowed() {
        let refused = |site, carrier_ghz: f64, base, user| {
            PathLoss::new("radio.path_loss.uma", site, carrier_ghz * 1e9, base, user).unwrap_err().to_string()
        };
        insta::assert_snapshot!(
            [
                refused(Site::Uma, 0.4, 25.0, 1.5),
                refused(Site::InhOpen, 140.0, 3.0, 1.0),
                refused(Site::Uma, 7.0, 30.0, 1.5),
                refused(Site::UmiStreetCanyon, 7.0, 10.0, 1.0),
                refused(Site::InhMixed, 7.0, f64::NAN, 1.0),
            ]
            .join("\n")
        );
    }
}
