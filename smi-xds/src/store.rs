//! Snapshots by group of nodes, for writers on one side and streams on the other.
//!
//! A stream holds a watch on its group and sees the newest snapshot only. No lock is held while anything is computed or sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::resource::{Reference, Resource};
use crate::snapshot::{Published, Snapshot};

/// Name of a group of nodes that share a snapshot.
pub type Group = Arc<str>;

type Watched = watch::Sender<Option<Arc<Published>>>;

#[derive(Debug)]
struct Slot {
    sender: Watched,
    /// One writer at a time; readers do not wait for it.
    writer: Mutex<()>,
}

/// Snapshots by group.
#[derive(Debug)]
pub struct Store {
    groups: Mutex<BTreeMap<Group, Arc<Slot>>>,
    demand: watch::Sender<u64>,
}

/// What a stream holds on to; the group's demand ends with the last.
#[derive(Debug)]
pub(crate) struct Watch {
    store: Arc<Store>,
    group: Group,
    receiver: Option<watch::Receiver<Option<Arc<Published>>>>,
}

impl Default for Store {
    fn default() -> Self {
        Self { groups: Mutex::default(), demand: watch::Sender::new(0) }
    }
}

impl Store {
    /// Replaces the snapshot of a group. `false`: nothing differs.
    pub fn set(&self, group: &str, snapshot: Snapshot) -> bool {
        self.publish(group, |old| match old {
            Some(old) => old.next(snapshot),
            None => Some(Published::first(snapshot)),
        })
    }

    /// Edits the snapshot of a group; costs what the edit costs. `false`: nothing differs.
    pub fn edit(&self, group: &str, insert: Vec<Resource>, remove: &[Reference]) -> bool {
        self.publish(group, |old| match old {
            Some(old) => old.edited(insert, remove),
            None => Some(Published::first(Snapshot::new(insert))),
        })
    }

    fn publish(&self, group: &str, next: impl FnOnce(Option<&Published>) -> Option<Published>) -> bool {
        let slot = self.slot(group);
        let _writer = slot.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let old = slot.sender.borrow().clone();
        let Some(new) = next(old.as_deref()) else { return false };
        slot.sender.send_replace(Some(Arc::new(new)));
        true
    }

    /// Forgets the snapshot of a group. Its nodes keep what they have.
    pub fn clear(&self, group: &str) {
        let mut groups = self.lock();
        if let Some(slot) = groups.get(group) {
            let _ = slot.sender.send_if_modified(|value| value.take().is_some());
            if slot.sender.receiver_count() == 0 && Arc::strong_count(slot) == 1 {
                groups.remove(group);
            }
        }
    }

    /// The snapshot of a group.
    #[must_use]
    pub fn get(&self, group: &str) -> Option<Arc<Published>> {
        let slot = self.lock().get(group).cloned()?;
        slot.sender.borrow().clone()
    }

    /// Groups that have connected nodes, with their number of streams.
    #[must_use]
    pub fn demanded(&self) -> BTreeMap<Group, usize> {
        let groups = self.lock();
        let counted = groups.iter().map(|(group, slot)| (Arc::clone(group), slot.sender.receiver_count()));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    /// Changes whenever `demanded` may have changed.
    #[must_use]
    pub fn demand(&self) -> watch::Receiver<u64> {
        self.demand.subscribe()
    }

    pub(crate) fn watch(self: &Arc<Self>, group: Group) -> Watch {
        let receiver = {
            // Under the lock, so that the slot is not removed in between.
            let mut groups = self.lock();
            let slot = groups.entry(Arc::clone(&group)).or_insert_with(Slot::fresh);
            let mut receiver = slot.sender.subscribe();
            receiver.mark_changed();
            receiver
        };
        self.demand.send_modify(|n| *n += 1);
        Watch { store: Arc::clone(self), group, receiver: Some(receiver) }
    }

    fn slot(&self, group: &str) -> Arc<Slot> {
        Arc::clone(self.lock().entry(group.into()).or_insert_with(Slot::fresh))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Group, Arc<Slot>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn fresh() -> Arc<Self> {
        Arc::new(Self { sender: watch::Sender::new(None), writer: Mutex::default() })
    }
}

impl Watch {
    /// The newest snapshot, when there is another than before.
    pub(crate) async fn changed(&mut self) -> Option<Arc<Published>> {
        let Some(receiver) = &mut self.receiver else { return std::future::pending().await };
        if receiver.changed().await.is_err() {
            // The group was cleared: what the node has stays.
            return std::future::pending().await;
        }
        receiver.borrow_and_update().clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.receiver = None;
        let mut groups = self.store.lock();
        // A second owner of the slot is a writer at work.
        let unused = groups.get(&self.group).is_some_and(|slot| {
            slot.sender.receiver_count() == 0
                && slot.sender.borrow().is_none()
                && Arc::strong_count(slot) == 1
        });
        if unused {
            groups.remove(&self.group);
        }
        drop(groups);
        self.store.demand.send_modify(|n| *n += 1);
    }
}
