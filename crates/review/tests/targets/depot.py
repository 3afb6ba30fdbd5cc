"""A depot for parcels that names things in the query, in headers and in bodies. Started as `broken` it has every flaw in
FLAWS, as `fixed` none, and with the name of one, that one only."""

import json
import re
import secrets
import sqlite3
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

sys.dont_write_bytecode = True
import directory

FLAWS = {
    "balance", "cookie", "delay", "delete", "directory", "header", "lookup", "query", "relabel", "split",
}
WEAK = FLAWS if sys.argv[1] == "broken" else set(sys.argv[1].split(",")) & FLAWS
LOCK = threading.RLock()
CUSTOMERS = {
    "olga": {"customerId": 71, "password": "olga-door-3", "balance": 12050, "token": secrets.token_hex(12)},
    "piet": {"customerId": 72, "password": "piet-door-4", "balance": 880, "token": secrets.token_hex(12)},
}
DB = sqlite3.connect(":memory:", check_same_thread=False)
# What MySQL brings along.
DB.create_function("SLEEP", 1, lambda seconds: time.sleep(min(float(seconds), 2)) or 0)
DB.executescript(
    "create table visits (campaign text);"
    "create table regions (name text, days int);"
    "insert into regions values ('north', 2), ('south', 4);"
)
PARCELS = {}
WRONG = {}


def add_parcel(owner, label, street):
    number = 5000 + len(PARCELS) * 7
    PARCELS[number] = {"parcelId": number, "customerId": owner, "label": label, "street": street}
    return PARCELS[number]


add_parcel(71, "books for olga", "Canal 1")
add_parcel(72, "shoes for piet", "Harbour 9")
add_parcel(71, "a lamp for olga", "Canal 1")


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    server_version = "depot"
    sys_version = ""

    def log_message(self, *_):
        pass

    def customer(self):
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        for one in CUSTOMERS.values():
            if one["token"] == token:
                return one
        raise Refused(401, "sign in first")

    def json(self, **kinds):
        try:
            body = json.loads(self.raw or b"{}")
        except ValueError:
            raise Refused(400, "no JSON") from None
        for name, kind in kinds.items():
            if not isinstance(body, dict) or not isinstance(body.get(name), kind) or body[name] is True:
                raise Refused(422, f"{name} is missing or of another kind")
        return body

    def handle_one(self):
        self.raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.extra = []
        action = ROUTES.get((self.command, path))
        try:
            if not action:
                raise Refused(404, "no such path")
            with LOCK:
                status, value = 200, action(self)
        except Refused as refusal:
            status, value = refusal.status, {"error": str(refusal)}
        except Exception:
            status, value = 500, {"error": "internal"}
        raw = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, text in self.extra:
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = handle_one


def sign_in(self):
    body = self.json(user=str, password=str)
    if WRONG.get(body["user"], 0) >= 6:
        raise Refused(429, "too many attempts")
    known = CUSTOMERS.get(body["user"])
    if not known or known["password"] != body["password"]:
        WRONG[body["user"]] = WRONG.get(body["user"], 0) + 1
        raise Refused(401, "name or password is wrong")
    WRONG.pop(body["user"], None)
    return {"token": known["token"]}


def me(self):
    who = self.customer()
    return {"customerId": who["customerId"], "name": next(name for name, one in CUSTOMERS.items() if one is who)}


def own(self):
    number = self.customer()["customerId"]
    return [one for one in PARCELS.values() if one["customerId"] == number]


def post(self):
    who, body = self.customer(), self.json(label=str, street=str)
    return add_parcel(who["customerId"], body["label"], body["street"])


def parcel(self, number, flaw):
    who = self.customer()
    found = PARCELS.get(int(number)) if re.fullmatch("[0-9]{1,9}", str(number)) else None
    if not found or flaw not in WEAK and found["customerId"] != who["customerId"]:
        raise Refused(404, "no such parcel")
    return found


def by_query(self):
    return parcel(self, self.query.get("parcelId", ""), "query")


def by_header(self):
    found = parcel(self, self.headers.get("X-Parcel-Id", ""), "header")
    return {"parcelId": found["parcelId"], "slip": f"to {found['street']}: {found['label']}"}


def by_body(self):
    return parcel(self, self.json(parcelId=int)["parcelId"], "lookup")


def relabel(self):
    body = self.json(parcelId=int, label=str)
    found = parcel(self, body["parcelId"], "relabel")
    found["label"] = body["label"]
    return {"done": True}


def drop(self):
    found = parcel(self, self.query.get("parcelId", ""), "delete")
    del PARCELS[found["parcelId"]]
    return {"done": True}


def balance(self):
    who = self.customer()
    wanted = self.query.get("customerId", "")
    for one in CUSTOMERS.values():
        if str(one["customerId"]) == wanted and (one is who or "balance" in WEAK):
            return {"customerId": one["customerId"], "balance": one["balance"]}
    raise Refused(404, "no such customer")


def streets(self):
    """The same for everybody: naming somebody's parcel here tells nothing."""
    self.customer()
    return {"streets": ["Canal", "Harbour"], "parcelId": self.query.get("parcelId", "")}


def notice(self):
    """A notice on anybody's parcel may be read by everybody who is signed in."""
    self.customer()
    return {"notices": [{"parcelId": number, "text": "may arrive late"} for number in PARCELS]}


def rates(self):
    """Counts where visitors come from, and says nothing about it, not even when that fails."""
    self.customer()
    campaign = self.headers.get("X-Campaign", "")
    try:
        if "delay" in WEAK:
            DB.execute(f"insert into visits values ('{campaign}')")
        else:
            DB.execute("insert into visits values (?)", [campaign])
    except sqlite3.Error:
        pass
    return {"small": 420, "large": 990}


def transit(self):
    self.customer()
    cookies = dict(pair.split("=", 1) for pair in self.headers.get("Cookie", "").split("; ") if "=" in pair)
    region = cookies.get("region", "north")
    try:
        if "cookie" in WEAK:
            found = DB.execute(f"select days from regions where name = '{region}'").fetchall()
        else:
            found = DB.execute("select days from regions where name = ?", [region]).fetchall()
    except sqlite3.Error:
        found = []
    return {"transits": [row[0] for row in found]}


def people(self):
    self.customer()
    uid = self.query.get("uid", "")
    try:
        found = directory.search(f"(&(objectClass=person)(uid={uid if 'directory' in WEAK else directory.escaped(uid)}))")
    except directory.FilterError:
        raise Refused(500, "something went wrong") from None
    return {"people": [{"uid": one["uid"][0], "room": one["room"][0]} for one in found]}


def label(self):
    self.customer()
    name = self.query.get("filename", "label.txt")
    name = name if "split" in WEAK else re.sub(r"[^A-Za-z0-9._-]", "_", name)
    self.extra.append(("Content-Disposition", f"attachment; filename={name}"))
    return {"printed": True}


ROUTES = {
    ("POST", "/session"): sign_in,
    ("GET", "/me"): me,
    ("GET", "/parcels"): own,
    ("POST", "/parcels"): post,
    ("GET", "/parcel"): by_query,
    ("DELETE", "/parcel"): drop,
    ("GET", "/parcel-slip"): by_header,
    ("POST", "/parcels/lookup"): by_body,
    ("POST", "/parcels/relabel"): relabel,
    ("GET", "/balance"): balance,
    ("GET", "/streets"): streets,
    ("GET", "/notices"): notice,
    ("GET", "/rates"): rates,
    ("GET", "/transit"): transit,
    ("GET", "/directory"): people,
    ("GET", "/label"): label,
}

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
