"""A small HTTP server on loopback for load scripts to run against: it says yes to everything."""

import base64
import contextlib
import hashlib
import http.server
import json
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length)
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.upgrade()
            return
        # A body comes back as it was, with what an API would add; a list is asked for with GET.
        try:
            body = {"id": 1, "token": "t", "status": "ok"} | json.loads(sent or b"{}")
        except (ValueError, TypeError):
            body = {"id": 1, "token": "t", "status": "ok"}
        text = json.dumps(body).encode()
        self.send_response(201 if self.command == "POST" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def upgrade(self):
        """The handshake of RFC 6455, and then silence until the client goes."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.flush()
        with contextlib.suppress(OSError):
            while self.connection.recv(4096):
                pass
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

    def log_message(self, *_):
        """Nobody asks who came."""


@contextlib.contextmanager
def server():
    """Its address, for as long as it runs."""
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        running.shutdown()
        running.server_close()


def addresses(names, url):
    """Values for the variables of a script that hold an address."""
    out = {}
    for name in names:
        if "WS" in name.split("_") or "WEBSOCKET" in name:
            out[name] = url.replace("http://", "ws://")
        elif any(part in name for part in ("URL", "TARGET", "HOST", "ENDPOINT", "BASE")):
            out[name] = url
    return out
