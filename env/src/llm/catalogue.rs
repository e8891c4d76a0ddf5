//! The language models and the devices that there are, with the place where each number was read.
//!
//! Two files, `configs/catalogue/models.toml` and `devices.toml`, come with the program. A scenario names what it uses; a
//! catalogue of one's own has the same form.

mod device;
mod model;

pub use device::{Device, DeviceConfig, ServingConstants};
pub use model::{Arithmetic, CatalogueModel, Model};

use crate::invalid::Invalid;
use crate::text::{self, ConfigError};
use serde::{Deserialize, Serialize};

/// The text of the shipped models.
pub const MODELS_TOML: &str = include_str!("../../configs/catalogue/models.toml");
/// The text of the shipped devices.
pub const DEVICES_TOML: &str = include_str!("../../configs/catalogue/devices.toml");

/// A file of models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelsConfig {
    models: Vec<CatalogueModel>,
}

/// A file of devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DevicesConfig {
    devices: Vec<DeviceConfig>,
}

/// Models and devices by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalogue {
    /// All models, in the order of the file.
    pub models: Vec<Model>,
    /// All devices, in the order of the file.
    pub devices: Vec<Device>,
}

/// A file's name, for messages, and its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// The name of the file.
    pub file: &'a str,
    /// What it says.
    pub text: &'a str,
}

impl Catalogue {
    /// Reads and validates a catalogue.
    ///
    /// # Errors
    /// The first mistake, with its file, line, key, value and what is allowed.
    pub fn parse(models: Source<'_>, devices: Source<'_>) -> Result<Self, ConfigError> {
        let typed: ModelsConfig = text::parse(models.file, models.text, &[], &[])?;
        let checked_models =
            checked(models, "models", &typed.models, |model| &model.name, CatalogueModel::validate)?;
        let typed: DevicesConfig = text::parse(devices.file, devices.text, &[], &[])?;
        let checked_devices =
            checked(devices, "devices", &typed.devices, |device| &device.name, DeviceConfig::validate)?;
        Ok(Self { models: checked_models, devices: checked_devices })
    }

    /// What comes with the program.
    pub fn shipped() -> Self {
        let models = Source { file: "models.toml", text: MODELS_TOML };
        let devices = Source { file: "devices.toml", text: DEVICES_TOML };
        Self::parse(models, devices).expect("the shipped catalogue is valid")
    }

    /// The model of this name; `key` is where a scenario names it.
    ///
    /// # Errors
    /// When there is none, with those that there are and the one that was probably meant.
    pub fn model(&self, key: &str, name: &str) -> Result<&Model, Invalid> {
        let found = self.models.iter().find(|model| model.name == name);
        found.ok_or_else(|| Invalid::unknown(key, name, self.models.iter().map(|model| model.name.as_str())))
    }

    /// The device of this name; `key` is where a scenario names it.
    ///
    /// # Errors
    /// As [`model`](Self::model).
    pub fn device(&self, key: &str, name: &str) -> Result<&Device, Invalid> {
        let found = self.devices.iter().find(|device| device.name == name);
        found.ok_or_else(|| {
            Invalid::unknown(key, name, self.devices.iter().map(|device| device.name.as_str()))
        })
    }
}

/// Validates the list of a file, in which each name stands once.
fn checked<C, T>(
    source: Source<'_>,
    list: &str,
    typed: &[C],
    name: impl Fn(&C) -> &str,
    validate: impl Fn(&C, &str) -> Result<T, Invalid>,
) -> Result<Vec<T>, ConfigError> {
    let entry = |(index, config): (usize, &C)| {
        let place = format!("{list}[{index}]");
        if typed[..index].iter().any(|earlier| name(earlier) == name(config)) {
            let typed = format!("{:?}", name(config));
            return Err(Invalid::new(format!("{place}.name"), typed, "each name once"));
        }
        validate(config, &place)
    };
    let entries = typed.iter().enumerate().map(entry).collect::<Result<_, Invalid>>();
    entries.map_err(|invalid| invalid.in_text(source.file, source.text))
}

#[cfg(test)]
mod tests;
