//! Bytes from seeds: lines, tokens and bytes are removed, repeated, exchanged between seeds, and replaced by words of a dictionary.

use smi_core::testing::random::Random;

/// Words that readers trip over.
const WORDS: &[&str] = &[
    "null",
    "~",
    "yes",
    "no",
    "true",
    "0x1f",
    "014",
    "1e3",
    ".inf",
    "-1",
    "0",
    "65616",
    "4294967296",
    "9223372036854775808",
    "1.5",
    "500m",
    "{}",
    "[]",
    "''",
    "\"\"",
    "*",
    "&a",
    "*a",
    "<<: *a",
    "!!str",
    "!x",
    "|\n",
    ">-\n",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "? ",
    "- ",
    "\t",
    "\r\n",
    "\u{feff}",
    "\u{0}",
    "\u{85}",
    "\u{2028}",
    "é",
    "\\u0000",
    "\\",
    "`",
    "\"",
    "'",
    "#",
    "{{ .x }}",
    ": ",
    ",",
    "[",
    "]",
    "{",
    "}",
    "apiVersion: ",
    "kind: ",
    "metadata: ",
    "name: ",
    "namespace: ",
    "spec: ",
    "matches: ",
    "headers: ",
    "pathRegex: ",
    "methods: ",
    "ports: ",
    "backends: ",
    "weight: ",
    "service: ",
    "sources: ",
    "destination: ",
    "rules: ",
    "items: ",
    "List",
    "v1alpha1",
    "v1alpha2",
    "v1alpha3",
    "v1alpha4",
    "access.smi-spec.io/",
    "specs.smi-spec.io/",
    "split.smi-spec.io/",
    "TrafficTarget",
    "TrafficSplit",
    "HTTPRouteGroup",
    "TCPRoute",
    "UDPRoute",
    "IdentityBinding",
    "ServiceAccount",
    "conversion.smi-sdk.io/v1alpha1",
    "mesh.smi-sdk.io/scheme",
    "mesh.traefik.io/retry-attempts",
    "creationTimestamp",
    "clusterIP: None",
    "hostNetwork: true",
    "10.0.0.1",
    "fd00::1",
    "(?i)",
    "(?=a)",
    "[^/]*",
    "^$",
    ".*",
    "a{1000}",
    "\\d",
    "&&",
    "||",
    "PathPrefix(",
    "Host(",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// Larger inputs say nothing new and take longer.
const MAX_LENGTH: usize = 16 << 10;

/// Makes a new input of a seed and another one.
#[must_use]
pub fn mutate(random: &mut Random, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut out = seed.to_vec();
    for _ in 0..1 + random.below(4) {
        step(random, &mut out, other);
    }
    out.truncate(MAX_LENGTH);
    out
}

fn step(random: &mut Random, out: &mut Vec<u8>, other: &[u8]) {
    match random.below(12) {
        0 => {
            let lines = lines(out);
            if let Some(line) = random.pick(&lines).cloned() {
                out.drain(line);
            }
        }
        1 => {
            let all = lines(out);
            if let (Some(line), Some(to)) = (random.pick(&all).cloned(), random.pick(&all).cloned()) {
                let copy = out[line].to_vec();
                out.splice(to.start..to.start, copy);
            }
        }
        2 => {
            let from = lines(other);
            let first = random.below(from.len());
            let count = 1 + random.below(6);
            let taken: Vec<u8> =
                from.iter().skip(first).take(count).flat_map(|r| other[r.clone()].to_vec()).collect();
            let to = random.pick(&lines(out)).map_or(0, |r| r.start);
            out.splice(to..to, taken);
        }
        // A whole document of the other.
        3 => {
            let mut joined = out.clone();
            joined.extend_from_slice(b"\n---\n");
            joined.extend_from_slice(other);
            *out = joined;
        }
        4..=6 => {
            let tokens = tokens(out);
            if let (Some(token), Some(word)) = (random.pick(&tokens).cloned(), random.pick(WORDS)) {
                out.splice(token, word.bytes());
            }
        }
        // A token of the other in place of one.
        7 => {
            let (own, from) = (tokens(out), tokens(other));
            if let (Some(token), Some(taken)) = (random.pick(&own).cloned(), random.pick(&from).cloned()) {
                out.splice(token, other[taken].to_vec());
            }
        }
        8 => {
            let tokens = tokens(out);
            if let Some(token) = random.pick(&tokens).cloned() {
                out.drain(token);
            }
        }
        9 => {
            let at = random.below(out.len() + 1);
            if let Some(word) = random.pick(WORDS) {
                out.splice(at..at, word.bytes());
            }
        }
        10 => {
            let at = random.below(out.len());
            let bits = random.bits();
            if let Some(byte) = out.get_mut(at) {
                *byte = bits.to_le_bytes()[0];
            }
        }
        _ => {
            let start = random.below(out.len());
            let end = (start + random.below(32)).min(out.len());
            let part = out[start..end].to_vec();
            if random.below(2) == 0 {
                out.drain(start..end);
            } else {
                let at = random.below(out.len() + 1);
                out.splice(at..at, part);
            }
        }
    }
}

fn lines(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        out.push(start..start + line.len());
        start += line.len();
    }
    out
}

/// Runs of bytes without punctuation of YAML and JSON.
fn tokens(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    for part in bytes.split(|b| b" \t\r\n:,{}[]\"'".contains(b)) {
        if !part.is_empty() {
            out.push(start..start + part.len());
        }
        start += part.len() + 1;
    }
    out
}
