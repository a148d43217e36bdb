//! A viewer about whom there is nothing left to ask.

use std::fmt;

use ironrdp_pdu::gcc::ClientEarlyCapabilityFlags;
use ironrdp_pdu::nego::SecurityProtocol;
use passerelle_transport::{TlsFacts, Transport};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use super::info::Info;
use super::opening::Chosen;
use super::{LoginName, RdpRefusal, ViewerError, ViewerSecurity, layout, mcs};
use crate::{Channels, ClientHello, ClientInfo, ServerHello};

/// A viewer that has presented all it has to, and waits to [`enter`](Self::enter) or to be
/// [refused](Self::refuse).
pub struct Proven<S> {
    transport: Transport<S>,
    chosen: Chosen,
    security: ViewerSecurity,
    stage: Stage,
}

/// How far the sequence of MCS has got.
enum Stage {
    /// Nothing of it was read.
    Secured,
    /// Connect Initial was read and waits for its answer.
    Greeted(Box<ClientHello>),
    /// Client Info was read.
    Informed(Box<Informed>),
}

struct Informed {
    hello: ClientHello,
    answer: ServerHello,
    connect_response: Vec<u8>,
    client_info: ClientInfo,
}

/// What is known of a viewer's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewerFacts {
    /// What protects it.
    pub security: ViewerSecurity,
    /// The same in the protocol's terms (MS-RDPBCGR 2.2.1.2.1, `selectedProtocol`).
    pub protocol: SecurityProtocol,
    /// What TLS agreed on.
    pub tls: Option<TlsFacts>,
    /// The name of the viewer's computer, as it says itself; once Connect Initial was read.
    pub client_name: Option<String>,
    /// The viewer's build number, as it says itself; once Connect Initial was read.
    pub client_build: Option<u32>,
}

impl<S> Proven<S> {
    pub(super) const fn new(transport: Transport<S>, chosen: Chosen, security: ViewerSecurity) -> Self {
        Self { transport, chosen, security, stage: Stage::Secured }
    }

    /// What is known of the connection by now.
    pub fn facts(&self) -> ViewerFacts {
        let core = self
            .known_hello()
            .map(|hello| &hello.connect_initial.conference_create_request.gcc_blocks().core);
        ViewerFacts {
            security: self.security,
            protocol: self.chosen.selected,
            tls: self.transport.tls_facts(),
            client_name: core.map(|core| core.client_name.clone()),
            client_build: core.map(|core| core.client_build),
        }
    }

    /// The channels that the viewer was told, if it had to be answered already.
    pub const fn promised(&self) -> Option<&Channels> {
        match &self.stage {
            Stage::Informed(informed) => Some(&informed.answer.channels),
            _ => None,
        }
    }

    fn known_hello(&self) -> Option<&ClientHello> {
        match &self.stage {
            Stage::Secured => None,
            Stage::Greeted(hello) => Some(hello),
            Stage::Informed(informed) => Some(&informed.hello),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Proven<S> {
    /// What the viewer says of itself in its Connect Initial, which is waited for if it has not come yet.
    ///
    /// # Errors
    /// The viewer went away or broke the protocol.
    pub async fn hello(&mut self) -> Result<&ClientHello, ViewerError> {
        if matches!(self.stage, Stage::Secured) {
            let hello = mcs::read_hello(&mut self.transport, self.chosen).await?;
            self.stage = Stage::Greeted(Box::new(hello));
        }
        self.known_hello().ok_or(ViewerError::Unanswered)
    }

    /// Answers the viewer as itself and reads up to Client Info.
    pub(super) async fn read_password(mut self) -> Result<(LoginName, Zeroizing<String>, Self), ViewerError> {
        let answer = layout::own(self.hello().await?)?;
        let informed = self.inform(answer).await?;
        let info = Info::new(&informed.client_info)?;
        let (login, password) = (info.login(), info.password());
        Ok((login, password, self))
    }

    /// Sends `answer` to the viewer's Connect Initial and reads up to Client Info.
    async fn inform(&mut self, answer: ServerHello) -> Result<&Informed, ViewerError> {
        let hello = self.hello().await?.clone();
        let connect_response = layout::encode(&answer.connect_response)?;
        self.transport.send(&connect_response).await.map_err(ViewerError::io)?;
        let client_info = mcs::admit(&mut self.transport, &answer.channels).await?;
        self.stage = Stage::Informed(Box::new(Informed { hello, answer, connect_response, client_info }));
        match &self.stage {
            Stage::Informed(informed) => Ok(informed),
            _ => Err(ViewerError::Unanswered),
        }
    }

    /// Lets the viewer in: answers its Connect Initial with `answer`, the target's, and reads up to Client Info.
    /// A viewer to whom channels were [promised](Self::promised) has done all that and takes no answer.
    ///
    /// Of the answer, the protocols that the viewer requested are put right and multitransport is left out. Lifts
    /// the limit on what the viewer may send.
    ///
    /// # Errors
    /// There is no answer, or it has other channels than the viewer's; the viewer went away or broke the
    /// protocol.
    pub async fn enter(mut self, answer: Option<&ServerHello>) -> Result<ViewerLeg<S>, ViewerError> {
        if self.promised().is_none() {
            let answer = layout::relayed(answer.ok_or(ViewerError::Unanswered)?, self.hello().await?)?;
            self.inform(answer).await?;
        }
        let Stage::Informed(informed) = self.stage else { return Err(ViewerError::Unanswered) };
        let Informed { hello, answer, connect_response, client_info } = *informed;
        let info = Info::new(&client_info)?;
        let (compression, has_cookie) = (info.compression(), info.has_cookie());
        self.transport.lift_budget();
        Ok(ViewerLeg {
            transport: self.transport,
            channels: answer.channels,
            client_info,
            compression,
            has_cookie,
            hello,
            connect_response,
        })
    }

    /// Refuses the viewer so that it says why, in its user's language, and closes the connection.
    ///
    /// Clients understand such a message only behind licensing, so all of the sequence up to there is gone
    /// through with a layout of the gateway's own. A client that does not announce that it understands
    /// (`RNS_UD_CS_SUPPORT_ERRINFO_PDU`) is only told that the server disconnects.
    ///
    /// # Errors
    /// The viewer went away or broke the protocol before it was told.
    pub async fn refuse(mut self, why: RdpRefusal) -> Result<(), ViewerError> {
        if self.promised().is_none() {
            let answer = layout::own(self.hello().await?)?;
            self.inform(answer).await?;
        }
        let Stage::Informed(informed) = &self.stage else { return Err(ViewerError::Unanswered) };
        let told = layout::client_can(&informed.hello, ClientEarlyCapabilityFlags::SUPPORT_ERR_INFO_PDU);
        mcs::dismiss(&mut self.transport, &informed.answer.channels, told.then(|| why.code())).await?;
        self.transport.shutdown().await.map_err(ViewerError::io)
    }
}

/// Shows no secret.
impl<S> fmt::Debug for Proven<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proven")
            .field("chosen", &self.chosen)
            .field("security", &self.security)
            .field("promised", &self.promised())
            .finish_non_exhaustive()
    }
}

/// A viewer that was let in, from which Client Info was read and nothing after it.
pub struct ViewerLeg<S> {
    /// Its stream. Licensing is next, from the server.
    pub transport: Transport<S>,
    /// Its channels.
    pub channels: Channels,
    /// Its Client Info, which holds the secret that it logged in with.
    pub client_info: ClientInfo,
    /// The bulk compression that it asks for there (MS-RDPBCGR 2.2.1.11.1.1, `CompressionType`).
    pub compression: Option<u8>,
    /// Whether an auto-reconnect cookie (MS-RDPBCGR 2.2.4.3) came along. It proves nothing to the gateway.
    pub has_cookie: bool,
    /// What it said of itself before.
    pub hello: ClientHello,
    /// What it was answered: the whole Connect Response with its TPKT header.
    pub connect_response: Vec<u8>,
}

/// Shows no secret.
impl<S> fmt::Debug for ViewerLeg<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewerLeg")
            .field("channels", &self.channels)
            .field("client_info", &self.client_info)
            .finish_non_exhaustive()
    }
}
