// A service that speaks HTTP/2 only: in TLS with the file of a key and a certificate that is its argument, else in clear.

import { readFileSync } from "node:fs";
import { createSecureServer, createServer } from "node:http2";

const [, , how, file] = process.argv;
const options = how === "clear" ? {} : { key: readFileSync(file), cert: readFileSync(file), allowHTTP1: how === "both" };

function answer(request, response) {
  const isKnown = request.headers.authorization === "Bearer opaque-ann";
  response.writeHead(isKnown ? 200 : 401, {
    "content-type": "application/json",
    "x-content-type-options": "nosniff",
    "strict-transport-security": "max-age=31536000",
  });
  // What every caller sees names the version, so that a test can look at it.
  response.end(JSON.stringify(isKnown ? { name: "ann", version: request.httpVersion } : { version: request.httpVersion }));
}

const server = how === "clear" ? createServer(answer) : createSecureServer(options, answer);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
