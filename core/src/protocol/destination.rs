//! Where a token may go: only where somebody sends it who may read it.
//!
//! Whoever may create a provider names an address and a Secret, and need not be allowed to read that Secret. So the
//! address alone is never enough: the Secret says which hosts its token may go to, or the administrator of the operator
//! does. Without either, a token goes to the public address of the account's billing API and nowhere else.

use std::{fmt, str::FromStr};

use url::{Host, Url};

use crate::api::{ALLOWED_HOSTS, Api};

/// A list of hosts, as an annotation and an option of the operator have it: separated by commas or spaces, each as
/// `host`, `host:port` or an address such as `https://host:port`. A host without a port stands for all of its ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<Allowed>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Allowed {
    /// Only with this scheme; any when `None`.
    scheme: Option<String>,
    host: Host<String>,
    /// Only on this port; any when `None`.
    port: Option<u16>,
}

/// An entry of a list that names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no host: write it as `host`, `host:port` or `https://host:port`")]
pub struct NoHost(String);

impl AllowedHosts {
    /// Whether nothing is in the list.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address is of a host in the list.
    #[must_use]
    pub fn allows(&self, address: &Url) -> bool {
        self.0.iter().any(|allowed| allowed.is(address))
    }
}

impl FromIterator<Self> for AllowedHosts {
    fn from_iter<I: IntoIterator<Item = Self>>(lists: I) -> Self {
        Self(lists.into_iter().flat_map(|list| list.0).collect())
    }
}

impl FromStr for AllowedHosts {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        let entries = text.split(|letter: char| letter == ',' || letter.is_whitespace());
        entries.filter(|entry| !entry.is_empty()).map(Allowed::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl Allowed {
    fn parse(entry: &str) -> Result<Self, NoHost> {
        let no_host = || NoHost(entry.chars().take(100).collect());
        let is_address = entry.contains("://");
        let parse = |scheme: &str| {
            let text = if is_address { entry.to_owned() } else { format!("{scheme}://{entry}") };
            Url::parse(&text).map_err(|_| no_host())
        };
        let url = parse("https")?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && !entry.contains('*');
        let host = url.host().filter(|_| is_plain).ok_or_else(no_host)?.to_owned();
        if is_address {
            let scheme = Some(url.scheme().to_owned());
            return Ok(Self { scheme, host, port: url.port_or_known_default() });
        }
        // Parsing leaves out a scheme's own port, and here it was written.
        let port = url.port().or(parse("http")?.port());
        Ok(Self { scheme: None, host, port })
    }

    fn is(&self, address: &Url) -> bool {
        address.host().is_some_and(|host| host.to_owned() == self.host)
            && self.scheme.as_deref().is_none_or(|scheme| scheme == address.scheme())
            && self.port.is_none_or(|port| address.port_or_known_default() == Some(port))
    }
}

/// What is asked of a token before it is sent anywhere.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// The account's billing API.
    pub api: Api,
    /// Base URL of the account.
    pub address: &'a Url,
    /// Namespace and name of the Secret, for people.
    pub secret: &'a str,
    /// What the Secret's annotation says.
    pub said_by_secret: Option<&'a str>,
    /// What the administrator allows, besides the public addresses.
    pub said_by_administrator: &'a AllowedHosts,
}

impl Destination<'_> {
    /// Checks that the token may be sent there.
    ///
    /// An annotation on the Secret names every host that its token may go to. A list of the administrator's bounds what
    /// Secrets may say, so that nobody in a namespace reaches an address that the administrator did not mean.
    ///
    /// # Errors
    /// Why not, and what to do about it.
    pub fn check(&self) -> Result<(), String> {
        let Self { api, address, secret, said_by_secret, said_by_administrator } = self;
        let is_public = api.public_address().is_some_and(|public| same_origin(public, address));
        let said_by_secret = said_by_secret.map(AllowedHosts::from_str).transpose().map_err(|error| {
            format!("the annotation {ALLOWED_HOSTS} of Secret {secret} cannot be read: {error}")
        })?;
        if !said_by_administrator.is_empty() && !is_public && !said_by_administrator.allows(address) {
            return Err(format!(
                "the administrator does not allow tokens to be sent to {}: add it to the operator's --allowed-hosts, or \
                 correct `baseUrl`",
                Origin(address)
            ));
        }
        let host = HostOf(address);
        match said_by_secret {
            Some(said) if said.allows(address) => Ok(()),
            Some(_) => Err(format!(
                "the annotation {ALLOWED_HOSTS} of Secret {secret} does not name {host}, so its token is not sent there: \
                 add {host} to it, or correct `baseUrl`"
            )),
            None if is_public || said_by_administrator.allows(address) => Ok(()),
            None => Err(format!(
                "the token of Secret {secret} is not sent to {}, since nobody who may read it says so: let them run \
                 `kubectl annotate secret {} {ALLOWED_HOSTS}={host}`, or add the host to the operator's --allowed-hosts, or \
                 correct `baseUrl`",
                Origin(address),
                Named(secret)
            )),
        }
    }
}

fn same_origin(public: &str, address: &Url) -> bool {
    Url::parse(public).is_ok_and(|public| public.origin() == address.origin())
}

/// Scheme, host and port of an address: its path is nobody's business here.
struct Origin<'a>(&'a Url);

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

/// Host and port of an address, as a list has them.
struct HostOf<'a>(&'a Url);

impl fmt::Display for HostOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.host_str().unwrap_or_default())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// `namespace/name` as arguments of kubectl.
struct Named<'a>(&'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once('/') {
            Some((namespace, name)) => write!(f, "{name} --namespace {namespace}"),
            None => f.write_str(self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> AllowedHosts {
        text.parse().unwrap()
    }

    fn check(address: &str, said_by_secret: Option<&str>, said_by_administrator: &str) -> Result<(), String> {
        let address = &address.parse::<Url>().map_err(|error| error.to_string())?;
        let said_by_administrator = &hosts(said_by_administrator);
        let secret = "billing/zoo-token";
        Destination { api: Api::Zoo, address, secret, said_by_secret, said_by_administrator }.check()
    }

    #[test]
    fn a_token_goes_to_the_public_address_of_its_api_without_being_asked() {
        assert_eq!(check("https://api.zoo.dev/", None, ""), Ok(()));
        assert_eq!(check("https://API.zoo.dev:443/", None, ""), Ok(()));
        for elsewhere in [
            "https://api.metronome.com/",
            "http://api.zoo.dev/",
            "https://api.zoo.dev:8443/",
            "https://api.zoo.dev.attacker.example/",
        ] {
            assert!(check(elsewhere, None, "").is_err(), "{elsewhere}");
        }
    }

    #[test]
    fn a_token_goes_nowhere_that_nobody_who_may_read_it_names() {
        let why = check("https://attacker.example:8443/", None, "").unwrap_err();
        let cure = "kubectl annotate secret zoo-token --namespace billing \
                    billing.countersign.dev/allowed-hosts=attacker.example:8443";
        assert!(why.contains(cure) && why.contains("--allowed-hosts"), "{why}");
        assert!(check("http://127.0.0.1:80/", None, "").is_err());
        assert!(check("http://127.0.0.1:80/", Some(""), "").is_err());
    }

    #[test]
    fn a_secret_names_every_host_that_its_token_may_go_to() {
        let said = Some("proxy.example, 127.0.0.1:8480");
        for allowed in ["https://proxy.example/", "https://proxy.example:8443/", "http://127.0.0.1:8480/"] {
            assert_eq!(check(allowed, said, ""), Ok(()), "{allowed}");
        }
        for other in ["https://api.zoo.dev/", "http://127.0.0.1:8481/", "https://x.proxy.example/"] {
            assert!(check(other, said, "").unwrap_err().contains("does not name"), "{other}");
        }
        assert!(check("https://proxy.example/", Some("https://proxy.example/x"), "").is_err());
    }

    #[test]
    fn the_list_of_the_administrator_allows_and_bounds() {
        assert_eq!(check("https://proxy.example/", None, "proxy.example"), Ok(()));
        assert_eq!(check("https://api.zoo.dev/", None, "proxy.example"), Ok(()));
        let why = check("http://10.0.0.1/", Some("10.0.0.1"), "proxy.example").unwrap_err();
        assert!(why.contains("the administrator does not allow"), "{why}");
        assert!(check("https://proxy.example/", Some("api.zoo.dev"), "proxy.example").is_err());
    }

    #[test]
    fn an_entry_is_a_host_with_or_without_port_and_scheme() {
        let allows = |list: &str, address: &str| hosts(list).allows(&address.parse().unwrap());
        assert!(allows("[::1]", "http://[::1]:9/"));
        assert!(allows("Proxy.Example:443", "https://proxy.example/"));
        assert!(!allows("proxy.example:443", "https://proxy.example:444/"));
        assert!(allows("proxy.example:80", "http://proxy.example/"));
        assert!(allows("https://proxy.example", "https://proxy.example/"));
        assert!(!allows("https://proxy.example", "http://proxy.example/"));
        for text in ["*", "*.example", "a/b", "user@host", "https://h/?q", "host:port", "://"] {
            assert!(text.parse::<AllowedHosts>().is_err(), "{text}");
        }
    }

    #[test]
    fn lists_come_together_and_a_refusal_names_where_the_token_would_have_gone() {
        let both: AllowedHosts = [hosts("one.example"), hosts("two.example")].into_iter().collect();
        for address in ["https://one.example/", "https://two.example/"] {
            assert!(both.allows(&address.parse().unwrap()), "{address}");
        }
        assert!(!both.is_empty());
        let why = check("https://attacker.example:8443/v1/secret", None, "").unwrap_err();
        assert!(why.contains("https://attacker.example:8443") && !why.contains("v1/secret"), "{why}");
    }
}
