//! Where a billing API is, and what may be sent there: addresses, private roots, the token.

use std::time::Duration;

use reqwest::{Certificate, Url};
use secrecy::SecretString;
use url::Host;

use super::{budget::Budget, carrier::Carrier};

/// How to reach a billing API.
#[derive(Clone)]
pub struct Endpoint {
    /// Base URL.
    pub base: Url,
    /// API token.
    pub token: SecretString,
    /// How long one request may take.
    pub timeout: Duration,
    /// What all calls of the provider share, also with the client before this one.
    pub budget: Budget,
    /// Certificates of private roots (PEM) that are trusted beside the public ones.
    pub ca_bundle: Option<String>,
    /// What takes requests there, where it is not the network.
    pub carrier: Option<Carrier>,
}

/// Why an endpoint cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The URL is not acceptable.
    #[error("`baseUrl` {0}")]
    Url(String),
    /// The token cannot be sent.
    #[error("the token must be printable ASCII without spaces or line breaks inside")]
    Token,
    /// The private roots cannot be used.
    #[error("`caBundle` {0}")]
    CaBundle(String),
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
}

/// Parses a base URL, which may be plain `http` only where nobody else can listen.
///
/// # Errors
/// When it is no such URL; the message says what is wrong.
pub fn base_url(text: &str) -> Result<Url, EndpointError> {
    let refuse = |message: String| Err(EndpointError::Url(message));
    let mut url =
        Url::parse(text).map_err(|error| EndpointError::Url(format!("{text:?} is no URL: {error}")))?;
    let at_home = is_at_home(&url);
    match url.scheme() {
        "https" => {}
        "http" if at_home => {}
        "http" => return refuse(format!("{text:?} would send the token in clear text; use https")),
        scheme => return refuse(format!("{text:?} has the scheme {scheme}; use https")),
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return refuse("must be a plain address without user, query or fragment".to_owned());
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// Whether nobody outside of this machine or of the cluster can listen. Only addresses are addresses:
/// `127.attacker.example` is somebody's name.
fn is_at_home(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => {
            let mut labels = name.rsplit('.');
            let is_service = matches!(
                (labels.next(), labels.next(), labels.next()),
                (Some("svc"), Some(_), _) | (Some("local"), Some("cluster"), Some("svc"))
            );
            is_service || name == "localhost"
        }
        None => false,
    }
}

/// The certificates of a bundle.
///
/// # Errors
/// When it has none, or is not in PEM form.
pub fn roots(bundle: Option<&str>) -> Result<Vec<Certificate>, EndpointError> {
    let Some(bundle) = bundle else { return Ok(Vec::new()) };
    let roots = Certificate::from_pem_bundle(bundle.as_bytes())
        .map_err(|_| EndpointError::CaBundle("is not in PEM form".to_owned()))?;
    if roots.is_empty() {
        let why = "has no certificate: write it as `-----BEGIN CERTIFICATE-----` and so on";
        return Err(EndpointError::CaBundle(why.to_owned()));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_travels_in_clear_text_at_home_only() {
        for url in [
            "http://127.0.0.1:8080",
            // Other spellings of the same address.
            "http://127.1",
            "http://0x7f.1",
            "http://2130706433",
            "http://[::1]:8080",
            "http://localhost",
            "http://sim.billing.svc",
            "http://sim.billing.svc.cluster.local",
            "https://api.zoo.dev",
        ] {
            assert!(base_url(url).is_ok(), "{url}");
        }
        for url in [
            "http://api.zoo.dev",
            "http://localhost.example.com",
            "ftp://localhost",
            "https://u:p@api.zoo.dev",
            "http://127.attacker.example",
            "http://svc.attacker.example",
            "http://localhost@attacker.example",
            "http://127.0.0.1@attacker.example",
            "http://127.0.0.1.attacker.example",
            "http://[::ffff:192.0.2.1]",
            "http://0.0.0.0",
            "http://2130706433.attacker.example",
            "acme",
        ] {
            assert!(base_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_base_url_keeps_its_path() {
        let url = base_url("https://proxy.example.com/zoo").unwrap();
        assert_eq!(url.join("orgs/1").unwrap().as_str(), "https://proxy.example.com/zoo/orgs/1");
    }
}
