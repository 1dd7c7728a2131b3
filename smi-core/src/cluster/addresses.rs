//! The addresses of a pod.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

/// A list of addresses, in the order in which the pod has them. Nearly all pods have one, which needs no memory of its own; copies share
/// longer lists.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Addresses(List);

// INVARIANT: a list is in the first form that can hold it, so that equal lists are equal values.
#[derive(Clone, PartialEq, Eq, Default)]
enum List {
    #[default]
    None,
    One(IpAddr),
    Several(Arc<[IpAddr]>),
}

impl Deref for Addresses {
    type Target = [IpAddr];

    fn deref(&self) -> &[IpAddr] {
        match &self.0 {
            List::None => &[],
            List::One(address) => std::slice::from_ref(address),
            List::Several(addresses) => addresses,
        }
    }
}

impl FromIterator<IpAddr> for Addresses {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        let mut addresses = addresses.into_iter();
        Self(match (addresses.next(), addresses.next()) {
            (None, _) => List::None,
            (Some(one), None) => List::One(one),
            (Some(one), Some(two)) => List::Several([one, two].into_iter().chain(addresses).collect()),
        })
    }
}

impl std::fmt::Debug for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}
