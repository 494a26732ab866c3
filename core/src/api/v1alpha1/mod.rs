//! Version `v1alpha1` of the custom resources, which is also the one that is stored.

pub mod approval;
pub mod contract;
pub mod package;
pub mod provider;
pub(super) mod status;
