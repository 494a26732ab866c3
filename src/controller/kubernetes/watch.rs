//! Watches that trust no version across a failure.

use std::fmt::Debug;

use futures::{Stream, StreamExt as _, stream, stream::BoxStream};
use kube::{
    Api, Resource,
    runtime::watcher::{self, Event, watcher},
};
use serde::de::DeserializeOwned;

/// Watches objects, and lists them anew whenever the watch fails.
///
/// A watch that goes on from the last version would hear nothing for a long time, or miss changes, if the cluster's data was
/// restored from a backup meanwhile: versions are lower then, and come again with other content. What is listed anew costs
/// no call to a billing API.
pub fn watch<K>(api: Api<K>, config: watcher::Config) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    anew_after_errors(move || watcher(api.clone(), config.clone()).boxed())
}

fn anew_after_errors<T, E>(
    begin: impl Fn() -> BoxStream<'static, Result<T, E>> + Send,
) -> impl Stream<Item = Result<T, E>> + Send
where
    T: Send + 'static,
    E: Send + 'static,
{
    stream::unfold(None, move |current| {
        let mut events: BoxStream<'static, Result<T, E>> = current.unwrap_or_else(&begin);
        async move {
            let event = events.next().await?;
            let kept = event.is_ok().then_some(events);
            Some((event, kept))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watch_that_failed_begins_anew() {
        let events =
            anew_after_errors(|| stream::iter([Ok("list"), Ok("change"), Err("eof"), Ok("lost")]).boxed());
        let heard: Vec<_> = events.take(5).collect().await;
        assert_eq!(heard, [Ok("list"), Ok("change"), Err("eof"), Ok("list"), Ok("change")]);
    }
}
