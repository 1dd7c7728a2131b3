//! `metrics.smi-spec.io`: TrafficMetrics, an aggregated API, not a CRD.

pub mod v1alpha1;
