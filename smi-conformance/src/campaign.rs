//! Many worlds and requests, compared.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use smi_core::backend::{Backend as _, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::eval::{Decide, Decision, Distribution, Outcome, Payload, Request, Share, eval};
use smi_core::ir::Ir;
use smi_core::load::{Input, Limits, load};
use smi_traefik::sim::Simulator;
use smi_traefik::{Traefik, TraefikConfig, TraefikOptions};

use crate::live::{Live, Observation};
use crate::random::Random;
use crate::world::{Ports, request, world};

/// Requests in each world.
const REQUESTS: usize = 40;
/// Requests sent at most to count a split.
const MOST: u64 = 240;

/// What a campaign is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Pairs of world and request.
    pub cases: usize,
    /// Where random numbers start.
    pub seed: u64,
    /// The binary of Traefik; simulated only when absent.
    pub traefik: Option<PathBuf>,
    /// Where differences are written to.
    pub folder: PathBuf,
}

/// What it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Counts by name.
    pub counts: BTreeMap<&'static str, usize>,
    /// Differences that nothing declares, minimal.
    pub differences: Vec<String>,
}

impl Outcomes {
    fn count(&mut self, name: &'static str) {
        *self.counts.entry(name).or_default() += 1;
    }
}

struct Compiled {
    ir: Ir,
    config: TraefikConfig,
}

fn compiled(documents: &[String], options: &CompileOptions, traefik: &TraefikOptions) -> Compiled {
    let world = load(&[Input::new("world.yaml", documents.join("---\n"))], &Limits::default());
    let ir = compile(&world.hub, &world.cluster, options).ir;
    let config = Traefik { options: traefik.clone() }.render(&ir, &ProxyTarget::Node).output;
    Compiled { ir, config }
}

/// Runs a campaign.
pub fn run(plan: &Plan) -> anyhow::Result<Outcomes> {
    let mut live = plan.traefik.as_deref().map(Live::start).transpose()?;
    let mut options = CompileOptions::default();
    let mut traefik = TraefikOptions::default();
    let mut ports = Ports { http: 20080, other: 20081, tcp: 25432 };
    if let Some(live) = &live {
        options.port_ranges.http = (live.listen.0, 8);
        options.port_ranges.tcp = (live.listen.1, 8);
        traefik = live.options();
        ports = live.ports;
    }
    let mut out = Outcomes::default();
    let mut cases = 0;
    let mut number = 0;
    while cases < plan.cases {
        let mut random = Random::new(plan.seed.wrapping_add(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        number += 1;
        let documents = world(&mut random, ports);
        let made = compiled(&documents, &options, &traefik);
        out.count("worlds");
        if let Some(live) = &mut live {
            live.load(&made.config).with_context(|| {
                format!("world {number} of seed {}:\n{}", plan.seed, documents.join("---\n"))
            })?;
        }
        for _ in 0..REQUESTS.min(plan.cases - cases) {
            cases += 1;
            let request = request(&mut random, &made.ir);
            let decision = eval(&made.ir, &request);
            tally(&mut out, &request, &decision);
            if let Some(difference) = difference(&made, &request, &decision, live.as_mut(), &mut out)? {
                let minimal = shrink(documents.clone(), |fewer| {
                    let made = compiled(fewer, &options, &traefik);
                    let decision = eval(&made.ir, &request);
                    if let Some(live) = &mut live
                        && live.load(&made.config).is_err()
                    {
                        return false;
                    }
                    let mut ignored = Outcomes::default();
                    matches!(
                        difference_of(&made, &request, &decision, live.as_mut(), &mut ignored),
                        Ok(Some(_))
                    )
                });
                let name = plan.folder.join(format!("{}-{}", plan.seed, out.differences.len()));
                write(&name, &minimal, &request, &difference)?;
                out.differences.push(format!("{difference}\n  written to {}", name.display()));
                anyhow::ensure!(
                    out.differences.len() < 5,
                    "too many differences:\n{}",
                    out.differences.join("\n")
                );
                if let Some(live) = &mut live {
                    live.load(&made.config)?;
                }
            }
        }
    }
    *out.counts.entry("cases").or_default() = cases;
    Ok(out)
}

use difference as difference_of;

fn tally(out: &mut Outcomes, request: &Request, decision: &Decision) {
    match request.payload {
        Payload::Http(_) => out.count("http"),
        Payload::Tcp { .. } => out.count("tcp"),
        Payload::Udp { .. } => out.count("udp"),
    }
    let distribution = decision.distribution();
    if distribution.iter().count() > 1 {
        out.count("split");
    }
    for (outcome, _) in distribution.iter() {
        out.count(match outcome {
            Outcome::Served(..) => "served",
            Outcome::Forbidden => "forbidden",
            Outcome::Unavailable => "unavailable",
            Outcome::NotFound => "not found",
            Outcome::BadRequest => "bad request",
        });
    }
}

/// What can be told apart from outside: a closed connection looks the same whatever closed it.
fn seen(request: &Request, distribution: &Distribution) -> Distribution {
    let mut out = Distribution::default();
    for (outcome, share) in distribution.iter() {
        let closed = !matches!(request.payload, Payload::Http(_)) && !matches!(outcome, Outcome::Served(..));
        out.add(if closed { Outcome::Unavailable } else { outcome.clone() }, share);
    }
    out
}

fn difference(
    made: &Compiled,
    request: &Request,
    decision: &Decision,
    live: Option<&mut Live>,
    out: &mut Outcomes,
) -> anyhow::Result<Option<String>> {
    let expected = seen(request, &decision.distribution());
    let simulated = seen(request, &Simulator::new(&made.config, &made.ir).decide(request));
    // Escapes that Traefik decodes before it matches: patterns that could tell refuse them, so it may do less, never more.
    let decoded = matches!(&request.payload, Payload::Http(http) if ["%7C", "%60", "%22"].iter().any(|e| http.target.contains(e)));
    if simulated != expected && decoded && simulated == Distribution::certain(Outcome::Forbidden) {
        out.count("declared: escape refused");
        return Ok(None);
    }
    if simulated != expected {
        return Ok(Some(format!(
            "{request:?}\n  the reference decides {expected}\n  the simulator decides {simulated}"
        )));
    }
    let Some(live) = live else { return Ok(None) };
    let classes = classes(&made.ir, &expected);
    let cycle = cycle(decision);
    let times = if classes.len() > 1 { (cycle * 3).min(MOST) } else { 1 };
    let exact = cycle * 3 <= MOST;
    let mut counts = vec![0_u64; classes.len()];
    for _ in 0..times {
        out.count("requests sent");
        let observation = live.observe(&made.ir, request)?;
        // Traefik looks for a router before it looks at the path, so a refused path at an unknown host is 404 instead of 400.
        if observation == Observation::Status(404)
            && expected == Distribution::certain(Outcome::BadRequest)
            && unknown_host(&made.ir, request)
        {
            out.count("declared: 404 for 400");
            return Ok(None);
        }
        if let (Observation::Served(_, Some(target)), Decision::Routed(routed), Payload::Http(http)) =
            (&observation, decision, &request.payload)
        {
            let query = http.target.split_once('?').map(|(_, q)| format!("?{q}")).unwrap_or_default();
            let wanted = routed.path.clone().unwrap_or_default() + &query;
            if *target != wanted {
                return Ok(Some(format!("{request:?}\n  the path is {wanted}\n  the pod received {target}")));
            }
        }
        match classes.iter().position(|c| c.holds(&observation)) {
            Some(place) => counts[place] += 1,
            None => {
                return Ok(Some(format!(
                    "{request:?}\n  the reference decides {expected}\n  Traefik: {observation:?}"
                )));
            }
        }
    }
    for (class, count) in classes.iter().zip(&counts) {
        let share = class.share.as_f64();
        let wanted = share * times as f64;
        // Traefik's rotation is exact from its start. Where it stands when we begin to count, after other requests, can move one
        // request per level of weights over the edge of the count.
        let bound = if exact { 2.0 + 1e-6 } else { 4.5 * (wanted * (1.0 - share)).sqrt() + 2.0 };
        if (wanted - *count as f64).abs() > bound {
            return Ok(Some(format!(
                "{request:?}\n  the reference decides {expected}\n  of {times} requests Traefik gave {counts:?} for {classes:?}"
            )));
        }
    }
    Ok(None)
}

/// Whether the request would be 404 with a sound path.
fn unknown_host(ir: &Ir, request: &Request) -> bool {
    let mut sound = request.clone();
    if let Payload::Http(http) = &mut sound.payload {
        http.target = "/".into();
    }
    eval(ir, &sound).distribution() == Distribution::certain(Outcome::NotFound)
}

/// Outcomes that look the same from outside, with their share.
#[derive(Clone, Debug)]
struct Class {
    pods: BTreeSet<SocketAddr>,
    outcomes: BTreeSet<Outcome>,
    share: Share,
}

impl Class {
    fn holds(&self, observation: &Observation) -> bool {
        match observation {
            Observation::Served(at, _) => self.pods.contains(at),
            Observation::Status(400) => self.outcomes.contains(&Outcome::BadRequest),
            Observation::Status(403) => self.outcomes.contains(&Outcome::Forbidden),
            Observation::Status(404) => self.outcomes.contains(&Outcome::NotFound),
            Observation::Status(503) => self.outcomes.contains(&Outcome::Unavailable),
            Observation::Closed => self.outcomes.contains(&Outcome::Unavailable),
            Observation::Status(_) | Observation::Silence => false,
        }
    }
}

/// Two outcomes that share a pod cannot be told apart.
fn classes(ir: &Ir, expected: &Distribution) -> Vec<Class> {
    let mut out: Vec<Class> = Vec::new();
    for (outcome, share) in expected.iter() {
        let pods: BTreeSet<SocketAddr> = match outcome {
            Outcome::Served(pool, workload) => {
                let endpoints = ir.pools.get(pool).into_iter().flat_map(|p| p.ready());
                endpoints.filter(|e| e.workload == *workload).map(|e| e.socket()).collect()
            }
            Outcome::BadRequest | Outcome::NotFound | Outcome::Forbidden | Outcome::Unavailable => {
                BTreeSet::new()
            }
        };
        let mut class = Class { pods, outcomes: BTreeSet::from([outcome.clone()]), share };
        while let Some(place) = out.iter().position(|c| !c.pods.is_disjoint(&class.pods)) {
            let other = out.remove(place);
            class.pods.extend(other.pods);
            class.outcomes.extend(other.outcomes);
            class.share = class.share.plus(other.share);
        }
        out.push(class);
    }
    out
}

/// How many requests make a full cycle of weights within weights.
fn cycle(decision: &Decision) -> u64 {
    let Decision::Routed(routed) = decision else { return 1 };
    let total: u64 = routed.legs.iter().map(|l| u64::from(l.weight)).sum();
    let inner = routed.legs.iter().map(|leg| {
        if leg.ends.len() > 1 { leg.ends.iter().map(|e| u64::from(e.endpoints)).sum() } else { 1 }
    });
    total.saturating_mul(inner.fold(1, lcm))
}

fn lcm(a: u64, b: u64) -> u64 {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x.max(1) * b
}

/// Leaves out documents as long as the difference stays.
fn shrink(mut documents: Vec<String>, mut differs: impl FnMut(&[String]) -> bool) -> Vec<String> {
    let mut place = documents.len();
    while place > 0 {
        place -= 1;
        let mut fewer = documents.clone();
        fewer.remove(place);
        if differs(&fewer) {
            documents = fewer;
        }
    }
    documents
}

fn write(folder: &Path, documents: &[String], request: &Request, difference: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("input.yaml"), documents.join("---\n"))?;
    std::fs::write(folder.join("request.txt"), format!("{request:#?}\n\n{difference}\n"))?;
    Ok(())
}
