"""Proves to a server with aardwolf that a password is known, and says how that went.

Usage: aardwolf.py PORT PROTOCOL, with E2E_USERNAME, E2E_DOMAIN and E2E_PASSWORD in the environment, where
PROTOCOL is hybrid, hybrid_ex or rdp. It does not go on to a session: what it sends then is understood by
Windows alone.
"""

import asyncio
import os
import sys

from aardwolf.commons.iosettings import RDPIOSettings
from aardwolf.commons.target import RDPTarget
from aardwolf.connection import RDPConnection
from aardwolf.protocol.x224.constants import SUPP_PROTOCOLS
from asyauth.common.constants import asyauthSecret
from asyauth.common.credentials.ntlm import NTLMCredential

PROTOCOLS = {
    "hybrid": SUPP_PROTOCOLS.SSL | SUPP_PROTOCOLS.HYBRID,
    "hybrid_ex": SUPP_PROTOCOLS.SSL | SUPP_PROTOCOLS.HYBRID | SUPP_PROTOCOLS.HYBRID_EX,
    "rdp": SUPP_PROTOCOLS.RDP,
}


async def main():
    port, protocol = sys.argv[1:]
    password, user = os.environ["E2E_PASSWORD"], os.environ["E2E_USERNAME"]
    credential = NTLMCredential(password, user, os.environ.get("E2E_DOMAIN"), asyauthSecret.PASSWORD)
    settings = RDPIOSettings()
    settings.supported_protocols = PROTOCOLS[protocol]
    target = RDPTarget(ip="127.0.0.1", port=int(port), hostname="localhost", timeout=20, unsafe_ssl=True)
    connection = RDPConnection(target, credential, settings)
    _, error = await asyncio.wait_for(connection.connect(auth_only=True), 30)
    if error is not None:
        sys.exit(f"refused: {error}")
    print(f"proven: {connection.x224_protocol!s}, authorized: {connection.authz_result}")


asyncio.run(main())
