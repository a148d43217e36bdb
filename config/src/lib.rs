//! Passerelle's configuration: one YAML file to validated types.
