//! The context is what every probe works with: the surface, the sessions, the client and what was learned so far.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::docket::Trail;
use crate::exchange::{Answer, Call};
use crate::finding::Label;
use crate::memory::Memory;
use crate::plan::Plan;
use crate::scope::{ScopedClient, SendError, is_dangerous};
use crate::session::Session;
use crate::sink::Sink;
use crate::surface::template::{plain, singular, stem};
use crate::surface::{Endpoint, Parameter, Place, Surface, Values};

/// What every probe works with.
pub(crate) struct Context<'r> {
    pub(crate) plan: &'r Plan,
    /// The plan's surface or, after legitimate use, what that has made of it.
    pub(crate) surface: &'r Surface,
    pub(crate) client: ScopedClient,
    pub(crate) sessions: Vec<Session>,
    pub(crate) memory: Memory,
    pub(crate) sink: Sink,
    /// What markers are made from, of 32 bits.
    pub(crate) seed: u64,
    markers: AtomicU32,
}

impl<'r> Context<'r> {
    pub(crate) fn new(plan: &'r Plan, client: ScopedClient, sessions: Vec<Session>, sink: Sink) -> Self {
        // Markers of two runs must differ, for the first one's may still be stored.
        let seed = plan.seed.unwrap_or_else(fresh_seed) & 0xffff_ffff;
        Self {
            plan,
            surface: &plan.surface,
            client,
            sessions,
            memory: Memory::default(),
            sink,
            seed,
            markers: AtomicU32::new(0),
        }
    }

    pub(crate) fn surface(&self) -> &'r Surface {
        self.surface
    }

    /// Sends a call and notes the exchange.
    pub(crate) async fn send(&self, trail: &mut Trail, label: Label, call: &Call) -> Result<Answer, SendError> {
        // What is under way is brought to its end and put back, but nothing new begins.
        if label == Label::Attack
            && !trail.has_attacked()
            && let Some(stopped) = self.client.stopped()
        {
            return Err(stopped);
        }
        let answer = self.client.send(call).await?;
        trail.note(self.client.base(), label, call, &answer);
        Ok(answer)
    }

    /// A call of an operation by a session, or by nobody.
    pub(crate) fn call(
        &self,
        endpoint: &Endpoint,
        values: &Values,
        body: Option<Value>,
        session: Option<usize>,
    ) -> Call {
        let mut call = Call::new(endpoint.method.clone(), endpoint.path(values));
        call.headers = values.headers.iter().map(|(name, value)| (name.clone().into(), value.clone())).collect();
        call.body = self.surface().payload(endpoint, values, body);
        if let Some(session) = session.and_then(|session| self.sessions.get(session)) {
            call.credential = session.credential();
        }
        call
    }

    /// A text that nobody else has sent.
    pub(crate) fn marker(&self) -> String {
        let number = self.markers.fetch_add(1, Ordering::Relaxed);
        format!("plsd{:08x}{number}", self.seed)
    }

    pub(crate) fn name(&self, session: Option<usize>) -> &str {
        session.and_then(|session| self.sessions.get(session)).map_or("nobody", |session| &session.name)
    }

    /// The sessions that may call an operation: what could lock somebody out, only accounts that the run has made.
    pub(crate) fn eligible(&self, endpoint: &Endpoint) -> Vec<usize> {
        let is_protected = is_dangerous(endpoint);
        let may = |(at, session): (usize, &Session)| {
            (session.has_any(&endpoint.roles) && (session.is_throwaway() || !is_protected)).then_some(at)
        };
        self.sessions.iter().enumerate().filter_map(may).collect()
    }

    /// The session for an ordinary call: nobody where nobody is asked for.
    pub(crate) fn caller(&self, endpoint: &Endpoint) -> Option<usize> {
        if endpoint.is_public { None } else { self.eligible(endpoint).first().copied() }
    }

    /// Pairs of a victim and an attacker who have the same roles, none of which is exempt from ownership.
    pub(crate) fn peers(&self, endpoint: &Endpoint) -> Vec<(usize, usize)> {
        let is_bound = |session: &Session| !session.roles.iter().any(|role| endpoint.owner.exempt.contains(role));
        let is_protected = is_dangerous(endpoint);
        let is_spared = |session: &Session| is_protected && !session.is_throwaway();
        let mut pairs = Vec::new();
        for (victim, one) in self.sessions.iter().enumerate() {
            for (attacker, other) in self.sessions.iter().enumerate() {
                let are_peers = one.roles == other.roles && is_bound(one) && is_bound(other);
                if victim != attacker
                    && are_peers
                    && one.has_any(&endpoint.roles)
                    && !is_spared(one)
                    && !is_spared(other)
                {
                    pairs.push((victim, attacker));
                }
            }
        }
        // The first identity is the attacker of the story.
        pairs.sort_by_key(|(_, attacker)| *attacker);
        pairs
    }

    /// Values for an operation that a session has seen, whatever the contract's examples are.
    pub(crate) fn learned_values(&self, endpoint: &Endpoint, session: usize) -> Vec<Values> {
        let sample = self.surface().sample_values(endpoint);
        let mut options = vec![sample.clone(), sample];
        for parameter in endpoint.path_parameters() {
            let mut found = self.memory.seen_by(session, endpoint, parameter);
            if found.is_empty() {
                found = self.memory.seen(endpoint, parameter);
            }
            for (at, values) in options.iter_mut().enumerate() {
                if let Some(value) = found.get(at).or(found.last()) {
                    *values = std::mem::take(values).with_path(&parameter.name, value);
                }
            }
        }
        for parameter in endpoint.parameters.iter().filter(|one| one.is_required && one.example.is_none()) {
            let found = self.named(endpoint, parameter, session);
            for (at, values) in options.iter_mut().enumerate() {
                let Some(value) = found.get(at).or(found.last()) else { continue };
                match parameter.place {
                    Place::Query => *values = std::mem::take(values).with_query(&parameter.name, value),
                    Place::Header => *values = std::mem::take(values).with_header(&parameter.name, value),
                    Place::Cookie | Place::Path => {}
                }
            }
        }
        options.dedup();
        options
    }

    /// What a session has seen that a parameter outside the path names, when it names a thing.
    fn named(&self, endpoint: &Endpoint, parameter: &Parameter, session: usize) -> Vec<String> {
        let name = parameter.name.strip_prefix("X-").unwrap_or(&parameter.name);
        if parameter.place == Place::Path || stem(name).is_none() && plain(name) != "id" {
            return Vec::new();
        }
        self.memory.seen_by(session, endpoint, &Parameter { name: name.to_owned(), ..parameter.clone() })
    }

    /// A body for an operation, in which the ids of other things are those that a session has seen.
    pub(crate) fn body_for(&self, endpoint: &Endpoint, session: Option<usize>) -> Option<Value> {
        let mut body = self.surface().sample_body(endpoint)?;
        let declared = endpoint.body.as_ref().filter(|body| body.example.is_none());
        let schemas = declared.map(|body| self.surface().properties(&body.schema)).unwrap_or_default();
        let mut used: Vec<String> = Vec::new();
        for (name, schema) in schemas {
            let given = self.surface().resolve(schema);
            let is_given = ["example", "default", "enum", "const"].iter().any(|key| given.get(*key).is_some());
            let Some(place) = body.get_mut(name).filter(|value| !is_given && !value.is_object() && !value.is_array())
            else {
                continue;
            };
            let Some(named) = self.thing(name) else { continue };
            let parameter = Parameter {
                name: named,
                place: Place::Query,
                is_required: true,
                schema: schema.clone(),
                example: None,
            };
            let own = session.map(|session| self.memory.seen_by(session, endpoint, &parameter)).unwrap_or_default();
            // What goes from one thing to another needs two of them.
            let seen = own.into_iter().chain(self.memory.seen(endpoint, &parameter)).collect::<Vec<_>>();
            let other = seen.iter().find(|value| !used.contains(value)).filter(|_| is_destination(name));
            if let Some(value) = other.or(seen.first()).cloned() {
                used.push(value.clone());
                *place = self.surface().typed(schema, &value);
            }
        }
        Some(body)
    }

    /// The name under which a property names a thing: `orderId` as it is, and `fromAccount` where there are accounts.
    fn thing(&self, name: &str) -> Option<String> {
        if stem(name).is_some() {
            return Some(name.to_owned());
        }
        let plain = plain(name);
        let starts = ["beneficiary", "dest", "destination", "from", "recipient", "sender", "source", "target", "to"];
        let rest = starts.iter().filter_map(|start| plain.strip_prefix(start)).min_by_key(|rest| rest.len())?;
        let mut segments = self.surface().endpoints.iter().flat_map(|endpoint| endpoint.template.split('/'));
        let is_known = rest.len() > 2 && segments.any(|segment| singular(segment) == singular(rest));
        is_known.then(|| format!("{rest}_id"))
    }

    /// Values for an operation that name what belongs to a session, the likeliest first.
    pub(crate) fn values_of(&self, endpoint: &Endpoint, session: usize) -> Vec<Values> {
        let Some(owner) = self.sessions.get(session) else { return Vec::new() };
        let sample = self.surface().sample_values(endpoint);
        let mut options = vec![sample.clone(), sample.clone(), sample];
        for parameter in endpoint.path_parameters() {
            let claimed = endpoint.owning_claim(&parameter.name).and_then(|claim| owner.claim(claim));
            let found = match claimed {
                Some(value) => vec![value],
                None if endpoint.is_owned() => self.memory.seen_by(session, endpoint, parameter),
                None if parameter.example.is_none() => {
                    let mut found = self.memory.seen_by(session, endpoint, parameter);
                    let others = self.memory.seen(endpoint, parameter);
                    found.extend(others.into_iter().filter(|_| found.is_empty()).collect::<Vec<_>>());
                    found
                }
                None => Vec::new(),
            };
            for (at, values) in options.iter_mut().enumerate() {
                if let Some(value) = found.get(at).or(found.last()) {
                    *values = std::mem::take(values).with_path(&parameter.name, value);
                }
            }
        }
        options.dedup();
        options
    }
}

/// A seed that no other run has.
pub(crate) fn fresh_seed() -> u64 {
    RandomState::new().build_hasher().finish() & 0xffff_ffff
}

/// `toAccount` and `recipient_id`, beside the one that something is taken from.
fn is_destination(name: &str) -> bool {
    let rest = name.strip_prefix("to").unwrap_or_default();
    let is_to = rest.starts_with(|next: char| next == '_' || next.is_uppercase());
    let name = name.to_lowercase();
    is_to || ["beneficiary", "dest", "receiver", "recipient", "target"].iter().any(|word| name.contains(word))
}
