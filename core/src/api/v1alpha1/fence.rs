//! What shows which leadership wrote a status, in the kinds that have one.

use super::{contract::BillingContractStatus, package::ContractPackageStatus, provider::ProviderStatus};

/// A status that shows which leadership wrote it.
pub trait Fenced {
    /// The number of the leadership that wrote it.
    fn fence_mut(&mut self) -> &mut Option<i32>;
}

macro_rules! fenced {
    ($($status:ty),*) => {
        $(impl Fenced for $status {
            fn fence_mut(&mut self) -> &mut Option<i32> {
                &mut self.fence
            }
        })*
    };
}

fenced!(BillingContractStatus, ContractPackageStatus, ProviderStatus);
