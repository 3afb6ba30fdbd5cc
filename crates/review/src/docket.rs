//! A docket collects what a probe does: the exchanges of one attempt, and what the attempts came to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::exchange::{Answer, Call};
use crate::finding::{Aim, Confidence, Exchange, Finding, Label, Place, Site};
use crate::mask::Carried;
use crate::proof::{self, Check, Seen};
use crate::report::{RowResult, Verdict};
use crate::row::Row;
use crate::rule::Rule;

/// The exchanges of one attempt, in order, with the whole answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trail {
    exchanges: Vec<Exchange>,
    /// Why one of the requests was not made.
    withheld: Option<String>,
    answers: Vec<Arc<Answer>>,
    /// How often the first attack was made, when it was made in a row and not all of it is here.
    burst: Option<u32>,
}

impl Trail {
    /// Whether an attack was made.
    pub(crate) fn has_attacked(&self) -> bool {
        self.exchanges.iter().any(|exchange| exchange.label == Label::Attack)
    }

    /// The attack was made so often in a row.
    pub(crate) fn repeat(&mut self, times: u32) {
        self.burst = Some(times);
    }

    pub(crate) fn note(&mut self, base: &str, label: Label, call: &Call, answer: &Answer) {
        if let Some(why) = answer.why_withheld() {
            self.withheld.get_or_insert_with(|| why.to_owned());
        }
        let carried = Carried::by(call);
        self.exchanges.push(Exchange {
            label,
            request: carried.request(call.summary(base)),
            status: answer.status.as_u16(),
            response: carried.answer(answer),
            response_headers: carried.headers(&answer.headers),
            blocked_by: answer.blocked_by(),
            timing: answer.timing,
            fingerprint: None,
            aim: None,
        });
        self.answers.push(Arc::new(answer.clone()));
    }

    /// What has to be so again for the same to be shown again.
    fn proof(&self, rule: &Rule, summary: &str) -> Vec<Check> {
        if let Some(times) = self.burst {
            let attack = self.exchanges.iter().position(|exchange| exchange.label == Label::Attack);
            return attack.into_iter().map(|exchange| Check::Burst { exchange, times }).collect();
        }
        let seen: Vec<Seen<'_>> = self
            .exchanges
            .iter()
            .zip(&self.answers)
            .map(|(exchange, answer)| Seen { label: exchange.label, request: &exchange.request, answer })
            .collect();
        proof::derive(rule.slug, summary, &seen)
    }
}

/// What the attempts of one probe came to.
#[derive(Debug, Default)]
pub(crate) struct Docket {
    findings: Vec<Finding>,
    withstood: Vec<Exchange>,
    codes: BTreeMap<String, usize>,
    reason: Option<String>,
    skipped: Option<String>,
    /// The operations that something was tried on.
    tested: BTreeSet<String>,
}

impl Docket {
    /// The operations that something was tried on.
    pub(crate) fn tested(&self) -> &BTreeSet<String> {
        &self.tested
    }

    /// The attack got through, and everything needed to say so is in the trail.
    pub(crate) fn prove(&mut self, rule: &Rule, site: Site<'_>, summary: String, trail: Trail) {
        if let Some(why) = trail.withheld {
            return self.skip(why);
        }
        self.add(finding_of(rule, site, summary, trail));
    }

    /// The attack got through, but something keeps it from doing harm, or from being sure.
    pub(crate) fn suspect(&mut self, rule: &Rule, site: Site<'_>, summary: String, trail: Trail) {
        if let Some(why) = trail.withheld {
            return self.skip(why);
        }
        let finding = finding_of(rule, site, summary, trail);
        self.add(finding.with_confidence(Confidence::Suspect));
    }

    /// Something is possible of which only the owner of the API knows whether it is meant.
    pub(crate) fn ask(&mut self, rule: &Rule, site: Site<'_>, summary: String, trail: Trail) {
        if let Some(why) = trail.withheld {
            return self.skip(why);
        }
        let finding = finding_of(rule, site, summary, trail);
        self.add(finding.with_confidence(Confidence::Question));
    }

    /// Nothing was tried, and something should be asked.
    pub(crate) fn question(&mut self, rule: &Rule, site: Site<'_>, summary: String) {
        let tested = self.tested.clone();
        self.add(finding_of(rule, site, summary, Trail::default()).with_confidence(Confidence::Question));
        self.tested = tested;
    }

    /// One cause is one finding, however many payloads show it and wherever they go in.
    fn add(&mut self, finding: Finding) {
        self.tested.insert(finding.operation.clone());
        match self.findings.iter_mut().find(|known| known.fingerprint == finding.fingerprint) {
            None => self.findings.push(finding),
            // What is proved somewhere is not doubtful because of somewhere else.
            Some(known) if known.confidence < finding.confidence => {
                let known = std::mem::replace(known, finding);
                self.add(known);
            }
            Some(known) => {
                let place =
                    Place { operation: finding.operation, insertion: finding.insertion, summary: finding.summary };
                let is_known =
                    |other: &Place| (&other.operation, &other.insertion) == (&place.operation, &place.insertion);
                if !is_known(&known.place()) && !known.also.iter().any(is_known) {
                    known.also.push(place);
                }
                for place in finding.also {
                    if !known.also.contains(&place) {
                        known.also.push(place);
                    }
                }
            }
        }
    }

    /// The attack was made and did not get through.
    pub(crate) fn withstand(&mut self, rule: &Rule, site: Site<'_>, reason: impl Into<String>, trail: Trail) {
        if let Some(why) = trail.withheld {
            return self.skip(why);
        }
        // A gateway that has given the backend up has not judged the request.
        if trail.exchanges.iter().any(|one| one.label == Label::Attack && one.blocked_by.as_deref() == Some(GIVEN_UP)) {
            return self.skip("the gateway had given its backend up, so that nothing was tried");
        }
        self.tested.insert(site.operation.to_owned());
        self.reason.get_or_insert_with(|| reason.into());
        let fingerprint = site.fingerprint(rule);
        let (operation, insertion) = (site.operation.to_owned(), site.insertion.to_owned());
        let aim = Aim { rule: rule.slug, operation, insertion };
        let known = self.withstood.iter().filter(|one| one.aim.as_ref() == Some(&aim)).count();
        let mut room = MAXIMUM_ALIKE.saturating_sub(known);
        for mut exchange in trail.exchanges.into_iter().filter(|exchange| exchange.label == Label::Attack) {
            if let Some(code) = &exchange.blocked_by {
                *self.codes.entry(code.clone()).or_default() += 1;
            }
            // One of each is kept in any case, for what is not kept looks as if it had not been tried.
            if room > 0 && self.withstood.len() < MAXIMUM_WITHSTOOD || room == MAXIMUM_ALIKE {
                room -= 1;
                exchange.fingerprint = Some(fingerprint.clone());
                exchange.aim = Some(aim.clone());
                self.withstood.push(exchange);
            }
        }
    }

    /// The attack could not be made, because a control failed or the contract lacks something.
    pub(crate) fn skip(&mut self, reason: impl Into<String>) {
        self.skipped.get_or_insert_with(|| reason.into());
    }

    /// The result. What was tested outweighs what could not be.
    pub(crate) fn close(self, probe: &'static str, row: Row) -> RowResult {
        let is_proved = self.findings.iter().any(|finding| finding.confidence == Confidence::Proved);
        let blocked_by = self.codes.into_iter().max_by_key(|(_, count)| *count).map(|(code, _)| code);
        let suspected = self.findings.first().map(|finding| finding.summary.clone());
        let verdict = match (is_proved, suspected.or(self.reason)) {
            (true, _) => Verdict::Proved,
            (false, Some(reason)) => Verdict::NotProved { reason, blocked_by },
            (false, None) => Verdict::Skipped { reason: self.skipped.unwrap_or_else(|| NOTHING.to_owned()) },
        };
        RowResult { row, probe, verdict, findings: self.findings, withstood: self.withstood }
    }
}

fn finding_of(rule: &Rule, site: Site<'_>, summary: String, trail: Trail) -> Finding {
    let proof = trail.proof(rule, &summary);
    Finding::new(rule, site, summary, trail.exchanges).with_proof(proof)
}

/// Of one attack, in all its spellings.
/// The code of Palisade's own refusal while a circuit is open.
const GIVEN_UP: &str = "circuit-open";
const MAXIMUM_ALIKE: usize = 6;
const MAXIMUM_WITHSTOOD: usize = 150;
const NOTHING: &str = "the contract has no operation of this kind";
