//! What schemas mean: compositions, recursion, both dialects, both directions.

use crate::support::{reveal, send, thing};

#[test]
fn a_composition_is_closed_as_a_whole() {
    let contract = thing(
        "3.1.0",
        "
Thing:
  allOf:
    - $ref: '#/components/schemas/Base'
    - type: object
      required: [name]
      properties:
        name: { type: string, maxLength: 9 }
        owner: { $ref: '#/components/schemas/Base' }
Base:
  type: object
  required: [kind]
  properties: { kind: { type: string, maxLength: 9 }, inner: { type: object, properties: { a: { type: integer } } } }
",
    );
    for (body, expect) in [
        (r#"{"kind":"k","name":"n"}"#, "ok"),
        (r#"{"kind":"k","name":"n","owner":{"kind":"k"}}"#, "ok"),
        (r#"{"kind":"k","name":"n","admin":true}"#, "/body/admin undeclared"),
        // The component is open as a part and closed as a property.
        (r#"{"kind":"k","name":"n","owner":{"kind":"k","name":"n"}}"#, "/body/owner/name undeclared"),
        (r#"{"kind":"k","name":"n","inner":{"b":1}}"#, "/body/inner/b undeclared"),
        (r#"{"kind":"k"}"#, "/body/name missing"),
        (r#"{"kind":1,"name":"n"}"#, "/body/kind invalid"),
        (r#"[]"#, "/body invalid"),
    ] {
        assert_eq!(send(&contract, body), expect, "{body}");
    }
}

#[test]
fn recursion_ends() {
    let contract = thing(
        "3.1.0",
        "
Thing:
  type: object
  properties:
    name: { type: string, maxLength: 9 }
    children: { type: array, items: { $ref: '#/components/schemas/Thing' } }
",
    );
    assert_eq!(send(&contract, r#"{"children":[{"name":"a","children":[{"name":"b"}]}]}"#), "ok");
    assert_eq!(
        send(&contract, r#"{"children":[{"children":[{"x":1}]},{"name":1}]}"#),
        "/body/children/0/children/0/x undeclared, /body/children/1/name invalid"
    );
    let deep = format!("{}{}", r#"{"children":["#.repeat(15), "]}".repeat(15));
    assert_eq!(send(&contract, &deep), "ok");
    let deeper = format!("/body{} malformed", "/children/0".repeat(16));
    assert_eq!(send(&contract, &format!("{}{}", r#"{"children":["#.repeat(17), "]}".repeat(17))), deeper);
    assert_eq!(
        reveal(&contract, r#"{"children":[{"name":"a","x":1,"children":[{"y":2,"name":"b"}]}]}"#),
        r#"{"children":[{"name":"a","children":[{"name":"b"}]}]} without /children/0/x /children/0/children/0/y"#
    );
}

#[test]
fn a_discriminator_decides() {
    for keyword in ["oneOf", "anyOf"] {
        let contract = thing(
            "3.1.0",
            &format!(
                "
Thing:
  {keyword}:
    - $ref: '#/components/schemas/Cat'
    - $ref: '#/components/schemas/Dog'
  discriminator: {{ propertyName: kind, mapping: {{ hound: '#/components/schemas/Dog' }} }}
Cat:
  type: object
  properties: {{ kind: {{ type: string, maxLength: 9 }}, lives: {{ type: integer }} }}
Dog:
  type: object
  required: [bark]
  properties: {{ kind: {{ type: string, maxLength: 9 }}, bark: {{ type: boolean }} }}
"
            ),
        );
        for (body, expect) in [
            (r#"{"kind":"Cat","lives":9}"#, "ok"),
            (r#"{"kind":"hound","bark":true}"#, "ok"),
            (r#"{"kind":"Dog","bark":true}"#, "ok"),
            (r#"{"kind":"Cat","bark":true}"#, "/body/bark undeclared"),
            (r#"{"kind":"hound","bark":1}"#, "/body/bark invalid"),
            (r#"{"kind":"hound"}"#, "/body/bark missing"),
            (r#"{"kind":"Cat","lives":"x"}"#, "/body/lives invalid"),
            (r#"{"kind":"Cow"}"#, "/body/kind invalid"),
            (r#"{"kind":7}"#, "/body/kind invalid"),
            (r#"{"kind":null,"bark":true}"#, "/body/kind invalid"),
            (r#"{"lives":9}"#, "/body/kind missing"),
        ] {
            assert_eq!(send(&contract, body), expect, "{keyword} {body}");
        }
    }
}

#[test]
fn a_discriminator_chooses_among_heirs() {
    let contract = thing(
        "3.0.3",
        "
Thing:
  type: object
  properties: { pet: { $ref: '#/components/schemas/Pet' }, cat: { $ref: '#/components/schemas/Cat' } }
Pet:
  type: object
  required: [kind]
  properties: { kind: { type: string, maxLength: 9 }, name: { type: string, maxLength: 9 } }
  discriminator: { propertyName: kind, mapping: { kitten: '#/components/schemas/Kitten' } }
Cat:
  allOf:
    - $ref: '#/components/schemas/Pet'
    - { type: object, properties: { lives: { type: integer } } }
Kitten:
  allOf:
    - $ref: '#/components/schemas/Cat'
    - { type: object, required: [weeks], properties: { weeks: { type: integer } } }
",
    );
    for (body, expect) in [
        (r#"{"pet":{"kind":"Pet","name":"n"}}"#, "ok"),
        (r#"{"pet":{"kind":"Cat","name":"n","lives":9}}"#, "ok"),
        (r#"{"pet":{"kind":"kitten","lives":9,"weeks":2}}"#, "ok"),
        (r#"{"pet":{"kind":"Pet","lives":9}}"#, "/body/pet/lives undeclared"),
        (r#"{"pet":{"kind":"Cat","weeks":2}}"#, "/body/pet/weeks undeclared"),
        (r#"{"pet":{"kind":"kitten"}}"#, "/body/pet/weeks missing"),
        (r#"{"pet":{"kind":"Cat","lives":"x"}}"#, "/body/pet/lives invalid"),
        (r#"{"pet":{"kind":"Cow"}}"#, "/body/pet/kind invalid"),
        (r#"{"pet":{"name":"n"}}"#, "/body/pet/kind missing"),
        (r#"{"cat":{"kind":"Cat","lives":9}}"#, "ok"),
        (r#"{"cat":{"kind":"Cat","admin":9}}"#, "/body/cat/admin undeclared"),
    ] {
        assert_eq!(send(&contract, body), expect, "{body}");
    }
}

#[test]
fn names_of_prototypes_and_control_characters_are_for_the_contract_to_allow() {
    let contract = thing(
        "3.1.0",
        "
Thing:
  type: object
  properties:
    open: { type: object, additionalProperties: true }
    any: {}
    map: { type: object, additionalProperties: { type: string, maxLength: 9 } }
    named: { type: object, additionalProperties: true, properties: { constructor: { type: string, maxLength: 9 } } }
    text: { type: string, maxLength: 9 }
    phone: { type: string, format: phone, maxLength: 9 }
    ruled: { type: string, pattern: '^[a\\x00]*$' }
    html: { type: string, maxLength: 9, x-palisade-markup: true }
",
    );
    for (body, expect) in [
        (r#"{"open":{"a":{"b":[{"c":1}]}},"any":[1],"map":{"k":"v"},"named":{"constructor":"ford"}}"#, "ok"),
        (r#"{"open":{"__proto__":{"admin":true}}}"#, "/body/open/__proto__ undeclared"),
        (r#"{"open":{"\u005f_proto__":1}}"#, "/body/open/__proto__ undeclared"),
        (
            r#"{"any":[{"a":{"constructor":{"prototype":1}}}]}"#,
            "/body/any/0/a/constructor undeclared, /body/any/0/a/constructor/prototype undeclared",
        ),
        (r#"{"map":{"prototype":"x"}}"#, "/body/map/prototype undeclared"),
        (r#"{"named":{"__proto__":1}}"#, "/body/named/__proto__ undeclared"),
        (r#"{"text":"a\tb\r\nc"}"#, "ok"),
        (r#"{"text":"a\u0000"}"#, "/body/text invalid"),
        (r#"{"text":"\u001b[2J","phone":"\u007f"}"#, "/body/phone invalid, /body/text invalid"),
        (r#"{"html":"\u0000"}"#, "/body/html invalid"),
        (r#"{"any":{"a\u0000":1}}"#, "/body/any/a\u{fffd} invalid"),
        (r#"{"ruled":"a\u0000"}"#, "ok"),
    ] {
        assert_eq!(send(&contract, body), expect, "{body}");
    }
}

#[test]
fn null_is_allowed_in_either_dialect() {
    let v30 = "
Thing:
  type: object
  properties:
    text: { type: string, nullable: true, maxLength: 3 }
    choice: { type: string, nullable: true, enum: [a] }
    part: { allOf: [{ $ref: '#/components/schemas/Part' }], nullable: true }
    plain: { $ref: '#/components/schemas/Part', nullable: true, description: siblings are ignored }
Part: { type: object, properties: { a: { type: integer } } }
";
    let v31 = "
Thing:
  type: object
  properties:
    text: { type: [string, 'null'], maxLength: 3 }
    choice: { enum: [a, null] }
    part: { anyOf: [{ $ref: '#/components/schemas/Part' }, { type: 'null' }] }
    plain: { $ref: '#/components/schemas/Part', description: only words stand beside it }
Part: { type: object, properties: { a: { type: integer } } }
";
    for (version, schemas) in [("3.0.3", v30), ("3.1.0", v31)] {
        let contract = thing(version, schemas);
        for (body, expect) in [
            (r#"{"text":null,"choice":null,"part":null}"#, "ok"),
            (r#"{"text":"abc","choice":"a","part":{"a":1},"plain":{"a":1}}"#, "ok"),
            (r#"{"text":"abcd"}"#, "/body/text invalid"),
            (r#"{"choice":"b"}"#, "/body/choice invalid"),
            (r#"{"part":{"b":1}}"#, "/body/part/b undeclared"),
            (r#"{"part":{"a":"x"}}"#, "/body/part/a invalid"),
            (r#"{"plain":null}"#, "/body/plain invalid"),
            (r#"{"plain":{"b":1}}"#, "/body/plain/b undeclared"),
        ] {
            assert_eq!(send(&contract, body), expect, "{version} {body}");
        }
    }
}

#[test]
fn bounds_of_3_0_are_translated() {
    let contract = thing(
        "3.0.0",
        "
Thing:
  type: object
  properties:
    above: { type: integer, minimum: 1, exclusiveMinimum: true }
    below: { type: number, maximum: 5, exclusiveMaximum: true }
    from: { type: integer, minimum: 1, exclusiveMinimum: false }
    width: { type: integer, format: int32 }
    wide: { type: integer, format: int64 }
    bytes: { type: string, format: byte }
    file: { type: string, format: binary, maxLength: 9, example: x }
",
    );
    for (body, expect) in [
        (
            r#"{"above":2,"below":4.9,"from":1,"width":2147483647,"wide":9223372036854775807,"bytes":"YQ==","file":"x"}"#,
            "ok",
        ),
        (r#"{"above":1}"#, "/body/above invalid"),
        (r#"{"below":5}"#, "/body/below invalid"),
        (r#"{"from":0}"#, "/body/from invalid"),
        (r#"{"width":2147483648}"#, "/body/width invalid"),
        (r#"{"wide":9223372036854775808}"#, "/body/wide invalid"),
        (r#"{"bytes":"Y!"}"#, "/body/bytes invalid"),
    ] {
        assert_eq!(send(&contract, body), expect, "{body}");
    }
}

#[test]
fn stated_openness_is_kept() {
    let contract = thing(
        "3.1.0",
        "
Thing:
  type: object
  properties:
    any: {}
    map: { type: object, additionalProperties: { type: integer } }
    open: { type: object, additionalProperties: true }
    maybe: { anyOf: [{}, { type: 'null' }] }
    empty: { type: object }
    named: { type: object, patternProperties: { '^x-': { type: string } } }
    closed: { type: object, additionalProperties: false, properties: { a: { type: integer } } }
",
    );
    for (body, expect) in [
        (r#"{"any":{"a":{"b":1}},"map":{"a":1},"open":{"z":[]},"maybe":{"q":1},"empty":{},"named":{"x-a":""}}"#, "ok"),
        (r#"{"map":{"a":"x"}}"#, "/body/map/a invalid"),
        (r#"{"empty":{"a":1}}"#, "ok"),
        (r#"{"named":{"a":"x"}}"#, "/body/named/a undeclared"),
        (r#"{"closed":{"b":1}}"#, "/body/closed/b undeclared"),
    ] {
        assert_eq!(send(&contract, body), expect, "{body}");
    }
}

#[test]
fn conditions_are_asked_not_closed() {
    let contract = thing(
        "3.1.0",
        "
Thing:
  type: object
  properties: { kind: { type: string, maxLength: 9 } }
  if: { properties: { kind: { const: a } }, required: [kind] }
  then: { properties: { a: { type: integer } }, required: [a] }
  else: { properties: { b: { type: integer } } }
  not: { required: [forbidden] }
",
    );
    for (body, expect) in [
        (r#"{"kind":"a","a":1}"#, "ok"),
        (r#"{"kind":"b","b":1}"#, "ok"),
        (r#"{"kind":"b","a":1}"#, "/body/a undeclared"),
        (r#"{"kind":"a"}"#, "/body/a missing"),
        (r#"{"forbidden":1}"#, "/body invalid"),
    ] {
        assert_eq!(send(&contract, body), expect, "{body}");
    }
}

#[test]
fn directions_hide_properties() {
    let contract = thing(
        "3.1.0",
        "
Thing:
  allOf:
    - $ref: '#/components/schemas/Base'
    - type: object
      required: [id, name, password]
      properties:
        name: { type: string, maxLength: 9 }
        password: { $ref: '#/components/schemas/Password' }
Base:
  type: object
  properties: { id: { type: integer, readOnly: true } }
Password: { type: string, maxLength: 9, writeOnly: true }
",
    );
    assert_eq!(send(&contract, r#"{"name":"n","password":"p"}"#), "ok");
    assert_eq!(send(&contract, r#"{"id":1,"name":"n","password":"p"}"#), "/body/id undeclared");
    assert_eq!(send(&contract, r#"{"name":"n"}"#), "/body/password missing");
    assert_eq!(reveal(&contract, r#"{"id":1,"name":"n"}"#), "pass");
    assert_eq!(reveal(&contract, r#"{"id":1,"name":"n","password":"p"}"#), r#"{"id":1,"name":"n"} without /password"#);
    assert_eq!(reveal(&contract, r#"{"name":"n"}"#), "violates: /body/id missing");
}
