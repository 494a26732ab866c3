//! JSON from a request's body into a type, with a message that names the path of what is wrong. Knows no API.

use serde::de::DeserializeOwned;

/// Reads `body` as a `T`.
///
/// # Errors
/// A sentence such as `periods[0].status: unknown variant ...`.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(value)
}
