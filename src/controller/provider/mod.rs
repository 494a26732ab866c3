//! Reconcile of providers: read the token, try it once, and let contracts know.

pub mod pace;
pub mod registry;
pub mod secrets;

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Resource, ResourceExt,
    core::{Status, object::HasStatus},
    runtime::controller::Action,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};

use self::registry::{Origin, ProviderKey, Readiness, ReadyProvider, Seal, SpecVersion};
use super::{
    Context, Error, Guarded, Handled, ObjectId, bounded, decoded,
    kubernetes::{
        queue::{Due, Fingerprint, Queue},
        status::write,
        undecodable,
    },
};
use crate::{
    api::{
        ALLOWED_HOSTS, Api as BillingApiKind, BillingProvider, ClusterBillingProvider, ProviderStatus,
        REQUESTED_AT,
        contract::ProviderKind,
        provider::BillingProviderSpec,
        reasons::{self, Reason},
    },
    billing::{
        CallError,
        endpoint::{Endpoint, base_url},
        http::Http,
        registry::Client,
    },
    clock,
    plan::Demands,
    protocol::{Requeue, destination::Destination},
    status::provider::{AccountCheck, status},
};

/// How long a token may be away before its provider stops being ready: long enough to replace a Secret.
const TOKEN_GRACE: Duration = Duration::from_secs(10);
/// Most bytes of a token: servers take no more of a header, and most of them much less.
const MOST_TOKEN: usize = 16 << 10;

/// What the two kinds of provider have in common.
pub trait ProviderResource: Handled + Serialize + HasStatus<Status = ProviderStatus> {
    /// The account.
    fn account(&self) -> &BillingProviderSpec;
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

impl Handled for BillingProvider {
    const LABEL: &'static str = "BillingProvider";

    fn queue(context: &Context) -> &Queue {
        &context.provider_queue
    }

    fn gone(context: &Context, namespace: Option<String>, name: &str) {
        gone(context, &ProviderKey::new(ProviderKind::BillingProvider, namespace, name));
    }
}

impl Handled for ClusterBillingProvider {
    const LABEL: &'static str = "ClusterBillingProvider";

    fn queue(context: &Context) -> &Queue {
        &context.provider_queue
    }

    fn gone(context: &Context, _: Option<String>, name: &str) {
        gone(context, &ProviderKey::new(ProviderKind::ClusterBillingProvider, None, name));
    }
}

/// Result of checking an account.
struct Checked {
    check: AccountCheck,
    /// The account, where it is ready.
    account: Option<Arc<ReadyProvider>>,
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
    let uid = ObjectId::of(guarded.as_ref()).uid;
    let provider = match decoded(&guarded) {
        Ok(provider) => provider,
        Err(invalid) => {
            context.providers.set(
                &key,
                Readiness::NotReady(format!("it cannot be read: {}", invalid.error)),
                None,
            );
            return undecodable::report(&context, &guarded, &undecodable::message(&invalid.error)).await;
        }
    };
    if guarded.meta().deletion_timestamp.is_some() {
        going(&context, &key, provider.serves());
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
    let spec = SpecVersion::of(guarded.as_ref());
    let secret =
        read_secret(&context, &secret_namespace, secret_name, goes_on(&context, &key, &spec)).await?;
    let token = match &secret {
        Ok(secret) => token(secret, secret_name, &provider.account().token_secret_ref.key)
            .map_err(|why| (reasons::TOKEN_NOT_READABLE, why)),
        Err(why) => Err((reasons::SECRET_NOT_READABLE, why.clone())),
    };
    let hosts = secret.as_ref().ok().and_then(|secret| secret.annotations().get(ALLOWED_HOSTS));
    let origin = Origin {
        spec,
        token: Seal::of(&[
            token.as_ref().map_or_else(|(_, why)| why.as_str(), ExposeSecret::expose_secret),
            hosts.map_or("", String::as_str),
        ]),
    };
    let current = context.providers.account(&key);
    if let Some(account) = current.as_ref().filter(|account| account.is_of(&origin.spec)) {
        // A Secret that is deleted and created again, or for a moment may not be read, changes nothing.
        let missing = account.note_token(token.is_ok());
        if token.is_err() && missing < TOKEN_GRACE {
            return Ok(Action::requeue(TOKEN_GRACE.saturating_sub(missing)));
        }
    }
    let is_suspect = current.as_ref().is_some_and(|account| account.is_suspect());
    let fingerprint = Fingerprint {
        generation: guarded.meta().generation,
        annotations: vec![guarded.annotations().get(REQUESTED_AT).cloned()],
        dependencies: vec![origin.token.to_string()],
        ..Fingerprint::default()
    };
    match context.provider_queue.due(&uid, guarded.resource_version().as_deref(), &fingerprint) {
        Due::Stale => return Ok(Action::await_change()),
        Due::Later(wait) if !is_suspect => return Ok(Action::requeue(wait)),
        Due::Later(_) | Due::Now => {}
    }

    let checked = match (&secret, token) {
        _ if let Some(why) = guarded.unknown() => Checked::not_ready(AccountCheck::unknown_field(&why)),
        (Ok(secret), _) if let Err(why) = may_be_sent(&context, provider.account(), secret) => {
            Checked::not_ready(AccountCheck::not_allowed(&why))
        }
        (_, Ok(token)) => match current.filter(|account| account.is_from(&origin)) {
            Some(account) => recheck(&context, &key, account).await,
            None => examine(&context, &key, provider.account(), token, origin).await,
        },
        (Err(_), Err((reason, why))) => {
            context.providers.leave(&key);
            Checked::without_token(reason, &why)
        }
        (_, Err((reason, why))) => Checked::without_token(reason, &why),
    };
    if checked.account.is_none() && context.tenure.stop().is_set() {
        // What was given up says nothing about the account.
        return Ok(Action::await_change());
    }
    let summary = &checked.check.summary;
    let readiness = match &checked.account {
        Some(account) => Readiness::Ready(Arc::clone(account)),
        None => Readiness::NotReady(summary.message.clone()),
    };
    context.metrics.reconciled(K::LABEL, if checked.account.is_some() { "ready" } else { "not_ready" });
    let requeue =
        if summary.is_retried() { Requeue::Backoff(checked.pause) } else { Requeue::AfterSyncPeriod };
    let previous = provider.status().cloned().unwrap_or_default();
    let status = status(guarded.meta(), provider.account(), &previous, &checked.check, clock::now());
    // First: contracts wait for nothing that cannot be written.
    context.providers.set(&key, readiness, provider.serves());
    write(&context, &K::api(&context, &key), provider, status).await?;
    let period = Duration::from_secs(u64::try_from(provider.account().sync_period_seconds).unwrap_or(600));
    Ok(context.provider_queue.requeue(&uid, requeue, period))
}

/// Forgets a provider that is gone; its contracts hear of it.
pub fn gone(context: &Context, key: &ProviderKey) {
    context.providers.remove(key);
    context.secrets.release(key, None);
}

/// A provider that is deleted is not used any more. Somebody's finalizer may keep it for long, so contracts say what they wait
/// for.
fn going(context: &Context, key: &ProviderKey, serves: Option<Vec<String>>) {
    context.providers.leave(key);
    context.secrets.release(key, None);
    context.providers.set(key, Readiness::NotReady("it is being deleted".to_owned()), serves);
}

/// Whether an account is ready with the token that it has, so that a failed read of its Secret is only tried again; anything else
/// says what it waits for.
fn goes_on(context: &Context, key: &ProviderKey, spec: &SpecVersion) -> bool {
    context.providers.account(key).is_some_and(|account| account.is_of(spec) && !account.is_suspect())
}

/// Reads the Secret; the inner error is for people, the outer for the next try where the account goes on meanwhile.
async fn read_secret(
    context: &Context,
    namespace: &str,
    name: &str,
    goes_on: bool,
) -> Result<Result<Secret, String>, Error> {
    match bounded(Api::<Secret>::namespaced(context.client.clone(), namespace).get(name)).await {
        Ok(secret) => Ok(Ok(secret)),
        Err(error) if error.is(Status::is_not_found) => {
            Ok(Err(format!("Secret {namespace}/{name} does not exist; create it with the API token")))
        }
        Err(error) if error.is(Status::is_forbidden) => Ok(Err(format!(
            "the operator may not read Secret {namespace}/{name}: correct `spec.tokenSecretRef.name` if it is misspelt, or add \
             the name to the Role `countersign-tokens` of the namespace"
        ))),
        Err(error) if goes_on => Err(error),
        Err(error) => Ok(Err(format!("Secret {namespace}/{name} cannot be read: {error}"))),
    }
}

/// Whether the Secret's token may be sent to the account's address. One that is no address is [`examine`]'s to refuse.
fn may_be_sent(context: &Context, spec: &BillingProviderSpec, secret: &Secret) -> Result<(), String> {
    let Some((api, Ok(address))) = spec.api().zip(spec.base_url().map(base_url)) else { return Ok(()) };
    let name = format!("{}/{}", secret.namespace().unwrap_or_default(), secret.name_any());
    let destination = Destination {
        api,
        address: &address,
        secret: &name,
        said_by_secret: secret.annotations().get(ALLOWED_HOSTS).map(String::as_str),
        said_by_administrator: &context.options.allowed_hosts,
    };
    destination.check()
}

/// Re-checks an account whose spec and Secret are unchanged: only a suspected token is tried.
async fn recheck(context: &Context, key: &ProviderKey, account: Arc<ReadyProvider>) -> Checked {
    if account.is_suspect() {
        match account.client.probe().await {
            Ok(()) => context.providers.clear(key, &account),
            Err(error) => return Checked::failed(&error, account.client.api()),
        }
    }
    Checked::ready(account)
}

/// Builds a client for the account and tries its token.
async fn examine(
    context: &Context,
    key: &ProviderKey,
    spec: &BillingProviderSpec,
    token: SecretString,
    origin: Origin,
) -> Checked {
    let Some(url) = spec.base_url() else {
        return Checked::invalid("exactly one billing API must be set in the spec");
    };
    let timeout = Duration::from_secs(u64::try_from(spec.request_timeout_seconds).unwrap_or(20));
    let budget = context.providers.budget(key, url, spec.requests_per_second);
    let endpoint = base_url(url).map(|base| Endpoint {
        base,
        token,
        timeout: timeout.min(context.options.lease_duration * 2 / 3),
        budget: budget.clone(),
        ca_bundle: spec.ca_bundle.clone(),
        carrier: context.options.carrier.clone(),
    });
    let http =
        endpoint.and_then(|endpoint| Http::new(&endpoint, context.tenure.clone(), context.metrics.clone()));
    let client = match http {
        Ok(http) => Client::connect(spec, http),
        Err(error) => return Checked::invalid(&error.to_string()),
    };
    let Some(client) = client else {
        return Checked::invalid("exactly one billing API must be set in the spec");
    };
    let period = Duration::from_secs(u64::try_from(spec.sync_period_seconds).unwrap_or(600));
    let account = ReadyProvider::new(client, url, budget, (period, Demands::of(spec)), origin);
    match account.client.probe().await {
        Ok(()) => Checked::ready(Arc::new(account)),
        Err(error) => Checked::failed(&error, account.client.api()),
    }
}

/// The token in a Secret.
///
/// # Errors
/// Why there is none, for people.
pub fn token(secret: &Secret, name: &str, key: &str) -> Result<SecretString, String> {
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
    if text.len() > MOST_TOKEN {
        let bytes = text.len();
        return Err(format!(
            "key `{key}` of Secret {name} has {bytes} bytes, and no token has more than {MOST_TOKEN}"
        ));
    }
    // Never the character itself: it may be part of a token.
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "key `{key}` of Secret {name} has a character that no token has: it must be printable ASCII without a byte order mark, \
             and without spaces or line breaks inside"
        ));
    }
    Ok(SecretString::from(text))
}

impl Checked {
    fn not_ready(check: AccountCheck) -> Self {
        Self { check, account: None, pause: Duration::ZERO }
    }

    fn ready(account: Arc<ReadyProvider>) -> Self {
        Self { account: Some(account), ..Self::not_ready(AccountCheck::ready()) }
    }

    fn without_token(reason: Reason, why: &str) -> Self {
        Self::not_ready(AccountCheck::without_token(reason, why))
    }

    fn invalid(why: &str) -> Self {
        Self::not_ready(AccountCheck::invalid(why))
    }

    fn failed(error: &CallError, api: BillingApiKind) -> Self {
        let pause = if let CallError::Throttled { pause } = error { *pause } else { Duration::ZERO };
        Self { pause, ..Self::not_ready(AccountCheck::failed(error, api)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;

    #[test]
    fn a_secret_that_holds_something_else_than_a_token_is_told_by_its_key_and_not_by_its_content() {
        let read = |bytes: &[u8]| {
            let data = [("token".to_owned(), ByteString(bytes.to_vec()))].into();
            token(&Secret { data: Some(data), ..Secret::default() }, "zoo-token", "token")
        };
        for text in ["api-Token_1.2/3+4=", "\n api-token \r\n"] {
            assert_eq!(read(text.as_bytes()).unwrap().expose_secret(), text.trim());
        }
        let large = "x".repeat(MOST_TOKEN + 1);
        for (odd, why) in [
            ("", "is empty"),
            (" \n", "is empty"),
            ("two words", "printable ASCII"),
            ("two\nlines", "printable ASCII"),
            ("Bearer token", "printable ASCII"),
            ("\u{feff}token", "byte order mark"),
            ("t\u{f6}ken", "printable ASCII"),
            ("to\u{0}ken", "printable ASCII"),
            (large.as_str(), "has 16385 bytes"),
        ] {
            let said = read(odd.as_bytes()).unwrap_err();
            assert!(said.contains(why) && said.contains("key `token` of Secret zoo-token"), "{said}");
            assert!(odd.trim().is_empty() || !said.contains(odd), "{said}");
        }
        assert!(read(&[0xff, 0]).unwrap_err().contains("is not text"));
        let none = token(&Secret::default(), "zoo-token", "token").unwrap_err();
        assert_eq!(none, "Secret zoo-token has no key `token` (it has: none)");
    }
}
