//! The help and the schemas.

use expect_test::expect;
use palisade_testkit::dir::TempDir;
use serde_json::Value;

use super::shell::palisade;

#[test]
fn the_help_names_every_command() {
    let help = palisade(&TempDir::new(), "--help");
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    expect![[r#"
        Secures backend APIs: enforces, attacks and reports from one contract

        Usage: palisade <COMMAND>

        Commands:
          api-key  Adds, lists and revokes the API keys of service accounts
          check    Checks a configuration and its contracts: exit 0 if clean, 1 for findings, 2 if it cannot
                   be used
          demo     Attacks a vulnerable shop, puts it behind the gateway, attacks it again and shows the
                   difference
          explain  Tells what happens to one request, stage by stage, without sending it: exit 0 if it would
                   pass, 1 if not
          init     Writes a first configuration that lets through what a contract declares and nothing else
          key      Lists, renews and revokes the keys that sign tokens
          replay   Tells which recorded requests would fare otherwise under a new configuration: exit 1 if
                   any would
          review   Attacks a running API by its contract, as several identities: exit 0 if nothing is
                   proved, 1 if something is, 2 if it cannot be tested
          run      Serves: enforces a configuration in front of its backends until told to stop
          schema   Prints a JSON Schema: of the configuration, or of an event
          token    Takes tokens back before they expire
          user     Makes, lists, disables and enables the accounts of people, and measures what a password
                   may cost
          help     Print this message or the help of the given subcommand(s)

        Options:
          -h, --help     Print help
          -V, --version  Print version
    "#]]
    .assert_eq(&help.stdout);
}

#[test]
fn every_command_explains_itself() {
    let dir = TempDir::new();
    let commands =
        ["api-key", "check", "demo", "explain", "init", "key", "replay", "review", "run", "schema", "token", "user"];
    let texts = commands.map(|command| {
        let help = palisade(&dir, &format!("{command} --help"));
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{command}");
        help.stdout.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    });
    expect![[r#"
        Adds, lists and revokes the API keys of service accounts

        Usage: palisade api-key <COMMAND>

        Commands:
          add      Gives an account a key and prints it, this once; makes the account if there is none
          disable  Keeps all keys of an account from being used: exit 1 if they were before
          enable   Lets the keys of an account be used again: exit 1 if they could be before
          list     Lists all keys, without their secrets
          revoke   Takes a key out of use for ever: exit 1 if it was out of use before
          help     Print this message or the help of the given subcommand(s)

        Options:
          -h, --help  Print help
        ---
        Checks a configuration and its contracts: exit 0 if clean, 1 for findings, 2 if it cannot be used

        Usage: palisade check [OPTIONS]

        Options:
              --config <CONFIG>
                  The configuration

                  [default: palisade.toml]

              --chain
                  Print the stages in the order in which they run

              --explain
                  Print the rules in force, for every operation

              --drift <EVENTS>
                  Read an event log and print how traffic departs from the contracts: a table on standard
                  error, and on standard output the OpenAPI Overlay that would declare it. Exit 1 when
                  anything departs

              --format <FORMAT>
                  The form of the result

                  Possible values:
                  - human: For a terminal
                  - json:  One JSON object
                  - sarif: SARIF 2.1.0, for code-scanning services

                  [default: human]

          -h, --help
                  Print help (see a summary with '-h')
        ---
        Attacks a vulnerable shop, puts it behind the gateway, attacks it again and shows the difference

        Usage: palisade demo [OPTIONS]

        Options:
              --once             Stop after the matrix; exit 0 only if every risk was proved without the
                                 gateway and none with it
              --folder <FOLDER>  Where the configuration, the contract and the events are put; a new folder
                                 among the temporary files by default
          -h, --help             Print help
        ---
        Tells what happens to one request, stage by stage, without sending it: exit 0 if it would pass, 1 if
        not

        Usage: palisade explain [OPTIONS] --request <FILE|-|CURL>

        Options:
              --config <CONFIG>
                  The configuration

                  [default: palisade.toml]

              --request <FILE|-|CURL>
                  The request: a file with HTTP/1.1 as it is sent or with a command line of curl, `-` for
                  standard input, or the command line itself

              --from <FROM>
                  The address that the request comes from

                  [default: 127.0.0.1]

              --at <TIME>
                  The moment of the request, such as 2027-01-01T00:00:00Z; by default now

              --subject-claims <FILE>
                  Pretend that the caller is signed in: a JSON object with the claims of a token that is
                  made up for this run. No credential is verified then, and the request's own
                  `Authorization` is replaced

              --format <FORMAT>
                  The form of the result

                  Possible values:
                  - human: For a terminal
                  - json:  One JSON object

                  [default: human]

          -h, --help
                  Print help (see a summary with '-h')
        ---
        Writes a first configuration that lets through what a contract declares and nothing else

        Usage: palisade init [OPTIONS] --contract <CONTRACT> --upstream <UPSTREAM>

        Options:
              --contract <CONTRACT>  The API's contract: an OpenAPI 3.0 or 3.1 document in YAML or JSON
              --upstream <UPSTREAM>  The backend, such as http://127.0.0.1:9000
              --output <OUTPUT>      Where the configuration is written; an existing file is never
                                     overwritten [default: palisade.toml]
          -h, --help                 Print help
        ---
        Lists, renews and revokes the keys that sign tokens

        Usage: palisade key <COMMAND>

        Commands:
          list    Lists the keys and their states
          rotate  Makes the next key now; it signs after verifiers have had time to hear of it
          revoke  Takes a key out of use at once, because somebody else may have it: exit 1 if it was out of
                  use before
          help    Print this message or the help of the given subcommand(s)

        Options:
          -h, --help  Print help
        ---
        Tells which recorded requests would fare otherwise under a new configuration: exit 1 if any would

        Usage: palisade replay [OPTIONS] --old <OLD> --new <NEW> --log <EVENTS|HAR>

        Options:
              --old <OLD>
                  The configuration before

              --new <NEW>
                  The configuration after

              --log <EVENTS|HAR>
                  The requests: a HAR file, or an event log, of which only method, path and client are known

              --allow
                  Exit 0 even when a verdict changes

              --format <FORMAT>
                  The form of the result

                  Possible values:
                  - human: For a terminal
                  - json:  One JSON object

                  [default: human]

          -h, --help
                  Print help (see a summary with '-h')
        ---
        Attacks a running API by its contract, as several identities: exit 0 if nothing is proved, 1 if
        something is, 2 if it cannot be tested

        Usage: palisade review [OPTIONS] --contract <FILE|URL> --base-url <URL> --identities <FILE>
               palisade review <COMMAND>

        Commands:
          replay  Sends the requests of one finding again: exit 1 if it is still there, 0 if it is gone, 2
                  if nobody can say
          help    Print this message or the help of the given subcommand(s)

        Options:
              --contract <FILE|URL>
                  The API's contract, a file or an `http(s)` URL. It says what to attack, never where

              --base-url <URL>
                  Where the API is. Nothing is sent to any other host

              --identities <FILE>
                  Who to be: a file in the format of Web Fuzzing Commons, with at least two users of one
                  role

              --policy <FILE>
                  The gateway's configuration for this API, which says what is public and who may do what

              --mode <MODE>
                  How far to go

                  Possible values:
                  - safe:   Reads and signs in, and nothing else
                  - active: Writes as well, and puts back what it can
                  - full:   Everything: privileged operations, deletions, and accounts of its own to try
                    them on

                  [default: safe]

              --through <URL>
                  Attack a second time through a gateway at this URL, and compare

              --budget <N>
                  How many requests may be made

                  [default: 2000]

              --rate <N>
                  How many requests may be made in a second

              --timeout <SECONDS>
                  How many seconds one answer may take

                  [default: 10]

              --time-limit <SECONDS>
                  How many seconds the run may take

              --dry-run
                  Tell what would be done, and send nothing

              --seed <N>
                  Use the markers of an earlier run, whose report names its seed; only for a target that is
                  made anew

              --name-server <ADDRESS>
                  Where to listen for look-ups of names, over UDP, when the target's resolver asks here or a
                  zone is delegated here

              --name-zone <NAME>
                  The zone whose names are then given to the target

              --baseline <FILE>
                  Findings that were accepted: they do not count for the exit code

              --write-baseline <FILE>
                  Write what is proved as a baseline, to be given its reasons by hand

              --format <FORMAT>
                  The form of the result: text, json, sarif, junit, har or html; may be repeated with
                  `--output`

                  [default: text]

              --output <PATH>
                  Where the result is written: this file, or with several forms this name with the ending of
                  each. The text is printed all the same

              --stop-file <FILE>
                  End the run, and put back what was changed, when this file appears

              --reset-command <COMMAND>
                  A command that resets the target, run before and after what destroys

              --reset-url <URL>
                  A URL to which a POST resets the target, before and after what destroys

              --ca <FILE>
                  A PEM file with authorities to believe beside the system's

              --http2
                  Speak HTTP/2 with the target, in clear as well. Without this, only a target in TLS that
                  has nothing else gets it

              --danger-accept-certificate
                  Go on where the target's certificate proves nothing, and report that: whoever is on the
                  way reads the credentials

          -h, --help
                  Print help (see a summary with '-h')
        ---
        Serves: enforces a configuration in front of its backends until told to stop

        Usage: palisade run [OPTIONS]

        Options:
              --config <CONFIG>  The configuration [default: palisade.toml]
          -h, --help             Print help
        ---
        Prints a JSON Schema: of the configuration, or of an event

        Usage: palisade schema <OF>

        Arguments:
          <OF>
                  What it describes

                  Possible values:
                  - config: The configuration, `palisade.toml`
                  - event:  One line of the event log

        Options:
          -h, --help
                  Print help (see a summary with '-h')
        ---
        Takes tokens back before they expire

        Usage: palisade token <COMMAND>

        Commands:
          revoke  Takes tokens back at every gateway that reads the store, within a second
          help    Print this message or the help of the given subcommand(s)

        Options:
          -h, --help  Print help
        ---
        Makes, lists, disables and enables the accounts of people, and measures what a password may cost

        Usage: palisade user <COMMAND>

        Commands:
          add        Makes an account and prints its id
          calibrate  Measures what hashing a password costs on this machine, and says which cost to take
          disable    Keeps somebody from signing in, and ends everything that they have
          enable     Lets somebody sign in again, also after too many failures
          list       Prints all accounts
          passwd     Gives somebody another password, and ends everything that began with the one before
          help       Print this message or the help of the given subcommand(s)

        Options:
          -h, --help  Print help
    "#]]
    .assert_eq(&(texts.join("\n---\n") + "\n"));
}

#[test]
fn what_cannot_be_understood_is_answered_with_the_usage() {
    for (arguments, part) in [
        ("", "Usage: palisade <COMMAND>"),
        ("chekc", "check"),
        ("check --frobnicate", "unexpected argument '--frobnicate'"),
        ("check --format xml", "human, json, sarif"),
        ("init", "--contract <CONTRACT>"),
        ("schema", "palisade schema <OF>"),
        ("schema metrics", "config, event"),
    ] {
        let answer = palisade(&TempDir::new(), arguments);
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{arguments}");
        assert!(answer.stderr.contains(part), "{arguments}: {}", answer.stderr);
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = palisade(&TempDir::new(), "--version");
    assert_eq!((version.code, version.stdout), (0, format!("palisade {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn schemas_are_json() {
    for (of, title) in
        [("config", palisade_gateway::config::json_schema()), ("event", palisade_gateway::event_schema())]
    {
        let printed = palisade(&TempDir::new(), &format!("schema {of}"));
        assert_eq!((printed.code, printed.stderr.as_str()), (0, ""));
        let schema: Value = serde_json::from_str(&printed.stdout).unwrap();
        assert_eq!(schema, title);
        assert!(schema["$schema"].as_str().unwrap().contains("json-schema.org/draft"), "{of}");
    }
}
