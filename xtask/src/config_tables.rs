//! The key tables of configs/README.md, made from the config structs themselves: what a key means stands in one place, its
//! doc comment.
//!
//! The sources are parsed, not linked: xtask knows nothing of the other crates. A struct becomes a table, a field a line;
//! a field that is a struct of its own, or a list of them, leads to the next table; an enum is a choice.

use std::collections::BTreeMap;
use syn::{Attribute, Expr, Fields, GenericArgument, Item, Lit, Meta, PathArguments, Type};

/// What is known of all sources together.
#[derive(Default)]
pub(crate) struct Sources {
    structs: BTreeMap<String, syn::ItemStruct>,
    enums: BTreeMap<String, syn::ItemEnum>,
    /// Struct, field, value of its `Default`.
    defaults: BTreeMap<(String, String), String>,
    /// What constants are, and what functions without arguments give, where that is a plain value.
    values: BTreeMap<String, Expr>,
}

impl Sources {
    /// Takes the items of a file in.
    ///
    /// # Errors
    /// When it is no Rust.
    pub(crate) fn read(&mut self, text: &str) -> syn::Result<()> {
        for item in syn::parse_file(text)?.items {
            match item {
                Item::Struct(item) => {
                    self.structs.insert(item.ident.to_string(), item);
                }
                Item::Enum(item) => {
                    self.enums.insert(item.ident.to_string(), item);
                }
                Item::Impl(item) => self.read_default(&item),
                Item::Const(item) => {
                    self.values.insert(item.ident.to_string(), *item.expr);
                }
                Item::Fn(mut item) if item.sig.inputs.is_empty() && item.block.stmts.len() == 1 => {
                    if let Some(syn::Stmt::Expr(value, None)) = item.block.stmts.pop() {
                        self.values.insert(item.sig.ident.to_string(), value);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The fields of `fn default() -> Self { Self { a: 1, .. } }`.
    fn read_default(&mut self, item: &syn::ItemImpl) {
        let is_default = item.trait_.as_ref().is_some_and(|(_, path, _)| path.is_ident("Default"));
        let Some(name) = type_name(&item.self_ty).filter(|_| is_default) else { return };
        for inner in &item.items {
            let syn::ImplItem::Fn(function) = inner else { continue };
            let Some(syn::Stmt::Expr(Expr::Struct(value), None)) = function.block.stmts.last() else {
                continue;
            };
            for field in &value.fields {
                if let (syn::Member::Named(field_name), Some(shown)) =
                    (&field.member, shown_value(&field.expr))
                {
                    self.defaults.insert((name.clone(), field_name.to_string()), shown);
                }
            }
        }
    }

    /// The tables of a struct and of everything below it, as Markdown. `path` is what stands before its keys.
    pub(crate) fn tables(&self, root: &str, path: &str) -> String {
        let mut text = String::new();
        self.table(root, path, false, None, &mut text);
        text
    }

    fn table(&self, name: &str, path: &str, is_list: bool, about: Option<&str>, text: &mut String) {
        let Some(item) = self.structs.get(name) else { return };
        let Fields::Named(fields) = &item.fields else { return };
        let heading = match (path, is_list) {
            ("", _) => String::new(),
            (path, true) => format!("`[[{path}]]`: "),
            (path, false) => format!("`[{path}]`: "),
        };
        let about = about.map_or_else(|| docs(&item.attrs), str::to_owned);
        text.extend(["\n", &heading, &about, "\n"]);
        let (mut lines, mut below) = (Vec::new(), Vec::new());
        let all_default = has_serde(&item.attrs, "default");
        for field in &fields.named {
            let key = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
            let Kind { of, is_optional, is_list } = kind(&field.ty);
            let place = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if self.structs.contains_key(&of) {
                below.push((of, place, is_list, None));
                continue;
            }
            if let Some(choice) = self.enums.get(&of).filter(|choice| is_choice_of_tables(choice)) {
                choices(choice, &place, &mut below);
                continue;
            }
            let default = self.defaults.get(&(name.to_owned(), key.clone()));
            let named = serde_value(&field.attrs, "default").and_then(|name| self.value(&name));
            let default = match (default.or(named.as_ref()), is_optional) {
                (Some(value), _) => format!("`{value}`"),
                (None, true) => "absent".to_owned(),
                (None, false) if all_default || has_serde(&field.attrs, "default") => {
                    match (of.as_str(), is_list) {
                        ("bool", false) => "`false`".to_owned(),
                        ("f64" | "u32" | "u64" | "usize" | "i64", false) => "`0`".to_owned(),
                        _ => self.default_name(&of).unwrap_or_else(|| "empty".to_owned()),
                    }
                }
                (None, false) => String::new(),
            };
            let of = self.words(&of, is_list);
            lines
                .push(format!("| `{key}` | {of} | {default} | {} |", docs(&field.attrs).replace('|', "\\|")));
        }
        if !lines.is_empty() {
            text.push_str("\n| key | value | default | meaning |\n|---|---|---|---|\n");
            text.push_str(&lines.join("\n"));
            text.push('\n');
        }
        for (of, place, is_list, about) in below {
            self.table(&of, &place, is_list, about.as_deref(), text);
        }
    }

    /// What a constant or a function is called after, followed to a plain value.
    fn value(&self, name: &str) -> Option<String> {
        let value = self.values.get(name)?;
        shown_value(value).or_else(|| match value {
            Expr::Path(path) => self.value(&path.path.get_ident()?.to_string()),
            _ => None,
        })
    }

    /// The name that is meant when none stands there.
    fn default_name(&self, of: &str) -> Option<String> {
        let choice = self.enums.get(of)?;
        let is_default = |variant: &&syn::Variant| variant.attrs.iter().any(|a| a.path().is_ident("default"));
        let variant = choice.variants.iter().find(is_default)?;
        Some(format!("`\"{}\"`", renamed(variant, &choice.attrs)))
    }

    /// What a value looks like, in words.
    fn words(&self, of: &str, is_list: bool) -> String {
        let word = match of {
            "f64" | "f32" => "number".to_owned(),
            "u8" | "u16" | "u32" | "u64" | "usize" | "i64" => "whole number".to_owned(),
            "String" => "text".to_owned(),
            "bool" => "`true` or `false`".to_owned(),
            "BTreeMap" => "tables of numbers".to_owned(),
            "Value" => "name, path or table".to_owned(),
            other => match self.enums.get(other) {
                Some(choice) => {
                    let names = choice.variants.iter().map(|v| renamed(v, &choice.attrs));
                    names.map(|name| format!("`\"{name}\"`")).collect::<Vec<_>>().join(", ")
                }
                None => other.to_lowercase(),
            },
        };
        if is_list { format!("list of: {word}") } else { word }
    }
}

/// A table that follows: its struct, its path, whether it is a list, what is said of it.
type Below = (String, String, bool, Option<String>);

/// The variants of a choice, each a table named after it.
fn choices(choice: &syn::ItemEnum, place: &str, below: &mut Vec<Below>) {
    for variant in &choice.variants {
        let Fields::Unnamed(fields) = &variant.fields else { continue };
        let Some(field) = fields.unnamed.first() else { continue };
        let key = renamed(variant, &choice.attrs);
        below.push((kind(&field.ty).of, format!("{place}.{key}"), false, Some(docs(&variant.attrs))));
    }
}

struct Kind {
    of: String,
    is_optional: bool,
    is_list: bool,
}

/// `Option<Vec<T>>` and its like taken apart.
fn kind(of: &Type) -> Kind {
    let name = type_name(of).unwrap_or_default();
    let inner = || {
        let Type::Path(path) = of else { return None };
        let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::Type(inner) => Some(kind(inner)),
            _ => None,
        })
    };
    match name.as_str() {
        "Option" => inner().map_or(Kind { of: name, is_optional: true, is_list: false }, |inner| Kind {
            is_optional: true,
            ..inner
        }),
        "Vec" => inner().map_or(Kind { of: name, is_optional: false, is_list: true }, |inner| Kind {
            is_list: true,
            ..inner
        }),
        _ => Kind { of: name, is_optional: false, is_list: false },
    }
}

fn type_name(of: &Type) -> Option<String> {
    let Type::Path(path) = of else { return None };
    Some(path.path.segments.last()?.ident.to_string())
}

/// The doc comment as one paragraph.
fn docs(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else { return None };
        let Expr::Lit(literal) = &pair.value else { return None };
        match &literal.lit {
            Lit::Str(text) if pair.path.is_ident("doc") => Some(text.value().trim().to_owned()),
            _ => None,
        }
    });
    let text = lines.collect::<Vec<_>>().join(" ");
    // Links of rustdoc lead nowhere from here.
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("[`") {
        plain.push_str(before);
        let Some((name, tail)) = after.split_once("`]") else {
            plain.push_str("[`");
            rest = after;
            continue;
        };
        plain.extend(["`", name, "`"]);
        rest = tail.strip_prefix('(').and_then(|tail| tail.split_once(')')).map_or(tail, |(_, tail)| tail);
    }
    plain.push_str(rest);
    plain
}

fn serde_words(attributes: &[Attribute]) -> impl Iterator<Item = String> + '_ {
    attributes.iter().filter(|attribute| attribute.path().is_ident("serde")).filter_map(|attribute| {
        let Meta::List(list) = &attribute.meta else { return None };
        Some(list.tokens.to_string())
    })
}

fn has_serde(attributes: &[Attribute], word: &str) -> bool {
    serde_words(attributes).any(|words| words.split(',').any(|part| part.trim().starts_with(word)))
}

/// The `x` of `#[serde(word = "x")]`.
fn serde_value(attributes: &[Attribute], word: &str) -> Option<String> {
    serde_words(attributes).find_map(|words| {
        words.split(',').find_map(|part| {
            let (key, value) = part.split_once('=')?;
            (key.trim() == word).then(|| value.trim().trim_matches('"').to_owned())
        })
    })
}

/// A variant's name in a file: its own, or what its choice makes of it.
fn renamed(variant: &syn::Variant, of_choice: &[Attribute]) -> String {
    if let Some(name) = serde_value(&variant.attrs, "rename") {
        return name;
    }
    let is_snake = serde_words(of_choice).any(|words| words.contains("snake_case"));
    let mut name = String::new();
    for (at, letter) in variant.ident.to_string().chars().enumerate() {
        if is_snake && letter.is_uppercase() && at > 0 {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

fn is_choice_of_tables(choice: &syn::ItemEnum) -> bool {
    choice.variants.iter().all(|variant| matches!(&variant.fields, Fields::Unnamed(_)))
}

/// A default as one would type it in TOML; nothing for what cannot be said so.
fn shown_value(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Float(number) => Some(number.base10_digits().to_owned()),
            Lit::Int(number) => Some(grouped(number.base10_digits())),
            Lit::Bool(flag) => Some(flag.value.to_string()),
            Lit::Str(text) => Some(format!("\"{}\"", text.value())),
            _ => None,
        },
        Expr::Path(path) => {
            let name = path.path.segments.last()?.ident.to_string();
            (path.path.segments.len() > 1).then(|| format!("\"{}\"", name.to_lowercase()))
        }
        Expr::Macro(list) if list.mac.path.is_ident("vec") => {
            Some(format!("[{}]", list.mac.tokens.to_string().replace(" ,", ",")))
        }
        _ => None,
    }
}

/// Digits in groups of three with `_` between them, which TOML reads too.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digits.len() > 4 {
            text.push('_');
        }
        text.push(digit);
    }
    text
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
        sources.read(SOURCE).unwrap();
        insta::assert_snapshot!(sources.tables("House", ""), @r#"

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
