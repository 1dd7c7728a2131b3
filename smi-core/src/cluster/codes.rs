//! Codes for Kubernetes objects that cannot be read.

use crate::diag::declare_codes;

declare_codes! {
    MALFORMED = "SMI0501" "kubernetes-object-malformed" Error "S1", "a Kubernetes object has a field of the wrong type or lacks one",
"## What it checks

Services, Endpoints, EndpointSlices, Pods, ServiceAccounts, Namespaces and workloads with pod templates are read as the API server
reads them. A field of the wrong type, an unknown protocol or a missing required field is reported at its place.

## Why it matters

The API server would refuse the object, so it is left out: policies and routes that need it behave as if it did not exist.

## Example

```yaml
spec:
  ports:
    - port: \"80\"   # a string
```

## Fix

Write the value in the type that the message names.";

    PORT = "SMI0502" "kubernetes-port-invalid" Error "S1", "a port of a Kubernetes object is not a port",
"## What it checks

Port numbers are 1 to 65535. Port names have at most 15 of `a-z`, `0-9` and `-`, with at least one letter.

## Why it matters

The API server refuses the object, so it is left out.

## Example

```yaml
ports:
  - port: 65616
```

## Fix

Write a number from 1 to 65535, without quotes, or the name of a container port.";

    ADDRESS = "SMI0503" "kubernetes-address-invalid" Error "S1", "an address of a Kubernetes object is not an IP address",
"## What it checks

`clusterIP`, `podIP` and the addresses of endpoints are IPv4 or IPv6 addresses.

## Why it matters

Callers are known by address (S29), and requests are sent to addresses: an object with a wrong one is left out.

## Example

```yaml
status:
  podIP: 10.1.2.300
```

## Fix

Write the address of the pod or Service.";

    PORT_REPEATED = "SMI0504" "kubernetes-port-repeated" Error "S1", "two ports of a Kubernetes object cannot be told apart",
"## What it checks

Ports of a Service have different names, and a name each if there are several; no number stands twice with the same protocol. Ports of
one container have different names.

## Why it matters

The API server refuses the object. Which of the two was meant is unknown, so the object is left out.

## Example

```yaml
ports:
  - {name: http, port: 80}
  - {name: http, port: 8080}
```

## Fix

Give each port a name of its own.";

    NAME = "SMI0505" "kubernetes-name-invalid" Error "S1", "the name of a Kubernetes object is missing or not valid",
"## What it checks

`metadata.name` and `metadata.namespace` are DNS names: lower-case letters, digits and `-`, at most 63 characters for Services and
namespaces.

## Why it matters

Nothing can refer to an object without a valid name, and the API server refuses it: it is left out.

## Example

```yaml
metadata:
  name: My_Service
```

## Fix

Write a name such as `my-service`.";

    PROBE_PORT = "SMI0506" "probe-port-unknown" Warning "S1", "a probe names a port that its container does not have",
"## What it checks

A probe's port may be the name of a port of the same container.

## Why it matters

The kubelet cannot send the probe, and this project cannot allow it (S32): the probe is ignored.

## Example

```yaml
ports: [{name: http, containerPort: 8080}]
livenessProbe: {httpGet: {port: web}}
```

## Fix

Name a port of the container, or write the number.";

    REPEATED = "SMI0507" "kubernetes-object-repeated" Lint "S1", "a Kubernetes object stands twice with the same content",
"## What it checks

The same kind, namespace and name occurs more than once, with no difference in anything that is read.

## Why it matters

It has no effect now, but as soon as one copy is changed and the other is not, both are left out.

## Example

A folder and a dump of the same cluster, read together.

## Fix

Remove one of them.";

    CONFLICT = "SMI0508" "kubernetes-object-conflict" Error "S1", "a Kubernetes object stands twice with different content",
"## What it checks

The same kind, namespace and name occurs more than once, and the objects differ.

## Why it matters

With kubectl the last one would win, so the result would depend on the order of files. Order must not matter here, so none is taken.

## Example

`base/service.yaml` and `overlay/service.yaml` of a kustomization, read together without `kustomize build`.

## Fix

Remove one of them, or give the tool the output of `kustomize build`.";

    FQDN = "SMI0509" "endpoint-slice-by-name" Warning "S1", "an EndpointSlice with DNS names instead of addresses is ignored",
"## What it checks

`addressType` of an EndpointSlice is `IPv4` or `IPv6`.

## Why it matters

`FQDN` slices hold names that would have to be looked up while requests are routed. kube-proxy ignores them, and so does this project.

## Example

```yaml
addressType: FQDN
```

## Fix

Use a Service of type `ExternalName`, or a slice with addresses.";

    VERSION = "SMI0510" "kubernetes-version-not-read" Warning "S1", "a Kubernetes kind in a version that is not read",
"## What it checks

Kinds that say where pods and services are, in API versions other than the current ones, such as `extensions/v1beta1` Deployments.

## Why it matters

Clusters no longer serve these versions. The object is ignored, so its pods or endpoints are unknown here.

## Example

```yaml
apiVersion: extensions/v1beta1
kind: Deployment
```

## Fix

Write the current version: `v1`, `apps/v1`, `batch/v1` or `discovery.k8s.io/v1`.";
}
