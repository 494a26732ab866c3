//! Resources in files: read as Kubernetes reads them, checked as the API server would check them, and typed.
//!
//! - [`gather`]: which files;
//! - [`text`](mod@text): what their bytes say;
//! - [`documents`](mod@documents): what of them is a resource of ours, and what is left out and why;
//! - [`check`]: schema, CEL rules and metadata;
//! - [`Values`]: all that a resource says.

pub mod check;
mod documents;
mod gather;
mod kustomize;
mod text;
mod values;

pub use self::values::Values;
pub(super) use self::{
    gather::{is_resource_file, pattern, sources},
    kustomize::NAMES,
};

use std::{borrow::Cow, collections::BTreeSet, path::PathBuf, sync::Arc};

use super::{Failure, out};
use crate::{
    api::{BillingContract, BillingProvider, ClusterBillingProvider, ContractApproval, ContractPackage},
    review::{
        Finding,
        across::{Placed, Together, Which},
    },
    terms::Digest,
    yaml::{Part, SyntaxError},
};

/// A text, and what it is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Its path, or `standard input`.
    pub name: String,
    /// What it says; nothing when that cannot be read.
    pub text: String,
    /// Why it cannot be read.
    pub unread: Option<SyntaxError>,
}

/// What stands in files.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Every text that was read.
    pub sources: Vec<Source>,
    /// Every resource of our group, and whatever seems to be meant as one.
    pub resources: Vec<Resource>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// Documents that are no YAML and files that cannot be read: the index of their source, and why.
    pub broken: Vec<(usize, SyntaxError)>,
    /// What the API server would not take: the index of the resource, and why.
    pub findings: Vec<(usize, Finding)>,
}

/// A resource, and where it stands.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Index of its source.
    pub source: usize,
    /// The document that it stands in.
    pub part: Part,
    /// JSON pointer to it in the document: not empty in a list.
    pub pointer: String,
    /// The folder of the kustomization that it is built with, if any.
    pub scope: String,
    /// Its kind, as far as it says one.
    pub kind: String,
    /// Its name, as far as it says one.
    pub name: String,
    /// Its namespace, if it says one.
    pub namespace: Option<String>,
    /// What it says, typed; nothing when the API server would not take it. All of it, as it is written, is
    /// [read](Values) again where it is asked for.
    pub typed: Option<Typed>,
    /// Digest of its `spec` where it is not typed.
    pub untyped: Option<Digest>,
}

/// A resource of one of our kinds; one for all sides on which it is the same.
#[derive(Clone, Debug)]
pub enum Typed {
    /// A provider.
    Provider(Arc<BillingProvider>),
    /// A provider of the cluster.
    ClusterProvider(Arc<ClusterBillingProvider>),
    /// A package.
    Package(Arc<ContractPackage>),
    /// A contract.
    Contract(Arc<BillingContract>),
    /// A contract as it was, where it is another one now: of very many, it is only looked at one at a time.
    Packed(Packed),
    /// An approval.
    Approval(Arc<ContractApproval>),
}

/// A contract in a quarter of the memory.
#[derive(Clone, Debug)]
pub struct Packed(Box<[u8]>);

impl Packed {
    /// A contract, if it is read again as it is.
    fn of(contract: &BillingContract) -> Option<Self> {
        let packed = Self(serde_json::to_vec(contract).ok()?.into_boxed_slice());
        let is_whole = |read: &BillingContract| {
            read.spec == contract.spec && read.metadata == contract.metadata && read.status == contract.status
        };
        packed.read().as_ref().is_some_and(is_whole).then_some(packed)
    }

    fn read(&self) -> Option<BillingContract> {
        serde_json::from_slice(&self.0).ok()
    }
}

/// Something that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub file: String,
    /// Why.
    pub reason: String,
}

impl Files {
    /// Reads files, folders with all `.yaml`, `.yml` and `.json` files in them, and patterns; `-` is the standard input.
    ///
    /// # Errors
    /// When there is none. One that is there and cannot be read is among those that are [broken](Self::broken), so that it
    /// hides nothing else.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let gathered = gather::gather(paths)?;
        let mut files = Self::of(gathered.sources);
        files.skipped.splice(0..0, gathered.skipped);
        Ok(files)
    }

    /// Reads texts.
    #[must_use]
    pub fn of(sources: Vec<Source>) -> Self {
        Self::beside(sources, &Self::default())
    }

    /// Reads texts, most of which are those of `others`: what is the same there is not read again.
    #[must_use]
    pub fn beside(sources: Vec<Source>, others: &Self) -> Self {
        let mut files = Self::default();
        files.sort(sources, others, false);
        files
    }

    /// The same of texts as they were before others: contracts that are other ones by now are packed, and not among
    /// [`Self::contracts`]. [`Resource::contract`] reads them.
    #[must_use]
    pub fn before(sources: Vec<Source>, others: &Self) -> Self {
        let mut files = Self::default();
        files.sort(sources, others, true);
        files
    }

    /// Lets go of what was read, once nobody asks any more how something is written.
    pub(super) fn forget_texts(&mut self) {
        for source in &mut self.sources {
            source.text = String::new();
        }
    }

    /// Puts resources that say no namespace into one, as kubectl does; those of the cluster have none.
    pub(super) fn put_into(&mut self, namespace: &str) {
        for resource in self.resources.iter_mut().filter(|resource| resource.namespace.is_none()) {
            let metadata = match &mut resource.typed {
                Some(Typed::Provider(found)) => &mut Arc::make_mut(found).metadata,
                Some(Typed::Package(found)) => &mut Arc::make_mut(found).metadata,
                Some(Typed::Contract(found)) => &mut Arc::make_mut(found).metadata,
                Some(Typed::Approval(found)) => &mut Arc::make_mut(found).metadata,
                Some(Typed::Packed(_)) => {
                    resource.namespace = Some(namespace.to_owned());
                    continue;
                }
                Some(Typed::ClusterProvider(_)) | None => continue,
            };
            metadata.namespace = Some(namespace.to_owned());
            resource.namespace = Some(namespace.to_owned());
        }
    }

    /// Adds what others refer to, packages and providers of other files, unless one of that kind, namespace and name is there.
    pub(super) fn join(&mut self, other: &Self) {
        let offset = self.sources.len();
        self.sources.extend(other.sources.iter().cloned());
        for resource in &other.resources {
            let is_referred_to = resource.kind != "BillingContract";
            if is_referred_to && !self.resources.iter().any(|known| known.named() == resource.named()) {
                self.resources.push(Resource { source: resource.source + offset, ..resource.clone() });
            }
        }
    }

    /// Leaves out what has the name of another resource before it: applied, the two are one.
    pub(super) fn forget_repetitions(&mut self) {
        let mut said = BTreeSet::new();
        self.resources.retain(|resource| {
            let (kind, namespace, name) = resource.named();
            let named =
                (resource.scope.clone(), kind.to_owned(), namespace.map(str::to_owned), name.to_owned());
            resource.typed.is_none() || said.insert(named)
        });
    }

    /// Leaves out contracts and packages that are not among others.
    pub(super) fn keep_what_is_in(&mut self, others: &Self) {
        let named: BTreeSet<_> = others.resources.iter().map(Resource::named).collect();
        let is_kept = |resource: &Resource| {
            !["BillingContract", "ContractPackage"].contains(&resource.kind.as_str())
                || named.contains(&resource.named())
        };
        self.resources.retain(is_kept);
    }

    /// The first thing that the API server would not take, if there is any.
    #[must_use]
    pub fn first_problem(&self) -> Option<String> {
        let name =
            |source: usize| self.sources.get(source).map(|source| source.name.as_str()).unwrap_or_default();
        let broken = self.broken.first().map(|(source, error)| format!("{}: {error}", name(*source)));
        broken.or_else(|| {
            let (index, finding) = self.findings.first()?;
            let resource = self.resources.get(*index)?;
            Some(format!("{}: {}: {finding}", name(resource.source), resource.label()))
        })
    }

    /// The providers.
    pub fn providers(&self) -> impl Iterator<Item = &BillingProvider> {
        self.resources.iter().filter_map(|resource| match &resource.typed {
            Some(Typed::Provider(provider)) => Some(&**provider),
            _ => None,
        })
    }

    /// The providers of the cluster.
    pub fn cluster_providers(&self) -> impl Iterator<Item = &ClusterBillingProvider> {
        self.resources.iter().filter_map(|resource| match &resource.typed {
            Some(Typed::ClusterProvider(provider)) => Some(&**provider),
            _ => None,
        })
    }

    /// The contracts.
    pub fn contracts(&self) -> impl Iterator<Item = &BillingContract> {
        self.resources.iter().filter_map(|resource| match &resource.typed {
            Some(Typed::Contract(contract)) => Some(&**contract),
            _ => None,
        })
    }

    /// The packages.
    pub fn packages(&self) -> impl Iterator<Item = &ContractPackage> {
        self.resources.iter().filter_map(|resource| match &resource.typed {
            Some(Typed::Package(package)) => Some(&**package),
            _ => None,
        })
    }

    /// Everything that is typed, to be looked at together, and the index of each resource in it.
    #[must_use]
    pub fn together(&self) -> (Together<'_>, Vec<(Which, usize)>) {
        let (mut together, mut indices) = (Together::default(), Vec::new());
        for (index, resource) in self.resources.iter().enumerate() {
            let place = self.place(resource);
            let scope = resource.scope.clone();
            match &resource.typed {
                Some(Typed::Provider(resource)) => {
                    indices.push((Which::Provider(together.providers.len()), index));
                    together.providers.push(Placed { place, scope, resource });
                }
                Some(Typed::ClusterProvider(resource)) => {
                    indices.push((Which::ClusterProvider(together.cluster_providers.len()), index));
                    together.cluster_providers.push(Placed { place, scope, resource });
                }
                Some(Typed::Package(resource)) => {
                    indices.push((Which::Package(together.packages.len()), index));
                    together.packages.push(Placed { place, scope, resource });
                }
                Some(Typed::Contract(resource)) => {
                    indices.push((Which::Contract(together.contracts.len()), index));
                    together.contracts.push(Placed { place, scope, resource });
                }
                Some(Typed::Approval(resource)) => {
                    indices.push((Which::Approval(together.approvals.len()), index));
                    together.approvals.push(Placed { place, scope, resource });
                }
                Some(Typed::Packed(_)) => {}
                None => drop(together.wrong.insert(resource.named())),
            }
        }
        indices.sort_unstable();
        (together, indices)
    }

    /// Where a resource is, for people: its file, and its line where the file has more than one.
    fn place(&self, resource: &Resource) -> String {
        let Some(Source { name, .. }) = self.sources.get(resource.source) else { return String::new() };
        match resource.part.line() {
            1 => name.clone(),
            line => format!("{name}:{line}"),
        }
    }
}

impl Resource {
    /// The contract that it is; one that is packed is read for this.
    #[must_use]
    pub fn contract(&self) -> Option<Cow<'_, BillingContract>> {
        match self.typed.as_ref()? {
            Typed::Contract(contract) => Some(Cow::Borrowed(contract)),
            Typed::Packed(packed) => {
                let mut contract = packed.read()?;
                if let Some(namespace) = &self.namespace {
                    contract.metadata.namespace = Some(namespace.clone());
                }
                Some(Cow::Owned(contract))
            }
            _ => None,
        }
    }

    /// Kind, namespace and name.
    fn named(&self) -> (&str, Option<&str>, &str) {
        (&self.kind, self.namespace.as_deref(), &self.name)
    }

    /// What people call it: `BillingContract acme`; empty where it says neither kind nor name.
    #[must_use]
    pub fn label(&self) -> String {
        let name = match (self.kind.as_str(), self.name.as_str()) {
            ("", "") => return String::new(),
            (_, "") => "without a name",
            (_, name) => name,
        };
        out::line(format!("{} {name}", self.kind).trim_start())
    }
}
