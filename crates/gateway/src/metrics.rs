//! The numbers of a running gateway, in the text format of OpenMetrics.
//!
//! Labels are routes, operations, stages and codes: all from files or catalogues, so that no stranger can make a new
//! time series. There is none for a client, a path or a user; those are in the events.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use palisade::stage::cache::CacheNumbers;
use palisade_core::id::{OperationId, RouteName};
use palisade_core::stage::StageId;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::admin::Office;
use crate::inventory::{BOUNDS, Counts};
use crate::reload::Kept;
use crate::upstream::Forward;

/// The media type of what [`text`] makes.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All numbers as they are now.
pub(crate) fn text(office: &Arc<Office>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Numbers(Arc::clone(office))));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

struct Numbers(Arc<Office>);

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Numbers")
    }
}

type Labels<'a> = Vec<(&'static str, &'a str)>;

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Office { live, seen, open, .. } = &*self.0;
        let operations = seen.operations();
        let requests = operations.iter().flat_map(|((route, operation), counts)| {
            CLASSES.iter().zip(&counts.classes).map(move |(class, number)| {
                let labels = vec![("route", name(route)), ("operation", operation_name(operation)), ("status", *class)];
                (labels, number.load(Ordering::Relaxed))
            })
        });
        let requests = requests.filter(|(_, number)| *number > 0);
        counters(&mut encoder, "palisade_requests", "Requests by route, operation and class of status.", requests)?;
        histogram(&mut encoder, operations.iter().map(|((route, _), counts)| (name(route), &**counts)))?;
        let refused = seen.refused();
        let refused = refused.iter().map(|((code, stage), number)| {
            (vec![("code", code.slug()), ("stage", stage.map_or("", StageId::as_str))], *number)
        });
        counters(&mut encoder, "palisade_refusals", "Refused requests by code and stage.", refused)?;
        let noted = seen.noted();
        let noted = noted.iter().map(|(kind, number)| (vec![("kind", kind.as_str())], *number));
        counters(&mut encoder, "palisade_events", "Security events by kind, without `access`.", noted)?;
        let lost = [(Vec::new(), live.world.events.lost())];
        counters(&mut encoder, "palisade_events_dropped", "Events that the log could not keep up with.", lost)?;
        let history = live.history();
        let reloads = [(Vec::new(), history.succeeded)];
        counters(&mut encoder, "palisade_reload", "Reloads that put a new policy in force.", reloads)?;
        let failed = [(Vec::new(), history.failed)];
        counters(&mut encoder, "palisade_reload_failed", "Reloads that changed nothing.", failed)?;
        let policy = live.policy.load();
        if let Some(feed) = live.feed.get() {
            let behind = [(Vec::new(), feed.behind(live.world.clock.now()).as_secs())];
            let help = "Since when it is not known which tokens were taken back, in seconds.";
            gauges(&mut encoder, "palisade_revocations_behind_seconds", help, behind)?;
        }
        let open = [(Vec::new(), u64::try_from(open.now()).unwrap_or(u64::MAX))];
        gauges(&mut encoder, "palisade_connections", "Connections of clients that are open.", open)?;
        let circuits = policy
            .kept
            .breakers()
            .map(|(name, breaker)| (vec![("upstream", name)], u64::from(breaker.state() == "open")));
        gauges(&mut encoder, "palisade_circuit_open", "Whether a backend is left alone now.", circuits)?;
        caches(&mut encoder, &policy.kept)?;
        endpoints(&mut encoder, &policy.forward)?;
        let since = [(vec![("policy", policy.version.as_str())], policy.since.as_secs())];
        gauges(&mut encoder, "palisade_policy_since_seconds", "Since when the policy is in force.", since)
    }
}

/// What is given again without asking, by route.
fn caches(encoder: &mut DescriptorEncoder<'_>, kept: &Kept) -> fmt::Result {
    let all: Vec<(&str, CacheNumbers)> = kept.caches().map(|(route, store)| (route, store.numbers())).collect();
    if all.is_empty() {
        return Ok(());
    }
    let rows = |of: fn(&CacheNumbers) -> u64| {
        all.iter().map(move |(route, numbers)| (vec![("route", *route)], of(numbers))).collect::<Vec<_>>()
    };
    counters(encoder, "palisade_cache_hits", "Answers that were given again.", rows(|numbers| numbers.hits))?;
    counters(
        encoder,
        "palisade_cache_misses",
        "Requests that had to ask the backend.",
        rows(|numbers| numbers.misses),
    )?;
    counters(encoder, "palisade_cache_stale", "Stale answers that were given again.", rows(|numbers| numbers.stale))?;
    gauges(encoder, "palisade_cache_bytes", "The memory that kept answers take.", rows(|numbers| numbers.bytes))
}

/// Which places of the backends get requests.
fn endpoints(encoder: &mut DescriptorEncoder<'_>, forward: &Forward) -> fmt::Result {
    let status = forward.status();
    let rows = status.iter().flat_map(|(upstream, status)| {
        status.endpoints.iter().map(move |endpoint| {
            let labels = vec![("upstream", &**upstream), ("endpoint", &*endpoint.name)];
            (labels, u64::from(endpoint.healthy && endpoint.ejected_for.is_none()))
        })
    });
    let help = "Whether the health check is content with a place of a backend and it has not failed too often.";
    gauges(encoder, "palisade_upstream_endpoint_healthy", help, rows)
}

fn counters<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = (Labels<'a>, u64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, number) in rows {
        match labels.is_empty() {
            true => metric.encode_counter::<NoLabelSet, u64, f64>(&number, None)?,
            false => metric.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, f64>(&number, None)?,
        }
    }
    Ok(())
}

fn gauges<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = (Labels<'a>, u64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, number) in rows {
        match labels.is_empty() {
            true => metric.encode_gauge(&number)?,
            false => metric.encode_family(&labels)?.encode_gauge(&number)?,
        }
    }
    Ok(())
}

/// How long requests took until their answer began. By route only: twelve numbers for each operation are too many.
fn histogram<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    operations: impl Iterator<Item = (&'a str, &'a Counts)>,
) -> fmt::Result {
    let mut routes: std::collections::BTreeMap<&str, ([u64; BOUNDS.len() + 1], u64)> = Default::default();
    for (route, counts) in operations {
        let (spans, millis) = routes.entry(route).or_default();
        for (sum, span) in spans.iter_mut().zip(&counts.spans) {
            *sum += span.load(Ordering::Relaxed);
        }
        *millis += counts.millis.load(Ordering::Relaxed);
    }
    let help = "How long requests took until their answer began.";
    let name = "palisade_request_duration_seconds";
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (route, (spans, millis)) in routes {
        let bounds = BOUNDS.iter().map(|bound| seconds(*bound)).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(spans).collect();
        let labels = vec![("route", route)];
        let mut family = metric.encode_family(&labels)?;
        family.encode_histogram::<NoLabelSet>(seconds(millis), spans.iter().sum(), &buckets, None)?;
    }
    Ok(())
}

fn seconds(millis: u64) -> f64 {
    std::time::Duration::from_millis(millis).as_secs_f64()
}

/// The label of a request that reached no route.
fn name(route: &Option<RouteName>) -> &str {
    route.as_ref().map_or("", RouteName::as_str)
}

fn operation_name(operation: &Option<OperationId>) -> &str {
    operation.as_ref().map_or("", OperationId::as_str)
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
