//! How a handshake talks to the code that owns the socket.

/// A source of cryptographically secure random bytes: fills the slice that it is given.
pub type Random<'a> = &'a mut (dyn FnMut(&mut [u8]) + Send);

/// What a handshake wants done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Wants {
    /// Send these bytes and ask again.
    Send(Vec<u8>),
    /// Read exactly this many bytes, not one more, and hand them to `receive`.
    ///
    /// Never more than [`Wants::MAX_RECEIVE`].
    Receive(usize),
    /// Perform the TLS handshake on the stream in this handshake's role and ask again.
    UpgradeToTls,
    /// Nothing: the handshake is over and its outcome can be taken.
    Finished,
}

impl Wants {
    /// The most that a handshake asks for at once: user name and password of VeNCrypt Plain.
    pub const MAX_RECEIVE: usize = super::MAX_USERNAME + super::MAX_PASSWORD;
}
