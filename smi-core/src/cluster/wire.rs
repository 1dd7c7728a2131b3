//! The parts of Kubernetes objects that are read, on their wire shapes.
//!
//! Everything optional is optional or defaulted here, since unknown and absent fields of these kinds are the API server's business.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

pub(super) type Labels = BTreeMap<Arc<str>, Arc<str>>;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Meta {
    pub(super) name: Option<Arc<str>>,
    pub(super) namespace: Option<Arc<str>>,
    pub(super) labels: Labels,
    pub(super) deletion_timestamp: Option<Arc<str>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NameOnly {
    pub(super) metadata: Meta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    pub(super) metadata: ServiceMeta,
    pub(super) spec: ServiceSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServiceMeta {
    pub(super) name: Option<Arc<str>>,
    pub(super) namespace: Option<Arc<str>>,
    pub(super) annotations: Labels,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ServiceSpec {
    #[serde(rename = "type")]
    pub(super) kind: Option<Arc<str>>,
    #[serde(rename = "clusterIP")]
    pub(super) cluster_ip: Option<Arc<str>>,
    #[serde(rename = "clusterIPs")]
    pub(super) cluster_ips: Vec<Arc<str>>,
    pub(super) external_name: Option<Arc<str>>,
    pub(super) selector: Labels,
    pub(super) ports: Vec<ServicePort>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServicePort {
    pub(super) name: Option<Arc<str>>,
    pub(super) port: i64,
    pub(super) protocol: Option<Arc<str>>,
    pub(super) app_protocol: Option<Arc<str>>,
    pub(super) target_port: Option<IntOrString>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Endpoints {
    pub(super) metadata: Meta,
    pub(super) subsets: Vec<Subset>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Subset {
    pub(super) addresses: Vec<SubsetAddress>,
    pub(super) not_ready_addresses: Vec<SubsetAddress>,
    pub(super) ports: Vec<EndpointPort>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubsetAddress {
    pub(super) ip: Arc<str>,
    pub(super) node_name: Option<Arc<str>>,
    pub(super) target_ref: Option<TargetRef>,
}

#[derive(Debug, Deserialize)]
pub(super) struct EndpointPort {
    pub(super) name: Option<Arc<str>>,
    pub(super) protocol: Option<Arc<str>>,
    pub(super) port: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TargetRef {
    pub(super) kind: Option<Arc<str>>,
    pub(super) namespace: Option<Arc<str>>,
    pub(super) name: Option<Arc<str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndpointSlice {
    #[serde(default)]
    pub(super) metadata: Meta,
    pub(super) address_type: Option<Arc<str>>,
    #[serde(default)]
    pub(super) endpoints: Vec<Endpoint>,
    #[serde(default)]
    pub(super) ports: Vec<EndpointPort>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Endpoint {
    pub(super) addresses: Vec<Arc<str>>,
    pub(super) conditions: EndpointConditions,
    pub(super) target_ref: Option<TargetRef>,
    pub(super) node_name: Option<Arc<str>>,
    pub(super) zone: Option<Arc<str>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EndpointConditions {
    pub(super) ready: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pod {
    pub(super) metadata: Meta,
    pub(super) spec: PodSpec,
    pub(super) status: PodStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    pub(super) service_account_name: Option<Arc<str>>,
    /// The older name of the same field.
    pub(super) service_account: Option<Arc<str>>,
    pub(super) host_network: bool,
    pub(super) node_name: Option<Arc<str>>,
    pub(super) containers: Vec<Container>,
    pub(super) init_containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Container {
    pub(super) ports: Vec<ContainerPort>,
    pub(super) liveness_probe: Option<Probe>,
    pub(super) readiness_probe: Option<Probe>,
    pub(super) startup_probe: Option<Probe>,
    pub(super) restart_policy: Option<Arc<str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerPort {
    pub(super) name: Option<Arc<str>>,
    pub(super) container_port: i64,
    pub(super) protocol: Option<Arc<str>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Probe {
    pub(super) http_get: Option<HttpGet>,
    pub(super) tcp_socket: Option<PortOnly>,
    pub(super) grpc: Option<PortOnly>,
}

#[derive(Debug, Deserialize)]
pub(super) struct HttpGet {
    pub(super) path: Option<Arc<str>>,
    pub(super) port: IntOrString,
}

#[derive(Debug, Deserialize)]
pub(super) struct PortOnly {
    pub(super) port: IntOrString,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodStatus {
    pub(super) phase: Option<Arc<str>>,
    #[serde(rename = "podIP")]
    pub(super) pod_ip: Option<Arc<str>>,
    #[serde(rename = "podIPs")]
    pub(super) pod_ips: Vec<PodIp>,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodIp {
    pub(super) ip: Option<Arc<str>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: Option<Arc<str>>,
    pub(super) status: Option<Arc<str>>,
}

/// Deployment, StatefulSet, DaemonSet, ReplicaSet and Job.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Workload {
    pub(super) metadata: Meta,
    pub(super) spec: WorkloadSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkloadSpec {
    pub(super) template: Template,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Template {
    pub(super) metadata: Meta,
    pub(super) spec: PodSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CronJob {
    pub(super) metadata: Meta,
    pub(super) spec: CronJobSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CronJobSpec {
    pub(super) job_template: JobTemplate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct JobTemplate {
    pub(super) spec: WorkloadSpec,
}

/// A port by number or by name.
#[derive(Debug)]
pub(super) enum IntOrString {
    Int(i64),
    Text(Arc<str>),
}

impl<'de> Deserialize<'de> for IntOrString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = IntOrString;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port number or a port name")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<IntOrString, E> {
                Ok(IntOrString::Int(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<IntOrString, E> {
                // Above `i64::MAX` it is no port either way.
                Ok(IntOrString::Int(i64::try_from(value).unwrap_or(i64::MAX)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<IntOrString, E> {
                Ok(IntOrString::Text(text.into()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
