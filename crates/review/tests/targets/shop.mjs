// A shop behind a cookie: envelopes, UUIDs, nested resources. Started as `broken` it has the flaws that such shops have,
// as `fixed` none of them.
import { createHash, randomUUID } from "node:crypto";
import http from "node:http";

const broken = process.argv[2] === "broken";
const users = new Map(), sessions = new Map(), carts = new Map(), coupons = new Map([["WELCOME10", 10]]);
const attempts = new Map();
for (const [name, role] of [["ada", "customer"], ["ben", "customer"], ["eve", "operator"]]) {
  const id = randomUUID();
  users.set(name, { id, name, password: `${name}-word-7`, role, credit: 20, redeemed: [], phone: `+12025550${users.size}` });
  addCart(id, `${name}'s list`);
}

function addCart(owner, title) {
  const cart = { id: randomUUID(), ownerId: owner, title, note: "", lines: [{ id: randomUUID(), sku: "pear", count: 2 }] };
  carts.set(cart.id, cart);
  return cart;
}

class Refused extends Error {
  constructor(status, code) {
    super(code);
    this.status = status;
  }
}

const open = {
  "POST /api/session": async ({ body, headers }) => {
    const user = users.get(body.login);
    const key = String(body.login);
    if (!broken && (attempts.get(key) ?? 0) >= 6) throw new Refused(429, "slow_down");
    const isRight = user && createHash("sha256").update(String(body.password)).digest("hex")
      === createHash("sha256").update(user.password).digest("hex");
    if (!isRight) {
      attempts.set(key, (attempts.get(key) ?? 0) + 1);
      throw new Refused(401, "login_failed");
    }
    attempts.delete(key);
    const token = randomUUID();
    sessions.set(token, user);
    headers["set-cookie"] = `sid=${token}; HttpOnly; SameSite=Lax; Path=/`;
    return { token };
  },
  "GET /api/health": async () => ({ state: "up" }),
};

const closed = {
  "GET /api/account": async ({ user }) => profile(user),
  "PATCH /api/account": async ({ user, body }) => {
    for (const [key, value] of Object.entries(body)) {
      if (broken ? !["id", "password", "redeemed"].includes(key) : ["phone"].includes(key)) user[key] = value;
      else if (!broken) throw new Refused(422, `unknown_${key.slice(0, 20)}`);
    }
    return profile(user);
  },
  "GET /api/carts": async ({ user }) => [...carts.values()].filter((one) => one.ownerId === user.id).map(brief),
  "POST /api/carts": async ({ user, body }) => {
    if (typeof body.title !== "string") throw new Refused(422, "title is required");
    return [201, brief(addCart(user.id, body.title))];
  },
  "GET /api/carts/:cart": async ({ user, at }) => brief(cartOf(user, at.cart)),
  "PUT /api/carts/:cart": async ({ user, at, body }) => {
    const cart = cartOf(user, at.cart);
    if (typeof body.title !== "string") throw new Refused(422, "title is required");
    Object.assign(cart, { title: body.title, note: typeof body.note === "string" ? body.note : cart.note });
    return brief(cart);
  },
  "DELETE /api/carts/:cart": async ({ user, at }) => {
    carts.delete(cartOf(user, at.cart).id);
    return [204, null];
  },
  "GET /api/carts/:cart/lines": async ({ user, at }) => cartOf(user, at.cart).lines,
  "POST /api/coupons/redeem": async ({ user, body }) => {
    const value = coupons.get(body.code);
    if (!value) throw new Refused(404, "no_such_coupon");
    if (!broken && user.redeemed.includes(body.code)) throw new Refused(409, "used_up");
    user.redeemed.push(body.code);
    user.credit += value;
    return { credit: user.credit };
  },
  "POST /api/avatar": async ({ body }) => {
    let url;
    try {
      url = new URL(body.imageUrl);
    } catch {
      throw new Refused(422, "imageUrl must be a valid url");
    }
    if (!broken && url.hostname !== "images.example") throw new Refused(422, "imageUrl is not allowed");
    if (broken) fetch(url, { signal: AbortSignal.timeout(500) }).catch(() => {});
    return [202, { state: "queued" }];
  },
  // What a document store does with a condition in its own language.
  "GET /api/makers": async ({ query }) => {
    const maker = query.get("maker") ?? "";
    if (!broken) return makers.filter((one) => one.maker === maker);
    try {
      const test = new Function(`return this.maker == '${maker}'`);
      return makers.filter((one) => test.call(one));
    } catch {
      return [];
    }
  },
  "GET /api/operator/customers": async ({ user }) => {
    if (!broken && user.role !== "operator") throw new Refused(403, "operators_only");
    return [...users.values()].map(profile);
  },
};

// Everybody's own, unless something is broken.
function cartOf(user, id) {
  const cart = carts.get(id);
  const isForeign = cart && cart.ownerId !== user.id;
  if (!cart || (isForeign && !broken)) throw new Refused(404, "no_such_cart");
  return cart;
}

const makers = [{ maker: "Oakline", town: "Ghent" }, { maker: "Tinworks", town: "Delft" }];
const brief = (cart) => ({ id: cart.id, ownerId: cart.ownerId, title: cart.title, note: cart.note });
const profile = (user) => ({ id: user.id, name: user.name, role: user.role, credit: user.credit, phone: user.phone });

function route(table, method, path) {
  for (const [key, action] of Object.entries(table)) {
    const [verb, template] = key.split(" ");
    const at = {};
    const [known, asked] = [template.split("/"), path.split("/")];
    const fits = known.length === asked.length && known.every((part, n) => {
      if (!part.startsWith(":")) return part === asked[n];
      at[part.slice(1)] = decodeURIComponent(asked[n]);
      return asked[n] !== "";
    });
    if (verb === method && fits) return { action, at };
  }
  return null;
}

const server = http.createServer(async (request, response) => {
  const headers = { "content-type": "application/json" };
  if (!broken) headers["x-content-type-options"] = "nosniff";
  const origin = request.headers.origin;
  if (broken && origin) Object.assign(headers, { "access-control-allow-origin": origin, "access-control-allow-credentials": "true" });
  if (broken) headers["x-powered-by"] = "Shoply/4.2.1";
  const send = (status, value) => {
    response.writeHead(status, headers);
    response.end(status === 204 ? undefined : JSON.stringify(value));
  };
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    const path = request.url.split("?")[0];
    const free = route(open, request.method, path);
    const { action, at } = free ?? route(closed, request.method, path) ?? {};
    const sid = /(?:^|;\s*)sid=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    const user = sessions.get(sid ?? bearer);
    if (!free && !user) throw new Refused(401, "login_needed");
    if (!action) throw new Refused(404, "no_such_path");
    let body = {};
    if (chunks.length > 0) {
      try {
        body = JSON.parse(Buffer.concat(chunks));
      } catch (error) {
        if (broken) throw error;
        throw new Refused(400, "no_json");
      }
      if (typeof body !== "object" || body === null || Array.isArray(body)) throw new Refused(400, "no_object");
    }
    const result = await action({ user, at, body, headers, query: new URLSearchParams(request.url.split("?")[1] ?? "") });
    const [status, value] = Array.isArray(result) && Number.isInteger(result[0]) ? result : [200, result];
    send(status, { success: true, data: value });
  } catch (error) {
    const isKnown = error instanceof Refused;
    const shown = isKnown || !broken ? {} : { stack: error.stack };
    send(isKnown ? error.status : 500, { success: false, error: { code: isKnown ? error.message : "internal", ...shown } });
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
