//! The scenarios that come with the program.

use crate::message::did_you_mean;

/// Names and texts, in the order in which they are listed.
const SHIPPED: [(&str, &str); 15] = [
    ("street", include_str!("../../configs/scenarios/street.toml")),
    ("office-140ghz", include_str!("../../configs/scenarios/office-140ghz.toml")),
    ("city", include_str!("../../configs/scenarios/city.toml")),
    ("tight", include_str!("../../configs/scenarios/tight.toml")),
    ("tight-request", include_str!("../../configs/scenarios/tight-request.toml")),
    ("tight-aot", include_str!("../../configs/scenarios/tight-aot.toml")),
    ("paper", include_str!("../../configs/scenarios/paper.toml")),
    ("tiny-unit3", include_str!("../../configs/scenarios/tiny-unit3.toml")),
    ("tiny-unit4", include_str!("../../configs/scenarios/tiny-unit4.toml")),
    ("tiny-drift4", include_str!("../../configs/scenarios/tiny-drift4.toml")),
    ("trace-gentd26", include_str!("../../configs/scenarios/trace-gentd26.toml")),
    ("trace-azure", include_str!("../../configs/scenarios/trace-azure.toml")),
    ("trace-mooncake", include_str!("../../configs/scenarios/trace-mooncake.toml")),
    ("trace-servegen", include_str!("../../configs/scenarios/trace-servegen.toml")),
    ("trace-lumos5g", include_str!("../../configs/scenarios/trace-lumos5g.toml")),
];

/// The names of all shipped scenarios.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// The text of a shipped scenario.
pub fn text(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}

/// Name and text of a shipped scenario that another inherits from.
///
/// # Errors
/// When there is none; the names of all.
pub fn base(name: &str) -> Result<(String, String), String> {
    let text = text(name).ok_or_else(|| {
        let hint = did_you_mean(name, names());
        format!("a shipped name ({}){hint}", names().collect::<Vec<_>>().join(", "))
    })?;
    Ok((name.to_owned(), text.to_owned()))
}

/// Files of base stations, by the name that scenarios use.
const SITES: [(&str, &str); 1] = [("city.csv", include_str!("../../configs/sites/city.csv"))];

/// The names of all shipped files of base stations.
pub fn site_files() -> impl Iterator<Item = &'static str> {
    SITES.iter().map(|(name, _)| *name)
}

/// The text of a shipped file of base stations.
pub fn sites(name: &str) -> Option<&'static str> {
    SITES.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_shipped_word_for_word() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/scenarios");
        let mut on_disk: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        on_disk.sort();
        let mut shipped: Vec<&str> = names().collect();
        shipped.sort_unstable();
        assert_eq!(on_disk, shipped);
        for name in names() {
            let disk = std::fs::read_to_string(format!("{folder}/{name}.toml")).unwrap();
            assert_eq!(text(name), Some(disk.as_str()), "{name}");
        }
    }
}
