//! A file that inherits from others: `from = "street"` at its head.
//!
//! *Rule.* Keys that are given replace, tables merge, lists replace whole; another variant of a choice replaces its table, as in
//! `--set`. A mistake is told in the nearest file that gives the key, or else most of its path.

use super::read::{dotted, read};
use super::{ConfigError, Override, no_toml, overrides, place};
use crate::invalid::Invalid;
use crate::message::one_line;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// The key of the text that a file inherits from.
const FROM: &str = "from";
/// The most texts in a row, the file itself among them.
const MAX_TEXTS: usize = 8;

/// The text of a file and, behind it, those that it inherits from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts(Vec<Text>);

/// A text and its file or shipped name, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Text {
    file: String,
    text: String,
}

impl Text {
    fn table(&self) -> Result<Table, ConfigError> {
        toml::from_str(&self.text).map_err(|error| no_toml(&self.file, &self.text, &error))
    }

    /// How many parts of a path the text gives; all of them where it gives a value or a list on the way.
    fn depth(&self, path: &str) -> usize {
        let Ok(root) = self.table() else { return 0 };
        let mut table = &root;
        for (depth, part) in dotted(path).split('.').enumerate() {
            match table.get(part) {
                Some(Value::Table(below)) => table = below,
                Some(_) => return usize::MAX,
                None => return depth,
            }
        }
        usize::MAX
    }
}

impl Texts {
    /// A text that inherits from none.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self(vec![Text { file: file.into(), text: text.into() }])
    }

    /// A text with those that it inherits from. `find` returns the file and the text behind a name, or what is allowed.
    ///
    /// # Errors
    /// No TOML, no text of this name, a text that inherits from itself, or more than eight in a row; each at its place.
    pub fn inheriting(
        file: impl Into<String>,
        text: impl Into<String>,
        mut find: impl FnMut(&str) -> Result<(String, String), String>,
    ) -> Result<Self, ConfigError> {
        let mut texts = Self::new(file, text).0;
        loop {
            let last = &texts[texts.len() - 1];
            let Some(value) = last.table()?.remove(FROM) else { return Ok(Self(texts)) };
            let refuse = |allowed: String| {
                Invalid::new(FROM, value.to_string(), allowed).in_text(&last.file, &last.text)
            };
            let Value::String(name) = &value else { return Err(refuse("a name in quotes".into())) };
            let (file, text) = find(name).map_err(refuse)?;
            if texts.iter().any(|earlier| earlier.file == file) {
                let row: Vec<&str> = texts.iter().map(|text| text.file.as_str()).chain([&*file]).collect();
                return Err(refuse(format!("none that inherits from this one ({})", row.join(" -> "))));
            }
            if texts.len() == MAX_TEXTS {
                return Err(refuse(format!("at most {MAX_TEXTS} in a row, and this is the last of them")));
            }
            texts.push(Text { file, text });
        }
    }

    /// The text of the file itself.
    pub fn own(&self) -> &str {
        &self.0[0].text
    }

    /// All texts, the file's own first.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|text| text.text.as_str())
    }

    /// Reads the texts as one and applies overrides. `choices` are the paths of choice tables: naming another variant of one
    /// replaces it.
    ///
    /// # Errors
    /// [`ConfigError::Shape`] with line and column for the files, [`ConfigError::Override`] for what was typed.
    pub fn parse<T: DeserializeOwned>(
        &self,
        overrides: &[Override],
        choices: &[&str],
    ) -> Result<T, ConfigError> {
        let mut root = Table::new();
        for text in self.0.iter().rev() {
            merge(&mut root, text.table()?, "", choices);
        }
        if self.0.len() > 1 {
            root.remove(FROM);
        }
        let root = Value::Table(root);
        let typed: T = read(&root).map_err(|misfit| {
            let Text { file, text } = self.giver(&misfit.path);
            let place = place::find(text, &misfit.path).filter(|_| !misfit.path.is_empty());
            let start = place.map_or(0, |(key, value)| if misfit.is_key() { key } else { value });
            let (line, column) = place::position(text, start);
            let message = misfit.message("");
            ConfigError::Shape {
                file: file.clone(),
                line: Some(line),
                column: Some(column),
                key: one_line(&misfit.path),
                message,
            }
        })?;
        if overrides.is_empty() { Ok(typed) } else { overrides::applied(&root, overrides, choices) }
    }

    /// The error of a value with its file and line.
    pub fn place(&self, invalid: Invalid) -> ConfigError {
        let Text { file, text } = self.giver(&invalid.key);
        invalid.in_text(file, text)
    }

    /// The file, and where known the line from 1, that gives a key.
    pub fn locate(&self, key: &str) -> (String, Option<usize>) {
        let Text { file, text } = self.giver(key);
        (file.clone(), place::locate(text, key))
    }

    fn giver(&self, path: &str) -> &Text {
        let nearest_last = self.0.iter().rev();
        nearest_last.max_by_key(|text| text.depth(path)).unwrap_or(&self.0[0])
    }
}

/// Puts the keys of a table over those of another, which stand at the path `trail`.
fn merge(under: &mut Table, over: Table, trail: &str, choices: &[&str]) {
    let names_another = over.iter().any(|(key, value)| value.is_table() && !under.contains_key(key));
    if choices.contains(&trail) && names_another {
        under.retain(|_, variant| !variant.is_table());
    }
    for (key, value) in over {
        let below = if trail.is_empty() { key.clone() } else { format!("{trail}.{key}") };
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over, &below, choices),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Toy {
        size: f64,
        names: Vec<String>,
        box_m: BTreeMap<String, f64>,
        shape: BTreeMap<String, BTreeMap<String, f64>>,
    }

    const BASE: &str =
        "size = 2.5\nnames = [\"a\", \"b\"]\nbox_m = { x = 1.0, y = 2.0 }\n[shape.circle]\nradius = 1.0\n";

    /// A folder of texts.
    fn inheriting(texts: &[(&str, &str)]) -> Result<Texts, ConfigError> {
        let find = |name: &str| {
            let found = texts.iter().find(|(file, _)| *file == name);
            found.map(|(file, text)| ((*file).into(), (*text).into())).ok_or_else(|| "one of these".into())
        };
        Texts::inheriting(texts[0].0, texts[0].1, find)
    }

    fn toy(child: &str, overrides: &[(&str, &str)]) -> Result<Toy, String> {
        let typed = |(key, value): &(&str, &str)| Override { key: (*key).into(), value: (*value).into() };
        let overrides: Vec<Override> = overrides.iter().map(typed).collect();
        let texts = inheriting(&[("child", child), ("base", BASE)]).map_err(|error| error.to_string())?;
        texts.parse(&overrides, &["shape"]).map_err(|error| error.to_string())
    }

    #[test]
    fn two_variants_in_one_file_stay_two() {
        let both = "[shape.square]\nside = 1.0\n[shape.circle]\nradius = 2.0\n";
        let of = |texts: &Texts| {
            texts.parse::<Toy>(&[], &["shape"]).unwrap().shape.into_keys().collect::<Vec<_>>()
        };
        let alone = format!("size = 1.0\nnames = []\nbox_m = {{}}\n{both}");
        assert_eq!(of(&Texts::new("alone", alone)), ["circle", "square"]);
        let child = format!("from = \"base\"\n{both}");
        assert_eq!(of(&inheriting(&[("child", &child), ("base", BASE)]).unwrap()), ["circle", "square"]);
    }

    #[test]
    fn keys_replace_tables_merge_lists_replace_whole_and_another_variant_replaces_a_choice() {
        let child = "from = \"base\"\nsize = 3.0\nnames = [\"c\"]\nbox_m.y = 5.0\n";
        let read = toy(child, &[]).unwrap();
        assert_eq!((read.size, read.names), (3.0, vec!["c".to_owned()]));
        assert_eq!(read.box_m, BTreeMap::from([("x".into(), 1.0), ("y".into(), 5.0)]));
        assert_eq!(read.shape["circle"]["radius"], 1.0);
        let square = toy("from = \"base\"\n[shape.square]\nside = 4.0\n", &[]).unwrap();
        assert_eq!(square.shape.keys().collect::<Vec<_>>(), ["square"]);
        assert_eq!(toy("from = \"base\"\n", &[]).unwrap(), Texts::new("base", BASE).parse(&[], &[]).unwrap());
    }

    #[test]
    fn overrides_come_after_what_is_inherited() {
        let read = toy("from = \"base\"\nsize = 3.0\n", &[("size", "4"), ("names.1", "d")]).unwrap();
        assert_eq!((read.size, read.names[1].as_str()), (4.0, "d"));
        let refused = toy("from = \"base\"\n", &[("from", "other")]).unwrap_err();
        assert!(refused.starts_with("--set from=other: unknown key `from`"), "{refused}");
    }

    #[test]
    fn a_mistake_is_told_in_the_file_that_makes_it() {
        for (child, expected) in [
            (
                "sice = 3.0",
                "child:2:1: unknown key `sice`, did you mean `size`?; allowed are `size`, `names`, `box_m`, `shape`",
            ),
            (
                "names = [7]",
                "child:2:10: names[0]: the whole number `7` stands where a text in quotes is needed",
            ),
            ("[names]", "child:2:1: names: a table stands where a list in brackets is needed"),
            ("size = ", "child:2:8: string values must be quoted, expected literal string"),
        ] {
            assert_eq!(toy(&format!("from = \"base\"\n{child}\n"), &[]).unwrap_err(), expected);
        }
        let texts =
            inheriting(&[("child", "from = \"base\"\nnames = [\"c\"]\nbox_m.y = 5.0"), ("base", BASE)]);
        let texts = texts.unwrap();
        let told = |key: &str| texts.place(Invalid::new(key, 1, "2")).to_string();
        assert_eq!(told("size"), "base:1: size = 1: 2");
        assert_eq!(told("names[1]"), "child:2: names[1] = 1: 2", "the list of the base is not seen");
        assert_eq!(
            (told("box_m.y"), told("box_m.x")),
            ("child:3: box_m.y = 1: 2".into(), "base:3: box_m.x = 1: 2".into())
        );
        assert_eq!(told("colour"), "child: colour = 1: 2");
    }

    #[test]
    fn who_inherits_from_himself_or_from_too_many_or_from_nobody_is_told() {
        let refused = |texts: &[(&str, &str)]| inheriting(texts).unwrap_err().to_string();
        assert_eq!(
            refused(&[("a", "from = \"b\""), ("b", "\nfrom = \"a\"")]),
            "b:2: from = \"a\": none that inherits from this one (a -> b -> a)"
        );
        assert_eq!(refused(&[("a", "from = \"x\"")]), "a:1: from = \"x\": one of these");
        assert_eq!(refused(&[("a", "from = 3")]), "a:1: from = 3: a name in quotes");
        let row: Vec<(String, String)> =
            (0..10).map(|n| (n.to_string(), format!("from = \"{}\"", n + 1))).collect();
        let row: Vec<(&str, &str)> = row.iter().map(|(file, text)| (&**file, &**text)).collect();
        assert_eq!(refused(&row), "7:1: from = \"8\": at most 8 in a row, and this is the last of them");
    }
}
