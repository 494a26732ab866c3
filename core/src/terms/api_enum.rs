//! Enums in a billing API's own spelling.

/// Declares enums that the schema, the plan and the wire spell as the billing API does; the first literal names serde's
/// rule for it. `Display` writes that spelling too.
///
/// Their schema is the list of words: a description in it would take the place of the member's own wherever the member is
/// optional. What each word means goes along as the title, from which the definitions take it into the description.
macro_rules! api_enums {
    ($case:literal $($(#[$doc:meta])* $name:ident {
        $($(#[doc = $meaning:literal])+ $(@$rename:literal)? $variant:ident),+ $(,)?
    })+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = $case)]
        pub enum $name { $($(#[doc = $meaning])+ $(#[serde(rename = $rename)])? $variant),+ }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                serde::Serialize::serialize(self, f)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let meanings = [$(crate::terms::api_enum::meaning(&Self::$variant, &[$($meaning),+])),+];
                schemars::json_schema!({
                    "type": "string", "enum": [$(Self::$variant),+], "title": meanings.join(" "),
                })
            }
        }
    )+ };
}

pub(crate) use api_enums;

/// A word and what it means, as its doc comment says it.
pub(crate) fn meaning(word: &impl std::fmt::Display, lines: &[&str]) -> String {
    let text = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    format!("`{word}`: {text}")
}
