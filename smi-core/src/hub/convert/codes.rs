//! Codes of reading and converting versions.

crate::diag::declare_codes! {
    WIDENS = "SMI0101" "conversion-widens" Warning "S2",
        "the version cannot say something that restricts the object",
        "## What it checks\nA conversion drops a port, a condition or another restriction that the wanted version has no field for.\n\n## Why it matters\nRead without it, the object allows more, or splits traffic that it was not meant for.\n\n## Example\nA TCPRoute v1alpha4 with ports, converted to v1alpha3, where it means every port.\n\n## Fix\nKeep the annotation that holds what was lost, convert with `--on-widening narrow`, or say it in the newer version's words (a TCPRoute with the port).";
    NARROWS = "SMI0102" "conversion-narrows" Warning "S2",
        "the version cannot say something, so the converted object allows less",
        "## What it checks\nThe wanted version has no field for a restriction, so what was restricted is left out with it.\n\n## Why it matters\nCalls that were allowed are refused by readers of the converted object that do not know the annotation which keeps the original.\n\n## Example\nA TrafficTarget v1alpha2 with `destination.port: 8080`, converted to v1alpha3, loses its rules; a TrafficSplit with `matches`, converted to v1alpha2, gets a root that cannot exist, so that it splits nothing and takes no other split's place.\n\n## Fix\nStay with the newer version where the feature is needed.";
    RESPELLS = "SMI0103" "conversion-respells" Lint "S4",
        "the version says the same in other words",
        "## What it checks\nA conversion changes the spelling of a value, not its meaning.\n\n## Why it matters\nTools that compare text see a difference.\n\n## Example\nWeights `1` and `500m` of v1alpha1 become 2 and 1.\n\n## Fix\nNothing to do.";
    STALE_ANNOTATION = "SMI0104" "conversion-annotation-stale" Warning "S2",
        "the object was edited after it was converted",
        "## What it checks\nA conversion annotation holds an original, but the object no longer is what that original was converted to.\n\n## Why it matters\nThe edit wins, and what the annotation kept (a port, a condition) no longer applies.\n\n## Example\nA converted TrafficSplit whose weights were edited afterwards.\n\n## Fix\nSay the whole policy in the version you edit, and remove the annotation.";
    DUPLICATE = "SMI0111" "object-twice" Lint "S1",
        "the same object stands twice in the input",
        "## What it checks\nTwo documents hold the same object with the same content.\n\n## Why it matters\nThe next edit will probably change only one of them.\n\n## Example\nOne TrafficSplit in two files.\n\n## Fix\nRemove one of them.";
    CONFLICT = "SMI0112" "object-twice-different" Error "S35",
        "two different objects have the same kind, namespace and name",
        "## What it checks\nTwo documents hold objects of the same kind, namespace and name with different content.\n\n## Why it matters\nWhich of them a cluster would end up with depends on the order in which they are applied. None of them is used, as order must not decide a policy.\n\n## Example\nOverlays rendered into the folder that holds their base.\n\n## Fix\nRemove or rename all but one.";
    BAD_NAME = "SMI0113" "object-name-invalid" Error "S1",
        "the object's name or namespace is not a valid Kubernetes name",
        "## What it checks\n`metadata.name` is an RFC 1123 subdomain, `metadata.namespace` an RFC 1123 label.\n\n## Why it matters\nThe API server refuses the object, so it is left out.\n\n## Example\n`name: My_Split`\n\n## Fix\nUse lower-case letters, digits, `-` and `.`.";
    BAD_QUANTITY = "SMI0114" "split-weight-quantity" Error "S4",
        "a v1alpha1 weight cannot be converted exactly",
        "## What it checks\nThe weights of a TrafficSplit v1alpha1 are quantities that become whole numbers of at most 32 bits when all of them are scaled together.\n\n## Why it matters\nA rounded ratio is another ratio, so the split is left out.\n\n## Example\n`weight: 1n` beside `weight: 10G`\n\n## Fix\nUse whole numbers.";
    MISPLACED_MATCHES = "SMI0131" "matches-outside-spec" Error "S5",
        "`matches` stands beside `spec` instead of inside it",
        "## What it checks\nAn HTTPRouteGroup v1alpha3 or v1alpha4 has `matches` at the top level, as v1alpha1 and v1alpha2 had, and as an example of the specification still shows.\n\n## Why it matters\nThe API server removes the field, so the group matches nothing.\n\n## Example\n```yaml\napiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmatches: []\n```\n\n## Fix\nMove `matches` below `spec`.";
}
