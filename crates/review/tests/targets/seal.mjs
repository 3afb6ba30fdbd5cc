// A service whose tokens are signed with RSA. Its argument is the one kind of other tokens that it believes as well.

import { createHmac, createDecipheriv, constants, generateKeyPairSync, privateDecrypt, sign, verify } from "node:crypto";
import { createServer } from "node:http";

const FLAW = process.argv[2];
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const jwk = { ...publicKey.export({ format: "jwk" }), kid: "first", use: "sig", alg: "RS256" };
const pem = (type) => publicKey.export({ type, format: "pem" });
const SECRETS = {
  spki: pem("spki"),
  "spki-trimmed": pem("spki").trimEnd(),
  pkcs1: pem("pkcs1"),
  "pkcs1-trimmed": pem("pkcs1").trimEnd(),
  "spki-der": publicKey.export({ type: "spki", format: "der" }),
  "pkcs1-der": publicKey.export({ type: "pkcs1", format: "der" }),
  jwk: JSON.stringify(jwk),
};
const HASHES = { sealed: ["RSA-OAEP", "sha1"], "sealed-256": ["RSA-OAEP-256", "sha256"] };

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (part) => JSON.parse(Buffer.from(part, "base64url").toString());
const bytes = (part) => Buffer.from(part, "base64url");

function issue(name) {
  const text = `${encode({ alg: "RS256", kid: "first" })}.${encode({ sub: name, exp: 4000000000 })}`;
  return `${text}.${sign("sha256", Buffer.from(text), privateKey).toString("base64url")}`;
}

function opened(parts) {
  const header = decode(parts[0]);
  const [name, hash] = HASHES[FLAW] ?? [];
  let key;
  if (header.alg === "dir" && FLAW === "sealed-zeros") {
    key = Buffer.alloc(32);
  } else if (header.alg === name) {
    key = privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash }, bytes(parts[1]));
  } else {
    return undefined;
  }
  const cipher = createDecipheriv("aes-256-gcm", key, bytes(parts[2]));
  cipher.setAAD(Buffer.from(parts[0])).setAuthTag(bytes(parts[4]));
  return JSON.parse(Buffer.concat([cipher.update(bytes(parts[3])), cipher.final()]).toString());
}

function claims(token) {
  const parts = token.split(".");
  if (parts.length === 5) {
    return opened(parts);
  }
  const text = Buffer.from(`${parts[0]}.${parts[1]}`);
  const { alg } = decode(parts[0]);
  const isGenuine = alg === "RS256" && verify("sha256", text, publicKey, bytes(parts[2]));
  const secret = SECRETS[FLAW];
  const isConfused =
    alg === "HS256" && secret !== undefined && createHmac("sha256", secret).update(text).digest("base64url") === parts[2];
  return isGenuine || isConfused ? decode(parts[1]) : undefined;
}

const server = createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    const answer = (status, value) => {
      response.writeHead(status, { "content-type": "application/json", "x-content-type-options": "nosniff" });
      response.end(JSON.stringify(value));
    };
    try {
      if (request.url === "/login") {
        return answer(200, { token: issue(JSON.parse(body).name) });
      }
      if (request.url === "/.well-known/jwks.json") {
        return answer(200, { keys: [jwk] });
      }
      const found = claims((request.headers.authorization ?? "").replace("Bearer ", ""));
      if (request.url === "/me" && found !== undefined && found.exp > 2000000000) {
        return answer(200, { name: found.sub });
      }
    } catch {
      // What cannot be read is nobody.
    }
    return answer(401, { error: "sign in" });
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
