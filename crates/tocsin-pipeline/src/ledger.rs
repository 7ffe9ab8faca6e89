//! The ledger: what became of every record, per tenant. Exact whenever nothing is on its way:
//! `received = accepted + rejected`, `accepted = processed + quarantined + in flight`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tocsin_core::batch::TenantId;

/// What is kept of a tenant's counters over a restart; the rest follows from the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerTotals {
    /// Records turned away, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Events the engine has taken in.
    pub processed: u64,
    /// Accepted records that could not be read.
    pub quarantined: u64,
}

/// A tenant's counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LedgerView {
    /// Records that came.
    pub received: u64,
    /// Records in the journal.
    pub accepted: u64,
    /// Records turned away, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Events the engine has taken in, their alerts stored.
    pub processed: u64,
    /// Accepted records that could not be read.
    pub quarantined: u64,
    /// Accepted and not processed yet.
    pub in_flight: u64,
    /// Events on disk.
    pub stored: u64,
}

#[derive(Clone, Debug, Default)]
struct Counters {
    accepted: u64,
    totals: LedgerTotals,
    /// Whether records were turned away since these counters were stored.
    is_unsaved: bool,
}

/// The counters of all tenants. Touched once per request or batch, never per event.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    tenants: Arc<Mutex<BTreeMap<TenantId, Counters>>>,
}

impl Ledger {
    /// A ledger that goes on from what was kept. What the journal holds beyond it is added by
    /// [`Ledger::accept`] as it is read again.
    #[must_use]
    pub fn resume(kept: impl IntoIterator<Item = (TenantId, LedgerTotals)>) -> Ledger {
        let counters = |totals: LedgerTotals| Counters {
            accepted: totals.processed + totals.quarantined,
            totals,
            is_unsaved: false,
        };
        let tenants = kept.into_iter().map(|(tenant, totals)| (tenant, counters(totals))).collect();
        Ledger { tenants: Arc::new(Mutex::new(tenants)) }
    }

    /// Records are durable in the journal.
    pub fn accept(&self, tenant: TenantId, records: u64) {
        self.change(tenant, |counters| counters.accepted += records);
    }

    /// Records were turned away.
    pub fn reject(&self, tenant: TenantId, reason: &str, records: u64) {
        if records > 0 {
            self.change(tenant, |counters| {
                *counters.totals.rejected.entry(reason.to_string()).or_default() += records;
                counters.is_unsaved = true;
            });
        }
    }

    /// Tenants whose records were turned away since this was asked last.
    #[must_use]
    pub fn take_unsaved(&self) -> Vec<TenantId> {
        let mut tenants = self.lock();
        let unsaved = tenants
            .iter_mut()
            .filter_map(|(tenant, counters)| std::mem::take(&mut counters.is_unsaved).then_some(*tenant));
        unsaved.collect()
    }

    /// A tenant's totals as they will be once so many more are processed and quarantined.
    #[must_use]
    pub fn ahead(&self, tenant: TenantId, processed: u64, quarantined: u64) -> LedgerTotals {
        let mut totals = self.lock().get(&tenant).map(|counters| counters.totals.clone()).unwrap_or_default();
        totals.processed += processed;
        totals.quarantined += quarantined;
        totals
    }

    /// Events were processed and what they came to is stored.
    pub fn settle(&self, tenant: TenantId, processed: u64, quarantined: u64) {
        self.change(tenant, |counters| {
            counters.totals.processed += processed;
            counters.totals.quarantined += quarantined;
        });
    }

    /// A tenant's counters now.
    #[must_use]
    pub fn view(&self, tenant: TenantId) -> LedgerView {
        let Counters { accepted, totals, .. } = self.lock().get(&tenant).cloned().unwrap_or_default();
        LedgerView {
            received: accepted + totals.rejected.values().sum::<u64>(),
            accepted,
            processed: totals.processed,
            quarantined: totals.quarantined,
            in_flight: accepted - totals.processed - totals.quarantined,
            stored: totals.processed,
            rejected: totals.rejected,
        }
    }

    fn change(&self, tenant: TenantId, change: impl FnOnce(&mut Counters)) {
        change(self.lock().entry(tenant).or_default());
    }

    /// A panic elsewhere leaves whole numbers behind.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<TenantId, Counters>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
