//! Secrets and the randomness that they are made of.

use std::fmt;

use zeroize::Zeroizing;

/// Fills its argument with bytes that nobody can predict.
pub type Random<'a> = &'a mut (dyn FnMut(&mut [u8]) + Send);

/// A text that must not appear in logs, errors or `Debug` output. Wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text into custody.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one place that must hand it on.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
