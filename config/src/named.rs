//! Lists whose elements are found by their names.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What has a name of its own in its list.
pub trait HasName {
    /// The name.
    fn name(&self) -> &str;
}

/// A list in the order of the file, whose elements are found by their names without searching it. Clones share
/// everything, so that policies of which only some targets differ do not hold the others twice.
#[derive(Clone, Debug)]
pub struct Named<T> {
    list: Arc<Vec<Arc<T>>>,
    places: Arc<HashMap<String, usize>>,
}

impl<T: HasName> Named<T> {
    /// The element of this name; the first, should there be several.
    pub fn find(&self, name: &str) -> Option<&Arc<T>> {
        self.list.get(self.place(name)?)
    }

    /// Where in the list the element of this name is.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { list: Arc::default(), places: Arc::default() }
    }
}

impl<T> Deref for Named<T> {
    type Target = [Arc<T>];

    fn deref(&self) -> &[Arc<T>] {
        &self.list
    }
}

impl<T: HasName> Extend<T> for Named<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, elements: I) {
        let mut elements = elements.into_iter().peekable();
        if elements.peek().is_none() {
            return; // and go on sharing
        }
        let (list, places) = (Arc::make_mut(&mut self.list), Arc::make_mut(&mut self.places));
        for element in elements {
            places.entry(element.name().to_owned()).or_insert(list.len());
            list.push(Arc::new(element));
        }
    }
}

impl<T: HasName> FromIterator<T> for Named<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut named = Self::default();
        named.extend(elements);
        named
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.list.iter().map(AsRef::<T>::as_ref))
    }
}

impl<'de, T: Deserialize<'de> + HasName> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from_iter)
    }
}

/// The schema of a plain list.
impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        Vec::<T>::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        Vec::<T>::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        Vec::<T>::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug)]
    struct Thing(&'static str, u8);

    impl HasName for Thing {
        fn name(&self) -> &str {
            self.0
        }
    }

    #[test]
    fn elements_are_found_by_name_and_keep_their_order() {
        let mut things: Named<Thing> = [Thing("b", 1), Thing("a", 2)].into_iter().collect();
        let before = things.clone();
        things.extend([Thing("c", 3), Thing("a", 4)]);
        let values = |things: &Named<Thing>| things.iter().map(|thing| thing.1).collect::<Vec<_>>();
        assert_eq!(values(&things), [1, 2, 3, 4]);
        let found = |things: &Named<Thing>, name| things.find(name).map(|thing| thing.1);
        let names = ["a", "b", "c", "d"];
        assert_eq!(names.map(|name| found(&things, name)), [Some(2), Some(1), Some(3), None]);
        assert_eq!(things.place("c"), Some(2));
        assert_eq!(values(&before), [1, 2]);
        assert_eq!(found(&before, "c"), None, "a clone does not change along");
        assert!(Arc::ptr_eq(&before[0], &things[0]), "what is the same is held once");
    }
}
