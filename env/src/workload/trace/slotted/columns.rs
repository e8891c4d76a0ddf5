//! What is kept of each request, in the smallest integers that hold it.

use std::iter::Copied;
use std::ops::Range;
use std::slice::Iter;

/// One service a request, in the smallest integers that hold every service.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ServiceColumn {
    /// Up to 256 services.
    Narrow(Vec<u8>),
    /// Up to 65,536, the most that a map may have.
    Wide(Vec<u16>),
}

impl ServiceColumn {
    pub(super) fn new(num_services: usize) -> Self {
        if num_services <= 1 << u8::BITS { Self::Narrow(Vec::new()) } else { Self::Wide(Vec::new()) }
    }

    pub(super) fn push(&mut self, service: u32) {
        match self {
            Self::Narrow(services) => services.push(service as u8),
            Self::Wide(services) => services.push(service as u16),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Narrow(services) => services.len(),
            Self::Wide(services) => services.len(),
        }
    }

    pub(super) fn shrink_to_fit(&mut self) {
        match self {
            Self::Narrow(services) => services.shrink_to_fit(),
            Self::Wide(services) => services.shrink_to_fit(),
        }
    }

    pub(super) fn range(&self, range: Range<usize>) -> SlotServices<'_> {
        SlotServices(match self {
            Self::Narrow(services) => Width::Narrow(services[range].iter().copied()),
            Self::Wide(services) => Width::Wide(services[range].iter().copied()),
        })
    }
}

/// The services asked for in a slot, one a request, in order of arrival: [`slot`](super::SlottedRequests::slot).
#[derive(Clone, Debug)]
pub struct SlotServices<'a>(Width<'a>);

#[derive(Clone, Debug)]
enum Width<'a> {
    Narrow(Copied<Iter<'a, u8>>),
    Wide(Copied<Iter<'a, u16>>),
}

impl Iterator for SlotServices<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        match &mut self.0 {
            Width::Narrow(services) => services.next().map(u32::from),
            Width::Wide(services) => services.next().map(u32::from),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Width::Narrow(services) => services.size_hint(),
            Width::Wide(services) => services.size_hint(),
        }
    }
}

impl ExactSizeIterator for SlotServices<'_> {}

/// One user a request, in the smallest integers that hold every user of the recording.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum UserColumn {
    /// Up to 65,536 users.
    Narrow(Vec<u16>),
    /// Any number.
    Wide(Vec<u32>),
}

impl UserColumn {
    pub(super) fn new(num_users: u32) -> Self {
        if num_users <= 1 << u16::BITS { Self::Narrow(Vec::new()) } else { Self::Wide(Vec::new()) }
    }

    pub(super) fn push(&mut self, user: u32) {
        match self {
            Self::Narrow(users) => users.push(user as u16),
            Self::Wide(users) => users.push(user),
        }
    }

    pub(super) fn shrink_to_fit(&mut self) {
        match self {
            Self::Narrow(users) => users.shrink_to_fit(),
            Self::Wide(users) => users.shrink_to_fit(),
        }
    }

    pub(super) fn range(&self, range: Range<usize>) -> SlotUsers<'_> {
        SlotUsers(match self {
            Self::Narrow(users) => UserWidth::Narrow(users[range].iter().copied()),
            Self::Wide(users) => UserWidth::Wide(users[range].iter().copied()),
        })
    }
}

/// The users who ask in a slot, one a request, in order of arrival:
/// [`slot_users`](super::SlottedRequests::slot_users).
#[derive(Clone, Debug)]
pub struct SlotUsers<'a>(UserWidth<'a>);

#[derive(Clone, Debug)]
enum UserWidth<'a> {
    Narrow(Copied<Iter<'a, u16>>),
    Wide(Copied<Iter<'a, u32>>),
}

impl Iterator for SlotUsers<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        match &mut self.0 {
            UserWidth::Narrow(users) => users.next().map(u32::from),
            UserWidth::Wide(users) => users.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            UserWidth::Narrow(users) => users.size_hint(),
            UserWidth::Wide(users) => users.size_hint(),
        }
    }
}

impl ExactSizeIterator for SlotUsers<'_> {}
