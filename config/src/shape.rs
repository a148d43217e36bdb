//! The file's shape against the schema: keys, types, and what texts must be.
//!
//! The schema is generated from the types. Walking it, rather than deserializing, finds all mistakes at
//! once and knows where each one stands. What comes out is JSON for the types: with secrets and
//! certificates in place of references to them, and paths that no longer depend on the file's place.

use std::path::Path;

use serde_json::{Map, Value as Json, json};

use crate::report::{Report, quoted, suggestion};
use crate::resolver::Resolver;
use crate::text::{self, Reading};
use crate::tree::{Node, Value};

/// Walks a tree along a schema.
pub(crate) struct Shape<'a> {
    definitions: &'a Json,
    /// Directory of the configuration file.
    base: &'a Path,
    resolver: &'a dyn Resolver,
    report: &'a mut Report,
}

impl<'a> Shape<'a> {
    pub(crate) fn new(
        schema: &'a Json,
        base: &'a Path,
        resolver: &'a dyn Resolver,
        report: &'a mut Report,
    ) -> Self {
        let definitions = schema.get("$defs").unwrap_or(&Json::Null);
        Self { definitions, base, resolver, report }
    }

    /// Checks `node` and turns it into JSON. What was wrong has become `null` and is in the report.
    pub(crate) fn check(&mut self, node: &Node, schema: &'a Json, key: &str) -> Json {
        let mut alternatives = Vec::new();
        self.alternatives(schema, &mut alternatives);
        let fitting = alternatives.iter().copied().find(|schema| fits(&node.value, schema));
        match (&node.value, fitting) {
            (Value::Null, _) => self.wrong(node, key, "has no value; write one, or remove the key"),
            (Value::Text(found), Some(schema)) if choices(schema).is_some() => {
                self.choice(node, found, &alternatives, key)
            }
            (Value::Text(found), Some(schema)) => self.text(node, found, schema, key),
            (Value::Integer(number), Some(schema)) => self.integer(node, *number, schema, key),
            (Value::Bool(value), Some(_)) => json!(value),
            (Value::List(items), Some(schema)) => self.list(node, items, schema, key),
            (Value::Map(entries), Some(schema)) => self.map(node, entries, schema, key),
            (Value::Number(_), _) | (_, None) => {
                let message = mismatch(&node.value, &alternatives);
                self.wrong(node, key, message)
            }
        }
    }

    fn wrong(&mut self, node: &Node, key: &str, message: impl Into<String>) -> Json {
        self.report.error(node.at, key, message);
        Json::Null
    }

    /// The schemas that `schema` stands for: references followed, alternatives spread out, `null` left out.
    fn alternatives(&self, schema: &'a Json, found: &mut Vec<&'a Json>) {
        if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
            let name = reference.rsplit('/').next().unwrap_or_default();
            if let Some(definition) = self.definitions.get(name) {
                self.alternatives(definition, found);
            }
        } else if let Some(several) = ["anyOf", "oneOf"].iter().find_map(|word| schema.get(word)?.as_array())
        {
            for one in several {
                self.alternatives(one, found);
            }
        } else if schema.get("type").and_then(Json::as_str) != Some("null") {
            found.push(schema);
        }
    }

    /// A word of a few.
    fn choice(&mut self, node: &Node, found: &str, alternatives: &[&Json], key: &str) -> Json {
        let words: Vec<&str> = alternatives.iter().filter_map(|schema| choices(schema)).flatten().collect();
        if words.contains(&found) {
            return json!(found);
        }
        let message = format!("{} is not known here{}", quoted(found), expected_words(found, &words));
        self.wrong(node, key, message)
    }

    fn text(&mut self, node: &Node, found: &str, schema: &Json, key: &str) -> Json {
        let format = schema.get("format").and_then(Json::as_str).unwrap_or_default();
        match text::read(found, format, self.base, self.resolver) {
            Reading::As(json) => json,
            Reading::Doubtful(json, message) => {
                self.report.warning(node.at, key, message);
                json
            }
            Reading::Wrong(message) => self.wrong(node, key, message),
        }
    }

    fn integer(&mut self, node: &Node, number: i64, schema: &Json, key: &str) -> Json {
        let minimum = schema.get("minimum").and_then(Json::as_i64).unwrap_or(i64::MIN);
        let maximum = schema.get("maximum").and_then(Json::as_i64).unwrap_or(i64::MAX);
        if (minimum..=maximum).contains(&number) {
            return json!(number);
        }
        self.wrong(node, key, format!("must be from {minimum} to {maximum}, not {number}"))
    }

    fn list(&mut self, node: &Node, items: &[Node], schema: &'a Json, key: &str) -> Json {
        let least = schema.get("minItems").and_then(Json::as_u64).unwrap_or(0);
        if items.is_empty() && least > 0 {
            return self.wrong(node, key, "is an empty list; it needs at least one element");
        }
        if schema.get("uniqueItems") == Some(&Json::Bool(true)) {
            self.no_repetition(items, key);
        }
        let element = schema.get("items").unwrap_or(&Json::Null);
        let items = items.iter().enumerate();
        items.map(|(index, item)| self.check(item, element, &format!("{key}[{index}]"))).collect()
    }

    fn no_repetition(&mut self, items: &[Node], key: &str) {
        for (index, item) in items.iter().enumerate() {
            let Some(text) = item.text() else { continue };
            if items.iter().take(index).any(|earlier| earlier.text() == Some(text)) {
                self.report.error(
                    item.at,
                    &format!("{key}[{index}]"),
                    format!("{} is listed twice", quoted(text)),
                );
            }
        }
    }

    fn map(
        &mut self,
        node: &Node,
        entries: &[(crate::tree::Key, Node)],
        schema: &'a Json,
        key: &str,
    ) -> Json {
        let Some(properties) = schema.get("properties").and_then(Json::as_object) else { return Json::Null };
        let mut object = Map::new();
        for (name, value) in entries {
            let path = if key.is_empty() { name.name.clone() } else { format!("{key}.{}", name.name) };
            match properties.get(&name.name) {
                Some(property) => {
                    let json = self.check(value, property, &path);
                    object.insert(name.name.clone(), json);
                }
                None => {
                    let missing =
                        properties.keys().map(String::as_str).filter(|known| node.get(known).is_none());
                    let message = format!("unknown key{}", suggestion(&name.name, missing));
                    self.report.error(name.at, &shortened(&path), message);
                }
            }
        }
        let required = schema.get("required").and_then(Json::as_array).into_iter().flatten();
        for name in required.filter_map(Json::as_str).filter(|name| node.get(name).is_none()) {
            self.report.error(node.at, key, format!("the key `{name}` is missing"));
        }
        Json::Object(object)
    }
}

/// A key from the file may be of any length and have any character.
fn shortened(path: &str) -> String {
    quoted(path).trim_matches('`').to_owned()
}

/// Whether a value has the type that a schema without alternatives wants.
fn fits(value: &Value, schema: &Json) -> bool {
    let wanted = |name: &str| match schema.get("type") {
        Some(Json::String(one)) => one == name,
        Some(Json::Array(several)) => several.iter().any(|one| one == name),
        _ => false,
    };
    match value {
        Value::Null | Value::Number(_) => false,
        Value::Bool(_) => wanted("boolean"),
        Value::Integer(_) => wanted("integer"),
        Value::Text(_) => wanted("string"),
        Value::List(_) => wanted("array"),
        Value::Map(_) => wanted("object"),
    }
}

/// The words that a schema allows, if it allows only certain ones.
fn choices(schema: &Json) -> Option<Vec<&str>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(word), _) => Some(word.as_str().into_iter().collect()),
        (None, Some(words)) => Some(words.as_array()?.iter().filter_map(Json::as_str).collect()),
        (None, None) => None,
    }
}

fn expected_words(found: &str, words: &[&str]) -> String {
    let guess = suggestion(found, words.iter().copied());
    if !guess.is_empty() {
        return guess;
    }
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [only] => format!("; write {only}"),
        several => format!("; write one of {}", several.join(", ")),
    }
}

/// What to say about a value of the wrong type. It never repeats text: the text might be a secret.
fn mismatch(value: &Value, alternatives: &[&Json]) -> String {
    let wants = |value: &Value| alternatives.iter().any(|schema| fits(value, schema));
    let text = wants(&Value::Text(String::new()));
    let format = alternatives.iter().find_map(|schema| schema.get("format")?.as_str()).unwrap_or_default();
    if text {
        let scalar = match value {
            Value::Integer(number) => Some(number.to_string()),
            Value::Number(number) => Some(number.clone()),
            Value::Bool(value) => Some(value.to_string()),
            _ => None,
        };
        if let Some(scalar) = scalar {
            return text::not_text(&scalar, format);
        }
    }
    let mut wanted = Vec::new();
    if text {
        wanted.push("text");
    }
    if wants(&Value::List(Vec::new())) {
        wanted.push("a list");
    }
    if wants(&Value::Map(Vec::new())) {
        wanted.push("a section with keys");
    }
    if wants(&Value::Bool(true)) {
        wanted.push("`true` or `false`");
    }
    if wants(&Value::Integer(0)) {
        wanted.push("a whole number");
    }
    let found = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "`true` or `false`",
        Value::Integer(_) | Value::Number(_) => "a number",
        Value::Text(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a section with keys",
    };
    format!("must be {}, not {found}", wanted.join(" or "))
}
