//! What to send next: planned without changing anything, then done.

use std::sync::Arc;

use super::topic::{Flight, Millis, Topic};
use super::{Key, Protocol, Response, Session, wanted};
use crate::kind::{CLUSTER, ENDPOINT, LISTENER, ROUTE, TypeUrl};
use crate::resource::{Name, Reference, Resource};
use crate::set::Set;
use crate::snapshot::empty_assignment;
use crate::status::Event;
use crate::wire::{DeltaDiscoveryResponse, DiscoveryResponse};

/// The next step of one type.
#[derive(Default)]
struct Plan {
    send: Vec<Arc<Resource>>,
    /// Removed from what the client has.
    remove: Vec<Name>,
    /// Nothing to do for these.
    settle: Vec<Name>,
    /// To be removed when nothing refers to them.
    depart: Vec<Name>,
    /// The first trial is taken.
    trial: bool,
    /// Respond even without content.
    respond: bool,
}

impl Session {
    /// The next response, if there is one to send now.
    pub fn poll(&mut self, now: Millis) -> Option<Response> {
        let published = self.published.clone()?;
        let keys: Vec<Key> = self.topics.keys().cloned().collect();
        loop {
            let mut moved = false;
            for key in &keys {
                // Steps without response can make way for others, also of earlier types.
                while let Some(plan) =
                    self.topics.get(key).and_then(|t| self.plan(t, wanted(Some(&published), &key.1), now))
                {
                    if let Some(response) = self.carry_out(key, plan, wanted(Some(&published), &key.1), now) {
                        return Some(response);
                    }
                    moved = true;
                }
            }
            if !moved {
                return None;
            }
        }
    }

    /// When to poll again although nothing happens: the end of the next wait.
    #[must_use]
    pub fn deadline(&self, now: Millis) -> Option<Millis> {
        let waiting = self.topics.values().any(|t| !t.is_idle());
        if !waiting || self.published.is_none() {
            return None;
        }
        let answers = self.topics.values().flat_map(|t| {
            [self.limits.answer, self.patience(t)]
                .into_iter()
                .flat_map(|most| t.flights.iter().map(move |f| f.at + most))
        });
        let removals =
            self.topics.values().flat_map(|t| t.leaving.values().map(|at| at + self.limits.removal));
        answers.chain(removals).filter(|at| *at > now).min()
    }

    /// How long a response keeps others of its type waiting. In state of the world an answer is about all before it as well, so that parts of
    /// a refused one are not apart unless each is answered; Envoy may take 15 s.
    fn patience(&self, topic: &Topic) -> Millis {
        let apart = self.protocol == Protocol::Sotw && !topic.trials.is_empty();
        if apart { self.limits.answer + self.limits.removal } else { self.limits.answer }
    }

    /// `None`: nothing to do.
    fn plan(&self, topic: &Topic, wanted: &Set, now: Millis) -> Option<Plan> {
        let full = self.protocol == Protocol::Sotw && topic.url.full_state();
        let greet = !topic.greeted && (full || topic.subscription.is_wildcard());
        if topic.is_idle() && !greet {
            return None;
        }
        let window = if self.protocol == Protocol::Sotw { 1 } else { self.limits.window };
        let patience = self.patience(topic);
        let waiting = topic.flights.iter().filter(|f| f.at + patience > now).count();
        if waiting >= window {
            return None;
        }
        if let Some(trial) = topic.trials.front() {
            let send = trial
                .iter()
                .filter(|n| topic.subscription.covers(n))
                .filter_map(|n| topic.desired(wanted, n));
            let send: Vec<Arc<Resource>> = send.collect();
            let wait = send.iter().any(|resource| self.must_wait(resource, now));
            return (!wait).then(|| Plan { send, trial: true, ..Plan::default() });
        }
        let mut plan = Plan { respond: greet || !topic.doubt.is_empty(), ..Plan::default() };
        for name in &topic.pending {
            let forced = topic.forced.contains(name);
            if !topic.subscription.covers(name) && !forced {
                plan.settle.push(Arc::clone(name));
                continue;
            }
            match (self.wanted(topic, wanted, name, forced), topic.known.get(name)) {
                (Some(resource), known) => {
                    let same = known.is_some_and(|k| k.version() == resource.version());
                    if !forced && (same || topic.is_parked(&resource)) {
                        plan.settle.push(Arc::clone(name));
                    } else if !self.must_wait(&resource, now) {
                        plan.send.push(resource);
                    } else if greet {
                        // What the first response leaves out does not exist for the client, so that it waits as a whole.
                        return None;
                    }
                }
                (None, Some(_)) => plan.depart.push(Arc::clone(name)),
                (None, None) => {
                    // The client gave the name up, still gets everything, and does not know that there is no such resource. Or it asks again,
                    // and takes what was on its way for the answer.
                    let asked = topic.subscription.has(name);
                    let tell = if asked { topic.in_flight(name) } else { topic.subscription.is_wildcard() };
                    if tell && forced && self.protocol == Protocol::Delta {
                        plan.remove.push(Arc::clone(name));
                    }
                    // A full response without it is the answer.
                    plan.respond |= forced && full;
                    plan.settle.push(Arc::clone(name));
                }
            }
        }
        self.plan_removals(topic, wanted, now, &mut plan);
        let idle = plan.send.is_empty()
            && plan.remove.is_empty()
            && plan.settle.is_empty()
            && plan.depart.is_empty()
            && !plan.respond;
        if idle { None } else { Some(plan) }
    }

    /// What the client should have. The assignment that Envoy waits for is sent even if its cluster is about to go.
    fn wanted(&self, topic: &Topic, wanted: &Set, name: &Name, forced: bool) -> Option<Arc<Resource>> {
        if let Some(resource) = topic.desired(wanted, name) {
            return Some(resource);
        }
        let owed = forced && topic.url.as_str() == ENDPOINT && self.owed.contains_key(name);
        let known = topic.known.get(name).filter(|r| r.has_content());
        owed.then(|| known.cloned().unwrap_or_else(|| Arc::new(empty_assignment(name))))
    }

    /// Whether something it refers to is under way.
    fn must_wait(&self, resource: &Resource, now: Millis) -> bool {
        let rank = resource.type_url().rank();
        // Most of the time nothing is.
        let under_way = |t: &&Topic| t.url.rank() < rank && !t.is_settled();
        let others: Vec<&Topic> = self.topics.values().filter(under_way).collect();
        if others.is_empty() {
            return false;
        }
        resource.depends_on().iter().any(|to| {
            let mut same_type = others.iter().filter(|t| t.url == to.type_url);
            same_type.any(|t| t.unsettled(&to.name, now, self.limits.answer))
        })
    }

    fn plan_removals(&self, topic: &Topic, wanted: &Set, now: Millis, plan: &mut Plan) {
        let leaving = topic.leaving.keys().filter(|n| wanted.get(n).is_none());
        let leaving: Vec<Name> = leaving.chain(&plan.depart).cloned().collect();
        if leaving.is_empty() {
            return;
        }
        let referrers: Vec<_> = topic
            .url
            .referrers()
            .iter()
            .filter_map(|url| self.topics.get(&key_of(url)))
            .map(Topic::still_refers)
            .collect();
        // Who comes back tells of all types before it answers anything.
        let mut users = topic.url.referrers().iter().filter(|url| [LISTENER, ROUTE].contains(*url));
        let untold = self.only.is_none()
            && topic.counts.acks + topic.counts.nacks == 0
            && users.any(|url| !self.topics.contains_key(&key_of(url)));
        for name in leaving {
            let since = topic.leaving.get(&name).copied().unwrap_or(now);
            let early = untold && topic.known.get(&name).is_some_and(|r| !r.has_content());
            let reference = Reference { type_url: topic.url.clone(), name };
            let held =
                early || referrers.iter().any(|r| r.as_ref().is_none_or(|set| set.contains(&reference)));
            if !held || since + self.limits.removal <= now {
                plan.remove.push(reference.name);
            }
        }
    }

    fn carry_out(&mut self, key: &Key, mut plan: Plan, wanted: &Set, now: Millis) -> Option<Response> {
        let topic = self.topics.get_mut(key)?;
        if plan.trial {
            topic.trials.pop_front();
        }
        for name in plan.settle.iter().chain(&plan.depart).chain(&plan.remove) {
            topic.pending.remove(name);
            topic.forced.remove(name);
        }
        for name in plan.depart {
            topic.leaving.entry(name).or_insert(now);
        }
        let mut removed_known = false;
        for name in &plan.remove {
            topic.leaving.remove(name);
            removed_known |= topic.known.get(name).is_some();
            topic.known.remove(name);
        }
        for resource in &plan.send {
            topic.pending.remove(resource.name());
            topic.forced.remove(resource.name());
            if wanted.get(resource.name()).is_none() {
                topic.leaving.entry(Arc::clone(resource.name())).or_insert(now);
            }
            topic.known.insert(Arc::clone(resource));
        }
        // Who comes back leaves no longer.
        topic.leaving.retain(|name, _| wanted.get(name).is_none());
        topic.parked.retain(|name, parked| match (wanted.get(name), topic.known.get(name)) {
            (None, None) => false,
            // The client was sent what it should have, and not what it refused.
            (Some(wanted), Some(known)) if wanted.version() == known.version() => {
                wanted.version() == parked.resource.version()
            }
            _ => true,
        });
        topic.narrowed.retain(|name, _| topic.parked.contains_key(name));
        topic.share(wanted);
        let delta = self.protocol == Protocol::Delta;
        let full = !delta && key.1.full_state();
        if !delta && !full {
            // There is no way to say it.
            for name in plan.remove.drain(..) {
                topic.accepted.remove(&name);
            }
        }
        let respond = plan.respond || !plan.send.is_empty() || (delta && !plan.remove.is_empty());
        if !(respond || full && removed_known) {
            return None;
        }
        self.nonce += 1;
        let nonce = self.nonce;
        topic.greeted = true;
        topic.last_nonce = nonce;
        topic.counts.responses += 1;
        let version = topic.known.version().to_string();
        let (type_url, text) = (key.1.to_string(), nonce.to_string());
        let (sent, removed) = (plan.send.len(), plan.remove.len());
        let response = if delta {
            Response::Delta(DeltaDiscoveryResponse {
                system_version_info: version,
                resources: plan.send.iter().map(|r| r.delta()).collect(),
                type_url,
                nonce: text,
                removed_resources: plan.remove.iter().map(|n| n.to_string()).collect(),
            })
        } else {
            let all = topic.known.iter();
            let resources = if full {
                all.filter(|r| r.has_content()).map(|r| r.any()).collect()
            } else {
                plan.send.iter().map(|r| r.any()).collect()
            };
            Response::Sotw(DiscoveryResponse { version_info: version, resources, type_url, nonce: text })
        };
        let changed = plan.send.iter().map(|r| (Arc::clone(r.name()), Some(Arc::clone(r))));
        let mut content: Vec<_> = changed.chain(plan.remove.into_iter().map(|n| (n, None))).collect();
        content.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut clusters = plan.send;
        if full {
            topic.add_unanswered(&mut content);
            clusters.extend(topic.restate(&mut content));
        }
        let carried = content.iter().filter(|(_, resource)| resource.is_some()).count();
        topic.flights.push_back(Flight { nonce, at: now, content, carried, trial: plan.trial });
        if topic.flights.len() > self.limits.window.max(1) * 2 {
            topic.flights.pop_front();
        }
        self.events.push(Event::Sent { type_url: key.1.clone(), resources: sent, removed });
        if key.1.as_str() == CLUSTER {
            self.owe_assignments(&clusters, nonce);
        }
        Some(response)
    }

    /// Envoy waits up to 15 s for the assignment of a cluster that it got, also if it has it: it is sent again right after.
    fn owe_assignments(&mut self, clusters: &[Arc<Resource>], nonce: u64) {
        let mut topic = self.topics.get_mut(&key_of(ENDPOINT));
        for cluster in clusters {
            let refers = cluster.depends_on().iter().filter(|r| r.type_url.as_str() == ENDPOINT);
            let mut names: Vec<&Name> = refers.map(|r| &r.name).collect();
            if names.is_empty() {
                names.push(cluster.name());
            }
            for name in names {
                self.owed.insert(Arc::clone(name), nonce);
                if let Some(topic) = topic.as_mut().filter(|t| t.subscription.covers(name)) {
                    topic.pending.insert(Arc::clone(name));
                    topic.forced.insert(Arc::clone(name));
                }
            }
        }
    }
}

fn key_of(url: &str) -> Key {
    let url = TypeUrl::from(url);
    (url.rank(), url)
}
