//! Version `v1alpha1` of the custom resources, which is also the one that is stored.

pub mod approval;
pub mod contract;
pub(super) mod fence;
pub mod package;
pub mod provider;
mod status;
