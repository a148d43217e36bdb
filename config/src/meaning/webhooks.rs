//! What goes together in a webhook.

use super::elements;
use crate::report::Report;
use crate::resolver::STAND_IN;
use crate::sections::Webhook;
use crate::tree::{Node, Value};
use crate::values::WebhookUrl;

/// Checks where the webhooks lead.
pub(super) fn check(root: &Node, report: &mut Report) {
    for (index, webhook) in elements(root, "webhooks").enumerate() {
        let path = format!("webhooks[{index}]");
        let Some(node) = webhook.get("url") else { continue };
        let Some(url) = node.text().and_then(|text| text.parse::<WebhookUrl>().ok()) else { continue };
        let allowed =
            webhook.get("allow_plain_http").is_some_and(|node| matches!(node.value, Value::Bool(true)));
        if url.is_https() {
            continue;
        }
        if let Some(file) = webhook.get("ca_file") {
            report.error(file.at, &format!("{path}.ca_file"), "says nothing about a URL without `https`");
        }
        if url.is_local() {
            continue;
        }
        let key = format!("{path}.url");
        if allowed {
            let message = "everybody on the way can read what is sent here; write `https`";
            report.warning(node.at, &key, message);
        } else {
            let message = "everybody on the way could read what is sent here; write `https`, or `allow_plain_http: \
                           true` if the network is your own";
            report.error(node.at, &key, message);
        }
    }
}

/// Checks what requests are signed with.
pub(super) fn check_secrets(webhooks: &[Webhook], root: &Node, report: &mut Report) {
    for (index, (webhook, node)) in webhooks.iter().zip(elements(root, "webhooks")).enumerate() {
        if webhook.signing_key().is_none() && webhook.secret.expose() != STAND_IN {
            let at = node.get("secret").unwrap_or(node).at;
            let message = "this is not `whsec_` and 24 to 64 bytes in base64; make one with \
                           `echo \"whsec_$(openssl rand -base64 32)\"`";
            report.error(at, &format!("webhooks[{index}].secret"), message);
        }
    }
}
