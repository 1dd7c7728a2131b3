//! What a stream remembers of one type: what the client wants, was sent, accepted and refused.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::narrow::Narrowing;
use super::subscription::Subscription;
use crate::kind::TypeUrl;
use crate::resource::{Name, Reference, Resource, Version};
use crate::set::Set;
use crate::status::Event;

/// Times are milliseconds on a clock of the caller's.
pub type Millis = u64;

/// A response that is not answered yet.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) nonce: u64,
    pub(crate) at: Millis,
    /// What it changed; without resource: removed. Sorted by name.
    pub(crate) content: Vec<(Name, Option<Arc<Resource>>)>,
    /// How many resources an answer to it may be about.
    pub(crate) carried: usize,
    pub(crate) trial: bool,
}

impl Flight {
    pub(crate) fn touches(&self, name: &str) -> bool {
        self.content.binary_search_by(|(n, _)| (**n).cmp(name)).is_ok()
    }

    /// Stands for an earlier one too.
    pub(crate) fn follow(&mut self, earlier: Self) {
        self.carried += earlier.carried;
        for (name, resource) in earlier.content {
            if let Err(at) = self.content.binary_search_by(|(n, _)| n.cmp(&name)) {
                self.content.insert(at, (name, resource));
            }
        }
    }
}

/// A version that the client refused.
#[derive(Clone, Debug)]
pub(crate) struct Parked {
    pub(crate) resource: Arc<Resource>,
    pub(crate) message: Arc<str>,
}

/// What happened to one type, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Responses sent.
    pub responses: u64,
    /// Responses accepted.
    pub acks: u64,
    /// Responses refused.
    pub nacks: u64,
    /// Requests that answered a response which is no longer current.
    pub stale: u64,
}

/// How many refusals the search for a bad resource may cost before the rest of the response is given up.
const PATIENCE: u32 = 64;

/// One type of one stream.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) url: TypeUrl,
    pub(crate) subscription: Subscription,
    /// What was sent last, by name.
    pub(crate) known: Set,
    /// What the client said it uses.
    pub(crate) accepted: Set,
    /// Names whose wanted state may differ from `known`.
    pub(crate) pending: BTreeSet<Name>,
    /// Names to answer although nothing changed.
    pub(crate) forced: BTreeSet<Name>,
    /// Known, but no longer wanted by the snapshot, and since when.
    pub(crate) leaving: BTreeMap<Name, Millis>,
    pub(crate) parked: BTreeMap<Name, Parked>,
    /// What is sent instead of some that are parked.
    pub(crate) narrowed: BTreeMap<Name, Narrowing>,
    pub(crate) flights: VecDeque<Flight>,
    /// Parts of a refused response, to be tried apart.
    pub(crate) trials: VecDeque<Vec<Name>>,
    refusals: u32,
    /// State of the world: what a refused response changed. The client may use parts of it, so it is told again what holds.
    pub(crate) doubt: BTreeSet<Name>,
    /// What was refused among others, until the search for the bad ones is over: the client may use it.
    refused: BTreeMap<Name, Arc<Resource>>,
    /// Whether there was a response.
    pub(crate) greeted: bool,
    pub(crate) last_nonce: u64,
    pub(crate) last_error: Option<Arc<str>>,
    pub(crate) counts: Counts,
}

/// What a refusal led to.
pub(crate) struct Refused {
    /// Now parked.
    pub(crate) parked: Vec<Arc<Resource>>,
    /// How many are tried again apart.
    pub(crate) retried: usize,
}

impl Topic {
    pub(crate) fn new(url: TypeUrl, subscription: Subscription) -> Self {
        Self {
            url,
            subscription,
            known: Set::default(),
            accepted: Set::default(),
            pending: BTreeSet::new(),
            forced: BTreeSet::new(),
            leaving: BTreeMap::new(),
            parked: BTreeMap::new(),
            narrowed: BTreeMap::new(),
            flights: VecDeque::new(),
            trials: VecDeque::new(),
            refusals: 0,
            doubt: BTreeSet::new(),
            refused: BTreeMap::new(),
            greeted: false,
            last_nonce: 0,
            last_error: None,
            counts: Counts::default(),
        }
    }

    /// Everything that may differ between what is known and what should be.
    pub(crate) fn compare(&mut self, wanted: &Set) {
        if self.subscription.is_wildcard() {
            let (names, _) = wanted.since(&self.known);
            self.pending.extend(names);
        } else {
            self.pending.extend(self.subscription.names().iter().cloned());
            self.pending.extend(self.known.names().cloned());
        }
    }

    /// Takes over the memory of what should be, once it is the same.
    pub(crate) fn share(&mut self, wanted: &Set) {
        self.known.share(wanted);
        self.accepted.share(&self.known);
        self.subscription.share(&self.known);
    }

    /// Whether the client got this name already under its earlier subscription.
    pub(crate) fn known_or_wild(&self, before: &Subscription, name: &str) -> bool {
        before.is_wildcard() && self.known.get(name).is_some()
    }

    /// The client no longer wants this name.
    pub(crate) fn forget(&mut self, name: &str) {
        self.known.remove(name);
        self.accepted.remove(name);
        self.pending.remove(name);
        self.forced.remove(name);
        self.leaving.remove(name);
        self.parked.remove(name);
        self.narrowed.remove(name);
        self.refused.remove(name);
    }

    /// Forgets all that the subscription no longer covers.
    pub(crate) fn forget_uncovered(&mut self) {
        if self.subscription.is_wildcard() {
            return;
        }
        let keep = |name: &Name| self.subscription.has(name);
        let gone: Vec<Name> = self.known.names().filter(|n| !keep(n)).cloned().collect();
        let parked: Vec<Name> = self.parked.keys().filter(|n| !keep(n)).cloned().collect();
        self.pending.retain(keep);
        self.forced.retain(keep);
        self.doubt.retain(keep);
        for name in gone.iter().chain(&parked) {
            self.forget(name);
        }
    }

    /// A response that holds everything also repeats what earlier ones changed and nobody answered yet: its refusal may be about that.
    pub(crate) fn add_unanswered(&self, content: &mut Vec<(Name, Option<Arc<Resource>>)>) {
        for (name, resource) in self.flights.iter().rev().flat_map(|f| &f.content) {
            let Err(at) = content.binary_search_by(|(n, _)| n.cmp(name)) else { continue };
            let version = |r: &Arc<Resource>| r.version();
            if self.known.get(name).map(version) == resource.as_ref().map(version) {
                content.insert(at, (Arc::clone(name), resource.clone()));
            }
        }
    }

    /// This response says what holds of that which was in doubt: adds what is gone, returns what the client is told to go back to.
    pub(crate) fn restate(&mut self, content: &mut Vec<(Name, Option<Arc<Resource>>)>) -> Vec<Arc<Resource>> {
        let mut back = Vec::new();
        for name in std::mem::take(&mut self.doubt) {
            let Err(at) = content.binary_search_by(|(n, _)| n.cmp(&name)) else { continue };
            match self.known.get(&name) {
                Some(before) => back.push(Arc::clone(before)),
                None => content.insert(at, (name, None)),
            }
        }
        back
    }

    /// Takes the answered response out; `None` if the nonce is not of one that waits.
    pub(crate) fn land(&mut self, nonce: u64) -> Option<Flight> {
        let at = self.flights.iter().position(|f| f.nonce == nonce)?;
        self.flights.remove(at)
    }

    /// The client accepted a response; returns what it settles for where it does not take the whole.
    pub(crate) fn accept(&mut self, flight: &Flight) -> Vec<Event> {
        self.counts.acks += 1;
        self.last_error = None;
        if self.flights.is_empty() && self.trials.is_empty() {
            self.refused.clear();
        }
        if self.flights.is_empty() && self.trials.is_empty() && self.parked.is_empty() {
            // One tree instead of two.
            self.accepted = self.known.clone();
            return Vec::new();
        }
        let mut closed = Vec::new();
        for (name, resource) in &flight.content {
            match resource {
                // It may be unsubscribed by now.
                Some(resource) if self.subscription.covers(name) => {
                    self.accepted.insert(Arc::clone(resource));
                    if self.is_parked(resource) {
                        self.parked.remove(name);
                    }
                    closed.extend(self.narrower(resource));
                }
                Some(_) => {}
                None => drop(self.accepted.remove(name)),
            }
        }
        closed
    }

    /// The client took this; if it stands for more, the next is tried.
    fn narrower(&mut self, taken: &Resource) -> Option<Event> {
        let narrowing = self.narrowed.get_mut(taken.name())?;
        if narrowing.current().version() != taken.version() {
            return None;
        }
        let ended = narrowing.accept();
        self.pending.insert(Arc::clone(taken.name()));
        let message = Arc::clone(&self.parked.get(taken.name())?.message);
        ended.then(|| Event::Closed {
            resource: Arc::clone(narrowing.whole()),
            hosts: narrowing.closed(),
            message,
        })
    }

    /// The client refused a response: one resource is parked, more are tried in halves until the bad ones are found.
    ///
    /// `fall_back`: responses hold everything, so what was refused is replaced by what the client had before.
    pub(crate) fn refuse(&mut self, flight: Flight, message: &Arc<str>, fall_back: bool) -> Refused {
        self.counts.nacks += 1;
        self.last_error = Some(Arc::clone(message));
        self.refusals = if flight.trial { self.refusals + 1 } else { 0 };
        let carried = flight.carried;
        let mut suspects: Vec<Arc<Resource>> = Vec::new();
        let mut removed = Vec::new();
        for (name, resource) in flight.content {
            // The answer to the later response decides.
            if self.flights.iter().any(|f| f.nonce > flight.nonce && f.touches(&name)) {
                continue;
            }
            let Some(resource) = resource else {
                removed.push(name);
                continue;
            };
            // Meanwhile unsubscribed: no longer of interest.
            if self.known.get(&name).is_some_and(|k| k.version() == resource.version()) {
                suspects.push(resource);
            }
        }
        // Removals went down with the suspects; alone they are not tried again. The client may have what it never accepted, too.
        removed
            .retain(|name| carried > 0 && self.subscription.covers(name) && self.known.get(name).is_none());
        if fall_back {
            for suspect in &suspects {
                match self.accepted.get(suspect.name()).filter(|r| r.has_content()) {
                    Some(before) => self.known.insert(Arc::clone(before)),
                    None => drop(self.known.remove(suspect.name())),
                }
            }
            self.doubt.extend(suspects.iter().map(|r| Arc::clone(r.name())).chain(removed));
        } else {
            for name in removed {
                self.leaving.insert(Arc::clone(&name), flight.at);
                self.in_doubt(name);
            }
        }
        let parts = if self.refusals < PATIENCE { parts(&suspects, carried, message) } else { vec![] };
        if !parts.is_empty() {
            self.refused.extend(suspects.iter().map(|r| (Arc::clone(r.name()), Arc::clone(r))));
            for suspect in suspects.iter().filter(|_| !fall_back) {
                self.in_doubt(Arc::clone(suspect.name()));
            }
            // Depth first, so that little is in doubt at a time.
            for part in parts.into_iter().rev() {
                self.trials.push_front(part);
            }
            return Refused { parked: Vec::new(), retried: suspects.len() };
        }
        let mut refused = Refused { parked: Vec::new(), retried: 0 };
        for resource in &suspects {
            let name = resource.name();
            let (whole, goes_on) = self.narrow(resource);
            let parked = Parked { resource: Arc::clone(&whole), message: Arc::clone(message) };
            self.parked.insert(Arc::clone(name), parked);
            if goes_on {
                refused.retried += 1;
                self.pending.insert(Arc::clone(name));
            } else {
                refused.parked.push(whole);
            }
        }
        refused
    }

    /// What the refused resource stands for, and whether something narrower is tried.
    fn narrow(&mut self, refused: &Arc<Resource>) -> (Arc<Resource>, bool) {
        let name = refused.name();
        let accepted = self.accepted.get(name).map(|accepted| &**accepted);
        let narrowing = self.narrowed.get_mut(name).filter(|n| n.current().version() == refused.version());
        if let Some(narrowing) = narrowing {
            let whole = Arc::clone(narrowing.whole());
            let goes_on = narrowing.refuse(accepted);
            if !goes_on {
                self.narrowed.remove(name);
            }
            return (whole, goes_on);
        }
        let narrowing = Narrowing::start(refused, accepted);
        let goes_on = narrowing.is_some();
        self.narrowed.extend(narrowing.map(|narrowing| (Arc::clone(name), narrowing)));
        (Arc::clone(refused), goes_on)
    }

    /// What the client should have instead of what it refused, where that has changed.
    pub(crate) fn renew(&mut self, wanted: &Set) {
        for (name, narrowing) in &mut self.narrowed {
            let Some(whole) = wanted.get(name) else { continue };
            if whole.version() == narrowing.whole().version() {
                continue;
            }
            if let (Some(renewed), Some(parked)) = (narrowing.renew(whole), self.parked.get_mut(name)) {
                *narrowing = renewed;
                parked.resource = Arc::clone(whole);
            }
        }
    }

    /// The resource of this name that the client should have: the whole, or what it settled for.
    pub(crate) fn desired(&self, wanted: &Set, name: &str) -> Option<Arc<Resource>> {
        let whole = wanted.get(name)?;
        let narrowing = self.narrowed.get(name).filter(|n| n.whole().version() == whole.version());
        Some(Arc::clone(narrowing.map_or(whole, Narrowing::current)))
    }

    /// Whether the client has it, and which version, is unknown until it is sent again.
    fn in_doubt(&mut self, name: Name) {
        self.known.insert(Arc::new(Resource::remembered(self.url.clone(), name, Version::default())));
    }

    /// Whether this very version was refused.
    pub(crate) fn is_parked(&self, resource: &Resource) -> bool {
        self.parked.get(resource.name()).is_some_and(|p| p.resource.version() == resource.version())
    }

    /// Whether something that refers to this name should wait: it is about to be sent, or was and is not answered.
    pub(crate) fn unsettled(&self, name: &str, now: Millis, bound: Millis) -> bool {
        self.pending.contains(name)
            || self.trials.iter().flatten().any(|n| &**n == name)
            || self.flights.iter().any(|f| f.at + bound > now && f.touches(name))
    }

    /// Whether a response about it is not answered.
    pub(crate) fn in_flight(&self, name: &str) -> bool {
        self.flights.iter().any(|f| f.touches(name))
    }

    /// Whether there is nothing to say.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.trials.is_empty() && self.leaving.is_empty() && self.doubt.is_empty()
    }

    /// Whether there is nothing under way.
    pub(crate) fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.trials.is_empty() && self.flights.is_empty()
    }

    /// What the client may run of resources under way refers to these; `None`: unknown, so anything.
    ///
    /// It may run what it accepted, and what it was sent since, also where it refused it.
    pub(crate) fn still_refers(&self) -> Option<BTreeSet<&Reference>> {
        let sent = || self.flights.iter().flat_map(|f| &f.content);
        let names = sent()
            .map(|(name, _)| name)
            .chain(&self.pending)
            .chain(self.trials.iter().flatten())
            .chain(self.parked.keys())
            .chain(self.leaving.keys())
            .chain(&self.doubt);
        let mut found: BTreeSet<&Reference> =
            sent().filter_map(|(_, resource)| resource.as_ref()).flat_map(|r| r.depends_on()).collect();
        found.extend(self.refused.values().flat_map(|r| r.depends_on()));
        for name in names {
            let Some(resource) = self.accepted.get(name) else { continue };
            if !resource.has_content() {
                return None;
            }
            found.extend(resource.depends_on());
        }
        Some(found)
    }
}

/// The smaller responses in which suspects are tried again; none: they are at fault.
fn parts(suspects: &[Arc<Resource>], carried: usize, message: &str) -> Vec<Vec<Name>> {
    let mut all: Vec<Name> = suspects.iter().map(|r| Arc::clone(r.name())).collect();
    let (named, others) = split_by_message(&all, message);
    if !named.is_empty() && !others.is_empty() {
        return vec![others, named];
    }
    match all.len() {
        0 => vec![],
        // One left of several may be innocent.
        1 if carried > 1 => vec![all],
        1 => vec![],
        n => {
            let right = all.split_off(n / 2);
            vec![all, right]
        }
    }
}

/// At most so many bytes of a text.
pub(crate) fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// How much of a message is searched for names.
const READ: usize = 8192;

/// Those whose names the message mentions, and the others. A name inside a longer one is not mentioned.
fn split_by_message(suspects: &[Name], message: &str) -> (Vec<Name>, Vec<Name>) {
    let text = beginning(message, READ);
    let mut mentioned: Vec<&Name> =
        suspects.iter().filter(|name| !name.is_empty() && text.contains(&***name)).collect();
    mentioned.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let mut left = text.to_owned();
    mentioned.retain(|name| {
        let there = left.contains(&***name);
        if there {
            left = left.replace(&***name, "\0");
        }
        there
    });
    let named: BTreeSet<&Name> = mentioned.into_iter().collect();
    suspects.iter().cloned().partition(|name| named.contains(name))
}
