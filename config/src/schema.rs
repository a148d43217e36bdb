//! The JSON schema of the file.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::sections::Config;

/// The JSON schema (draft 2020-12) of the configuration file, for editors and other tools.
pub fn schema() -> Value {
    SCHEMA.clone()
}

/// The same, made once: targets that are kept in the store are checked one by one.
pub(crate) static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let generator = SchemaSettings::draft2020_12().into_generator();
    generator.into_root_schema_for::<Config>().to_value()
});
