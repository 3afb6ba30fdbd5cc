//! Refreshes in a second: find a family, make one conditional step, wait until it is durable.
//!
//! `cargo bench -p palisade-store --bench refresh`. What the rule adds to it, two HMACs, is a microsecond. The figures for
//! one core divide by the processor time that this process has used, and by that of all processes of the PostgreSQL
//! server besides.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "a benchmark prints what it has measured")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_core::id::{ClientId, UserId};
use palisade_core::port::refresh::{Family, FamilyId, Grace, Grant, Outcome, Presented, Turn};
use palisade_core::port::{Clock as _, RefreshStore};
use palisade_store::Place;
use palisade_store::clock::SystemClock;
use palisade_store::records::Records;
use palisade_testkit::dir::TempDir;
use palisade_testkit::server::Postgres;
use tokio::task::JoinSet;

/// How long each store is measured, and how many clients wait at once.
const SPAN: Duration = Duration::from_secs(4);
const CLIENTS: [u32; 3] = [1, 32, 256];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (dir, durable, hasty) = (TempDir::new(), Postgres::start_durable(), Postgres::start());
        let sqlite = format!("sqlite:{}", dir.path().join("palisade.db").display());
        let stores = [
            ("memory", "memory:".to_owned(), None),
            ("SQLite, synchronous=FULL", sqlite, None),
            ("PostgreSQL, on this machine, fsync=on", durable.url(), Some(&durable)),
            ("PostgreSQL, on this machine, fsync=off", hasty.url(), Some(&hasty)),
        ];
        for (name, url, server) in stores {
            let place = Place { patience: Duration::from_secs(10), ..Place::new(url) };
            let records = Records::open(&place).await.unwrap();
            for clients in CLIENTS {
                measure(name, &records.refresh, clients, server).await;
            }
        }
    });
}

async fn measure(name: &str, store: &Arc<dyn RefreshStore>, clients: u32, server: Option<&Postgres>) {
    let of_server = || server.map_or(0.0, |server| server.processor_time().as_secs_f64());
    let mut families = Vec::new();
    for client in 0..clients {
        let (now, grant) = (SystemClock.now(), Grant::new(ClientId::new("app"), UserId::new(format!("u-{client}"))));
        let id = FamilyId::from_bytes((u128::from(clients) << 64 | u128::from(client)).to_be_bytes());
        let (salt, key, idle, until) = ([7; 16], "k".into(), Duration::from_secs(3600), now.plus(2 * SPAN * 3600));
        let family = Family { id, salt, key, grant, begun: now, idle, until };
        store.begin(&family, now).await.unwrap();
        families.push(id);
    }
    let (begun, cpu, served) = (Instant::now(), processor_time(), of_server());
    let mut tasks = JoinSet::new();
    for id in families {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let mut generation = 0;
            while begun.elapsed() < SPAN {
                assert!(store.find(id).await.unwrap().is_some());
                let presented = Presented { generation, turn: Turn::Rotate, grace: Grace::default() };
                let outcome = store.redeem(id, presented, SystemClock.now()).await.unwrap();
                generation += 1;
                assert_eq!(outcome, Outcome::Rotated { generation });
            }
            u64::from(generation)
        });
    }
    let done: u64 = tasks.join_all().await.into_iter().sum();
    let (wall, cpu, served) = (begun.elapsed().as_secs_f64(), processor_time() - cpu, of_server() - served);
    println!(
        "{name}, {clients} clients: {:.0} refreshes/s, {:.0} per core of this process ({:.0} us each)",
        per(done, wall),
        per(done, cpu),
        1e6 / per(done, cpu),
    );
    if server.is_some() {
        println!(
            "    {:.0} per core incl. server ({:.0} us each)",
            per(done, cpu + served),
            1e6 / per(done, cpu + served)
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn per(count: u64, secs: f64) -> f64 {
    count as f64 / secs.max(0.01)
}

/// Seconds of processor time that this process has used (proc(5): fields 14 and 15, in hundredths).
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks: u32 = after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u32>().unwrap()).sum();
    f64::from(ticks) / 100.0
}
