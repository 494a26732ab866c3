//! Errors of the API server in its own words: the client's carry the whole answer along, as a dump.

use std::error::Error;

use kube::core::Status;

/// What went wrong, for people.
#[must_use]
pub fn words(error: &(dyn Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let boxed = || error.downcast_ref::<Box<Status>>().map(AsRef::as_ref);
        if let Some(status) = error.downcast_ref::<Status>().or_else(boxed) {
            return format!("{} (HTTP {})", status.message, status.code);
        }
        cause = error.source();
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher;

    use super::*;

    #[test]
    fn an_error_of_the_api_server_is_told_without_a_dump() {
        let status = || Status::failure("secrets is forbidden", "Forbidden").with_code(403).boxed();
        let error = kube::Error::Api(status());
        assert!(error.to_string().contains("Status {"), "{error}");
        assert_eq!(words(&error), "secrets is forbidden (HTTP 403)");
        let watch = watcher::Error::WatchError(status());
        assert_eq!(words(&watch), "secrets is forbidden (HTTP 403)");
        let list = watcher::Error::InitialListFailed(kube::Error::Api(status()));
        assert_eq!(words(&list), "secrets is forbidden (HTTP 403)");
        assert_eq!(words(&std::io::Error::other("broken")), "broken");
    }
}
