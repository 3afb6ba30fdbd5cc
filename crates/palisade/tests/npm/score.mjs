// Judges headers with MDN's HTTP Observatory and Google's CSP Evaluator, as their own programs do, without a network.
//
// Standard input: {"name": {"status": 200, "headers": [["name", "value"], ...], "body": "..."}, ...}.
// Standard output: {"name": {"grade": "A+", "score": 130, "failed": [...], "findings": [...]}, ...}.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const home = path.dirname(process.argv[1]);
const observatory = path.join(home, "node_modules/@mdn/mdn-http-observatory");
// The observatory downloads the list of preloaded hosts when it is deployed. With an empty one no host has that bonus.
fs.writeFileSync(path.join(observatory, "conf/hsts-preload.json"), "{}");

const part = (name) => import(pathToFileURL(path.join(observatory, "src", name)));
const { ALL_TESTS } = await part("constants.js");
const { Requests } = await part("types.js");
const { Session } = await part("retriever/session.js");
const { getGradeForScore, getScoreModifier } = await part("grader/grader.js");
const { MINIMUM_SCORE_FOR_EXTRA_CREDIT } = await part("grader/charts.js");

const require = createRequire(import.meta.url);
const { AxiosHeaders } = require("axios");
const { CspEvaluator, DEFAULT_CHECKS } = require("csp_evaluator/dist/evaluator.js");
const { CspParser } = require("csp_evaluator/dist/parser.js");
const strict = require("csp_evaluator/dist/checks/strictcsp_checks.js");

function grade({ status, headers, body }) {
  const requests = new Requests("app.example.com");
  const fields = new AxiosHeaders();
  for (const [name, value] of headers) {
    const known = fields.get(name);
    fields.set(name, known ? [known, value].flat() : value);
  }
  const response = { headers: fields, request: { headers: new AxiosHeaders() }, status, verified: true, data: body };
  response.httpEquiv = new Map();
  Object.assign(requests.responses, { auto: response, cors: response, http: null, https: response });
  requests.resources.path = body;
  requests.session = new Session(new URL("https://app.example.com/"));
  // Whether port 80 leads to 443 is a matter of whoever listens there.
  const results = ALL_TESTS.filter((test) => test.name !== "redirectionTest").map((test) => test(requests));
  const points = results.map((result) => (result.result ? getScoreModifier(result.result) : 0));
  const bare = points.filter((one) => one < 0).reduce((sum, one) => sum + one, 100);
  const all = points.reduce((sum, one) => sum + one, 100);
  const failed = results.filter((result) => !result.pass).map((result) => result.result);
  return { ...getGradeForScore(bare >= MINIMUM_SCORE_FOR_EXTRA_CREDIT ? all : bare), failed };
}

function findings({ headers }) {
  return headers
    .filter(([name]) => name === "content-security-policy")
    .flatMap(([, policy]) => {
      const checks = policy.includes("'nonce-")
        ? [...DEFAULT_CHECKS, strict.checkStrictDynamic, strict.checkRequiresTrustedTypesForScripts]
        : DEFAULT_CHECKS;
      return new CspEvaluator(new CspParser(policy).csp).evaluate([], checks);
    })
    .map((finding) => `${finding.directive}: ${finding.description}`);
}

const answers = JSON.parse(fs.readFileSync(0, "utf8"));
const judged = Object.entries(answers).map(([name, answer]) => [name, { ...grade(answer), findings: findings(answer) }]);
process.stdout.write(JSON.stringify(Object.fromEntries(judged)));
