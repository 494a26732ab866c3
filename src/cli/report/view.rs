//! `countersign view`: the report of the cluster, served to this machine alone and made anew for each look.

use std::net::{Ipv4Addr, SocketAddr};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use chrono::Utc;
use clap::Args;
use tokio::{net::TcpListener, signal};

use super::{
    super::{Failure, cluster::Target, out},
    of_cluster,
    page::Page,
};
use crate::overview::customers::RENEWAL_DAYS;

/// Serves the report of the cluster to this machine alone, with your own rights, and changes nothing.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Every look reads the cluster anew. Stop it with Ctrl-C.\n\nExamples:\n  countersign view -n billing\n  \
    countersign view -A --context production --port 8300"
)]
pub struct View {
    #[command(flatten)]
    target: Target,
    /// Every namespace of the cluster.
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Port on 127.0.0.1; any free one when it is 0.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How many days before its end a contract that nothing follows is due to be renewed.
    #[arg(long, value_name = "DAYS", default_value_t = RENEWAL_DAYS)]
    renewals_within: u32,
}

/// What every look needs.
#[derive(Clone)]
struct Shown {
    target: Target,
    everywhere: bool,
    days: u32,
}

impl View {
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        // What cannot work is said now, and not in the browser.
        self.target.connect().await?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let listener = TcpListener::bind(address).await.map_err(|error| {
            format!("cannot listen on {address}: {error}; choose another port with --port")
        })?;
        let port = listener.local_addr()?.port();
        let shown =
            Shown { target: self.target, everywhere: self.all_namespaces, days: self.renewals_within };
        let router = Router::new()
            .route("/", get(page))
            .with_state(shown)
            .layer(middleware::from_fn(move |request, next| guard(port, request, next)));
        out::print(&format!("http://127.0.0.1:{port}/\n"))?;
        let stopped = async {
            if signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            served = async { axum::serve(listener, router).await } => Ok(served?),
            () = stopped => Ok(()),
        }
    }
}

async fn page(State(shown): State<Shown>) -> Response {
    let made = async {
        let found = of_cluster(&shown.target, shown.everywhere).await?;
        Page::of(&found, Utc::now(), shown.days).html()
    };
    match made.await {
        Ok(html) => Html(html).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("countersign: {error}\n")).into_response(),
    }
}

/// Answers this machine's browser only, and lets nothing else take the page: another site whose name leads here asks by
/// that name.
async fn guard(port: u16, request: Request, next: Next) -> Response {
    if !is_own(request.headers(), port) {
        let why = format!("ask for http://127.0.0.1:{port}/\n");
        return (StatusCode::MISDIRECTED_REQUEST, why).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn is_own(headers: &HeaderMap, port: u16) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.is_some_and(|host| ["127.0.0.1", "localhost"].iter().any(|name| host == format!("{name}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_this_machine_by_its_own_name_is_answered() {
        let is_own = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            super::is_own(&headers, 8300)
        };
        assert!(is_own("127.0.0.1:8300") && is_own("localhost:8300"));
        assert!(!is_own("evil.example:8300") && !is_own("127.0.0.1:80") && !is_own("127.0.0.1"));
        assert!(!super::is_own(&HeaderMap::new(), 8300));
    }
}
