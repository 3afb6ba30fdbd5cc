"""A service in TLS. `broken` speaks versions of TLS that are broken, and tells browsers nothing; `fixed` does neither; any
other word is the suites of TLS 1.2 that it speaks. The second argument is a file with a key and a certificate."""

import json
import ssl
import sys
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BROKEN = sys.argv[1] == "broken"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    server_version = "vault"
    sys_version = ""

    def log_message(self, *_):
        pass

    def do_GET(self):
        is_known = self.headers.get("Authorization") == "Bearer opaque-ann"
        raw = json.dumps({"name": "ann"} if is_known else {"error": "sign in"}).encode()
        self.send_response(200 if is_known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("X-Content-Type-Options", "nosniff")
        if not BROKEN:
            self.send_header("Strict-Transport-Security", "max-age=31536000")
        self.end_headers()
        self.wfile.write(raw)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def finish_request(self, request, address):
        # In the thread of the connection, so that a handshake that goes no further holds nobody up.
        try:
            super().finish_request(CONTEXT.wrap_socket(request, server_side=True), address)
        except (ssl.SSLError, OSError):
            pass


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.set_ciphers("ALL:@SECLEVEL=0")  # A weak certificate may be loaded as well.
CONTEXT.load_cert_chain(sys.argv[2])
if BROKEN:
    warnings.simplefilter("ignore")
    CONTEXT.minimum_version = ssl.TLSVersion.TLSv1
    CONTEXT.set_ciphers("ALL:@SECLEVEL=0")
elif sys.argv[1] == "fixed":
    CONTEXT.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
else:
    CONTEXT.set_ciphers(sys.argv[1])
server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
