//! Mirroring: copies of a share of requests to the pods of another service, whose answers are dropped (S34).
//!
//! A copy goes out once its request has passed the access filter of the leg that was picked, and passes no filter of its own. A node proxy
//! therefore mirrors a route only if whoever may reach any of its legs may reach all of the mirror's pods; otherwise nothing is mirrored,
//! and that is said. A sidecar mirrors whatever it sends, as the sidecars of the mirror's pods decide about copies like about everything.

use std::collections::BTreeSet;

use smi_core::ir::{Route, RouteCondition, Target};

use super::joint::Joint;
use super::leaf::{self, Leaf};
use super::sidecar::Reach;
use super::{At, Output};
use crate::codes;
use crate::config::listener::{Percent, RuntimeFraction};
use crate::config::route::RequestMirrorPolicy;

impl Output<'_> {
    /// What mirrors the requests of a route.
    pub(super) fn mirror(
        &mut self,
        at: &At<'_>,
        route: &Route,
        names: &BTreeSet<String>,
    ) -> Option<RequestMirrorPolicy> {
        let (mirror, origin) = at.port.policy.mirror.as_ref()?;
        let target = Target { pool: mirror.pool.clone(), weight: 1, origin: origin.clone() };
        let copies =
            Route { condition: RouteCondition::Everything, targets: vec![target], origin: origin.clone() };
        let mut to = leaf::leaves(self.ir, &copies)?;
        let spoken = self.spoken(&mirror.pool);
        if self.own.is_some() {
            to.retain(|leaf| self.reach(at, leaf) != Reach::Refused);
        } else if !self.may_copy(at, route, &to, names) {
            let message =
                format!("requests are not mirrored: not all callers may call all pods of {}", mirror.pool);
            self.find(codes::IGNORED, origin, message);
            return None;
        }
        let mut joint = Joint::default();
        for leaf in &to {
            let reach = self.reach(at, leaf);
            if reach == Reach::There || !self.unspoken(spoken) {
                joint.add(at, leaf, spoken, self.way(leaf, spoken, reach));
            }
        }
        let cluster = self.mirror_cluster(at, &mirror.pool, joint)?;
        let percent = Percent { numerator: mirror.percent.into() };
        Some(RequestMirrorPolicy {
            cluster,
            runtime_fraction: Some(RuntimeFraction { default_value: Some(percent) }),
            disable_shadow_host_suffix_append: true,
        })
    }

    fn may_copy(&self, at: &At<'_>, route: &Route, to: &[Leaf<'_>], names: &BTreeSet<String>) -> bool {
        let Some(from) = leaf::leaves(self.ir, route) else { return false };
        // A leg without pods is open to everybody, as it leads nowhere; its copies would not.
        from.iter().all(|from| {
            to.iter()
                .filter_map(|to| to.at)
                .all(|to| from.at.is_some_and(|from| self.access.covers(at.service.mode, from, to, names)))
        })
    }
}
