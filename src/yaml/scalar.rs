//! What a bare word or number means, by the rules of the Go library that Kubernetes reads YAML with (YAML 1.1).

use serde_json::Value;

/// What plain text means; `None` for a number that JSON cannot say (`.inf`, `.nan`).
pub(super) fn resolve(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => true.into(),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => false.into(),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf"
        | "-.Inf" | "-.INF" => return None,
        _ => match text.as_bytes() {
            [b'0'..=b'9' | b'+' | b'-' | b'.', ..] => return number(text),
            _ => text.into(),
        },
    })
}

/// A mapping's key as JSON has it; `None` where there is none.
pub(super) fn key(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn number(text: &str) -> Option<Value> {
    let plain = text.replace('_', "");
    if let Some(whole) = integer(&plain) {
        return Some(whole);
    }
    if is_float(&plain) && (!text.starts_with('.') || !text.contains('_')) {
        let float: f64 = plain.parse().ok()?;
        // Go writes 10.0 as 10, and so it is a whole number for the API server.
        return float.is_finite().then(|| serde_json::from_str(&float.to_string()).ok())?;
    }
    Some(text.into())
}

/// A whole number, decimal or with one of the prefixes `0x`, `0o`, `0b` and `0`, that fits 64 bits.
fn integer(plain: &str) -> Option<Value> {
    let (sign, digits) = match plain.as_bytes() {
        [b'-', ..] => ("-", plain.get(1..)?),
        [b'+', ..] => ("", plain.get(1..)?),
        _ => ("", plain),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, lower.get(2..)?),
        [b'0', b'o', ..] => (8, lower.get(2..)?),
        [b'0', b'b', ..] => (2, lower.get(2..)?),
        [b'0', _, ..] => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    if !digits.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    let signed = i64::from_str_radix(&format!("{sign}{digits}"), base).ok().map(Value::from);
    signed.or_else(|| u64::from_str_radix(digits, base).ok().filter(|_| sign.is_empty()).map(Value::from))
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(plain: &str) -> bool {
    let unsigned =
        |text: &'_ str| text.strip_prefix(['-', '+']).map_or_else(|| text.to_owned(), str::to_owned);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = unsigned(plain);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text.as_str(), None),
    };
    let is_mantissa = match mantissa.split_once('.') {
        None => is_digits(mantissa),
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
    };
    is_mantissa && exponent.is_none_or(|exponent| is_digits(&unsigned(exponent)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bare_words_and_numbers_mean_what_the_api_server_takes_them_for() {
        for (text, value) in [
            ("no", json!(false)),
            ("On", json!(true)),
            ("y", json!(true)),
            ("yEs", json!("yEs")),
            ("~", json!(null)),
            ("nil", json!("nil")),
            ("012", json!(10)),
            ("08", json!(8)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("1_000", json!(1000)),
            ("-5", json!(-5)),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("0.50", json!(0.5)),
            ("10.0", json!(10)),
            ("6e1", json!(60)),
            (".5", json!(0.5)),
            ("1.2.3", json!("1.2.3")),
            ("2026-01-01", json!("2026-01-01")),
            ("2026-01-01T00:00:00Z", json!("2026-01-01T00:00:00Z")),
            ("-", json!("-")),
            ("USD", json!("USD")),
            ("12:30", json!("12:30")),
        ] {
            assert_eq!(resolve(text), Some(value), "{text}");
        }
        assert_eq!(resolve(".inf"), None);
    }

    #[test]
    fn names_are_text_numbers_or_truth() {
        assert_eq!(key(json!("a")).as_deref(), Some("a"));
        assert_eq!(key(json!(5)).as_deref(), Some("5"));
        assert_eq!(key(json!(true)).as_deref(), Some("true"));
        assert_eq!(key(json!(null)), None);
    }
}
