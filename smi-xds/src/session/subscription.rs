//! What a client wants of one type: names, everything, or both.

use std::collections::BTreeSet;

use crate::resource::Name;
use crate::set::Set;

/// Names that a client asks for. Those that are names of resources which it was sent need no list of their own.
///
/// Invariant: `except` are names of `sent`, `own` are not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    sent: Set,
    except: BTreeSet<Name>,
    own: BTreeSet<Name>,
}

impl Names {
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.own.contains(name) || (self.sent.get(name).is_some() && !self.except.contains(name))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Name> {
        self.own.iter().chain(self.sent.names().filter(|name| !self.except.contains(*name)))
    }

    pub(crate) fn len(&self) -> usize {
        self.own.len() + self.sent.len() - self.except.len()
    }

    fn insert(&mut self, name: &Name) {
        if self.sent.get(name).is_some() {
            self.except.remove(name);
        } else {
            self.own.insert(Name::clone(name));
        }
    }

    fn remove(&mut self, name: &str) {
        match self.sent.get(name) {
            Some(resource) => drop(self.except.insert(Name::clone(resource.name()))),
            None => drop(self.own.remove(name)),
        }
    }
}

/// Names and wildcard of one type.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscription {
    names: Names,
    wildcard: bool,
    /// Entered by an empty first request, and left with the first name.
    legacy: bool,
}

impl Subscription {
    /// The first request of a type: without names it means everything.
    pub(crate) fn first(mut names: BTreeSet<Name>) -> Self {
        let legacy = names.is_empty();
        let wildcard = names.remove("*") || legacy;
        Self { names: Names { own: names, ..Names::default() }, wildcard, legacy }
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
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// State of the world: the new list; true if it says anything new. An empty one after names ends all interest; in legacy mode it
    /// changes nothing.
    pub(crate) fn replace(&mut self, mut names: BTreeSet<Name>) -> bool {
        if self.legacy && names.is_empty() {
            return false;
        }
        let wildcard = names.remove("*");
        let same = names.len() == self.names.len() && names.iter().all(|name| self.names.contains(name));
        let changed = self.legacy || self.wildcard != wildcard || !same;
        self.legacy = false;
        self.wildcard = wildcard;
        if !same {
            self.names = Names { own: names, ..Names::default() };
        }
        changed
    }

    /// Delta: adds names.
    pub(crate) fn subscribe(&mut self, names: &BTreeSet<Name>) -> Subscribed {
        let was = self.wildcard;
        if self.legacy && !names.is_empty() {
            self.legacy = false;
            self.wildcard = false;
        }
        self.wildcard |= names.contains("*");
        names.iter().filter(|n| &***n != "*").for_each(|name| self.names.insert(name));
        Subscribed { everything: self.wildcard && !was, less: was && !self.wildcard }
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

    /// What was sent holds every name, and no other when there are as many of both: the list need not be kept as well.
    pub(crate) fn share(&mut self, sent: &Set) {
        if !self.wildcard && sent.len() == self.names.len() {
            self.names = Names { sent: sent.clone(), ..Names::default() };
        }
    }
}

/// What names that were added change besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscribed {
    /// Everything is wanted, and was not before.
    pub(crate) everything: bool,
    /// Everything was wanted, and is no longer.
    pub(crate) less: bool,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::resource::Resource;

    #[derive(Clone, Debug)]
    enum Step {
        Subscribe(BTreeSet<u8>),
        Unsubscribe(u8),
        Replace(BTreeSet<u8>),
        Share,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let names = || prop::collection::btree_set(0..12_u8, 1..8);
        let step = prop_oneof![
            names().prop_map(Step::Subscribe),
            (0..12_u8).prop_map(Step::Unsubscribe),
            names().prop_map(Step::Replace),
            Just(Step::Share),
        ];
        prop::collection::vec(step, 0..30)
    }

    fn name(number: u8) -> Name {
        number.to_string().into()
    }

    proptest! {
        #[test]
        fn names_are_the_same_whether_a_set_holds_them_or_not(first in prop::collection::btree_set(0..12_u8, 1..8), steps in steps()) {
            let named = |numbers: &BTreeSet<u8>| numbers.iter().copied().map(name).collect::<BTreeSet<Name>>();
            let (mut plain, mut subscription) = (named(&first), Subscription::first(named(&first)));
            for step in steps {
                match step {
                    Step::Subscribe(more) => {
                        plain.extend(named(&more));
                        subscription.subscribe(&named(&more));
                    }
                    Step::Unsubscribe(one) => {
                        plain.remove(&name(one));
                        subscription.unsubscribe(&name(one));
                    }
                    Step::Replace(names) => {
                        let changed = subscription.replace(named(&names));
                        prop_assert_eq!(changed, plain != named(&names));
                        plain = named(&names);
                    }
                    Step::Share => {
                        let mut sent = Set::default();
                        for name in &plain {
                            sent.insert(Arc::new(Resource::new(crate::kind::ENDPOINT, Name::clone(name), b"")));
                        }
                        subscription.share(&sent);
                        prop_assert!(subscription.names.own.is_empty());
                    }
                }
                prop_assert_eq!(subscription.names().len(), plain.len());
                prop_assert_eq!(&subscription.names().iter().cloned().collect::<BTreeSet<_>>(), &plain);
                for number in 0..12 {
                    prop_assert_eq!(subscription.has(&name(number)), plain.contains(&name(number)));
                }
            }
        }
    }
}
