//! Opaque access tokens: the contract of the port in every store that keeps records.

use std::sync::atomic::AtomicU32;

use async_trait::async_trait;
use palisade_core::port::StoreError;
use palisade_core::port::access_token::{AccessHash, AccessTokenStore, KeptAccess, Which};
use palisade_core::time::Timestamp;
use palisade_store::memory::MemoryAccessTokens;
use palisade_testkit::dir::TempDir;
use palisade_testkit::server::Postgres;
use palisade_testkit::store::assert_access_token_store;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_the_contract() {
    assert_access_token_store(async || MemoryAccessTokens::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_the_contract() {
    let (dir, count) = (TempDir::new(), AtomicU32::new(0));
    assert_access_token_store(async || crate::sqlite(&dir, &count).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_the_contract() {
    let (server, count) = (Postgres::start(), AtomicU32::new(0));
    assert_access_token_store(async || crate::server::postgres(&server, &count).await).await;
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    EndsBySessionAlone,
    EndsNothing,
    EndsOneOfMany,
    ForgetsSessions,
    IgnoresCase,
    Miscounts,
    MistakesSubjects,
    Overwrites,
    Prolongs,
    ReadsThenKeeps,
    SweepsAll,
}

struct FaultyTokens(MemoryAccessTokens, Fault);

#[async_trait]
impl AccessTokenStore for FaultyTokens {
    async fn keep(&self, token: &KeptAccess, now: Timestamp) -> Result<(), StoreError> {
        let mut token = token.clone();
        let same = Which::Token(&token.hash);
        match self.1 {
            Fault::ForgetsSessions => token.session = None,
            Fault::IgnoresCase => {
                token.subject = token.subject.to_lowercase().into();
                token.session = token.session.map(|session| session.to_lowercase().into());
            }
            Fault::Overwrites => drop(self.0.revoke(same).await?),
            Fault::Prolongs => token.expires = token.expires.plus(std::time::Duration::from_secs(3600)),
            Fault::ReadsThenKeeps => {
                let is_there = self.0.find(&token.hash).await?.is_some();
                // Long enough for every other caller to read as well.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                if !is_there {
                    self.0.revoke(same).await?;
                }
            }
            Fault::SweepsAll => {
                for number in 0..=u8::MAX {
                    self.0.revoke(Which::Token(&AccessHash([number; 32]))).await?;
                }
            }
            _ => {}
        }
        self.0.keep(&token, now).await
    }

    async fn find(&self, hash: &AccessHash) -> Result<Option<KeptAccess>, StoreError> {
        self.0.find(hash).await
    }

    async fn revoke(&self, which: Which<'_>) -> Result<u64, StoreError> {
        match (self.1, which) {
            (Fault::EndsBySessionAlone, Which::Subject(_)) => Ok(0),
            (Fault::EndsNothing, Which::Token(hash)) => Ok(u64::from(self.0.find(hash).await?.is_some())),
            (Fault::EndsOneOfMany, Which::Session(_) | Which::Subject(_)) => {
                for hash in (0..=u8::MAX).map(|number| AccessHash([number; 32])) {
                    let Some(kept) = self.0.find(&hash).await? else { continue };
                    let own = [Some(Which::Subject(&kept.subject)), kept.session.as_deref().map(Which::Session)];
                    if own.contains(&Some(which)) {
                        return self.0.revoke(Which::Token(&hash)).await;
                    }
                }
                Ok(0)
            }
            (Fault::Miscounts, which) => self.0.revoke(which).await.map(|number| number.min(1)),
            (Fault::MistakesSubjects, Which::Session(name)) => {
                Ok(self.0.revoke(which).await? + self.0.revoke(Which::Subject(name)).await?)
            }
            (_, which) => self.0.revoke(which).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_fault_of_a_store_of_access_tokens_is_found() {
    for fault in [
        Fault::EndsBySessionAlone,
        Fault::EndsNothing,
        Fault::EndsOneOfMany,
        Fault::ForgetsSessions,
        Fault::IgnoresCase,
        Fault::Miscounts,
        Fault::MistakesSubjects,
        Fault::Overwrites,
        Fault::Prolongs,
        Fault::ReadsThenKeeps,
        Fault::SweepsAll,
    ] {
        let make = async move || FaultyTokens(MemoryAccessTokens::default(), fault);
        assert!(crate::faults::fails(assert_access_token_store(make)).await, "{fault:?}");
    }
}
