//! Traps of Traefik 3.7 and of meshes that were built on it: what makes it reject a document, disable a router, serve whom it should not
//! or forget what it counted. Each has a number and a test that shows that no rendered configuration steps into it.
//!
//! Tests without a file stand in the modules below, one subject each; *live* is `smi-conformance/tests/live_traefik_traps`, *weights* `live_traefik.rs` beside it, both
//! on a real Traefik; *cases* are folders of `tests/cases`; *random* is `random.rs` beside this folder; *rules* are unit tests of `rule`.
//!
//! | trap | what goes wrong | test |
//! |---|---|---|
//! | 0.1 | names outside the mesh's domains are served, and pass unchecked | `trap_0_1` |
//! | 0.2 | a source without pods makes an empty object; the proxy keeps its old document for ever | `trap_0_2`, live `trap_0_2`, random |
//! | 0.3 | identity from `X-Forwarded-For` | `trap_0_3`, live `trap_0_3` |
//! | 0.4 | of two targets on one service one wins, another one at each start | `trap_0_4`, live `trap_0_4`, cases `s22-grants-add-up` |
//! | 0.5 | TCP and UDP unchecked; no rules, an empty group or a TCPRoute open HTTP | `trap_0_5`, live `trap_0_5`, cases `s24-*`, `s27-*`, `s11-empty-*` |
//! | 0.6 | the second port of a service is served as the first; Service port dialled at pods | live `trap_0_6`, live `trap_0_5`, cases `s24-destination-port` |
//! | 0.7 | a backtick in a pattern ends the rule's string | rules, live `trap_0_7`, cases `backticks-and-braces` |
//! | 0.8 | `a` + `b-c` and `a-b` + `c` share a key; long names | `trap_0_8`, cases `names-that-join-alike`, `long-names` |
//! | 0.9 | equal states, different documents | `trap_0_9`, `meaning.rs` `s35_*` |
//! | 0.10 | needless reloads, each of which resets limits, breakers and weights | `trap_0_10` |
//! | 0.11 | a second hop for access behind a split | `trap_0_11`, live `trap_5_3_4` |
//! | 0.12 | each host three times in every rule | `trap_0_1` |
//! | 0.13 | an empty document removes all routes; faults go unnoticed | `trap_0_13`, `trap_5_4`, live `trap_5_4` |
//! | 0.14 | TLS identities and UDP access promised and not there | `trap_0_14` |
//! | 0.15 | weights and refusals never counted | weights `s15_*`, live `trap_5_2_4`, `trap_0_5` |
//! | 5.1.1–5.1.6 | names and forms of version 2: `ipWhiteList`, `HeadersRegexp`, `PathPrefix` with a pattern, `Method` and `Host` with several arguments, `ruleSyntax` | `trap_5_1_1`, live `trap_5_1_2`, `trap_0_4` |
//! | 5.1.7, 5.1.8 | priorities left to Traefik, equal or 0 | `trap_5_1_7`, random |
//! | 5.1.9 | 0 retries disable a router; tries counted as retries | cases `s34-faulty-settings`, live `trap_5_2_4` |
//! | 5.1.10 | a circuit breaker for each router | `trap_5_1_10`, live `trap_5_1_10` |
//! | 5.1.11 | limits per router, per caller, per spelling of the host | `trap_5_1_10`, live `trap_5_1_11`, live `trap_5_1_11b` |
//! | 5.1.12, 5.1.14 | settings that are gone; `forwardedHeaders` | `trap_7_8` |
//! | 5.1.13 | paths matched otherwise than forwarded; a raw backslash forwarded as `%5C` | `trap_5_1_13`, live `trap_5_1_13`, live `trap_5_1_13b`, cases `s09-*` |
//! | 5.1.15 | `X_A` smuggled past a match of `X-A` | `trap_7_8`, live `trap_5_1_2` |
//! | 5.1.16 | CONNECT is answered 501 by Traefik | live `trap_5_1_16` |
//! | 5.1.17 | a body that takes longer than 60 s ends the request | `trap_5_1_17` |
//! | 5.2.1, 5.2.11 | inexact weights | weights `s15_*`, live `trap_0_5` |
//! | 5.2.2, 5.2.3 | weight 0, all 0, negative, fractions | `trap_5_2_2`, cases `s15-*`, `s04-quantities` |
//! | 5.2.4, 5.2.5 | dead leaves | live `trap_5_2_4`, cases `s20-*` |
//! | 5.2.6 | a child named twice | cases `s15-a-service-twice-adds-up` |
//! | 5.2.7 | a child that does not exist disables the router | `trap_5_4`, random |
//! | 5.2.8 | health checks that all children must have | `trap_5_1_1` |
//! | 5.2.9, 5.2.10 | a reload restarts weights | `trap_0_10` |
//! | 5.3.1 | a router that is disabled opens what lies below | `trap_5_3_1` |
//! | 5.3.2, 5.3.3 | allow lists of two routers do not add up, `ClientIP` does | live `trap_0_4` |
//! | 5.3.4, 5.3.5 | access per leaf; a forged header at an indirect router | live `trap_5_3_4`, live `trap_0_3` |
//! | 5.3.6, 5.3.7 | a TCP client that no router takes hangs | `trap_5_3_7`, live `trap_0_5` |
//! | 5.3.8 | server names beside plain TCP on one entry point | `trap_5_3_7` |
//! | 5.3.9 | two UDP routers on one entry point | `trap_5_4`, `trap_0_5` |
//! | 5.3.10 | long lists of addresses in rules | `trap_5_3_10` |
//! | 5.4 | whatever disables routers or rejects documents | `trap_5_4`, `trap_0_13`, random, live `load` of every test |
//! | 5.5 | slow pick-up | `trap_7_8` |
//! | 7.1 | forwarding to names of the mesh | `trap_0_11` |
//! | 7.2 | no lowest router that refuses | `trap_5_3_1`, `trap_5_3_7` |
//! | 7.3 | priorities by counting operators; ambiguous keys | `trap_5_1_7`, `trap_0_8` |
//! | 7.4 | patterns that Go does not read | rules, cases `s08-*` |
//! | 7.5 | empty maps, empty sources, dead leaves | `trap_0_2`, `trap_5_2_2`, live `trap_5_2_4` |
//! | 7.6 | ClusterIP as a host | `trap_0_1` |
//! | 7.7 | nobody knows which configuration a proxy has | `trap_0_13`, live `trap_5_4` |
//! | 7.8 | the install configuration | `trap_7_8` |
//! | 7.9–7.14 | controllers, DNS, status | not of this crate |
#![expect(clippy::unwrap_used, reason = "a test")]

mod access;
mod document;
mod form;
mod support;
