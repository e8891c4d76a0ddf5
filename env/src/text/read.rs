//! From a TOML value to a typed one, with the path and the reason of what does not fit.
//!
//! It is stricter than serde alone: a struct is read from a table and never from a list of its fields, a list is read to its end,
//! and -0.0 is 0.0.

use crate::message::{nearest, one_line};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use std::fmt;
use toml::Value;

/// Reads a value.
///
/// # Errors
/// The first part that does not fit.
pub(super) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Misfit> {
    T::deserialize(Reader(value))
}

/// A part of a value that does not fit.
#[derive(Debug)]
pub(super) struct Misfit {
    /// Where it stands, `services[3].alpha` say; empty for the whole.
    pub(super) path: String,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// A table has no key of this name.
    UnknownKey(String, Names),
    /// A choice has no variant of this name.
    UnknownChoice(String, Names),
    /// A table lacks a key.
    MissingKey(&'static str),
    /// So many variants of a choice stand here, and not one.
    Choices(usize, Names),
    /// Anything else.
    Other(String),
}

type Names = &'static [&'static str];

impl Misfit {
    fn new(why: Why) -> Self {
        Self { path: String::new(), why }
    }

    /// Returns the error with the key of the table or list around it put in front.
    fn below(mut self, part: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{part}{dot}{}", self.path);
        self
    }

    /// Whether the name of the key is wrong, and not what stands behind it.
    pub(super) fn is_key(&self) -> bool {
        match &self.why {
            Why::UnknownKey(..) => true,
            Why::UnknownChoice(name, _) => self.ends_with(name),
            Why::MissingKey(_) | Why::Choices(..) | Why::Other(_) => false,
        }
    }

    fn ends_with(&self, name: &str) -> bool {
        self.path.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// What is wrong, for a reader who sees the key `typed` before it.
    pub(super) fn message(&self, typed: &str) -> String {
        let is_seen = format!("{typed}.").starts_with(&format!("{}.", dotted(&self.path)));
        let path = if is_seen || self.path.is_empty() { String::new() } else { format!("{}: ", self.path) };
        one_line(&match &self.why {
            Why::UnknownKey(name, known) => {
                let shown = if is_seen { name } else { &self.path };
                format!("unknown key `{shown}`{}", allowed(name, known))
            }
            Why::UnknownChoice(name, known) if self.ends_with(name) => {
                let shown = if is_seen { name } else { &self.path };
                format!("`{shown}` is no choice{}", allowed(name, known))
            }
            Why::UnknownChoice(name, known) => {
                format!("{}`{name}` is no choice{}", path.replace(": ", " = "), allowed(name, known))
            }
            Why::MissingKey(name) => format!("the key `{}{name}` is missing", path.replace(": ", ".")),
            Why::Choices(0, known) => {
                format!("{path}exactly one choice is needed here, there is none; {}", these(known))
            }
            Why::Choices(_, known) => {
                format!("{path}exactly one choice is needed here, there are several; {}", these(known))
            }
            Why::Other(message) => format!("{path}{message}"),
        })
    }
}

/// A path as it is typed on a command line: `services.3.alpha`.
pub(super) fn dotted(path: &str) -> String {
    path.replace('[', ".").replace(']', "")
}

/// The names that are allowed, and the one that is most alike.
fn allowed(name: &str, known: &[&str]) -> String {
    let hint = nearest(name, known.iter().copied());
    let hint = hint.map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
    format!("{hint}; {}", these(known))
}

fn these(known: &[&str]) -> String {
    match known {
        [] => "none is allowed here".into(),
        [only] => format!("allowed is `{only}`"),
        _ => format!("allowed are `{}`", known.join("`, `")),
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(""))
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Why::Other(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(value) => format!("the value `{value}`"),
            Unexpected::Unsigned(number) => format!("the whole number `{number}`"),
            Unexpected::Signed(number) => format!("the whole number `{number}`"),
            Unexpected::Float(number) => format!("the number `{number:?}`"),
            Unexpected::Str(text) => format!("the text {text:?}"),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a table".to_owned(),
            Unexpected::UnitVariant => "a name".to_owned(),
            other => other.to_string(),
        };
        let expected = expected.to_string();
        let expected = match expected.as_str() {
            "u32" => "a whole number from 0 to 4294967295",
            "u64" | "usize" => "a whole number from 0 on",
            "f64" | "f32" => "a number",
            "a string" => "a text in quotes",
            "a sequence" => "a list in brackets",
            "a map" => "a table",
            "newtype variant" => "a table named after the choice",
            "a boolean" => "true or false",
            other => other,
        };
        Self::new(Why::Other(format!("{found} stands where {expected} is needed")))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(len: usize, expected: &dyn Expected) -> Self {
        let expected = expected.to_string().replace("an array of length", "a list of");
        Self::new(Why::Other(format!("a list of {len} stands where {expected} is needed")))
    }

    fn unknown_field(name: &str, known: Names) -> Self {
        Self { path: name.to_owned(), why: Why::UnknownKey(name.to_owned(), known) }
    }

    fn unknown_variant(name: &str, known: Names) -> Self {
        Self::new(Why::UnknownChoice(name.to_owned(), known))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Why::MissingKey(name))
    }
}

#[derive(Clone, Copy)]
struct Reader<'a>(&'a Value);

impl<'a> Reader<'a> {
    fn unexpected(self) -> Unexpected<'a> {
        match self.0 {
            Value::String(text) => Unexpected::Str(text),
            Value::Integer(number) => Unexpected::Signed(*number),
            Value::Float(number) => Unexpected::Float(*number),
            Value::Boolean(value) => Unexpected::Bool(*value),
            Value::Datetime(_) => Unexpected::Other("a date"),
            Value::Array(_) => Unexpected::Seq,
            Value::Table(_) => Unexpected::Map,
        }
    }

    fn needs(self, what: &str) -> Misfit {
        de::Error::invalid_type(self.unexpected(), &what)
    }
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Value::String(text) => visitor.visit_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            // The sum is the number itself, but for -0.0.
            Value::Float(number) => visitor.visit_f64(*number + 0.0),
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Datetime(date) => visitor.visit_string(date.to_string()),
            Value::Array(items) => {
                let mut rest = Items(items.iter().enumerate());
                let read = visitor.visit_seq(&mut rest)?;
                match rest.0.len() {
                    0 => Ok(read),
                    left => {
                        let allowed = format!("a list of {}", items.len() - left);
                        Err(de::Error::invalid_length(items.len(), &allowed.as_str()))
                    }
                }
            }
            Value::Table(table) => visitor.visit_map(Entries { rest: table.iter(), next: None }),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: Names,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        if self.0.is_table() { self.deserialize_any(visitor) } else { Err(self.needs("a table")) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: Names,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(name.as_str().into_deserializer()),
            Value::Table(table) => {
                let mut entries = table.iter();
                match (entries.next(), table.len()) {
                    (Some((name, value)), 1) => visitor.visit_enum(Variant { name, value: Reader(value) }),
                    (_, len) => Err(Misfit::new(Why::Choices(len, variants))),
                }
            }
            _ => Err(Misfit::new(Why::Other(format!(
                "{}; {}",
                self.needs("the name of a choice").message(""),
                these(variants)
            )))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 char str string unit seq bytes byte_buf map unit_struct
        tuple_struct tuple ignored_any identifier
    }
}

/// The entries of a list that are still to be read.
struct Items<'a>(std::iter::Enumerate<std::slice::Iter<'a, Value>>);

impl<'de> SeqAccess<'de> for &mut Items<'_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some((index, item)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Reader(item)).map(Some).map_err(|misfit| misfit.below(&format!("[{index}]")))
    }
}

/// The entries of a table that are still to be read.
struct Entries<'a> {
    rest: toml::map::Iter<'a, String, Value>,
    next: Option<(&'a String, &'a Value)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        self.next = self.rest.next();
        self.next.map(|(key, _)| seed.deserialize(key.as_str().into_deserializer())).transpose()
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Misfit> {
        let (key, value) = self.next.take().ok_or_else(|| Misfit::new(Why::Other("no value".into())))?;
        seed.deserialize(Reader(value)).map_err(|misfit| misfit.below(key))
    }
}

/// A choice that is a table of one entry.
struct Variant<'a> {
    name: &'a str,
    value: Reader<'a>,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Misfit> {
        let variant = seed.deserialize(self.name.into_deserializer());
        Ok((variant.map_err(|misfit: Misfit| misfit.below(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Err(Misfit::new(Why::Other(format!("a table stands where the name \"{}\" is needed", self.name))))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        seed.deserialize(self.value).map_err(|misfit| misfit.below(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Misfit> {
        de::Deserializer::deserialize_any(self.value, visitor).map_err(|misfit| misfit.below(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: Names, visitor: V) -> Result<V::Value, Misfit> {
        de::Deserializer::deserialize_struct(self.value, "", fields, visitor)
            .map_err(|misfit| misfit.below(self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct House {
        #[serde(default)]
        height_m: f64,
        #[serde(default)]
        door: Option<Door>,
        #[serde(default)]
        corners: Vec<[f64; 2]>,
        #[serde(default)]
        heating: Option<Heating>,
        #[serde(default)]
        colour: Option<Colour>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    #[derive(Default)]
    struct Door {
        width_m: f64,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Heating {
        Gas(Door),
        Wood(Door),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
    }

    fn house(text: &str) -> Result<House, String> {
        read(&toml::from_str::<Value>(text).unwrap()).map_err(|misfit| misfit.message(""))
    }

    #[test]
    fn a_list_is_no_table_of_the_fields_in_their_order() {
        let list = "a list stands where a table is needed";
        for (text, message) in [
            ("door = [2.0]", format!("door: {list}")),
            ("door = []", format!("door: {list}")),
            (
                "heating = [\"gas\"]",
                "heating: a list stands where the name of a choice is needed; allowed are `gas`, `wood`"
                    .into(),
            ),
            ("heating.gas = [2.0]", format!("heating.gas: {list}")),
            ("heating.gas = []", format!("heating.gas: {list}")),
            ("door = 3", "door: the whole number `3` stands where a table is needed".into()),
            (
                "corners = [[1.0, 2.0], [1.0, 2.0, 3.0]]",
                "corners[1]: a list of 3 stands where a list of 2 is needed".into(),
            ),
            ("corners = [[1.0]]", "corners[0]: a list of 1 stands where a list of 2 is needed".into()),
        ] {
            assert_eq!(house(text), Err(message), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_path_and_what_does() {
        for (text, message) in [
            (
                "dor = {}",
                "unknown key `dor`, did you mean `door`?; allowed are `height_m`, `door`, `corners`, `heating`, `colour`",
            ),
            (
                "heating.gas.with_m = 1",
                "unknown key `heating.gas.with_m`, did you mean `width_m`?; allowed is `width_m`",
            ),
            (
                "heating.gass = {}",
                "`heating.gass` is no choice, did you mean `gas`?; allowed are `gas`, `wood`",
            ),
            ("heating = \"gas\"", "heating: a name stands where a table named after the choice is needed"),
            (
                "heating = {}",
                "heating: exactly one choice is needed here, there is none; allowed are `gas`, `wood`",
            ),
            (
                "heating = { gas = {}, wood = {} }",
                "heating: exactly one choice is needed here, there are several; allowed are `gas`, `wood`",
            ),
            ("colour = \"rde\"", "colour = `rde` is no choice; allowed is `red`"),
            ("colour = { red = 1 }", "colour: a table stands where the name \"red\" is needed"),
            ("height_m = \"big\"", "height_m: the text \"big\" stands where a number is needed"),
            ("corners = 1", "corners: the whole number `1` stands where a list in brackets is needed"),
        ] {
            assert_eq!(house(text), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn minus_zero_is_zero() {
        for text in ["height_m = -0.0", "height_m = -0", "height_m = -1e-400"] {
            assert_eq!(house(text).unwrap().height_m.to_bits(), 0, "{text}");
        }
        assert_eq!(
            house("corners = [[-0.0, 1.5]]").unwrap().corners[0].map(f64::to_bits),
            [0, 1.5_f64.to_bits()]
        );
    }

    #[test]
    fn a_path_that_the_reader_sees_is_not_said_again() {
        let misfit = read::<House>(&toml::from_str("heating.gas.with_m = 1").unwrap()).unwrap_err();
        assert!(misfit.message("heating.gas.with_m").starts_with("unknown key `with_m`, did you mean"));
        assert!(misfit.message("heating").starts_with("unknown key `heating.gas.with_m`, did you mean"));
        let misfit =
            read::<House>(&toml::from_str("corners = [[1.0, 2.0], [true, 1.0]]").unwrap()).unwrap_err();
        assert_eq!(misfit.message("corners.1.0"), "the value `true` stands where a number is needed");
    }
}
