//! The key tables of configs/README.md, made from the config structs themselves: what a key means stands in one place, its
//! doc comment.
//!
//! The sources are read line by line, in the layout of rustfmt. A struct becomes a table, a field a line; a field that is a
//! struct of its own, or a list of them, leads to the next table; an enum is a choice.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;

/// What is known of all sources together.
#[derive(Default)]
pub(crate) struct Sources {
    structs: BTreeMap<String, Item>,
    enums: BTreeMap<String, Item>,
    /// Names of several structs, which no table may need.
    twice: BTreeSet<String>,
    /// What constants are, what functions without arguments give, and by `Struct.field` the fields of a `Default`.
    values: BTreeMap<String, String>,
}

/// A struct or an enum, or one of their fields and variants.
#[derive(Default)]
struct Item {
    name: String,
    /// The doc comment as one paragraph.
    docs: String,
    attributes: String,
    /// The type of a field, or of what a variant holds; the type parameters of a struct.
    of: String,
    members: Vec<Item>,
}

impl Sources {
    /// Takes the items of a file in.
    pub(crate) fn read(&mut self, text: &str) {
        let mut before = Item::default();
        let (mut keyword, mut name) = ("", "");
        for line in text.lines() {
            let code = line.trim();
            if let Some(docs) = code.strip_prefix("///") {
                let gap = if before.docs.is_empty() { "" } else { " " };
                before.docs.extend([gap, docs.trim()]);
                continue;
            }
            if code.starts_with("#[") {
                before.attributes += code;
                continue;
            }
            let mut item = take(&mut before);
            if !line.starts_with(' ') {
                (keyword, name) = head(code);
                item.name = String::from(name);
                item.of =
                    code.split_once('<').map_or_else(String::new, |(_, parameters)| parameters.to_owned());
                match keyword {
                    "struct" => {
                        let twice = self.structs.insert(item.name.clone(), item).map(|first| first.name);
                        self.twice.extend(twice);
                    }
                    "enum" => drop(self.enums.insert(item.name.clone(), item)),
                    "const" => {
                        let value = code.split_once(" = ").map_or("", |(_, value)| value);
                        self.values.insert(item.name, value.trim_end_matches(';').to_owned());
                    }
                    _ => {}
                }
                continue;
            }
            let is_member = line.len() - code.len() == 4 && !code.starts_with("//");
            match keyword {
                "struct" if is_member => {
                    assert!(
                        !code.ends_with(':'),
                        "{name}.{code} stands on two lines, which this reader does not read"
                    );
                    let Some((field, of)) = code.trim_end_matches(',').split_once(": ") else { continue };
                    item.name = String::from(without_visibility(field));
                    item.of = String::from(of);
                    self.structs.entry(name.to_owned()).or_default().members.push(item);
                }
                "enum" if is_member => {
                    let (variant, of) = code.split_once('(').unwrap_or((code, ""));
                    item.name = String::from(variant.trim_end_matches([',', ' ', '{', '}']));
                    item.of = String::from(of.trim_end_matches([')', ',']));
                    self.enums.entry(name.to_owned()).or_default().members.push(item);
                }
                "impl Default for" => {
                    let in_one_line =
                        code.strip_prefix("Self { ").and_then(|fields| fields.strip_suffix(" }"));
                    let fields = in_one_line.map_or(vec![code], |fields| fields.split(", ").collect());
                    for (field, value) in fields.iter().filter_map(|field| field.split_once(": ")) {
                        self.values.insert(format!("{name}.{field}"), value.trim_end_matches(',').to_owned());
                    }
                }
                "fn" => drop(self.values.entry(name.to_owned()).or_insert_with(|| code.to_owned())),
                _ => {}
            }
        }
    }

    /// The tables of a struct and of everything below it, as Markdown.
    pub(crate) fn tables(&self, root: &str) -> String {
        let mut text = String::new();
        self.table(root, "", "", None, &mut text);
        text
    }

    /// The table of a struct, below a `heading`; `path` is what stands before its keys, `about` what is said of it.
    fn table(&self, name: &str, path: &str, heading: &str, about: Option<&Item>, text: &mut String) {
        assert!(!self.twice.contains(name), "several structs are called {name}");
        let item = self.structs.get(name).unwrap_or_else(|| panic!("no struct is called {name}"));
        text.extend(["\n", heading, &plain(&about.unwrap_or(item).docs), "\n"]);
        let (mut lines, mut below) = (String::new(), Vec::new());
        for field in &item.members {
            if field.attribute("skip").is_some() {
                continue;
            }
            let (of, is_optional, is_list) = field.kind();
            // What a parameter stands for in a file, its part of another file, is a matter of the program.
            let of = if item.of.contains(&format!("{of} = ")) { "Value" } else { of };
            let place = if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
            if self.structs.contains_key(of) {
                let heading = if is_list { format!("`[[{place}]]`: ") } else { format!("`[{place}]`: ") };
                below.push((of, place, heading, None));
                continue;
            }
            let choice = self.enums.get(of);
            if let Some(choice) = choice.filter(|choice| choice.members.iter().all(|one| !one.of.is_empty()))
            {
                for variant in &choice.members {
                    let place = format!("{place}.{}", choice.spelled(variant));
                    let heading = format!("`[{place}]`: ");
                    below.push((variant.kind().0, place, heading, Some(variant)));
                }
                continue;
            }
            let named = || self.value(field.attribute("default")?);
            let default = match self.value(&format!("{name}.{}", field.name)).or_else(named) {
                Some(value) => format!("`{value}`"),
                None if is_optional => "absent".to_owned(),
                None if item.attribute("default").or(field.attribute("default")).is_none() => String::new(),
                None => match (of, is_list) {
                    ("bool", false) => "`false`".to_owned(),
                    ("f64" | "u32" | "u64" | "usize" | "i64", false) => "`0`".to_owned(),
                    _ => choice.and_then(Item::default_variant).unwrap_or_else(|| "empty".to_owned()),
                },
            };
            let words = words(of, choice);
            let of = if is_list { format!("list of: {words}") } else { words };
            let meaning = plain(&field.docs).replace('|', "\\|");
            let key = &field.name;
            lines.extend(["| `", key, "` | ", &of, " | ", &default, " | ", &meaning, " |\n"]);
        }
        if !lines.is_empty() {
            text.extend(["\n| key | value | default | meaning |\n|---|---|---|---|\n", &lines]);
        }
        for (of, place, heading, about) in below {
            self.table(of, &place, &heading, about, text);
        }
    }

    /// What a constant or a function is called after, followed to a plain value.
    fn value(&self, name: &str) -> Option<String> {
        if let Some((_, parameter)) = name.split_once("::<") {
            let parameter = parameter.trim_end_matches('>');
            return shown_value(parameter).or_else(|| self.value(parameter));
        }
        let value = self.values.get(name)?;
        shown_value(value).or_else(|| self.value(value))
    }
}

impl Item {
    /// The type inside `Option<Vec<T>>`, whether it is optional, and whether it is a list.
    fn kind(&self) -> (&str, bool, bool) {
        let (mut of, mut is_optional, mut is_list) = (self.of.as_str(), false, false);
        loop {
            if let Some(inner) = of.strip_prefix("Option<") {
                (of, is_optional) = (inner, true);
            } else if let Some(inner) = of.strip_prefix("Vec<") {
                (of, is_list) = (inner, true);
            } else {
                let path = of.split(['<', '>', ',', '[']).next().unwrap_or_default();
                return (path.rsplit("::").next().unwrap_or(path), is_optional, is_list);
            }
        }
    }

    /// The `x` of `#[serde(word = "x")]`; nothing but a text for `#[serde(word)]` and `#[word]`.
    fn attribute(&self, word: &str) -> Option<&str> {
        self.attributes.split([',', '(', ')', '[', ']']).find_map(|part| {
            let (key, value) = part.split_once(" = ").unwrap_or((part, ""));
            (key.trim() == word).then(|| value.trim_matches('"'))
        })
    }

    /// The name in a file of a variant of this enum.
    fn spelled(&self, variant: &Self) -> String {
        if let Some(name) = variant.attribute("rename") {
            return name.to_owned();
        }
        let is_snake = self.attribute("rename_all") == Some("snake_case");
        let mut name = String::new();
        for letter in variant.name.chars() {
            if is_snake && letter.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }

    /// The variant of this enum that is meant when none stands there.
    fn default_variant(&self) -> Option<String> {
        let variant = self.members.iter().find(|variant| variant.attribute("default").is_some())?;
        Some(format!("`\"{}\"`", self.spelled(variant)))
    }
}

/// What begins with a line: its keyword and its name, both empty where it is of no use.
fn head(line: &str) -> (&str, &str) {
    let code = without_visibility(line);
    let code = code.strip_prefix("const fn").map_or(code, |_| &code["const ".len()..]);
    ["struct", "enum", "impl Default for", "const", "fn"]
        .iter()
        .find_map(|keyword| {
            let rest = code.strip_prefix(keyword)?.strip_prefix(' ')?;
            Some((*keyword, rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?))
        })
        .unwrap_or_default()
}

fn without_visibility(code: &str) -> &str {
    ["pub ", "pub(crate) ", "pub(super) "].iter().find_map(|word| code.strip_prefix(word)).unwrap_or(code)
}

/// What a value looks like, in words.
fn words(of: &str, choice: Option<&Item>) -> String {
    match (of, choice) {
        ("f64" | "f32", _) => "number".to_owned(),
        ("u8" | "u16" | "u32" | "u64" | "usize" | "i64", _) => "whole number".to_owned(),
        ("String", _) => "text".to_owned(),
        ("bool", _) => "`true` or `false`".to_owned(),
        ("BTreeMap", _) => "tables of numbers".to_owned(),
        ("Value", _) => "name, path or table".to_owned(),
        (_, Some(choice)) => {
            let names = choice.members.iter().map(|one| format!("`\"{}\"`", choice.spelled(one)));
            names.collect::<Vec<_>>().join(", ")
        }
        (other, None) => other.to_lowercase(),
    }
}

/// The text without links of rustdoc, which lead nowhere from here.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, (name, tail))) =
        rest.split_once("[`").and_then(|(before, after)| Some((before, after.split_once("`]")?)))
    {
        plain.extend([before, "`", name, "`"]);
        rest = tail.strip_prefix('(').and_then(|tail| tail.split_once(')')).map_or(tail, |(_, tail)| tail);
    }
    plain + rest
}

/// A default as one would type it in TOML; nothing for what cannot be said so.
fn shown_value(value: &str) -> Option<String> {
    let is_number = value.starts_with(|c: char| c.is_ascii_digit());
    if is_number && value.replace('_', "").parse::<f64>().is_ok()
        || matches!(value, "true" | "false")
        || value.starts_with('"')
    {
        return Some(value.to_owned());
    }
    if let Some(list) = value.strip_prefix("vec!") {
        return Some(list.to_owned());
    }
    let is_path = value.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':');
    let (_, variant) = value.rsplit_once("::").filter(|_| is_path)?;
    Some(format!("\"{}\"", variant.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
        /// A house.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct House {
            /// Its number, at least 1.
            pub number: u32,
            /// Its colour; see [`Paint`](crate::Paint).
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub colour: Option<Colour>,
            /// The rooms.
            pub rooms: Vec<Room>,
            /// How it is heated.
            pub heating: Heating,
        }
        /// A room.
        #[serde(default)]
        pub struct Room {
            /// Its area in square metres.
            pub area_m2: f64,
            /// Names | aliases.
            pub names: Vec<String>,
        }
        impl Default for Room {
            fn default() -> Self {
                Self { area_m2: 12.5, names: Vec::new() }
            }
        }
        #[serde(rename_all = "lowercase")]
        pub enum Colour {
            Red,
            #[serde(rename = "azure")]
            Blue,
        }
        #[serde(rename_all = "snake_case")]
        pub enum Heating {
            /// With gas.
            NaturalGas(Gas),
        }
        /// Gas.
        pub struct Gas {
            /// Pressure.
            #[serde(default)]
            pub bar: f64,
            /// Meters.
            #[serde(default = "meters")]
            pub meters: u32,
        }
        const METERS: u32 = 20_000;
        const fn meters() -> u32 {
            METERS
        }
    "#;

    #[test]
    fn a_struct_is_a_table_and_what_is_below_it_follows() {
        let mut sources = Sources::default();
        sources.read(&SOURCE.replace("\n        ", "\n"));
        insta::assert_snapshot!(sources.tables("House"), @r#"

        A house.

        | key | value | default | meaning |
        |---|---|---|---|
        | `number` | whole number |  | Its number, at least 1. |
        | `colour` | `"red"`, `"azure"` | absent | Its colour; see `Paint`. |

        `[[rooms]]`: A room.

        | key | value | default | meaning |
        |---|---|---|---|
        | `area_m2` | number | `12.5` | Its area in square metres. |
        | `names` | list of: text | empty | Names \| aliases. |

        `[heating.natural_gas]`: With gas.

        | key | value | default | meaning |
        |---|---|---|---|
        | `bar` | number | `0` | Pressure. |
        | `meters` | whole number | `20_000` | Meters. |
        "#);
    }
}
