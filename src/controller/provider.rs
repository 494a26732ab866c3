//! Reconcile of providers: read the token, try it once, and let contracts know.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Resource, ResourceExt, api::PostParams, runtime::controller::Action};
use secrecy::SecretString;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Context, Error, Guarded, Handled, bounded, decoded,
    providers::{Account, Backend, Origin, ProviderKey, Readiness},
    schedule::{Trigger, Turn},
    status::{Fact, Standing, conditions},
    undecodable,
};
use crate::{
    api::{
        BillingProvider, ClusterBillingProvider, ProviderStatus, REQUESTED_AT, contract::ProviderKind,
        provider::BillingProviderSpec,
    },
    billing::{
        CallError,
        http::{Endpoint, Http, base_url},
        metronome::Metronome,
        zoo::Zoo,
    },
};

/// What the two kinds of provider have in common.
pub trait ProviderResource: Handled + Serialize + Resource<DynamicType = ()> {
    /// The account.
    fn account(&self) -> &BillingProviderSpec;
    /// The status.
    fn status(&self) -> Option<&ProviderStatus>;
    /// Sets the status.
    fn set_status(&mut self, status: ProviderStatus);
    /// Names the provider.
    fn key(metadata: &impl ResourceExt) -> ProviderKey;
    /// Namespaces that may use it; `None` when its own alone may.
    fn serves(&self) -> Option<Vec<String>>;
    /// Its API.
    fn api(context: &Context, key: &ProviderKey) -> Api<Self>;
}

impl ProviderResource for BillingProvider {
    fn account(&self) -> &BillingProviderSpec {
        &self.spec
    }
    fn status(&self) -> Option<&ProviderStatus> {
        self.status.as_ref()
    }
    fn set_status(&mut self, status: ProviderStatus) {
        self.status = Some(status);
    }
    fn key(metadata: &impl ResourceExt) -> ProviderKey {
        ProviderKey::new(ProviderKind::BillingProvider, metadata.namespace(), &metadata.name_any())
    }
    fn serves(&self) -> Option<Vec<String>> {
        None
    }
    fn api(context: &Context, key: &ProviderKey) -> Api<Self> {
        Api::namespaced(context.client.clone(), key.namespace.as_deref().unwrap_or_default())
    }
}

impl ProviderResource for ClusterBillingProvider {
    fn account(&self) -> &BillingProviderSpec {
        &self.spec.account
    }
    fn status(&self) -> Option<&ProviderStatus> {
        self.status.as_ref()
    }
    fn set_status(&mut self, status: ProviderStatus) {
        self.status = Some(status);
    }
    fn key(metadata: &impl ResourceExt) -> ProviderKey {
        ProviderKey::new(ProviderKind::ClusterBillingProvider, None, &metadata.name_any())
    }
    fn serves(&self) -> Option<Vec<String>> {
        Some(self.spec.allowed_namespaces.clone())
    }
    fn api(context: &Context, _: &ProviderKey) -> Api<Self> {
        Api::all(context.client.clone())
    }
}

/// What a look at an account came to.
struct Verdict {
    standing: Standing,
    credentials: Fact,
    account: Option<Arc<Account>>,
    /// How long not to ask again.
    pause: Duration,
}

/// Brings a provider's account and status up to date.
///
/// # Errors
/// When the API server does not do its part; the pass is tried again.
pub async fn reconcile<K>(guarded: Arc<Guarded<K>>, context: Arc<Context>) -> Result<Action, Error>
where
    K: ProviderResource + DeserializeOwned,
{
    let key = K::key(guarded.as_ref());
    let uid = guarded.uid().unwrap_or_default();
    let provider = match decoded(&guarded) {
        Ok(provider) => provider,
        Err(invalid) => {
            context.providers.set(
                &key,
                Readiness::NotReady(format!("it cannot be read: {}", invalid.error)),
                None,
            );
            return undecodable::report(&context, &guarded, &invalid.error).await;
        }
    };
    if guarded.meta().deletion_timestamp.is_some() {
        gone(&context, &key);
        return Ok(Action::await_change());
    }
    if let (Some(own), Some(serves)) = (&context.options.namespace, provider.serves())
        && !serves.contains(own)
    {
        // Another operator's to look at; contracts here learn that it is not for them.
        context.secrets.release(&key, None);
        let why = format!("it does not serve namespace {own}");
        context.providers.set(&key, Readiness::NotReady(why), Some(serves));
        return Ok(Action::await_change());
    }

    let secret_namespace = key.namespace.clone().unwrap_or_else(|| context.options.own_namespace.clone());
    let secret_name = &provider.account().token_secret_ref.name;
    context.secrets.watch(&key, &(secret_namespace.clone(), secret_name.clone()));
    let secret = read_secret(&context, &secret_namespace, secret_name).await?;
    let current = context.providers.account(&key);
    let is_suspect = current.as_ref().is_some_and(|account| account.is_suspect());
    let trigger = Trigger {
        generation: guarded.meta().generation,
        annotations: vec![guarded.annotations().get(REQUESTED_AT).cloned()],
        dependencies: vec![secret.as_ref().ok().and_then(ResourceExt::resource_version).unwrap_or_default()],
        ..Trigger::default()
    };
    match context.accounts.turn(&uid, guarded.resource_version().as_deref(), &trigger) {
        Turn::Stale => return Ok(Action::await_change()),
        Turn::Later(wait) if !is_suspect => return Ok(Action::requeue(wait)),
        Turn::Later(_) | Turn::Now => {}
    }

    let verdict = match secret {
        Ok(secret) => {
            let secret_version = secret.resource_version();
            let origin = Origin { generation: guarded.meta().generation, secret_version };
            match current.filter(|account| account.is_from(&origin)) {
                Some(account) => recheck(&context, &key, account).await,
                None => examine(&context, provider.account(), &secret, origin).await,
            }
        }
        Err(why) => Verdict::without_token("SecretNotReadable", why),
    };
    let ready = verdict.account.clone();
    let retries = verdict.standing.gate.is_some_and(|(gate, _)| gate == "Reconciling");
    let readiness =
        ready.map_or_else(|| Readiness::NotReady(verdict.standing.message.clone()), Readiness::Ready);
    context.metrics.reconciled(K::LABEL, if verdict.account.is_some() { "ready" } else { "not_ready" });
    write_status(&context, &key, provider, &verdict).await?;
    context.providers.set(&key, readiness, provider.serves());
    let period = Duration::from_secs(u64::try_from(provider.account().sync_period_seconds).unwrap_or(600));
    Ok(Action::requeue(if retries {
        context.accounts.retry(&uid, verdict.pause)
    } else {
        context.accounts.settle(&uid, period)
    }))
}

/// Forgets a provider that is gone; its contracts hear of it.
pub fn gone(context: &Context, key: &ProviderKey) {
    context.providers.remove(key);
    context.secrets.release(key, None);
}

/// Reads the Secret; the inner error is for people, the outer for the next try.
async fn read_secret(
    context: &Context,
    namespace: &str,
    name: &str,
) -> Result<Result<Secret, String>, Error> {
    match bounded(Api::<Secret>::namespaced(context.client.clone(), namespace).get(name)).await {
        Ok(secret) => Ok(Ok(secret)),
        Err(Error::Kubernetes(error)) => match error.as_ref() {
            kube::Error::Api(status) if status.is_not_found() => {
                Ok(Err(format!("Secret {namespace}/{name} does not exist; create it with the API token")))
            }
            kube::Error::Api(status) if status.is_forbidden() => Ok(Err(format!(
                "the operator may not read Secret {namespace}/{name}; add its name to the Role `countersign-tokens` of the namespace"
            ))),
            _ => Err(Error::Kubernetes(error)),
        },
        Err(error) => Err(error),
    }
}

/// Looks again at an account whose spec and Secret are as they were: only a suspected token is tried.
async fn recheck(context: &Context, key: &ProviderKey, account: Arc<Account>) -> Verdict {
    if account.is_suspect() {
        match account.probe().await {
            Ok(()) => context.providers.clear(key, &account),
            Err(error @ CallError::Credentials { .. }) => return Verdict::refused(&error),
            Err(error) => return Verdict::unreachable(&error),
        }
    }
    Verdict::ready(account)
}

/// Builds a client for the account and tries its token.
async fn examine(context: &Context, spec: &BillingProviderSpec, secret: &Secret, origin: Origin) -> Verdict {
    let reference = &spec.token_secret_ref;
    let token = match token(secret, &reference.name, &reference.key) {
        Ok(token) => token,
        Err(why) => return Verdict::without_token("TokenNotReadable", why),
    };
    let Some(url) = spec.base_url() else {
        return Verdict::invalid("exactly one of `spec.zoo` and `spec.metronome` must be set");
    };
    let timeout = Duration::from_secs(u64::try_from(spec.request_timeout_seconds).unwrap_or(20));
    let endpoint = base_url(url).map(|base| Endpoint {
        base,
        token,
        timeout: timeout.min(context.options.lease_duration * 2 / 3),
        requests_per_second: spec.requests_per_second,
    });
    let client = endpoint
        .and_then(|endpoint| Http::new(&endpoint, Arc::clone(&context.gate), context.metrics.clone()));
    let backend = match client {
        Ok(http) => match &spec.metronome {
            Some(account) => {
                let cluster = account.owner_stamp.as_ref().map(|stamp| stamp.cluster.clone());
                Backend::Metronome(Metronome::new(http, account.uniqueness_key_prefix.clone(), cluster))
            }
            None => Backend::Zoo(Zoo::new(http)),
        },
        Err(error) => return Verdict::invalid(&error.to_string()),
    };
    let period = Duration::from_secs(u64::try_from(spec.sync_period_seconds).unwrap_or(600));
    let account = Account::new(backend, url.to_owned(), period, origin);
    match account.probe().await {
        Ok(()) => Verdict::ready(Arc::new(account)),
        Err(error @ CallError::Credentials { .. }) => Verdict::refused(&error),
        Err(error) => Verdict::unreachable(&error),
    }
}

fn token(secret: &Secret, name: &str, key: &str) -> Result<SecretString, String> {
    let bytes = secret.data.as_ref().and_then(|data| data.get(key)).ok_or_else(|| {
        let keys: Vec<_> = secret.data.iter().flatten().map(|(key, _)| key.as_str()).collect();
        format!(
            "Secret {name} has no key `{key}` (it has: {})",
            if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
        )
    })?;
    let text = std::str::from_utf8(&bytes.0)
        .map_err(|_| format!("key `{key}` of Secret {name} is not text"))?
        .trim();
    if text.is_empty() {
        return Err(format!("key `{key}` of Secret {name} is empty"));
    }
    Ok(SecretString::from(text))
}

impl Verdict {
    fn unusable(standing: Standing, credentials: Fact) -> Self {
        Self { standing, credentials, account: None, pause: Duration::ZERO }
    }

    fn ready(account: Arc<Account>) -> Self {
        let message = "The billing API accepts the token.";
        let credentials = fact(Some(true), "Accepted", message);
        Self { account: Some(account), ..Self::unusable(Standing::ready("Ready", message), credentials) }
    }

    fn without_token(reason: &'static str, why: String) -> Self {
        let credentials = fact(Some(false), reason, &why);
        Self::unusable(Standing::waiting(reason, why), credentials)
    }

    fn invalid(why: &str) -> Self {
        let credentials = fact(None, "NotTried", "");
        Self::unusable(Standing::stalled("InvalidSpec", why), credentials)
    }

    fn refused(error: &CallError) -> Self {
        let message = format!("{error}. Put a valid token into the Secret; it is picked up at once.");
        let credentials = fact(Some(false), "CredentialsRefused", &message);
        Self::unusable(Standing::stalled("CredentialsRefused", message), credentials)
    }

    fn unreachable(error: &CallError) -> Self {
        let credentials = fact(None, "NotTried", "");
        let standing = Standing::waiting("BillingUnreachable", error.to_string());
        let pause = if let CallError::Throttled { pause } = error { *pause } else { Duration::ZERO };
        Self { pause, ..Self::unusable(standing, credentials) }
    }
}

fn fact(holds: Option<bool>, reason: &'static str, message: &str) -> Fact {
    Fact { type_: "CredentialsValid", holds, reason, message: message.to_owned() }
}

async fn write_status<K>(
    context: &Context,
    key: &ProviderKey,
    provider: &K,
    verdict: &Verdict,
) -> Result<(), Error>
where
    K: ProviderResource + DeserializeOwned,
{
    let previous = provider.status().cloned().unwrap_or_default();
    let generation = provider.meta().generation;
    let facts = std::slice::from_ref(&verdict.credentials);
    let status = ProviderStatus {
        conditions: conditions(&previous.conditions, &verdict.standing, facts, generation, Utc::now()),
        observed_generation: generation,
        base_url: provider.account().base_url().map(str::to_owned),
        last_handled_reconcile_at: provider.annotations().get(REQUESTED_AT).cloned(),
    };
    if status == previous {
        return Ok(());
    }
    let mut written = provider.clone();
    written.set_status(status);
    let written =
        bounded(K::api(context, key).replace_status(&provider.name_any(), &PostParams::default(), &written))
            .await?;
    context.metrics.status_written(K::LABEL);
    context.accounts.wrote(&provider.uid().unwrap_or_default(), written.resource_version().as_deref());
    Ok(())
}
