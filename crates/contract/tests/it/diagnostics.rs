//! What an author is told about a contract.

use expect_test::{Expect, expect};
use palisade_contract::Contract;
use palisade_core::diagnostic::Source;

use crate::support::diagnostics;

fn check(yaml: &str, expect: &Expect) {
    expect.assert_eq(&diagnostics(yaml));
}

#[test]
fn a_text_that_is_no_contract() {
    check(
        "openapi: 3.1.0\n  info: x\n",
        &expect![[r#"
            error[contract-unreadable]: this is not valid YAML: mapping values are not allowed in this context
              --> openapi.yaml:2:7
              |
            2 |   info: x
              |       ^
              help: correct it and check again; nothing else of the document was looked at
        "#]],
    );
    check(
        "{\"openapi\": \"3.1.0\",\n \"info\": }",
        &expect![[r#"
            error[contract-unreadable]: this is not valid JSON: expected value
              --> openapi.yaml:2:10
              |
            2 |  "info": }
              |          ^
              help: correct it and check again; nothing else of the document was looked at
        "#]],
    );
    check(
        "{\"openapi\": \"3.1.0\", \"info\": {}, \"info\": {}}",
        &expect![[r#"
            error[contract-unreadable]: the key at `/info` is there twice
              --> openapi.yaml
              help: correct it and check again; nothing else of the document was looked at
        "#]],
    );
    check(
        "openapi: 3.1.0\npaths: {}\npaths: {}\n",
        &expect![[r#"
            error[contract-unreadable]: this is not valid YAML: duplicate mapping key: paths
              --> openapi.yaml:3:1
              |
            3 | paths: {}
              | ^
              help: correct it and check again; nothing else of the document was looked at
        "#]],
    );
    check(
        "swagger: '2.0'\n",
        &expect![[r#"
        error[contract-version]: this is not an OpenAPI document: `openapi` is missing
          --> openapi.yaml
          help: start it with `openapi: 3.1.0`; Swagger 2.0 must be converted first
    "#]],
    );
    check(
        "openapi: 4.0.0\n",
        &expect![[r#"
        error[contract-version]: OpenAPI version `4.0.0` is not supported
          --> openapi.yaml:1:10
          |
        1 | openapi: 4.0.0
          |          ^^^^^
          help: use 3.0 or 3.1
    "#]],
    );
    check(
        "",
        &expect![[r#"
        error[contract-version]: this is not an OpenAPI document: `openapi` is missing
          --> openapi.yaml
          help: start it with `openapi: 3.1.0`; Swagger 2.0 must be converted first
    "#]],
    );
    let large = format!("openapi: 3.1.0\n# {}", "x".repeat(8 * 1024 * 1024));
    let problems = Contract::compile(&Source::new("large.yaml", large)).unwrap_err();
    assert_eq!(problems.first().unwrap().message(), "the contract is larger than 8 MiB");
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut yaml = "openapi: 3.1.0\nx-a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        yaml.push_str(&format!("x-a{level}: &a{level} [{aliases}]\n"));
    }
    let problems = Contract::compile(&Source::new("bomb.yaml", yaml)).unwrap_err();
    assert_eq!(problems.first().unwrap().code(), "contract-unreadable");
}

#[test]
fn references_stay_within() {
    check(
        "
openapi: 3.1.0
info: { title: R, version: '1' }
security: [{ b: [] }]
paths:
  /a:
    get:
      responses:
        200:
          description: ok
          content:
            application/json:
              schema:
                properties:
                  gone: { $ref: '#/components/schemas/Gone' }
                  away: { $ref: 'https://example.com/s.json#/A' }
                  anchor: { $ref: '#thing' }
                  round: { $ref: '#/components/schemas/A' }
components:
  securitySchemes: { b: { type: http, scheme: bearer } }
  schemas:
    A: { $ref: '#/components/schemas/B' }
    B: { $ref: '#/components/schemas/A' }
",
        &expect![[r#"
            error[reference-unresolved]: `#/components/schemas/Gone` leads to nothing
               --> openapi.yaml:15:33
               |
            15 |                   gone: { $ref: '#/components/schemas/Gone' }
               |                                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^
              help: check the name for a typo
            error[reference-external]: `https://example.com/s.json#/A` is in another document
               --> openapi.yaml:16:33
               |
            16 |                   away: { $ref: 'https://example.com/s.json#/A' }
               |                                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              help: bundle the contract into one file; Palisade never fetches anything
            error[reference-unresolved]: `#thing` is not a JSON pointer
               --> openapi.yaml:17:35
               |
            17 |                   anchor: { $ref: '#thing' }
               |                                   ^^^^^^^^
              help: write it as `#/components/...`
            error[reference-unresolved]: `#/components/schemas/A` leads back to itself
               --> openapi.yaml:18:34
               |
            18 |                   round: { $ref: '#/components/schemas/A' }
               |                                  ^^^^^^^^^^^^^^^^^^^^^^^^
              help: one of them must say what the value is
            error[reference-unresolved]: `#/components/schemas/B` leads back to itself
               --> openapi.yaml:22:16
               |
            22 |     A: { $ref: '#/components/schemas/B' }
               |                ^^^^^^^^^^^^^^^^^^^^^^^^
              help: one of them must say what the value is
            error[reference-unresolved]: `#/components/schemas/A` leads back to itself
               --> openapi.yaml:23:16
               |
            23 |     B: { $ref: '#/components/schemas/A' }
               |                ^^^^^^^^^^^^^^^^^^^^^^^^
              help: one of them must say what the value is
        "#]],
    );
}

#[test]
fn paths_and_names_are_unique() {
    check(
        "
openapi: 3.1.0
info: { title: P, version: '1' }
security: [{ b: [] }]
paths:
  /a/{x}:
    get:
      operationId: same
      parameters: [{ name: x, in: path, required: true, schema: { type: integer } }]
      responses: { 200: { description: ok } }
  /a/{y}:
    get: { responses: { 200: { description: ok } } }
  /b/{z}:
    get:
      operationId: same
      parameters: [{ name: q, in: path, required: true, schema: { type: integer } }]
      responses: { 200: { description: ok } }
  c: {}
components:
  securitySchemes: { b: { type: http, scheme: bearer } }
",
        &expect![[r#"
            warning[response-undescribed]: 2 operations with a success of whose content nothing is said: `same`, `same`
              --> openapi.yaml:7:5
              |
            7 |     get:
              |     ^^^
              help: declare its `content`, so that undeclared properties can be taken out; until then all passes
            error[path-conflict]: `/a/{y}` meets the same requests as another path
               --> openapi.yaml:11:3
               |
            11 |   /a/{y}:
               |   ^^^^^^
              help: join both into one path; names of parameters do not tell paths apart
            error[parameter-unresolved]: the path parameter `z` is not declared
               --> openapi.yaml:14:5
               |
            14 |     get:
               |     ^^^
              help: declare it under `parameters` with `in: path` and a schema
            error[parameter-unresolved]: the path has no parameter `q`
               --> openapi.yaml:14:5
               |
            14 |     get:
               |     ^^^
              help: remove it, or correct the template
            error[operation-id-duplicate]: the operation `same` is declared twice
               --> openapi.yaml:15:20
               |
            15 |       operationId: same
               |                    ^^^^
              help: `GET /a/{x}` has the same name; rename one of them
            error[path-invalid]: `c` is not a path template: a path begins with `/`
               --> openapi.yaml:18:3
               |
            18 |   c: {}
               |   ^
              help: write it as `/orders/{id}`
        "#]],
    );
}

#[test]
fn schemas_are_valid() {
    check(
        "
openapi: 3.1.0
info: { title: S, version: '1' }
security: [{ b: [] }]
paths:
  /a:
    post:
      requestBody: { content: { application/json: { schema: { $ref: '#/components/schemas/A' } } } }
      parameters:
        - { name: o, in: cookie, schema: { type: object, properties: { a: { type: integer } } } }
        - { name: n, in: query }
        - { name: p, in: body, schema: {} }
      responses: { 200: { description: ok }, 20: { description: no } }
components:
  securitySchemes: { b: { type: http, scheme: bearer } }
  schemas:
    A:
      type: object
      properties:
        a: { type: strng }
        b: { type: string, pattern: '^(?=a).*$' }
        c: { type: string, pattern: '(a)\\1' }
        d: { type: string, maxLenght: 3 }
        e: { $dynamicRef: '#x' }
        f: { type: object }
        g: nothing
        h: { type: string, x-palisade-destinations: ['https://a.example'] }
",
        &expect![[r#"
            warning[response-undescribed]: 1 operation with a success of whose content nothing is said: `POST /a`
              --> openapi.yaml:7:5
              |
            7 |     post:
              |     ^^^^
              help: declare its `content`, so that undeclared properties can be taken out; until then all passes
            error[parameter-unsupported]: the way in which the parameter `o` is written is not supported
               --> openapi.yaml:10:11
               |
            10 |         - { name: o, in: cookie, schema: { type: object, properties: { a: { type: integer } } } }
               |           ^
              help: see the styles of OpenAPI for its place; an object in a cookie is `explode: false` or JSON content
            error[parameter-invalid]: the parameter `n` has no schema, so any value is accepted
               --> openapi.yaml:11:11
               |
            11 |         - { name: n, in: query }
               |           ^
              help: add `schema: { type: string, maxLength: 64 }`
            error[parameter-invalid]: a parameter needs `name` and `in`
               --> openapi.yaml:12:11
               |
            12 |         - { name: p, in: body, schema: {} }
               |           ^
              help: `in` is query, header, path or cookie
            error[response-invalid]: `20` is not a status
               --> openapi.yaml:13:46
               |
            13 |       responses: { 200: { description: ok }, 20: { description: no } }
               |                                              ^^
              help: write `200`, `2XX` or `default`
            error[schema-invalid]: `type` cannot have this value
               --> openapi.yaml:20:20
               |
            20 |         a: { type: strng }
               |                    ^^^^^
            note[string-unbounded]: 4 strings of requests without `maxLength`
               --> openapi.yaml:21:9
               |
            21 |         b: { type: string, pattern: '^(?=a).*$' }
               |         ^
              help: give each a `maxLength`, so that the request's size is not the only limit
            error[pattern-unsupported]: the pattern `^(?=a).*$` cannot be checked in linear time and bounded memory
               --> openapi.yaml:21:37
               |
            21 |         b: { type: string, pattern: '^(?=a).*$' }
               |                                     ^^^^^^^^^^^
              help: write it without look-around, back-references and high counts, or use `enum`, `format` and lengths
            note[pattern-unanchored]: 1 pattern that only a part of the text must match
               --> openapi.yaml:22:37
               |
            22 |         c: { type: string, pattern: '(a)\1' }
               |                                     ^^^^^^^
              help: begin it with `^` and end it with `$`, or any text around a match is accepted
            error[pattern-unsupported]: the pattern `(a)\1` cannot be checked in linear time and bounded memory
               --> openapi.yaml:22:37
               |
            22 |         c: { type: string, pattern: '(a)\1' }
               |                                     ^^^^^^^
              help: write it without look-around, back-references and high counts, or use `enum`, `format` and lengths
            warning[keyword-unknown]: `maxLenght` is not a schema keyword and has no effect
               --> openapi.yaml:23:28
               |
            23 |         d: { type: string, maxLenght: 3 }
               |                            ^^^^^^^^^
              help: did you mean `maxLength`?
            error[schema-invalid]: `$dynamicRef` is not supported in a contract
               --> openapi.yaml:24:27
               |
            24 |         e: { $dynamicRef: '#x' }
               |                           ^^^^
              help: refer to schemas by `#/components/schemas/...`
            warning[object-undeclared]: this object declares no properties, so all are accepted
               --> openapi.yaml:25:9
               |
            25 |         f: { type: object }
               |         ^
              help: declare them under `properties`, or state `additionalProperties: true` if all are meant
            error[schema-invalid]: a schema must be an object
               --> openapi.yaml:26:12
               |
            26 |         g: nothing
               |            ^^^^^^^
            error[extension-invalid]: `x-palisade-destinations` must be a list of host names
               --> openapi.yaml:27:28
               |
            27 |         h: { type: string, x-palisade-destinations: ['https://a.example'] }
               |                            ^^^^^^^^^^^^^^^^^^^^^^^
              help: write `[hooks.example.com]`, without scheme and port
        "#]],
    );
}

#[test]
fn a_schema_that_demands_itself() {
    check(
        "
openapi: 3.1.0
info: { title: C, version: '1' }
security: [{ b: [] }]
paths:
  /a:
    post:
      requestBody: { content: { application/json: { schema: { $ref: '#/components/schemas/A' } } } }
      responses: { 200: { description: ok } }
components:
  securitySchemes: { b: { type: http, scheme: bearer } }
  schemas:
    A: { allOf: [{ $ref: '#/components/schemas/B' }] }
    B: { anyOf: [{ $ref: '#/components/schemas/A' }, { type: 'null' }] }
",
        &expect![[r#"
            warning[response-undescribed]: 1 operation with a success of whose content nothing is said: `POST /a`
              --> openapi.yaml:7:5
              |
            7 |     post:
              |     ^^^^
              help: declare its `content`, so that undeclared properties can be taken out; until then all passes
            error[schema-invalid]: the schema demands itself of the same value
               --> openapi.yaml:14:5
               |
            14 |     B: { anyOf: [{ $ref: '#/components/schemas/A' }, { type: 'null' }] }
               |     ^
              help: let it refer to itself only below `properties` or `items`
        "#]],
    );
}

#[test]
fn extensions_are_exact() {
    check(
        "
openapi: 3.1.0
info: { title: X, version: '1' }
security: [{ b: [] }]
paths:
  /a/{id}:
    parameters: [{ name: id, in: path, required: true, schema: { type: integer } }]
    get:
      x-palisade:
        pubic: true
        level: aal4
        limit: { requests: 0, per: 1w, by: user, burst: 1 }
        owner: { request: [{ parameter: user, claim: sub }], response: [{ pointer: owner, claim: sub }] }
      responses: { 200: { description: ok } }
    put:
      x-palisade: { public: true, scopes: [a] }
      responses: { 200: { description: ok } }
    delete:
      security: [{ bearr: [] }]
      x-palisade: { limit: { requests: 1 }, roles: admin, owner: { request: [{ parameter: id }] } }
      responses: { 200: { description: ok } }
    patch:
      x-palisade:
        limit: [{ requests: 2, per: 1s, cost: 3 }, { requests: 2, per: 1s, algorithm: leaky, on_failure: open, cost: 0 }]
      responses: { 200: { description: ok } }
    head:
      x-palisade: { limit: { requests: 2, per: 1s, on_failure: allow } }
      responses: { 200: { description: ok } }
components:
  securitySchemes: { b: { type: http, scheme: bearer } }
",
        &expect![[r#"
            warning[response-undescribed]: 5 operations with a success of whose content nothing is said: `GET /a/{id}`, `PUT /a/{id}`, `DELETE /a/{id}` and 2 more
              --> openapi.yaml:8:5
              |
            8 |     get:
              |     ^^^
              help: declare its `content`, so that undeclared properties can be taken out; until then all passes
            error[extension-unknown]: unknown key `pubic`
               --> openapi.yaml:10:9
               |
            10 |         pubic: true
               |         ^^^^^
              help: did you mean `public`?
            error[extension-invalid]: this is not an assurance level
               --> openapi.yaml:11:16
               |
            11 |         level: aal4
               |                ^^^^
              help: write aal1, aal2 or aal3
            error[extension-invalid]: this must be a whole number above zero
               --> openapi.yaml:12:28
               |
            12 |         limit: { requests: 0, per: 1w, by: user, burst: 1 }
               |                            ^
              help: write how many requests pass
            error[extension-invalid]: this is not a span of time
               --> openapi.yaml:12:36
               |
            12 |         limit: { requests: 0, per: 1w, by: user, burst: 1 }
               |                                    ^^
              help: write `60s`, `5m`, `1h` or `1d`
            error[extension-invalid]: this is not a way to tell callers apart
               --> openapi.yaml:12:44
               |
            12 |         limit: { requests: 0, per: 1w, by: user, burst: 1 }
               |                                            ^^^^
              help: write one of client, principal, tenant, all
            error[extension-unknown]: unknown key `burst`
               --> openapi.yaml:12:50
               |
            12 |         limit: { requests: 0, per: 1w, by: user, burst: 1 }
               |                                                  ^^^^^
              help: known keys are requests, per, by, algorithm, cost, on_failure
            error[owner-unresolved]: the owner's parameter `user` is not declared
               --> openapi.yaml:13:9
               |
            13 |         owner: { request: [{ parameter: user, claim: sub }], response: [{ pointer: owner, claim: sub }] }
               |         ^^^^^
              help: name a path or query parameter of this operation
            error[extension-invalid]: this is not a JSON pointer
               --> openapi.yaml:13:84
               |
            13 |         owner: { request: [{ parameter: user, claim: sub }], response: [{ pointer: owner, claim: sub }] }
               |                                                                                    ^^^^^
              help: write `/owner`, or `/items/*/owner` for every element of a list
            error[extension-invalid]: an operation that is public cannot ask for scopes, roles, claims, a level or an age
               --> openapi.yaml:16:29
               |
            16 |       x-palisade: { public: true, scopes: [a] }
               |                             ^^^^
              help: remove `public`, or the others
            error[security-scheme-unresolved]: the security scheme `bearr` is not declared
               --> openapi.yaml:19:20
               |
            19 |       security: [{ bearr: [] }]
               |                    ^^^^^
            error[extension-invalid]: a limit needs `requests` and `per`
               --> openapi.yaml:20:21
               |
            20 |       x-palisade: { limit: { requests: 1 }, roles: admin, owner: { request: [{ parameter: id }] } }
               |                     ^^^^^
              help: write `{ requests: 10, per: 60s, by: client }`
            error[extension-invalid]: this must be a list
               --> openapi.yaml:20:52
               |
            20 |       x-palisade: { limit: { requests: 1 }, roles: admin, owner: { request: [{ parameter: id }] } }
               |                                                    ^^^^^
              help: put it into `[` and `]`
            error[extension-invalid]: this needs `parameter` and `claim`
               --> openapi.yaml:20:78
               |
            20 |       x-palisade: { limit: { requests: 1 }, roles: admin, owner: { request: [{ parameter: id }] } }
               |                                                                              ^
              help: name both
            error[extension-invalid]: one request takes more than there is
               --> openapi.yaml:24:47
               |
            24 |         limit: [{ requests: 2, per: 1s, cost: 3 }, { requests: 2, per: 1s, algorithm: leaky, on_failure: open, cost: 0 }]
               |                                               ^
              help: write at most as much as `requests`
            error[extension-invalid]: this is not a way to count
               --> openapi.yaml:24:87
               |
            24 |         limit: [{ requests: 2, per: 1s, cost: 3 }, { requests: 2, per: 1s, algorithm: leaky, on_failure: open, cost: 0 }]
               |                                                                                       ^^^^^
              help: write one of gcra, sliding-window
            error[extension-invalid]: this is not a choice for an outage
               --> openapi.yaml:24:106
               |
            24 |         limit: [{ requests: 2, per: 1s, cost: 3 }, { requests: 2, per: 1s, algorithm: leaky, on_failure: open, cost: 0 }]
               |                                                                                                          ^^^^
              help: write one of deny, local, allow
            error[extension-invalid]: this must be a whole number above zero
               --> openapi.yaml:24:118
               |
            24 |         limit: [{ requests: 2, per: 1s, cost: 3 }, { requests: 2, per: 1s, algorithm: leaky, on_failure: open, cost: 0 }]
               |                                                                                                                      ^
              help: write how much one request takes
            warning[danger]: requests pass uncounted while the store does not answer
               --> openapi.yaml:27:64
               |
            27 |       x-palisade: { limit: { requests: 2, per: 1s, on_failure: allow } }
               |                                                                ^^^^^
              help: write `local` to count in the process meanwhile, or `deny`
        "#]],
    );
}

#[test]
fn weaknesses_are_told() {
    check(
        "
openapi: 3.1.0
info: { title: W, version: '1' }
paths:
  /a/{id}:
    parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
    get: { operationId: one, responses: { 200: { description: ok } } }
    put:
      operationId: two
      security: []
      requestBody: { content: { application/json: {} } }
      responses: { 200: { description: ok } }
    delete:
      operationId: three
      security: [{}]
      x-palisade: { owner: { response: [{ pointer: /owner, claim: sub }] } }
      responses: { 200: { description: ok } }
",
        &expect![[r#"
            note[string-unbounded]: 1 string of requests without `maxLength`
              --> openapi.yaml:6:56
              |
            6 |     parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
              |                                                        ^^^^^^
              help: give each a `maxLength`, so that the request's size is not the only limit
            warning[security-missing]: 2 operations without `security`: `one`, `three`
              --> openapi.yaml:7:5
              |
            7 |     get: { operationId: one, responses: { 200: { description: ok } } }
              |     ^^^
              help: they are treated as needing a credential; state `security`, or `security: []` where everyone may call
            warning[response-undescribed]: 3 operations with a success of whose content nothing is said: `one`, `two`, `three`
              --> openapi.yaml:7:5
              |
            7 |     get: { operationId: one, responses: { 200: { description: ok } } }
              |     ^^^
              help: declare its `content`, so that undeclared properties can be taken out; until then all passes
            warning[schema-missing]: `application/json` has no schema, so any content is accepted
               --> openapi.yaml:11:33
               |
            11 |       requestBody: { content: { application/json: {} } }
               |                                 ^^^^^^^^^^^^^^^^
              help: add `schema`
            warning[write-owner-unchecked]: the owner of `three` is known only after it has acted
               --> openapi.yaml:16:21
               |
            16 |       x-palisade: { owner: { response: [{ pointer: /owner, claim: sub }] } }
               |                     ^^^^^
              help: add `owner.request` with a parameter that equals a claim, or check ownership in the backend
        "#]],
    );
}
