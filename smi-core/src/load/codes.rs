//! Codes for texts and objects that cannot be read.

use crate::diag::declare_codes;

declare_codes! {
    SYNTAX = "SMI0001" "yaml-syntax" Error "S1", "a document is not YAML, or not YAML that has a JSON form",
"## What it checks

Text is read as kubectl reads it: YAML or JSON, keys that are text, numbers or booleans, aliases with an anchor before them.

## Why it matters

Nothing of the document can be trusted, so none of its objects is taken. Other documents of the file are read.

## Example

```yaml
spec:
  service: web: v1
```

## Fix

Indent with spaces, quote text that contains `: ` or ` #`, close quotes and brackets.";

    NOT_UTF8 = "SMI0002" "not-utf-8" Error "S1", "a document has bytes that are not UTF-8",
"## What it checks

Text is UTF-8, with or without a byte order mark.

## Why it matters

A name with a wrong byte could be taken for another name. The document is left out.

## Example

A file saved as Latin-1 or UTF-16.

## Fix

Save the file as UTF-8.";

    TOO_LARGE = "SMI0003" "input-too-large" Error "S1", "a document is larger or deeper than any manifest",
"## What it checks

Size of a file, number of values in a document, nesting, and how much aliases repeat.

## Why it matters

A few lines of aliases can expand to gigabytes. Documents beyond the limits are left out, others are read.

## Example

```yaml
a: &a [x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
# and so on
```

## Fix

Write the values out, or split the file.";

    REPEATED_KEY = "SMI0004" "key-repeated" Error "S1", "a key stands twice in a map",
"## What it checks

Every key stands once in its map.

## Why it matters

kubectl takes the last one or refuses the object, depending on how it is called; other readers take the first. Since it cannot be known
which policy was meant, the object is left out.

## Example

```yaml
spec:
  service: web
  service: shop
```

## Fix

Remove one of them. If `apiVersion` or `kind` stands twice, a line `---` is missing between two objects.";

    NOT_AN_OBJECT = "SMI0005" "not-an-object" Error "S1", "a document is not a Kubernetes object",
"## What it checks

A document is a map with `apiVersion` and `kind`, or a list of such maps under `items`.

## Why it matters

What it was meant to be is unknown, so it has no effect.

## Example

```yaml
metadata:
  name: web
```

## Fix

Add `apiVersion` and `kind`, or do not give the file to this tool.";

    UNKNOWN_KIND = "SMI0006" "kind-unknown" Error "S1", "a kind or version that SMI does not have",
"## What it checks

Kinds and versions of the groups `access`, `specs`, `split` and `metrics` of `smi-spec.io` are those of the specification.

## Why it matters

The object has no effect: a policy that was meant to protect something protects nothing. No cluster would accept it either.

## Example

```yaml
apiVersion: split.smi-spec.io/v1alpha5
kind: TrafficSplit
```

## Fix

Write one of the versions that the message lists.";

    MALFORMED = "SMI0007" "field-malformed" Error "S1", "a field has the wrong type, or a required one is missing",
"## What it checks

Every field has the type of the specification. Text in YAML that looks like a number or boolean (`yes`, `on`, `1.0`, `014`) is one.

## Why it matters

The API server would refuse the object, so it is left out. Other objects are not affected.

## Example

```yaml
backends:
  - service: web
    weight: '5'   # a string
```

## Fix

Write the value in the type that the message names: text in quotes, numbers without.";

    UNKNOWN_FIELD = "SMI0008" "field-unknown" Warning "S5", "a field that the kind does not have in this version",
"## What it checks

Every field is one of the kind's fields in the version that the object is written in.

## Why it matters

The API server drops unknown fields in silence, and so they have no effect. A misspelt `matches` is a condition that is not there.

## Example

```yaml
spec:
  service: web
  match:        # the field is `matches`
    - kind: HTTPRouteGroup
```

## Fix

Correct the name, or remove the field.";

    TEMPLATE = "SMI0009" "template-not-rendered" Error "S1", "a document is a template, not a manifest",
"## What it checks

A document that cannot be read as YAML and contains `{{` is taken for a Helm (or other Go) template.

## Why it matters

What the template would become is not known here, so the document has no effect.

## Example

```yaml
metadata:
  name: {{ .Release.Name }}
```

## Fix

Render it first: `helm template . | smi check -`.";

    KUSTOMIZATION = "SMI0010" "kustomization-not-built" Warning "S1", "a kustomization is not built",
"## What it checks

`kustomization.yaml` files are recognised. They are not carried out.

## Why it matters

Its patches, prefixes and namespaces change objects before they reach the cluster, so the files beside it are not what is applied.

## Example

```yaml
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
```

## Fix

Build it first: `kubectl kustomize . | smi check -`.";

    NULL_FIELD = "SMI0011" "field-without-value" Warning "S1", "a field is null, and so absent",
"## What it checks

Fields of SMI objects have a value if they are written at all.

## Why it matters

Kubernetes takes null for absent, or refuses the object, depending on the kind. An absent `pathRegex`, `methods`, `headers` or `matches`
means *any*, so a forgotten value can allow more than was meant.

## Example

```yaml
matches:
  - name: metrics
    pathRegex:      # any path
```

## Fix

Write the value, or remove the field.";

    UNKNOWN_RESTRICTION = "SMI0012" "restriction-unknown" Error "S5", "a field that may have been meant to restrict is not one of its kind",
"## What it checks

Fields inside a match of an HTTPRouteGroup, inside a rule, source or destination of a TrafficTarget, inside the schemes of an
IdentityBinding, and anywhere in a TCPRoute or UDPRoute are fields of that kind and version.

## Why it matters

There, what is absent means *any*: a match whose `pathRegex` is misspelt would allow every path, and ports that a version does not have
would mean every port. As a mistake never allows more than was meant, the object is left out.

## Example

```yaml
matches:
  - name: metrics
    pathRegx: /metrics    # pathRegex
```

## Fix

Spell the field as it is called, write the object in a version that has it, or remove it.";
}
