//! What a client wants of one type: names, everything, or both.

use std::collections::BTreeSet;

use crate::resource::Name;

/// Names and wildcard of one type.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscription {
    names: BTreeSet<Name>,
    wildcard: bool,
    /// Entered by an empty first request, and left with the first name.
    legacy: bool,
}

impl Subscription {
    /// The first request of a type: without names it means everything.
    pub(crate) fn first(names: BTreeSet<Name>) -> Self {
        let legacy = names.is_empty();
        let mut subscription = Self { names, wildcard: legacy, legacy };
        if subscription.names.remove("*") {
            subscription.wildcard = true;
        }
        subscription
    }

    /// Whether a resource of this name is wanted.
    pub(crate) fn covers(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }

    /// Whether this very name is asked for.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether everything is wanted.
    pub(crate) fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The names asked for.
    pub(crate) fn names(&self) -> &BTreeSet<Name> {
        &self.names
    }

    /// State of the world: the new list. An empty one after names ends all interest; in legacy mode it changes nothing.
    pub(crate) fn replace(&mut self, mut names: BTreeSet<Name>) {
        if self.legacy && names.is_empty() {
            return;
        }
        self.legacy = false;
        self.wildcard = names.remove("*");
        self.names = names;
    }

    /// Delta: adds names; true if `*` was new.
    pub(crate) fn subscribe(&mut self, names: &BTreeSet<Name>) -> bool {
        if names.is_empty() {
            return false;
        }
        let was = self.wildcard;
        if self.legacy {
            self.legacy = false;
            self.wildcard = false;
        }
        self.wildcard |= names.contains("*");
        self.names.extend(names.iter().filter(|n| &***n != "*").cloned());
        self.wildcard && !was
    }

    /// Delta: takes a name back.
    pub(crate) fn unsubscribe(&mut self, name: &str) {
        if name == "*" {
            self.wildcard = false;
            self.legacy = false;
        } else {
            self.names.remove(name);
        }
    }
}
