"""A service desk for several tenants, with numbers for ids and keys for credentials. Started as `broken` it has the flaws
of such services, as `fixed` none of them."""

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote

BROKEN = sys.argv[1] == "broken"
KEYS = {"key-north-41": (1, "agent"), "key-south-52": (2, "agent"), "key-chief-63": (3, "admin")}
STAFF = {
    1: {"id": 1, "name": "Nora", "role": "agent", "tenant_id": 10, "pin_hash": "5f4dcc3b5aa765d61d8327deb882cf99"},
    2: {"id": 2, "name": "Sami", "role": "agent", "tenant_id": 20, "pin_hash": "7c6a180b36896a0a8c02787eeafb0e4c"},
    3: {"id": 3, "name": "Chia", "role": "admin", "tenant_id": 30, "pin_hash": "6cb75f652a9b52798eb6cf2201057c73"},
}
TICKETS = {
    n: {"id": n, "tenant_id": tenant, "subject": subject, "state": "open"}
    for n, tenant, subject in [(101, 10, "printer jams"), (102, 20, "screen is dark"), (103, 30, "door is open")]
}
LIMITS = {"max_tickets": 50}
FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "articles")
LOCK = threading.Lock()


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    server_version = "desk"
    sys_version = ""

    def log_message(self, *_):
        pass

    def staff(self):
        number, _ = KEYS.get(self.headers.get("X-Desk-Key", ""), (None, None))
        # The reviewer's plainest credential is a bearer token; a key is a key.
        number = number or KEYS.get(self.headers.get("Authorization", "").removeprefix("Bearer "), (None, None))[0]
        if number is None:
            raise Refused(401, "a key is needed")
        return STAFF[number]

    def admin(self):
        staff = self.staff()
        if staff["role"] != "admin":
            raise Refused(403, "for administrators")
        return staff

    def read(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def fields(self):
        return dict(parse_qsl(self.raw.decode("utf-8", "replace")))

    def json(self):
        try:
            value = json.loads(self.raw or b"{}")
        except ValueError:
            raise Refused(400, "no JSON") from None
        if not isinstance(value, dict):
            raise Refused(400, "no object")
        return value

    def answer(self, status, value):
        is_text = isinstance(value, str)
        raw = value.encode() if is_text else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if is_text else "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(raw)

    def handle_one(self):
        self.raw = self.read()
        path, _, query = self.path.partition("?")
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        path = path.removeprefix("/desk/v2") if path.startswith("/desk/v2/") else "/nowhere"
        for method, pattern, action in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and method == self.command:
                try:
                    with LOCK:
                        return self.answer(200, action(self, *map(unquote, found.groups())))
                except Refused as refusal:
                    return self.answer(refusal.status, {"error": str(refusal)})
                except Exception:
                    return self.answer(500, {"error": "internal"})
        return self.answer(404, {"error": "no such path"})

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_one


def shown(staff):
    return staff if BROKEN else {key: staff[key] for key in ["id", "name", "role", "tenant_id"]}


def ticket_of(self, number):
    staff, ticket = self.staff(), TICKETS.get(int(number))
    if not ticket or not BROKEN and ticket["tenant_id"] != staff["tenant_id"]:
        raise Refused(404, "no such ticket")
    return ticket


def profile(self):
    return shown(self.staff())


def tickets(self):
    staff = self.staff()
    return {"results": [one for one in TICKETS.values() if one["tenant_id"] == staff["tenant_id"]]}


def open_ticket(self):
    staff, fields = self.staff(), self.fields()
    if not fields.get("subject"):
        raise Refused(400, "missing field subject")
    number = max(TICKETS) + 1
    TICKETS[number] = {"id": number, "tenant_id": staff["tenant_id"], "subject": fields["subject"], "state": "open"}
    return TICKETS[number]


def change_ticket(self, number):
    ticket, body = ticket_of(self, number), self.json()
    if not isinstance(body.get("subject"), str):
        raise Refused(400, "missing field subject")
    ticket["subject"] = body["subject"]
    return ticket


def find(self):
    """Looks in the caller's tickets by a filter as document stores have it."""
    staff, body = self.staff(), self.json()
    own = [one for one in TICKETS.values() if one["tenant_id"] == staff["tenant_id"]]
    wanted = body.get("subject")
    if isinstance(wanted, dict) and BROKEN:
        operators = {"$ne": lambda value, other: value != other, "$gt": lambda value, other: value > str(other),
                     "$regex": lambda value, other: re.search(str(other), value) is not None}
        if any(name not in operators for name in wanted):
            raise Refused(400, "unknown operator")
        return {"results": [one for one in own if all(operators[k](one["subject"], v) for k, v in wanted.items())]}
    if not isinstance(wanted, str):
        raise Refused(400, "'subject' must be a string")
    return {"results": [one for one in own if one["subject"] == wanted]}


def ping(self):
    self.staff()
    host = self.query.get("host", "")
    if not BROKEN and not re.fullmatch(r"[A-Za-z0-9.-]{1,60}", host):
        raise Refused(400, "host is no name")
    if BROKEN:
        made = subprocess.run(f"echo pinging {host}", shell=True, capture_output=True, text=True, timeout=8, check=False)
        return {"output": made.stdout + made.stderr}
    return {"output": f"pinging {host}\n"}


def article(self):
    self.staff()
    name = self.query.get("file", "")
    if not BROKEN and not re.fullmatch(r"[a-z]{1,20}\.txt", name):
        raise Refused(404, "no such article")
    try:
        with open(os.path.join(FILES, name), encoding="utf-8") as file:
            return file.read(10_000)
    except OSError:
        raise Refused(404, "no such article") from None


def limits(self):
    self.admin()
    return LIMITS


def set_limits(self):
    # The read is guarded; whoever wrote the write forgot it.
    self.staff() if BROKEN else self.admin()
    body = self.json()
    if not isinstance(body.get("max_tickets"), int):
        raise Refused(400, "'max_tickets' must be an integer")
    LIMITS["max_tickets"] = body["max_tickets"]
    return LIMITS


def staff_list(self):
    self.staff() if BROKEN else self.admin()
    return {"results": [shown(one) for one in STAFF.values()]}


ROUTES = [
    ("GET", "/profile", profile),
    ("GET", "/tickets", tickets),
    ("POST", "/tickets", open_ticket),
    ("POST", "/tickets/find", find),
    ("GET", "/tickets/([0-9]+)", ticket_of),
    ("PUT", "/tickets/([0-9]+)", change_ticket),
    ("GET", "/tools/ping", ping),
    ("GET", "/articles", article),
    ("GET", "/admin/limits", limits),
    ("PUT", "/admin/limits", set_limits),
    ("GET", "/admin/staff", staff_list),
]

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
