//! The edition of the laws of the physical world: `[physical] edition`.
//!
//! A law that differs by a number is that number, see `Edition::pick`; `docs/model.md` says which laws are those of the second
//! edition, `docs/decisions/0029-second-edition.md` why there are two.

use crate::invalid::Invalid;

/// See the [module](self).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edition {
    /// The laws of the shipped worlds.
    #[default]
    First,
    /// The laws that are to replace those of the shipped worlds.
    Second,
}

impl Edition {
    /// The edition of a number as typed; the first where there is none.
    pub(crate) fn validate(typed: Option<u32>) -> Result<Self, Invalid> {
        match typed {
            None | Some(1) => Ok(Self::First),
            Some(2) => Ok(Self::Second),
            Some(other) => Err(Invalid::new("physical.edition", other, "1 or 2")),
        }
    }

    /// What belongs to this edition.
    pub(crate) fn pick<T>(self, first: T, second: T) -> T {
        match self {
            Self::First => first,
            Self::Second => second,
        }
    }
}
