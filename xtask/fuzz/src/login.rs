//! What a technician types as the user name.

use passerelle_auth::Login;

/// What is accepted means the same when it is put together again.
pub(crate) fn parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(login) = Login::parse(text) {
        assert_eq!(Login::new(&login.technician, &login.target).as_ref(), Ok(&login));
        assert!(!login.technician.contains(char::is_control) && !login.target.contains(char::is_control));
    }
}
