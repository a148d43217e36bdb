//! Nothing secret is logged, whatever the level.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};

use passerelle_rdp::target;
use sspi::credssp::{CredSspMode, write_ts_credentials};
use sspi::{AuthIdentityBuffers, CredentialsBuffers};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::harness::*;

/// Writes down all that it is told.
#[derive(Clone, Default)]
struct Capture(Arc<Mutex<String>>);

impl Visit for Capture {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = writeln!(self.0.lock().unwrap(), "{field}: {value:?}");
    }
}

impl Subscriber for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Whether the log shows the password, as text or as the numbers of its bytes in UTF-16.
fn shows_password(log: &str) -> bool {
    let numbers: Vec<String> =
        PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).map(|byte| byte.to_string()).collect();
    log.contains(PASSWORD) || log.contains(&numbers.join(", "))
}

#[test]
fn the_password_is_not_logged() {
    let certified = certified();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let settings = settings(&certified);
    // The target has a thread of its own, since it logs as well.
    let served = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(serve(far, &certified, &Script::default()))
    });
    let capture = Capture::default();
    let login = async {
        let pending = target::negotiate(near, &settings).await?;
        pending.login(&credentials()).await.map(|_| ())
    };
    tracing::subscriber::with_default(capture.clone(), || {
        tracing::info!("the log works");
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(login).unwrap();
    });
    assert!(served.join().unwrap().delegated.is_some());
    let log = capture.0.lock().unwrap().clone();
    assert!(log.contains("the log works"));
    assert!(!shows_password(&log));

    // What the library would have logged.
    let control = Capture::default();
    let identity = CredentialsBuffers::AuthIdentity(AuthIdentityBuffers::from_utf8("alice", "", PASSWORD));
    tracing::subscriber::with_default(control.clone(), || {
        write_ts_credentials(&identity, CredSspMode::WithCredentials).unwrap();
    });
    assert!(shows_password(&control.0.lock().unwrap()));
}
