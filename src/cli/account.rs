//! A billing account on the command line: the provider's own file, and a token that stays out of arguments and history.

use std::{fs, path::PathBuf, time::Duration};

use clap::Args;
use kube::ResourceExt;
use secrecy::SecretString;

use super::{Failure, files::Files};
use crate::{
    api::{
        contract::{ProviderKind, ProviderRef},
        provider::BillingProviderSpec,
    },
    billing::{
        budget::Budget,
        endpoint::{Endpoint, base_url},
        http::Http,
        registry::Client,
        tenure::Tenure,
    },
    metrics::Metrics,
    plan::Demands,
    protocol::claims,
};

/// Which billing account, and how to reach it.
#[derive(Debug, Args)]
pub struct Account {
    /// File with the account's `BillingProvider` or `ClusterBillingProvider`, as it is applied to the cluster.
    #[arg(long, value_name = "FILE")]
    provider: PathBuf,
    #[command(flatten)]
    token: Token,
}

/// Where the account's token is read from.
#[derive(Debug, Args)]
pub struct Token {
    /// File with the API token; the environment variable `COUNTERSIGN_TOKEN` has it when left out.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// An account that can be read. Its client refuses every write.
#[derive(Debug)]
pub struct Connected {
    /// The client.
    pub client: Client,
    /// What contracts name it by.
    pub provider: ProviderRef,
    /// Namespace of the provider's file.
    pub namespace: Option<String>,
    /// The account, as claims and records name it.
    pub account: String,
    /// What the account demands of every plan.
    pub demands: Demands,
}

impl Account {
    /// Connects to the account, to read only.
    ///
    /// # Errors
    /// When the file has no provider, or the token is missing.
    pub fn connect(&self) -> Result<Connected, Failure> {
        self.token.connect(&self.provider)
    }
}

impl Token {
    /// Connects to the account of a provider's file, to read only.
    ///
    /// # Errors
    /// When the file has no provider, or the token is missing.
    pub fn connect(&self, provider: &PathBuf) -> Result<Connected, Failure> {
        let file = provider.display();
        let files = Files::read(std::slice::from_ref(provider))?;
        if let Some(problem) = files.first_problem() {
            return Err(problem.into());
        }
        let (providers, cluster_providers): (Vec<_>, Vec<_>) =
            (files.providers().collect(), files.cluster_providers().collect());
        let (kind, name, namespace, spec) = match (&*providers, &*cluster_providers) {
            ([provider], []) => {
                (ProviderKind::BillingProvider, provider.name_any(), provider.namespace(), &provider.spec)
            }
            ([], [provider]) => {
                (ProviderKind::ClusterBillingProvider, provider.name_any(), None, &provider.spec.account)
            }
            _ => {
                return Err(format!(
                    "{file} must have exactly one BillingProvider or ClusterBillingProvider"
                )
                .into());
            }
        };
        let client = client(spec, self.read()?)?;
        let account = spec.base_url().map(claims::account).unwrap_or_default();
        let demands = Demands::of(spec);
        Ok(Connected { client, provider: ProviderRef { name, kind }, namespace, account, demands })
    }

    fn read(&self) -> Result<SecretString, Failure> {
        let token = match &self.token_file {
            Some(file) => fs::read_to_string(file)
                .map_err(|error| format!("cannot read {}: {error}", file.display()))?,
            None => std::env::var("COUNTERSIGN_TOKEN").map_err(|_| {
                "no token: set the environment variable COUNTERSIGN_TOKEN, or name a file by --token-file"
            })?,
        };
        if token.trim().is_empty() {
            let place = self
                .token_file
                .as_ref()
                .map_or("COUNTERSIGN_TOKEN".into(), |file| file.display().to_string());
            return Err(format!("{place} has no token: it is empty").into());
        }
        Ok(SecretString::from(token.trim()))
    }
}

/// A client of an account that refuses every write.
///
/// # Errors
/// When the address is none, or the spec names no single billing API.
pub(super) fn client(spec: &BillingProviderSpec, token: SecretString) -> Result<Client, Failure> {
    let base = spec.base_url().ok_or("the provider must have exactly one billing API")?;
    let endpoint = Endpoint {
        base: base_url(base)?,
        token,
        timeout: Duration::from_secs(u64::try_from(spec.request_timeout_seconds).unwrap_or_default().max(1)),
        budget: Budget::new(spec.requests_per_second, 1),
        ca_bundle: spec.ca_bundle.clone(),
        carrier: None,
    };
    let http = Http::new(&endpoint, Tenure::of_a_reader(), Metrics::default())?;
    Client::connect(spec, http).ok_or_else(|| "the provider must have exactly one billing API".into())
}
