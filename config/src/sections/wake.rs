//! Waking a target over the network.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::values::{HostPort, HumanDuration, MacAddress};

/// How a target is woken when it does not answer (Wake-on-LAN).
///
/// Written as its hardware address, or as a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WakeForm", into = "WakeSection")]
pub struct WakeOnLan {
    /// The hardware address of its network card.
    pub mac: MacAddress,
    /// Where the packet is sent, by default to everybody in the gateway's own network.
    pub address: HostPort,
    /// How long the technician waits for it to answer.
    pub wait: HumanDuration,
}

impl WakeOnLan {
    /// The longest that technicians may be kept waiting; viewers give up too.
    pub(crate) const LONGEST: HumanDuration = HumanDuration::from_secs(5 * 60);
}

/// The section's keys as written.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WakeSection {
    /// The hardware address of its network card.
    mac: MacAddress,
    /// Where the packet is sent, such as the broadcast address of its network.
    #[serde(default = "everybody")]
    address: HostPort,
    /// How long the technician waits for it to answer.
    #[serde(default = "wait")]
    wait: HumanDuration,
}

fn everybody() -> HostPort {
    HostPort::broadcast(9)
}

fn wait() -> HumanDuration {
    HumanDuration::from_secs(60)
}

/// A word or a section.
#[derive(Deserialize)]
#[serde(untagged)]
enum WakeForm {
    Mac(MacAddress),
    Section(WakeSection),
}

impl From<WakeForm> for WakeOnLan {
    fn from(form: WakeForm) -> Self {
        match form {
            WakeForm::Mac(mac) => Self { mac, address: everybody(), wait: wait() },
            WakeForm::Section(WakeSection { mac, address, wait }) => Self { mac, address, wait },
        }
    }
}

impl From<WakeOnLan> for WakeSection {
    fn from(wake: WakeOnLan) -> Self {
        Self { mac: wake.mac, address: wake.address, wait: wake.wait }
    }
}

impl JsonSchema for WakeOnLan {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WakeOnLan".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mac = generator.subschema_for::<MacAddress>();
        let section = generator.subschema_for::<WakeSection>();
        json_schema!({
            "description": "How the target is woken when it does not answer: the hardware address of its network card, or a section.",
            "anyOf": [mac, section]
        })
    }
}
