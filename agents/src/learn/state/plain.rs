//! The numbers that a state can hold, and their bytes.

use safetensors::Dtype;

/// A number that a state can hold.
pub trait Plain: Copy {
    /// How safetensors calls it.
    const DTYPE: Dtype;
    /// Appends its bytes, least significant first.
    fn write(values: &[Self], bytes: &mut Vec<u8>);
    /// The numbers of these bytes, whose count is right; `None` when a byte is no value of the type.
    fn read(bytes: &[u8]) -> Option<Vec<Self>>;
}

macro_rules! plain_numbers {
    ($($number:ty => $dtype:ident),*) => {$(
        impl Plain for $number {
            const DTYPE: Dtype = Dtype::$dtype;
            fn write(values: &[Self], bytes: &mut Vec<u8>) {
                for value in values {
                    bytes.extend_from_slice(&value.to_le_bytes());
                }
            }
            fn read(bytes: &[u8]) -> Option<Vec<Self>> {
                let (numbers, _) = bytes.as_chunks();
                Some(numbers.iter().map(|bytes| Self::from_le_bytes(*bytes)).collect())
            }
        }
    )*};
}

plain_numbers!(f32 => F32, f64 => F64, i64 => I64, u32 => U32, u64 => U64, u8 => U8);

impl Plain for bool {
    const DTYPE: Dtype = Dtype::BOOL;
    fn write(values: &[Self], bytes: &mut Vec<u8>) {
        bytes.extend(values.iter().map(|&value| u8::from(value)));
    }
    fn read(bytes: &[u8]) -> Option<Vec<Self>> {
        bytes.iter().map(|&byte| if byte < 2 { Some(byte == 1) } else { None }).collect()
    }
}
