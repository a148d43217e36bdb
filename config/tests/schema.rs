//! `schema.json` is what the types say.

use std::path::Path;

#[test]
fn schema_file_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.json");
    let generated = serde_json::to_string_pretty(&passerelle_config::schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == generated,
        "config/schema.json differs from the types; run `UPDATE_SCHEMA=1 cargo test -p passerelle-config schema`"
    );
}
