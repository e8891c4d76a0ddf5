//! Rows of numbers into tensor memory and back: the one file of the project with `unsafe`.
//!
//! tch can make a tensor of a slice, but it cannot write a slice into a tensor that already exists. Learners allocate
//! their rollouts and replay once and write each step into them, so the copy is made here, behind checks of the element
//! type, the layout, the device and the length. A failed check is a broken invariant of a learner, hence a panic.
#![allow(unsafe_code)]

use tch::{Device, Kind, Tensor};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for i64 {}
    impl Sealed for bool {}
}

/// A number that libtorch and Rust lay out alike.
pub trait Element: Copy + sealed::Sealed {
    /// The element type of a tensor of these numbers.
    const KIND: Kind;
}

impl Element for f32 {
    const KIND: Kind = Kind::Float;
}

impl Element for i64 {
    const KIND: Kind = Kind::Int64;
}

impl Element for bool {
    const KIND: Kind = Kind::Bool;
}

/// Writes `values` into the memory of `tensor`, from its element `start` (in row-major order) on.
///
/// Other tensors that share the memory (views, shallow clones) see the values too; none of them may be in use on another
/// thread meanwhile, as with any in-place operation of tch.
///
/// # Panics
/// When the tensor has another element type, is not contiguous, is not in the memory of the CPU, or ends before the last
/// value.
pub fn write<T: Element>(tensor: &mut Tensor, start: usize, values: &[T]) {
    check::<T>(tensor, start, values.len());
    if values.is_empty() {
        return; // an empty tensor has no memory to point at
    }
    // SAFETY: `check` has made sure that the tensor is contiguous CPU memory of at least `start + values.len()` elements of
    // T's layout, so the destination is in bounds and aligned. `values` cannot overlap it mutably: it is a shared borrow
    // of memory that Rust owns, and no tensor of the learners is made over Rust memory (`from_blob` is not used).
    unsafe {
        let first = tensor.data_ptr().cast::<T>().add(start);
        std::ptr::copy_nonoverlapping(values.as_ptr(), first, values.len());
    }
}

/// Reads `values.len()` numbers from the memory of `tensor`, from its element `start` (in row-major order) on.
///
/// # Panics
/// As [`write()`].
pub fn read<T: Element>(tensor: &Tensor, start: usize, values: &mut [T]) {
    check::<T>(tensor, start, values.len());
    if values.is_empty() {
        return;
    }
    // SAFETY: as in `write`, with source and destination exchanged. libtorch stores a Bool as a byte 0 or 1, which is what
    // Rust demands of a `bool`; f32 and i64 have no invalid bytes.
    unsafe {
        let first = tensor.data_ptr().cast::<T>().add(start).cast_const();
        std::ptr::copy_nonoverlapping(first, values.as_mut_ptr(), values.len());
    }
}

/// All numbers of a tensor, in row-major order.
///
/// # Panics
/// As [`write()`].
pub fn to_vec<T: Element + Default>(tensor: &Tensor) -> Vec<T> {
    let mut values = vec![T::default(); tensor.numel()];
    read(tensor, 0, &mut values);
    values
}

fn check<T: Element>(tensor: &Tensor, start: usize, len: usize) {
    assert_eq!(tensor.kind(), T::KIND, "rows and tensor have different element types");
    assert!(tensor.is_contiguous(), "rows are copied to and from contiguous tensors only");
    assert_eq!(tensor.device(), Device::Cpu, "rows are copied to and from CPU memory only");
    let numel = tensor.numel();
    assert!(
        start.checked_add(len).is_some_and(|end| end <= numel),
        "{len} numbers from {start} on do not fit into a tensor of {numel}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_where_they_belong_and_read_back() {
        let mut tensor = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
        write(&mut tensor, 3, &[1.0_f32, 2.0, 3.0]);
        assert_eq!(to_vec::<f32>(&tensor), [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
        let mut middle = [0.0_f32; 2];
        read(&tensor, 4, &mut middle);
        assert_eq!(middle, [2.0, 3.0]);
    }

    #[test]
    fn whole_numbers_and_booleans_keep_their_meaning() {
        let mut numbers = Tensor::zeros([2], (Kind::Int64, Device::Cpu));
        write(&mut numbers, 0, &[-1_i64, i64::MAX]);
        assert_eq!(to_vec::<i64>(&numbers), [-1, i64::MAX]);
        let mut flags = Tensor::zeros([3], (Kind::Bool, Device::Cpu));
        write(&mut flags, 1, &[true, false]);
        assert_eq!(to_vec::<bool>(&flags.logical_not()), [true, false, true]);
    }

    #[test]
    #[should_panic(expected = "2 numbers from 3 on do not fit into a tensor of 4")]
    fn a_row_beyond_the_end_is_refused() {
        write(&mut Tensor::zeros([4], (Kind::Float, Device::Cpu)), 3, &[0.0_f32; 2]);
    }

    #[test]
    #[should_panic(expected = "different element types")]
    fn a_row_of_another_type_is_refused() {
        write(&mut Tensor::zeros([4], (Kind::Double, Device::Cpu)), 0, &[0.0_f32; 4]);
    }

    #[test]
    #[should_panic(expected = "contiguous")]
    fn a_transposed_tensor_is_refused() {
        let tensor = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
        to_vec::<f32>(&tensor.transpose(0, 1));
    }
}
