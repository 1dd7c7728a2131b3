//! Conformance: does a backend decide as the reference does?
//!
//! Shape: a backend brings a [`subject::Subject`] (renders; has a simulator, perhaps) and a [`subject::LiveProxy`] (runs the real
//! thing). [`suite`] asks it the golden cases of the format in [`mod@case`], [`campaign`] random worlds and requests; both compare by
//! [`compare`]. What differs and is not declared is shrunk and written as a new case.
//! [`traefik`] and [`envoy`] are the two backends of this repository; [`loopback`] has pods and callers for any other.
//!
//! ```
//! use smi_conformance::{campaign, tally::Tally, traefik::TraefikNode};
//!
//! let plan = campaign::Plan { cases: 80, seed: 1, requests: 40, keep: "target/conformance".into() };
//! let mut tally = Tally::default();
//! campaign::run(&plan, &TraefikNode::default(), None, &mut tally).unwrap();
//! assert_eq!(tally.differences, [] as [String; 0]);
//! ```

pub mod around;
pub mod call;
pub mod campaign;
pub mod case;
pub mod compare;
pub mod count;
pub mod envoy;
pub mod loopback;
pub mod node;
pub mod observe;
mod random;
pub mod requests;
pub mod shrink;
pub mod subject;
pub mod suite;
pub mod tally;
pub mod traefik;
pub mod world;
