//! The language models and the devices that there are, with the place where each number was read.
//!
//! Two files, `configs/catalogue/models.toml` and `devices.toml`, come with the program. A scenario names what it uses, and may
//! bring models and devices of its own in the same form ([`CatalogueConfig`]). A shipped name means the same in every scenario: an
//! own model or device has a name of its own, and is chosen by it.

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

/// `[physical.catalogue]`: models and devices of the scenario's own, beside the shipped ones (`configs/catalogue/`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CatalogueConfig {
    /// Models; no name of a shipped one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<CatalogueModel>,
    /// Devices; no name of a shipped one. `thoughtcache catalogue fit` writes one from a measured profile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceConfig>,
}

impl CatalogueConfig {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
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
        let mut catalogue = Self { models: Vec::new(), devices: Vec::new() };
        let typed: ModelsConfig = text::parse(models.file, models.text, &[], &[])?;
        let added = catalogue.add_models("models", &typed.models);
        added.map_err(|invalid| invalid.in_text(models.file, models.text))?;
        let typed: DevicesConfig = text::parse(devices.file, devices.text, &[], &[])?;
        let added = catalogue.add_devices("devices", &typed.devices);
        added.map_err(|invalid| invalid.in_text(devices.file, devices.text))?;
        Ok(catalogue)
    }

    /// What comes with the program.
    pub fn shipped() -> Self {
        let models = Source { file: "models.toml", text: MODELS_TOML };
        let devices = Source { file: "devices.toml", text: DEVICES_TOML };
        Self::parse(models, devices).expect("the shipped catalogue is valid")
    }

    /// The shipped catalogue with the models and devices of a scenario, which stand at `place`.
    ///
    /// # Errors
    /// The first value that cannot be meant, or a name that the catalogue has already.
    pub fn with(own: &CatalogueConfig, place: &str) -> Result<Self, Invalid> {
        let mut catalogue = Self::shipped();
        catalogue.add_models(&format!("{place}.models"), &own.models)?;
        catalogue.add_devices(&format!("{place}.devices"), &own.devices)?;
        Ok(catalogue)
    }

    fn add_models(&mut self, list: &str, typed: &[CatalogueModel]) -> Result<(), Invalid> {
        add(&mut self.models, list, typed, |model| &model.name, CatalogueModel::validate)
    }

    fn add_devices(&mut self, list: &str, typed: &[DeviceConfig]) -> Result<(), Invalid> {
        add(&mut self.devices, list, typed, |device| &device.name, DeviceConfig::validate)
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

/// Validates the entries of a list and puts them behind those that are known; each name stands once.
fn add<C, T>(
    known: &mut Vec<T>,
    list: &str,
    typed: &[C],
    name: impl Fn(&T) -> &str,
    validate: impl Fn(&C, &str) -> Result<T, Invalid>,
) -> Result<(), Invalid> {
    let num_known = known.len();
    for (index, config) in typed.iter().enumerate() {
        let place = format!("{list}[{index}]");
        let entry = validate(config, &place)?;
        if let Some(earlier) = known.iter().position(|earlier| name(earlier) == name(&entry)) {
            let allowed = if earlier < num_known {
                "a name of its own: the shipped catalogue has this one"
            } else {
                "each name once"
            };
            return Err(Invalid::new(format!("{place}.name"), format!("{:?}", name(&entry)), allowed));
        }
        known.push(entry);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
