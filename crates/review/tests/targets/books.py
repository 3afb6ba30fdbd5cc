"""A library of secrets in one file, as teaching APIs are written: signed tokens, names for ids, and, when it is started
as `broken`, the flaws that such an API teaches. `fixed` has none of them."""

import base64
import hashlib
import hmac
import json
import re
import sqlite3
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BROKEN = sys.argv[1] == "broken"
KEY = b"random" if BROKEN else b"4f0c8e51d2a97b36-only-for-tests"
LOCK = threading.Lock()
DB = sqlite3.connect(":memory:", check_same_thread=False)
DB.executescript(
    "create table users (username text primary key, email text, password text, admin int);"
    "create table books (title text primary key, owner text, secret text);"
)
FAILURES = {}


def part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(head, body):
    return part(hmac.new(KEY, f"{head}.{body}".encode(), hashlib.sha256).digest())


def token_for(name):
    head, body = part({"alg": "HS256", "typ": "JWT"}), part({"sub": name, "exp": int(time.time()) + 600})
    return f"{head}.{body}.{sign(head, body)}"


def rows(statement, *values):
    with LOCK:
        cursor = DB.execute(statement, values)
        names = [one[0] for one in cursor.description or []]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


def add_user(name, email, password, admin):
    rows("insert into users values (?, ?, ?, ?)", name, email, password, int(admin))


for name, admin in [("mona", 0), ("nils", 0), ("root", 1)]:
    add_user(name, f"{name}@mail.example", f"{name}-pass-9", admin)
    rows("insert into books values (?, ?, ?)", f"{name}-diary", name, f"the secret of {name}")


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    server_version = "books"
    sys_version = ""

    def log_message(self, *_):
        pass

    def user(self):
        try:
            head, body, signature = self.headers.get("Authorization", "").removeprefix("Bearer ").split(".")
            claims = json.loads(base64.urlsafe_b64decode(body + "=="))
            if not hmac.compare_digest(signature, sign(head, body)) or claims["exp"] < time.time():
                raise ValueError
            return rows("select * from users where username = ?", claims["sub"])[0]
        except (ValueError, KeyError, IndexError):
            raise Refused(401, "Invalid token. Please log in again.") from None

    def body(self, *names):
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        except ValueError:
            raise Refused(400, "the body is no JSON") from None
        for name in names:
            if not isinstance(body, dict) or not isinstance(body.get(name), str):
                raise Refused(400, f"'{name}' is a required property")
        return body

    def answer(self, status, value):
        raw = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        if not BROKEN:
            self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(raw)

    def handle_one(self):
        path = self.path.split("?")[0]
        for method, pattern, action in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and method == self.command:
                from urllib.parse import unquote

                try:
                    status, value = action(self, *map(unquote, found.groups()))
                except Refused as refusal:
                    status, value = refusal.status, {"status": "fail", "message": str(refusal)}
                except Exception as error:  # what a debug server shows
                    if not BROKEN:
                        return self.answer(500, {"status": "fail", "message": "internal error"})
                    text = f"Traceback (most recent call last)\n  File \"{__file__}\", line 1\nsqlite3.{error}"
                    return self.answer(500, {"status": "fail", "message": text})
                return self.answer(status, value)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return self.answer(404, {"status": "fail", "message": "no such path"})

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_one


def plain(user):
    return {"username": user["username"], "email": user["email"]}


def list_users(self):
    return 200, {"users": [{"username": one["username"]} for one in rows("select * from users")]}


def debug(self):
    if not BROKEN:
        raise Refused(404, "no such path")
    return 200, {"users": rows("select * from users")}


def register(self):
    body = self.body("username", "password", "email")
    known = rows("select 1 from users where username = ?", body["username"])
    if known:
        raise Refused(400, "User already exists.")
    pattern = r"^([0-9a-zA-Z]+([-.\w]*[0-9a-zA-Z])*)+@example\.com$" if BROKEN else r"^[-.\w]{1,64}@[-.\w]{1,64}$"
    if not re.search(pattern, body["email"][:30] if BROKEN else body["email"]):
        raise Refused(400, "'email' is not a valid email")
    add_user(body["username"], body["email"], body["password"], BROKEN and bool(body.get("admin")))
    return 201, {"status": "success", "username": body["username"], "email": body["email"]}


def login(self):
    body = self.body("username", "password")
    name = body["username"]
    if not BROKEN and FAILURES.get(name, 0) >= 8:
        raise Refused(429, "too many attempts")
    found = rows("select * from users where username = ?", name)
    if found and hmac.compare_digest(found[0]["password"].encode(), body["password"].encode()):
        FAILURES.pop(name, None)
        return 200, {"status": "success", "auth_token": token_for(name)}
    FAILURES[name] = FAILURES.get(name, 0) + 1
    if BROKEN:
        raise Refused(401, "Password is not correct." if found else "Username does not exist.")
    raise Refused(401, "Username or password is not correct.")


def me(self):
    user = self.user()
    return 200, {"status": "success", "data": {**plain(user), "admin": bool(user["admin"])}}


def show_user(self, name):
    if BROKEN:
        with LOCK:
            found = DB.execute(f"select username, email from users where username = '{name}'").fetchall()
    else:
        found = [(one["username"], one["email"]) for one in rows("select * from users where username = ?", name)]
    if not found:
        raise Refused(404, "User not found")
    return 200, {"username": found[0][0], "email": found[0][1]}


def change_email(self, name):
    user = self.user()
    body = self.body("email")
    if not BROKEN and user["username"] != name:
        raise Refused(403, "not yours")
    rows("update users set email = ? where username = ?", body["email"], name)
    return 200, {"status": "success", "username": name, "email": body["email"]}


def remove_user(self, name):
    if not self.user()["admin"]:
        raise Refused(403, "Only Admins may delete users!")
    rows("delete from users where username = ?", name)
    return 200, {"status": "success", "message": "User deleted."}


def list_books(self):
    return 200, {"Books": [{"book_title": one["title"], "user": one["owner"]} for one in rows("select * from books")]}


def add_book(self):
    user = self.user()
    body = self.body("book_title", "secret")
    if rows("select 1 from books where title = ?", body["book_title"]):
        raise Refused(400, "Book Already exists!")
    rows("insert into books values (?, ?, ?)", body["book_title"], user["username"], body["secret"])
    return 200, {"status": "success", "message": "Book has been added."}


def show_book(self, title):
    user = self.user()
    found = rows("select * from books where title = ?", title)
    if not found or not BROKEN and found[0]["owner"] != user["username"]:
        raise Refused(404, "Book not found!")
    return 200, {"book_title": title, "secret": found[0]["secret"], "owner": found[0]["owner"]}


ROUTES = [
    ("GET", "/users/v1", list_users),
    ("GET", "/users/v1/_debug", debug),
    ("POST", "/users/v1/register", register),
    ("POST", "/users/v1/login", login),
    ("GET", "/me", me),
    ("GET", "/users/v1/([^/]+)", show_user),
    ("PUT", "/users/v1/([^/]+)/email", change_email),
    ("DELETE", "/users/v1/([^/]+)", remove_user),
    ("GET", "/books/v1", list_books),
    ("POST", "/books/v1", add_book),
    ("GET", "/books/v1/([^/]+)", show_book),
]

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
