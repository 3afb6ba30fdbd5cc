"""A bank in another style: errors with the status of success, numbers for ids, a header of its own for the session, and
a first version of the API that nobody switched off. `broken` has the flaws of such banks, `fixed` has none."""

import json
import os
import re
import secrets
import sqlite3
import sys
import tempfile
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote

BROKEN = sys.argv[1] == "broken"
LOCK = threading.RLock()
DB = sqlite3.connect(":memory:", check_same_thread=False)
DB.row_factory = sqlite3.Row
DB.executescript(
    "create table customers (id integer primary key, username text unique, pin text, fullName text, role text);"
    "create table accounts (id integer primary key, customerId int, iban text, balance int);"
    "create table movements (id integer primary key, accountId int, amount int, memo text);"
)
TOKENS, WRONG = {}, {}
FOLDER = tempfile.mkdtemp()
with open(os.path.join(FOLDER, "january.csv"), "w", encoding="utf-8") as made:
    made.write("day;amount\n3;1200\n")


def rows(statement, *values):
    with LOCK:
        return [dict(row) for row in DB.execute(statement, values).fetchall()]


def add_customer(username, pin, name, role):
    rows("insert into customers (username, pin, fullName, role) values (?, ?, ?, ?)", username, pin, name, role)
    number = rows("select id from customers where username = ?", username)[0]["id"]
    iban = f"XB{number:02}00112233{number:04}"
    rows("insert into accounts (customerId, iban, balance) values (?, ?, 50000)", number, iban)
    account = rows("select max(id) as id from accounts")[0]["id"]
    for amount, memo in [(-1250, f"rent of {username}"), (90000, f"wages of {username}"), (-700, "bakery")]:
        rows("insert into movements (accountId, amount, memo) values (?, ?, ?)", account, amount, memo)
    return number


for one, pin, role in [("wilma", "4711", "basic"), ("xaver", "0815", "basic"), ("yara", "2357", "teller")]:
    add_customer(one, pin, one.title(), role)


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    server_version = "bank"
    sys_version = ""

    def log_message(self, *_):
        pass

    def customer(self):
        found = TOKENS.get(self.headers.get("X-Auth-Token", ""))
        if not found:
            raise Refused(401, "sign in first")
        return rows("select * from customers where id = ?", found)[0]

    def teller(self):
        who = self.customer()
        if who["role"] != "teller" and not BROKEN:
            raise Refused(403, "tellers only")
        return who

    def json(self, **kinds):
        try:
            body = json.loads(self.raw or b"{}")
        except ValueError:
            raise Refused(400, "no JSON") from None
        for name, kind in kinds.items():
            if not isinstance(body, dict) or not isinstance(body.get(name), kind) or body[name] is True:
                raise Refused(422, f"{name} is missing or of another kind")
        return body

    def reply(self, value, media="application/json"):
        raw = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(raw)

    def handle_one(self):
        self.raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        try:
            for method, pattern, action in ROUTES:
                found = re.fullmatch(pattern, path)
                if found and method == self.command:
                    result = action(self, *map(unquote, found.groups()))
                    if isinstance(result, str):
                        return self.reply(result, "text/csv")
                    return self.reply({"ok": True, "result": result})
            raise Refused(404, "unknown")
        except Refused as refusal:
            return self.reply({"ok": False, "error": {"code": refusal.code, "message": str(refusal)}})
        except Exception:
            return self.reply({"ok": False, "error": {"code": 500, "message": "something went wrong"}})

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = handle_one


def sign_in(self):
    body = self.json(username=str, pin=str)
    name = body["username"]
    if not BROKEN and WRONG.get(name, 0) >= 5:
        raise Refused(429, "too many attempts, try again later")
    found = rows("select * from customers where username = ?", name)
    if not found or found[0]["pin"] != body["pin"]:
        WRONG[name] = WRONG.get(name, 0) + 1
        raise Refused(401, "name or PIN is wrong")
    WRONG.pop(name, None)
    token = secrets.token_hex(16)
    TOKENS[token] = found[0]["id"]
    return {"authToken": token, "customerId": found[0]["id"]}


def register(self):
    body = self.json(username=str, pin=str, fullName=str)
    if not re.fullmatch("[0-9]{4}", body["pin"]):
        raise Refused(422, "pin must be four digits")
    if not 3 <= len(body["username"]) <= 40 or rows("select 1 from customers where username = ?", body["username"]):
        raise Refused(409, "username is taken")
    role = body.get("role", "basic") if BROKEN else "basic"
    number = add_customer(body["username"], body["pin"], body["fullName"], str(role))
    return {"customerId": number, "username": body["username"]}


def me(self):
    who = self.customer()
    return {"customerId": who["id"], "username": who["username"], "fullName": who["fullName"], "role": who["role"]}


def accounts(self):
    return rows("select * from accounts where customerId = ?", self.customer()["id"])


def account_of(self, number):
    who = self.customer()
    found = rows("select * from accounts where id = ?", int(number))
    if not found or not BROKEN and found[0]["customerId"] != who["id"]:
        raise Refused(404, "no such account")
    return found[0]


def movements(self, number):
    return rows("select * from movements where accountId = ?", account_of(self, number)["id"])


def matching(self, memo):
    own = "accountId in (select id from accounts where customerId = ?)"
    number = self.customer()["id"]
    if not BROKEN:
        return rows(f"select * from movements where {own} and memo like ?", number, f"%{memo}%")
    return rows(f"select * from movements where {own} and memo like '%{memo}%'", number)


def search(self):
    return matching(self, self.query.get("text", ""))


def advanced(self):
    return {"hits": matching(self, self.json(memo=str)["memo"])}


def transfer(self):
    who = self.customer()
    body = self.json(fromAccount=int, toAccount=int, amount=int, memo=str)
    with LOCK:
        source = rows("select * from accounts where id = ?", body["fromAccount"])
        if not source or source[0]["customerId"] != who["id"]:
            raise Refused(404, "no such account")
        if not rows("select 1 from accounts where id = ?", body["toAccount"]):
            raise Refused(404, "nobody has that account")
        if not BROKEN and body["amount"] <= 0 or body["amount"] > source[0]["balance"]:
            raise Refused(422, "amount is not possible")
        for number, change in [(body["fromAccount"], -body["amount"]), (body["toAccount"], body["amount"])]:
            rows("update accounts set balance = balance + ? where id = ?", change, number)
        balance = rows("select balance from accounts where id = ?", body["fromAccount"])[0]["balance"]
    return {"reference": secrets.token_hex(6), "balance": balance}


def statement(self):
    self.customer()
    name = self.query.get("filename", "")
    if not BROKEN and not re.fullmatch(r"[a-z]{3,10}\.csv", name):
        raise Refused(404, "no such statement")
    try:
        with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
            return file.read(10_000)
    except OSError:
        raise Refused(404, "no such statement") from None


def picture(self):
    self.customer()
    address = self.json(source=str)["source"]
    if not BROKEN:
        if not address.startswith("https://pictures.bank.example/"):
            raise Refused(422, "source is not one of ours")
        return {"stored": address}
    try:
        with urllib.request.urlopen(address, timeout=1) as answer:
            return {"stored": address, "size": len(answer.read(1000))}
    except (OSError, ValueError):
        return {"stored": address, "size": 0}


def statistics(self):
    self.teller()
    found = rows("select count(*) as customers, sum(balance) as total from accounts")[0]
    return {**found, "largest": rows("select iban, balance from accounts order by id limit 3")}


def old_accounts(self):
    if not BROKEN:
        raise Refused(404, "unknown")
    return rows("select * from accounts")


V2 = "/api/v2"
ROUTES = [
    ("POST", f"{V2}/sessions", sign_in),
    ("POST", f"{V2}/customers", register),
    ("GET", f"{V2}/customers/me", me),
    ("PUT", f"{V2}/customers/me/picture", picture),
    ("GET", f"{V2}/accounts", accounts),
    ("GET", f"{V2}/accounts/([0-9]+)", account_of),
    ("GET", f"{V2}/accounts/([0-9]+)/movements", movements),
    ("GET", f"{V2}/movements/search", search),
    ("POST", f"{V2}/movements/search", advanced),
    ("POST", f"{V2}/transfers", transfer),
    ("GET", f"{V2}/statements", statement),
    ("GET", f"{V2}/reports/totals", statistics),
    ("GET", "/api/v1/accounts", old_accounts),
]

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
