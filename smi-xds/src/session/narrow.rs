//! A refused route configuration, narrowed to what the client takes.
//!
//! One bad virtual host must not hold back what the others should be: a grant that was taken back stays open as long as the client refuses
//! the response that closes it. So hosts that differ from what the client accepted before are closed at once, and opened again in
//! halves; those that the client refuses even alone stay closed until they change.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::hosts::Hosts;
use crate::resource::{Resource, Version};

/// How many refusals the search may cost before what is left of it stays closed.
const PATIENCE: u32 = 64;

/// A route configuration whose hosts are not all open.
#[derive(Clone, Debug)]
pub(crate) struct Narrowing {
    whole: Arc<Resource>,
    hosts: Hosts,
    /// Hosts that the client refuses, wherever they stand.
    refused: BTreeSet<Version>,
    /// Closed in what the client takes.
    closed: BTreeSet<usize>,
    /// Closed hosts that may be sound, in groups; the last is tried next.
    groups: Vec<Vec<usize>>,
    /// The group that is open in `current`; empty: what is tried is the closing itself.
    trying: Vec<usize>,
    current: Arc<Resource>,
    /// The search is over, and the client took what it led to.
    settled: bool,
    refusals: u32,
}

impl Narrowing {
    /// After the client refused the whole; `None`: there are no hosts, or nothing in them is new, so that they are not at fault.
    pub(crate) fn start(whole: &Arc<Resource>, accepted: Option<&Resource>) -> Option<Self> {
        let mut narrowing = Self::closing(whole, Hosts::of(whole)?, BTreeSet::new(), BTreeSet::new());
        narrowing.refuse(accepted).then_some(narrowing)
    }

    /// The whole has changed; `None`: nothing that was refused is left in it.
    pub(crate) fn renew(&self, whole: &Arc<Resource>) -> Option<Self> {
        let hosts = Hosts::of(whole)?;
        let bad = |(at, version)| self.refused.contains(&version).then_some(at);
        let closed: BTreeSet<usize> = hosts.versions().enumerate().filter_map(bad).collect();
        if closed.is_empty() {
            return None;
        }
        Some(Self::closing(whole, hosts, closed, self.refused.clone()))
    }

    /// With these hosts closed, before any answer.
    fn closing(
        whole: &Arc<Resource>,
        hosts: Hosts,
        closed: BTreeSet<usize>,
        refused: BTreeSet<Version>,
    ) -> Self {
        Self {
            current: closed_in(whole, &hosts, &closed),
            whole: Arc::clone(whole),
            hosts,
            refused,
            closed,
            groups: Vec::new(),
            trying: Vec::new(),
            settled: false,
            refusals: 0,
        }
    }

    /// What it stands for.
    pub(crate) fn whole(&self) -> &Arc<Resource> {
        &self.whole
    }

    /// What to send instead.
    pub(crate) fn current(&self) -> &Arc<Resource> {
        &self.current
    }

    /// Names of the hosts that are closed.
    pub(crate) fn closed(&self) -> Vec<String> {
        self.hosts.names(&self.closed)
    }

    /// The client took `current`; true: that ends the search.
    pub(crate) fn accept(&mut self) -> bool {
        if self.settled {
            return false;
        }
        for host in std::mem::take(&mut self.trying) {
            self.closed.remove(&host);
        }
        self.proceed();
        self.settled = self.trying.is_empty();
        self.settled
    }

    /// The client refused `current`, and accepted this before; false: it refuses whatever is closed.
    pub(crate) fn refuse(&mut self, accepted: Option<&Resource>) -> bool {
        self.refusals += 1;
        self.settled = false;
        let tried = std::mem::take(&mut self.trying);
        if tried.is_empty() {
            return self.close_what_changed(accepted);
        }
        self.split(tried);
        self.proceed();
        true
    }

    /// Every host that the client did not accept before may be at fault.
    fn close_what_changed(&mut self, accepted: Option<&Resource>) -> bool {
        let before: BTreeSet<Version> =
            accepted.and_then(Hosts::of).map(|hosts| hosts.versions().collect()).unwrap_or_default();
        let changed = |(at, version)| (!before.contains(&version)).then_some(at);
        let suspects: Vec<usize> = self
            .hosts
            .versions()
            .enumerate()
            .filter_map(changed)
            .filter(|at| !self.closed.contains(at))
            .collect();
        if suspects.is_empty() {
            return false;
        }
        self.closed.extend(suspects.iter().copied());
        self.groups = vec![suspects];
        self.current = closed_in(&self.whole, &self.hosts, &self.closed);
        true
    }

    /// Opens the next group. All open at once is what was refused already.
    fn proceed(&mut self) {
        while let Some(group) = self.groups.pop() {
            let closed: BTreeSet<usize> =
                self.closed.iter().copied().filter(|at| !group.contains(at)).collect();
            if !closed.is_empty() {
                self.current = closed_in(&self.whole, &self.hosts, &closed);
                self.trying = group;
                return;
            }
            self.split(group);
        }
        self.current = closed_in(&self.whole, &self.hosts, &self.closed);
    }

    fn split(&mut self, mut group: Vec<usize>) {
        if group.len() > 1 && self.refusals < PATIENCE {
            let right = group.split_off(group.len() / 2);
            self.groups.extend([right, group]);
        } else {
            let versions: Vec<Version> = self.hosts.versions().collect();
            self.refused.extend(group.iter().filter_map(|at| versions.get(*at)));
        }
    }
}

/// The whole with these hosts closed.
fn closed_in(whole: &Arc<Resource>, hosts: &Hosts, closed: &BTreeSet<usize>) -> Arc<Resource> {
    if closed.is_empty() { Arc::clone(whole) } else { Arc::new(hosts.close(whole, closed)) }
}
