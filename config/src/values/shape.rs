//! Types that exist only for the schema: what a text must be although its Rust type is plain.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

macro_rules! shape {
    ($(#[$doc:meta])* $type:ident, $schema:tt) => {
        $(#[$doc])*
        pub(crate) struct $type;

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

shape!(
    /// The name of a user, a group, a target, a tag or a rule.
    Name,
    {
        "description": "1 to 64 letters, digits and the signs - _ . @",
        "type": "string",
        "format": super::format::NAME,
        "minLength": 1,
        "maxLength": 64
    }
);
shape!(
    /// The name of a user, or all of them.
    Person,
    {
        "description": "A user's name, or * for all.",
        "type": "string",
        "format": super::format::PERSON
    }
);
shape!(
    /// Text for people in a line.
    Line,
    {
        "description": "A line of at most 200 characters.",
        "type": "string",
        "format": super::format::LINE,
        "maxLength": 200
    }
);
shape!(
    /// A path; relative ones are taken from the configuration file's directory.
    FilePath,
    {
        "description": "A path; relative ones start at the configuration file's directory.",
        "type": "string",
        "format": super::format::PATH
    }
);

/// Whether `text` can name something. A colon cannot: `technician:target` is what viewers log in with.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.chars().count())
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@'))
}
