//! What Redis and PostgreSQL keep: the contract of the ports, one clock for all, sign-in, and what an outage does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use palisade_core::port::CounterStore;
use palisade_core::port::counter::{Acquired, Algorithm, Ask, LimitKey, Rate};
use palisade_core::port::once::{OnceKey, Taken};
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;
use palisade_store::memory::MemoryCounters;
use palisade_store::moment::Moment;
use palisade_store::postgres::PostgresStore;
use palisade_store::redis::RedisStore;
use palisade_store::{OpenError, Place, Stores, open, open_at};
use palisade_testkit::server::{Postgres, Valkey};
use palisade_testkit::store::{assert_counter_store, assert_factor_store, assert_once_store, assert_session_store};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
const HOUR: Duration = Duration::from_secs(3600);

fn rate(burst: u32, per: Duration) -> Rate {
    Rate { burst: burst.try_into().unwrap(), per }
}

/// A database of the server that nothing is in, with the time of the calls.
async fn redis(server: &Valkey, count: &AtomicU32) -> RedisStore {
    let url = server.database(count.fetch_add(1, Ordering::SeqCst));
    RedisStore::open(&Place { moment: Moment::Caller, ..Place::new(url) }).await.unwrap()
}

/// The same for PostgreSQL.
pub(crate) async fn postgres(server: &Postgres, count: &AtomicU32) -> PostgresStore {
    let schema = format!("s{}", count.fetch_add(1, Ordering::SeqCst));
    execute(server, &format!("CREATE SCHEMA {schema}")).await;
    let url = format!("{}?options=-csearch_path%3D{schema}", server.url());
    PostgresStore::open(&Place { moment: Moment::Caller, ..patient(url) }).await.unwrap()
}

/// A place whose server may take its time: sixty-four callers on a busy machine wait for eight connections.
pub(crate) fn patient(url: impl Into<String>) -> Place {
    Place { patience: Duration::from_secs(30), ..Place::new(url) }
}

/// Asks the database itself, beside the store.
pub(crate) async fn execute(server: &Postgres, sql: &str) {
    let options: sqlx::postgres::PgConnectOptions = server.url().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn is_granted(counters: &dyn CounterStore, holder: &str, rate: Rate, now: Timestamp) -> bool {
    counters.try_acquire(&LimitKey::new("r", holder), rate, now).await.unwrap().is_granted()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_the_contract() {
    let (server, count) = (Valkey::start(), AtomicU32::new(0));
    assert_counter_store(async || redis(&server, &count).await).await;
    assert_once_store(async || redis(&server, &count).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_the_contract() {
    let (server, count) = (Postgres::start(), AtomicU32::new(0));
    assert_counter_store(async || postgres(&server, &count).await).await;
    assert_once_store(async || postgres(&server, &count).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_the_contract_of_factors() {
    let (server, count) = (Postgres::start(), AtomicU32::new(0));
    assert_factor_store(async || postgres(&server, &count).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_the_contract_of_sessions() {
    let (server, count) = (Postgres::start(), AtomicU32::new(0));
    assert_session_store(async || postgres(&server, &count).await).await;
}

/// One call: how long after the one before, and the rules it has to pass with their costs.
type Call = (i64, Vec<(usize, bool, u32)>);

/// What every rule of the property test allows: small ones that run out, odd ones that do not divide, huge ones.
fn rates() -> [Rate; 5] {
    [
        rate(3, Duration::from_millis(700)),
        rate(7, Duration::from_secs(1)),
        rate(600, Duration::from_secs(1)),
        rate(u32::MAX, Duration::from_millis(1)),
        rate(4_000_000_000, Duration::MAX),
    ]
}

async fn answers(counters: &dyn CounterStore, run: &str, calls: &[Call]) -> Vec<Vec<Acquired>> {
    let (mut now, mut answers) = (NOW.as_millis(), Vec::new());
    for (gap, wants) in calls {
        now = now.saturating_add_signed(*gap);
        let ask = |(rule, windowed, cost): &(usize, bool, u32)| {
            let algorithm = if *windowed { Algorithm::SlidingWindow } else { Algorithm::Gcra };
            let key = LimitKey { index: *rule, ..LimitKey::new("property", run) };
            Ask { algorithm, cost: (*cost).try_into().unwrap(), ..Ask::new(key, *rates().get(*rule).unwrap()) }
        };
        let mut asks: Vec<Ask<'_>> = wants.iter().map(ask).collect();
        counters.acquire_all(&mut asks, Timestamp::from_millis(now)).await.unwrap();
        answers.push(asks.iter().map(|ask| ask.outcome).collect());
    }
    answers
}

#[test]
fn redis_answers_as_memory_does_whatever_is_asked() {
    let runtime = Runtime::new().unwrap();
    let server = Valkey::start();
    let store = runtime.block_on(redis(&server, &AtomicU32::new(0)));
    let run = AtomicU32::new(0);
    let gap = prop_oneof![8 => 0_i64..400, 2 => 400_i64..5_000, 1 => -3_000_i64..0];
    let cost = prop_oneof![4 => 1_u32..4, 1 => 1_u32..900, 1 => any::<u32>().prop_map(|cost| cost.max(1))];
    let wants = prop::collection::btree_map((0..rates().len(), any::<bool>()), cost, 1..4)
        .prop_map(|wants| wants.into_iter().map(|((rule, windowed), cost)| (rule, windowed, cost)).collect());
    let calls = prop::collection::vec((gap, wants), 1..60);
    TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(200) })
        .run(&calls, |calls: Vec<Call>| {
            let run = run.fetch_add(1, Ordering::SeqCst).to_string();
            let expect = runtime.block_on(answers(&MemoryCounters::default(), &run, &calls));
            prop_assert_eq!(runtime.block_on(answers(&store, &run, &calls)), expect);
            Ok(())
        })
        .unwrap();
}

/// Two gateways whose clocks are an hour apart, on one server: a limit stays what it is, and what was used stays used.
async fn clocks_that_differ_do_not_matter(url: &str) {
    let (one, other) = (open(url).await.unwrap(), open(url).await.unwrap());
    let now = [NOW, NOW.plus(HOUR)];
    for algorithm in [Algorithm::Gcra, Algorithm::SlidingWindow] {
        let mut granted = 0;
        for _ in 0..10 {
            for (stores, now) in [&one, &other].into_iter().zip(now) {
                let mut asks = [Ask { algorithm, ..Ask::new(LimitKey::new("r", "skew"), rate(6, 24 * HOUR)) }];
                stores.counters.acquire_all(&mut asks, now).await.unwrap();
                granted += usize::from(asks[0].outcome.is_granted());
            }
        }
        assert_eq!(granted, 6, "{algorithm:?}");
    }
    let key = OnceKey::new("dpop", "jti");
    assert_eq!(one.once.take(&key, HOUR / 2, now[0]).await.unwrap(), Taken::First);
    assert_eq!(other.once.take(&key, HOUR / 2, now[1]).await.unwrap(), Taken::Again);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_counts_by_its_own_clock() {
    let server = Valkey::start();
    clocks_that_differ_do_not_matter(&server.url()).await;
    let socket = format!("redis+unix://{}?pass={}&db=1", server.socket().display(), Valkey::PASSWORD);
    clocks_that_differ_do_not_matter(&socket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_counts_by_its_own_clock() {
    let server = Postgres::start();
    clocks_that_differ_do_not_matter(&server.url()).await;
}

#[tokio::test]
async fn a_server_that_lets_nobody_in_is_told_of_without_the_password() {
    let (valkey, postgres) = (Valkey::start(), Postgres::start());
    let apart = |url: String, password: &str| Place { password: Some(Secret::new(password)), ..Place::new(url) };
    assert!(open_at(&apart(valkey.bare_url(), Valkey::PASSWORD)).await.is_ok());
    assert!(open_at(&apart(postgres.url_of("x"), Postgres::PASSWORD)).await.is_ok());
    // A user with the rights that the guide names, and with no others.
    let rights = "+evalsha +eval +script|load +get +set +time +ping +select";
    valkey.command(&format!("ACL SETUSER palisade on >pale ~palisade:* {rights}"));
    let user = Some("palisade".to_owned());
    let stores = open_at(&Place { user, ..apart(valkey.bare_url(), "pale") }).await.unwrap();
    assert!(is_granted(&*stores.counters, "a", rate(1, HOUR), NOW).await);
    assert_eq!(stores.once.take(&OnceKey::new("p", "k"), HOUR, NOW).await.unwrap(), Taken::First);
    let nobody = "redis://:hunter2@127.0.0.1:1/0".to_owned();
    for place in [
        apart(valkey.bare_url(), "hunter2"),
        apart(postgres.url_of("hunter2"), "hunter2"),
        Place::new(postgres.url_of("hunter2")),
        Place::new(valkey.url().replace(Valkey::PASSWORD, "hunter2")),
        Place::new(nobody),
    ] {
        let error = open_at(&place).await.unwrap_err();
        assert!(matches!(error, OpenError::Server { .. }), "{error:?}");
        let told = format!("{error} {error:?} {place:?}");
        assert!(!told.contains("hunter2") && error.to_string().contains("127.0.0.1"), "{told}");
    }
}

/// Kills the server under load and brings it back: no call waits for it to be back, and calls succeed again.
async fn comes_back(stores: Stores, kill: impl FnOnce(), restart: impl FnOnce()) {
    let counters = Arc::clone(&stores.counters);
    let bound = Duration::from_millis(500);
    let ask = move |holder: u32| {
        let counters = Arc::clone(&counters);
        async move {
            let begun = Instant::now();
            let holder = holder.to_string();
            let key = LimitKey::new("r", &holder);
            let call = counters.try_acquire(&key, rate(1_000_000, HOUR), NOW);
            let answer = tokio::time::timeout(bound, call).await;
            (matches!(answer, Ok(Ok(_))), begun.elapsed())
        }
    };
    let burst = async |ask: &dyn Fn(u32) -> _| {
        let mut calls = JoinSet::new();
        (0..50).for_each(|n| drop(calls.spawn(ask(n))));
        let answers = calls.join_all().await;
        let slowest = answers.iter().map(|(_, took)| *took).max().unwrap_or_default();
        assert!(slowest < 10 * bound, "{slowest:?}");
        answers.iter().filter(|(answered, _)| *answered).count()
    };
    // A machine that is busy may need some time to connect.
    let until_all_are_answered = async || {
        let begun = Instant::now();
        while burst(&ask).await < 50 {
            assert!(begun.elapsed() < Duration::from_secs(10), "the store does not answer");
        }
    };
    until_all_are_answered().await;
    kill();
    assert_eq!(burst(&ask).await, 0);
    restart();
    until_all_are_answered().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_that_was_killed_comes_back_with_its_scripts() {
    let mut server = Valkey::start();
    let stores = open(&server.url()).await.unwrap();
    let cell = std::cell::RefCell::new(&mut server);
    comes_back(stores, || cell.borrow_mut().kill(), || cell.borrow_mut().restart()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_that_was_frozen_goes_on() {
    let server = Valkey::start();
    let stores = open(&server.url()).await.unwrap();
    comes_back(stores, || server.freeze(), || server.thaw()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_that_was_killed_comes_back_with_what_was_used() {
    let mut server = Postgres::start();
    let stores = open(&server.url()).await.unwrap();
    let key = OnceKey::new("dpop", "jti");
    assert_eq!(stores.once.take(&key, HOUR, NOW).await.unwrap(), Taken::First);
    let once = Arc::clone(&stores.once);
    let cell = std::cell::RefCell::new(&mut server);
    comes_back(stores, || cell.borrow_mut().kill(), || cell.borrow_mut().restart()).await;
    assert_eq!(once.take(&key, HOUR, NOW).await.unwrap(), Taken::Again);
}

#[tokio::test]
async fn a_damaged_record_is_an_error_and_not_a_full_budget() {
    let (valkey, postgres) = (Valkey::start(), Postgres::start());
    let stores = open(&postgres.url()).await.unwrap();
    assert!(is_granted(&*stores.counters, "a", rate(1, HOUR), NOW).await);
    execute(&postgres, "ALTER TABLE palisade_tally DROP CONSTRAINT palisade_tally_at_check").await;
    execute(&postgres, "UPDATE palisade_tally SET at = -5").await;
    assert!(stores.counters.try_acquire(&LimitKey::new("r", "a"), rate(1, HOUR), NOW).await.is_err());
    assert!(is_granted(&*stores.counters, "b", rate(1, HOUR), NOW).await, "the store goes on with other keys");

    let stores = open(&valkey.url()).await.unwrap();
    assert!(is_granted(&*stores.counters, "a", rate(1, HOUR), NOW).await);
    valkey.command("EVAL \"for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('SET', key, '-5') end\" 0");
    let answer = stores.counters.try_acquire(&LimitKey::new("r", "a"), rate(1, HOUR), NOW).await;
    assert!(matches!(answer, Err(palisade_core::port::StoreError::Damaged { .. })), "{answer:?}");
    assert!(is_granted(&*stores.counters, "b", rate(1, HOUR), NOW).await, "the store goes on with other keys");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_schema_is_made_once_and_a_newer_one_is_refused() {
    let server = Postgres::start();
    let mut opening = JoinSet::new();
    for _ in 0..4 {
        let url = server.url();
        opening.spawn(async move { open(&url).await.map(drop) });
    }
    for opened in opening.join_all().await {
        opened.unwrap();
    }
    execute(&server, "INSERT INTO palisade_schema_version VALUES (99)").await;
    let error = open(&server.url()).await.unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, known: 9, .. }), "{error:?}");
}
