"""A receiver of webhooks whose signatures the library of Standard Webhooks checks.

webhooks.py PORT CERTIFICATE KEY FOLDER: does what FOLDER/mode says and writes what came to FOLDER/received, one JSON
object a line. The secret is in the environment.
"""

import http.server
import json
import os
import ssl
import sys
import threading
import time

from standardwebhooks import Webhook

port, certificate, key, folder = sys.argv[1:]
lock = threading.Lock()


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            # Compares in constant time, refuses what is older than five minutes.
            event = Webhook(os.environ["SECRET"]).verify(body, dict(self.headers))
        except Exception as error:
            return self.answer("unverified", 401, {}, error=repr(error))
        with open(os.path.join(folder, "mode"), encoding="utf-8") as file:
            mode = file.read()
        if mode == "hang":
            self.note(mode, 0, event=event)
            time.sleep(4)
            self.close_connection = True
        elif mode == "redirect":
            self.answer(mode, 302, {"location": "/elsewhere"}, event=event)
        elif mode == "busy":
            self.answer(mode, 503, {"retry-after": "1"}, event=event)
        else:
            self.answer(mode, int(mode), {}, event=event)

    def do_GET(self):
        self.answer("followed", 200, {})

    def answer(self, mode, status, headers, **more):
        self.note(mode, status, **more)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def note(self, mode, status, **more):
        line = {"mode": mode, "status": status, "id": self.headers["webhook-id"], "path": self.path, **more}
        line["port"] = self.client_address[1]
        with lock, open(os.path.join(folder, "received"), "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
