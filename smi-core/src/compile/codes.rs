//! Codes of what the compiler cannot use.

crate::diag::declare_codes! {
    BAD_PATTERN = "SMI0201" "pattern-not-portable" Error "S8",
        "a regular expression is invalid or read differently by the proxies",
        "## What it checks\n`pathRegex` and header patterns stay inside what RE2 (Envoy), Go (Traefik) and the native proxy read alike.\n\n## Why it matters\nThe same policy would mean different things on different proxies. The match contributes nothing.\n\n## Example\n`pathRegex: /api/(?!admin)`\n\n## Fix\nWrite the pattern without the part that the message names; most look-arounds can be listed as alternatives.";
    BAD_HEADER = "SMI0202" "header-not-matchable" Error "S7",
        "a header cannot be matched",
        "## What it checks\nHeader names are tokens of RFC 9110, no pseudo-header except `:authority`, and no header that proxies own or rewrite (hop-by-hop ones, `Content-Length`, `Expect`, `Forwarded`, `X-Forwarded-*`, `X-Real-Ip`, `X-Envoy-*`).\n\n## Why it matters\nProxies change such headers before or after matching, and clients can forge them, so that a policy on them would protect nothing. The match contributes nothing.\n\n## Example\n`x-forwarded-for: 10\\\\..*`\n\n## Fix\nMatch a header of the application. Callers are named by `sources`, not by headers.";
    HEADER_TWICE = "SMI0203" "header-twice" Error "S3",
        "one match names the same header twice",
        "## What it checks\nNo header stands twice in a match; names are compared without case.\n\n## Why it matters\nReaders of the list form keep the last one, others both. The match contributes nothing.\n\n## Example\n```yaml\nheaders:\n- x-user: a\n- X-User: b\n```\n\n## Fix\nWrite one pattern with alternatives: `a|b`.";
    MATCH_NAME_TWICE = "SMI0204" "match-name-twice" Error "S26",
        "two matches of a group have the same name",
        "## What it checks\nNames of matches are unique in an HTTPRouteGroup.\n\n## Why it matters\nA rule that refers to the name could mean either, so the name is unresolved. Rules and splits that take the whole group are not affected.\n\n## Example\nTwo matches called `get`.\n\n## Fix\nRename one of them.";
    BAD_METHOD = "SMI0205" "method-not-a-token" Error "S10",
        "a method is none that a request can have",
        "## What it checks\nMethods are tokens of RFC 9110, or `*`.\n\n## Why it matters\nNo request has such a method, and a proxy may refuse all of a configuration that names it. The match contributes nothing.\n\n## Example\n`methods: ['GET POST']`\n\n## Fix\nWrite each method by itself: `[GET, POST]`.";
    SPLIT_ROOT_FORM = "SMI0301" "split-root-name" Error "S13",
        "the root service is not named in a form that is understood",
        "## What it checks\n`spec.service` is `name`, `name.namespace` or `name.namespace.svc[.domain]`, of the split's own namespace.\n\n## Why it matters\nWho may write in one namespace must not redirect traffic of another. The split is not accepted; the root serves as if there were none.\n\n## Example\n`service: cart.other-namespace`\n\n## Fix\nName the Service alone, and put the split beside it.";
    SPLIT_ROOT_MISSING = "SMI0302" "split-root-missing" Error "S14",
        "the root service does not exist",
        "## What it checks\nThe Service that a TrafficSplit splits exists in the input.\n\n## Why it matters\nThere is nothing that callers could name. The split is not accepted.\n\n## Example\nA split of `cart` in a namespace with a Service `carts`.\n\n## Fix\nCreate the Service or correct the name.";
    SPLIT_BACKEND_UNUSABLE = "SMI0303" "split-backend-unusable" Warning "S14",
        "a backend of a split cannot be used",
        "## What it checks\nEach backend is a Service of the split's namespace, with the root's port by number and protocol, and not an ExternalName.\n\n## Why it matters\nThe backend is left out, for the port or as a whole; the others share its traffic in proportion to their weights.\n\n## Example\nA backend whose Service is created later by a rollout.\n\n## Fix\nCreate the Service, or give it the root's port.";
    SPLIT_WEIGHT = "SMI0304" "split-weight-range" Error "S15",
        "a weight is negative or too large",
        "## What it checks\nWeights are whole numbers from 0 to 4294967295, and so is their sum after they were reduced by their greatest common divisor.\n\n## Why it matters\nProxies carry weights in 32 bits. The split is not accepted; the root serves as if there were none.\n\n## Example\n`weight: -1`\n\n## Fix\nUse small whole numbers; only their ratio counts.";
    SPLIT_NOTHING_LEFT = "SMI0305" "split-nothing-left" Error "S15",
        "no backend of a split takes traffic",
        "## What it checks\nAt least one usable backend has a positive weight.\n\n## Why it matters\nThere is nothing to send traffic to. The split is not accepted; the root serves as if there were none.\n\n## Example\nAll weights are 0.\n\n## Fix\nGive one backend a weight, or remove the split.";
    SPLIT_GROUP_MISSING = "SMI0306" "split-condition-unresolved" Error "S17",
        "a condition of a split cannot be resolved",
        "## What it checks\nEvery entry of `spec.matches` is an HTTPRouteGroup that exists in the split's namespace.\n\n## Why it matters\nWithout it, other requests would be split than were meant. The split is not accepted; the root serves as if there were none.\n\n## Example\n`matches: [{kind: HTTPRouteGroup, name: missing}]`\n\n## Fix\nCreate the group or correct the reference.";
    SPLIT_SECOND = "SMI0307" "split-second-unconditional" Error "S18",
        "another unconditional split has the same root",
        "## What it checks\nA root service has at most one split without `matches`.\n\n## Why it matters\nOnly one ratio can hold. The oldest wins, then the first by name; this one is not accepted.\n\n## Example\nA manual split beside the one that a canary controller writes.\n\n## Fix\nRemove one of them or give it a condition.";
    BAD_TIME = "SMI0308" "split-time" Warning "S18",
        "the time of a split's creation cannot be read",
        "## What it checks\n`metadata.creationTimestamp` of a TrafficSplit is a time of RFC 3339.\n\n## Why it matters\nOf several splits of one root the oldest wins. A split whose time cannot be read counts as the newest.\n\n## Example\n`creationTimestamp: yesterday`\n\n## Fix\nRemove the field, which the API server sets, or write `2024-01-01T00:00:00Z`.";
    SPLIT_ROOT_PORTS = "SMI0309" "split-root-without-ports" Warning "S17",
        "the root service has no port that the split could hold for",
        "## What it checks\nThe root service of a split has a port, and one that speaks HTTP if the split has `matches`.\n\n## Why it matters\nTraffic is split port by port, and only HTTP requests meet conditions, so the split has no effect.\n\n## Example\nA headless Service without `ports` as the root.\n\n## Fix\nGive the Service its ports, and HTTP ports a name such as `http`.";
    TARGET_DESTINATION = "SMI0401" "target-destination" Error "S23",
        "the destination of a TrafficTarget cannot be used",
        "## What it checks\nThe destination is a ServiceAccount or IdentityBinding of the TrafficTarget's own namespace.\n\n## Why it matters\nWho may write in one namespace must not open another one. The TrafficTarget is inert: it allows nothing.\n\n## Example\n`destination: {kind: ServiceAccount, name: api, namespace: other}`\n\n## Fix\nPut the TrafficTarget into the namespace of the pods that are called.";
    TARGET_NO_RULES = "SMI0402" "target-without-rules" Error "S27",
        "a TrafficTarget has no rules",
        "## What it checks\n`spec.rules` has at least one entry.\n\n## Why it matters\nOther meshes open everything to the sources then. Here the TrafficTarget is inert: it allows nothing.\n\n## Example\n`rules: []`\n\n## Fix\nName an HTTPRouteGroup, a TCPRoute or a UDPRoute. A TCPRoute without ports allows every port.";
    TARGET_NO_SOURCES = "SMI0403" "target-without-sources" Error "S27",
        "a TrafficTarget has no usable source",
        "## What it checks\n`spec.sources` has at least one entry that can be resolved.\n\n## Why it matters\nOther meshes open the destination to everybody then. Here the TrafficTarget is inert: it allows nothing.\n\n## Example\n`sources: []`\n\n## Fix\nName the service accounts that may call.";
    UNKNOWN_KIND = "SMI0404" "reference-kind-unknown" Error "S27",
        "a reference has a kind that SMI does not know there",
        "## What it checks\nSubjects are ServiceAccount or IdentityBinding; rules are HTTPRouteGroup, TCPRoute or UDPRoute.\n\n## Why it matters\nAn unknown rule might have been a restriction, so the TrafficTarget is inert. An unknown source is nobody.\n\n## Example\n`kind: Group`\n\n## Fix\nUse one of the known kinds; kinds are case-sensitive.";
    ROUTE_MISSING = "SMI0405" "rule-route-missing" Error "S26",
        "a rule names a route that does not exist",
        "## What it checks\nEvery rule's route exists in the TrafficTarget's namespace.\n\n## Why it matters\nA missing HTTPRouteGroup contributes nothing. A missing TCPRoute or UDPRoute makes the whole TrafficTarget inert, as leaving out its ports would allow more.\n\n## Example\n`rules: [{kind: TCPRoute, name: postgress}]`\n\n## Fix\nCreate the route or correct the name.";
    MATCH_MISSING = "SMI0406" "rule-match-missing" Error "S26",
        "a rule names a match that the group does not have",
        "## What it checks\nEvery name of a rule's `matches` is the name of exactly one match of the group.\n\n## Why it matters\nThe name contributes nothing.\n\n## Example\n`matches: [gett]`\n\n## Fix\nCorrect the name, or leave out `matches` to mean all of them.";
    BAD_PORT = "SMI0407" "port-range" Error "S25",
        "a port number is not a port",
        "## What it checks\nPorts of TCPRoutes, UDPRoutes and `destination.port` are from 1 to 65535.\n\n## Why it matters\nOther meshes cut such numbers to 16 bits and open another port. Here the number allows nothing.\n\n## Example\n`ports: [65616]`, which some meshes read as 80.\n\n## Fix\nWrite the port at which the pods listen.";
    BINDING_CONTRADICTS = "SMI0408" "binding-schemes-exclusive" Error "S28",
        "an IdentityBinding names pods both by label and by account",
        "## What it checks\n`podLabelSelector` and `serviceAccount` exclude each other.\n\n## Why it matters\nThe specification does not say which would win. The binding is inert: it names nobody.\n\n## Example\nThe specification's own example sets both.\n\n## Fix\nKeep one of them, or write two bindings.";
    BINDING_EMPTY = "SMI0409" "binding-names-nobody" Error "S28",
        "an IdentityBinding names nobody",
        "## What it checks\nAn IdentityBinding has at least one scheme, with at least one entry.\n\n## Why it matters\nIt can be neither a source nor a destination. An empty label selector would mean every pod, and is not read so.\n\n## Example\n`schemes: {}`\n\n## Fix\nAdd a scheme.";
    SPIFFE_FORM = "SMI0410" "spiffe-id-form" Warning "S28",
        "a SPIFFE ID is not in the standard's form",
        "## What it checks\n`spiffeIdentities` are `spiffe://<trust domain>/<path>`. Without the scheme they are accepted, as the specification's example has none; anything else is ignored.\n\n## Why it matters\nOther implementations refuse it.\n\n## Example\n`cluster.local/ns/shop/sa/web`\n\n## Fix\nWrite `spiffe://cluster.local/ns/shop/sa/web`.";
    SUBJECT_MISSING = "SMI0411" "binding-missing" Error "S28",
        "a subject names an IdentityBinding that does not exist",
        "## What it checks\nIdentityBindings that TrafficTargets name exist.\n\n## Why it matters\nAs a source it is nobody; as a destination it makes the TrafficTarget inert.\n\n## Example\n`sources: [{kind: IdentityBinding, name: scrapers}]`\n\n## Fix\nCreate the binding or correct the name.";
    DESTINATION_PORT_UNMET = "SMI0412" "destination-port-unmet" Error "S24",
        "no route of a TrafficTarget has the port of its destination",
        "## What it checks\n`destination.port` (v1alpha1, v1alpha2) is among the ports of the TrafficTarget's TCPRoutes, and of its UDPRoutes.\n\n## Why it matters\nOnly ports that both name are granted, so these rules allow nothing.\n\n## Example\n`destination: {port: 80}` with a TCPRoute of `ports: [8080]`.\n\n## Fix\nWrite the port at which the pods listen in both.";
    BAD_ANNOTATION = "SMI0521" "annotation-value" Error "S34",
        "an annotation of a Service has a value that is not understood",
        "## What it checks\nAnnotations with the prefixes of this project and of Traefik Mesh have values of their type.\n\n## Why it matters\nThe setting is left out; the Service is served as if the annotation were absent.\n\n## Example\n`mesh.traefik.io/retry-attempts: many`\n\n## Fix\nWrite a value as the message says.";
    UNKNOWN_ANNOTATION = "SMI0522" "annotation-unknown" Warning "S34",
        "an annotation of a Service has a name that is not known",
        "## What it checks\nAnnotations with the prefixes of this project and of Traefik Mesh have known names.\n\n## Why it matters\nIt has no effect.\n\n## Example\n`mesh.smi-sdk.io/retries: \"2\"`\n\n## Fix\nUse the name that the message suggests.";
    ADDRESS_SHARED = "SMI0523" "address-shared" Warning "S29",
        "pods of different identity share an address",
        "## What it checks\nNo address belongs to pods of different service accounts, as those of host-network pods of one node do.\n\n## Why it matters\nA proxy that knows callers by address cannot tell them apart, so the address is nobody: its pods are refused everywhere.\n\n## Example\nTwo DaemonSets with `hostNetwork: true`.\n\n## Fix\nTake the pods off the host network, or use a proxy that knows callers by certificate.";
    SCTP = "SMI0524" "service-port-sctp" Warning "S36",
        "a Service port speaks SCTP",
        "## What it checks\nPorts are TCP or UDP.\n\n## Why it matters\nNo proxy here carries SCTP; the port is not reachable through the mesh.\n\n## Example\n`protocol: SCTP`\n\n## Fix\nCall the port by the cluster's own name, not the mesh's.";
    LISTENERS_EXHAUSTED = "SMI0601" "listener-ports-exhausted" Error "S37",
        "no listen port is left for a service port",
        "## What it checks\nThe range of listen ports has room for every service port.\n\n## Why it matters\nThe service port is not reachable through node proxies; others keep their ports.\n\n## Example\n2001 TCP service ports with a range of 2000.\n\n## Fix\nGive the compiler a larger range.";
    LISTENER_TAKEN = "SMI0602" "listener-port-conflict" Error "S37",
        "two entries of the port table have the same listen port",
        "## What it checks\nIn the port table that was given, every listen port stands once per transport.\n\n## Why it matters\nTwo listeners cannot share a port. The first entry keeps it, this one gets another.\n\n## Example\nA port table that was edited by hand.\n\n## Fix\nRemove the entry from the table.";
}
