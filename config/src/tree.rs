//! YAML to a bounded tree that knows where everything stands.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use zeroize::Zeroize;

use crate::report::{Position, Report, quoted};

/// The largest file that is read, in bytes.
pub(crate) const MAX_TEXT: usize = 4 << 20;
/// How deep sections may be nested. The schema needs half of it.
const MAX_DEPTH: usize = 16;
/// How many values there may be once aliases are replaced by what they stand for. A target takes about a dozen.
const MAX_NODES: usize = 400_000;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) value: Value,
}

/// A value as YAML's core schema reads it.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    /// A number that is no whole number of 64 bits, as written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) at: Position,
    pub(crate) name: String,
}

impl Node {
    /// The value of a key; `None` when there is none or this is no map.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(name, _)| name.name == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The elements of a list; none when this is no list.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text, when this is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Number of values in this one, itself included.
    fn size(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Node::size).sum(),
            Value::Map(entries) => entries.iter().map(|(_, node)| node.size()).sum(),
            _ => 0,
        }
    }

    fn depth(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Node::depth).max().unwrap_or(0),
            Value::Map(entries) => entries.iter().map(|(_, node)| node.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// The tree may hold secrets that were written inline.
impl Drop for Value {
    fn drop(&mut self) {
        if let Self::Text(text) = self {
            text.zeroize();
        }
    }
}

/// Reads `text`. `None` when it is not YAML, or not within the bounds; `report` then says why.
pub(crate) fn parse(text: &str, report: &mut Report) -> Option<Node> {
    if text.len() > MAX_TEXT {
        report.file_error(format!("the file is larger than {} MiB", MAX_TEXT >> 20));
        return None;
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                if let Err(refusal) = builder.take(event, span, report) {
                    report.error(refusal.at, "", refusal.message);
                    return None;
                }
            }
            Err(error) => {
                let at = position(*error.marker());
                report.error(at, "", format!("this is not YAML: {}", error.info()));
                return None;
            }
        }
    }
    if builder.root.is_none() {
        report.file_error("the file is empty");
    }
    builder.root
}

fn position(marker: saphyr_parser::Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

/// YAML that is well formed and still not wanted.
struct Refusal {
    at: Position,
    message: String,
}

/// A list or map that is not finished.
struct Open {
    at: Position,
    anchor: usize,
    contents: Contents,
}

enum Contents {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, key: Option<Key> },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span, report: &mut Report) -> Result<(), Refusal> {
        let at = position(span.start);
        let refuse = |message: &str| Err(Refusal { at, message: message.to_owned() });
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return refuse("a second document begins here; the configuration is one document");
                }
                Ok(())
            }
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => {
                refuse("tags (`!…`) are not used here; write the plain value")
            }
            Event::Scalar(text, style, anchor, None) => {
                self.count(1, at)?;
                self.add(Node { at, value: scalar(&text, style) }, anchor, report)
            }
            Event::SequenceStart(anchor, None) => self.begin(at, anchor, Contents::List(Vec::new())),
            Event::MappingStart(anchor, None) => {
                self.begin(at, anchor, Contents::Map { entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(done) = self.open.pop() else {
                    return refuse("a list or section ends that never began");
                };
                let value = match done.contents {
                    Contents::List(items) => Value::List(items),
                    Contents::Map { entries, .. } => Value::Map(entries),
                };
                self.add(Node { at: done.at, value }, done.anchor, report)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return refuse("this alias stands inside of what it refers to");
                };
                let (size, depth) = (node.size(), node.depth());
                let node = Node { at, value: node.value.clone() };
                self.count(size, at)?;
                if self.open.len() + depth > MAX_DEPTH {
                    return refuse("the values are nested too deep");
                }
                self.add(node, 0, report)
            }
        }
    }

    fn count(&mut self, nodes: usize, at: Position) -> Result<(), Refusal> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            let message = format!("there are more than {MAX_NODES} values, counting what aliases stand for");
            return Err(Refusal { at, message });
        }
        Ok(())
    }

    fn begin(&mut self, at: Position, anchor: usize, contents: Contents) -> Result<(), Refusal> {
        self.count(1, at)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(Refusal { at, message: "the values are nested too deep".to_owned() });
        }
        self.open.push(Open { at, anchor, contents });
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: Node, anchor: usize, report: &mut Report) -> Result<(), Refusal> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut parent.contents {
            Contents::List(items) => items.push(node),
            Contents::Map { entries, key } => match key.take() {
                None => {
                    let at = node.at;
                    let Some(name) = node.text() else {
                        return Err(Refusal {
                            at,
                            message: "a key must be text; put it in quotes".to_owned(),
                        });
                    };
                    *key = Some(Key { at, name: name.to_owned() });
                }
                Some(key) => {
                    if let Some((first, _)) = entries.iter().find(|(known, _)| known.name == key.name) {
                        let message =
                            format!("the key {} is already in line {}", quoted(&key.name), first.at.line);
                        report.error(key.at, "", message);
                    } else {
                        entries.push((key, node));
                    }
                }
            },
        }
        Ok(())
    }
}

/// YAML 1.2's core schema.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_or_else(|_| Value::Number(text.to_owned()), Value::Integer);
    }
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        && text.parse::<f64>().is_ok();
    if numeric { Value::Number(text.to_owned()) } else { Value::Text(text.to_owned()) }
}
