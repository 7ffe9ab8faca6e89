//! How many streams are open, per person, per tenant and in all. A slot goes back by itself when
//! its connection ends, whatever way.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{counter, gauge};
use tocsin_core::batch::TenantId;

use crate::config::StreamConfig;

/// The limit that is reached, with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The person has so many.
    User(usize),
    /// The tenant has so many.
    Tenant(usize),
    /// The server has so many.
    Total(usize),
}

impl fmt::Display for Refused {
    /// The detail of the answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::User(max) => write!(f, "Max {max} SSE connections per user"),
            Refused::Tenant(max) => write!(f, "Max {max} SSE connections per tenant"),
            Refused::Total(max) => write!(f, "Max {max} SSE connections"),
        }
    }
}

impl Refused {
    fn label(self) -> &'static str {
        match self {
            Refused::User(_) => "user",
            Refused::Tenant(_) => "tenant",
            Refused::Total(_) => "total",
        }
    }
}

/// The slots of a server.
pub(super) struct Slots {
    per_user: usize,
    per_tenant: usize,
    total: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    total: usize,
    tenants: BTreeMap<TenantId, Tenant>,
}

#[derive(Default)]
struct Tenant {
    streams: usize,
    users: BTreeMap<String, usize>,
}

/// An open stream's place. Dropping it gives it back.
pub(super) struct Slot {
    slots: Arc<Slots>,
    tenant: TenantId,
    subject: String,
}

impl Slots {
    /// Slots within the limits of the config, all free.
    pub(super) fn new(config: &StreamConfig) -> Slots {
        let StreamConfig { max_per_user, max_per_tenant, max_total, .. } = *config;
        Slots { per_user: max_per_user, per_tenant: max_per_tenant, total: max_total, open: Mutex::default() }
    }

    /// A slot for one more stream of somebody.
    pub(super) fn take(self: &Arc<Slots>, tenant: TenantId, subject: &str) -> Result<Slot, Refused> {
        if let Err(refused) = self.count(tenant, subject) {
            counter!("tocsin_sse_refused_total", "limit" => refused.label()).increment(1);
            return Err(refused);
        }
        gauge!("tocsin_sse_connections").increment(1.0);
        Ok(Slot { slots: Arc::clone(self), tenant, subject: subject.to_string() })
    }

    fn count(&self, tenant: TenantId, subject: &str) -> Result<(), Refused> {
        let Slots { per_user, per_tenant, total, .. } = *self;
        let mut open = self.lock();
        let known = open.tenants.get(&tenant);
        let of_user = known.and_then(|known| known.users.get(subject)).copied().unwrap_or(0);
        if of_user >= per_user {
            return Err(Refused::User(per_user));
        }
        if known.map_or(0, |known| known.streams) >= per_tenant {
            return Err(Refused::Tenant(per_tenant));
        }
        if open.total >= total {
            return Err(Refused::Total(total));
        }
        open.total += 1;
        let known = open.tenants.entry(tenant).or_default();
        known.streams += 1;
        *known.users.entry(subject.to_string()).or_default() += 1;
        Ok(())
    }

    fn give_back(&self, tenant: TenantId, subject: &str) {
        let mut open = self.lock();
        open.total -= 1;
        let Some(known) = open.tenants.get_mut(&tenant) else { return };
        known.streams -= 1;
        if let Some(streams) = known.users.get_mut(subject) {
            *streams -= 1;
        }
        known.users.retain(|_, streams| *streams > 0);
        if known.streams == 0 {
            open.tenants.remove(&tenant);
        }
    }

    /// A panic elsewhere leaves whole numbers behind.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        gauge!("tocsin_sse_connections").decrement(1.0);
        self.slots.give_back(self.tenant, &self.subject);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(per_user: usize, per_tenant: usize, total: usize) -> Arc<Slots> {
        let config = StreamConfig {
            max_per_user: per_user,
            max_per_tenant: per_tenant,
            max_total: total,
            ..StreamConfig::default()
        };
        Arc::new(Slots::new(&config))
    }

    #[test]
    fn each_limit_is_its_own() {
        let slots = slots(2, 3, 4);
        let refused = |tenant, subject| slots.take(TenantId(tenant), subject).err();
        let mut held = vec![slots.take(TenantId(1), "ann").ok(), slots.take(TenantId(1), "ann").ok()];
        assert_eq!(refused(1, "ann"), Some(Refused::User(2)));
        held.push(slots.take(TenantId(1), "bob").ok());
        assert_eq!(refused(1, "eve"), Some(Refused::Tenant(3)));
        held.push(slots.take(TenantId(2), "ann").ok());
        assert_eq!(refused(3, "eve"), Some(Refused::Total(4)));
        assert!(held.iter().all(Option::is_some));
    }

    #[test]
    fn a_dropped_slot_is_free_again_and_nothing_is_left_of_it() {
        let slots = slots(1, 1, 1);
        for _ in 0..3 {
            let held = slots.take(TenantId(1), "ann").ok();
            assert_eq!(slots.take(TenantId(1), "ann").err(), Some(Refused::User(1)));
            drop(held);
        }
        let open = slots.lock();
        assert_eq!((open.total, open.tenants.len()), (0, 0));
    }

    #[test]
    fn the_detail_names_the_number() {
        assert_eq!(Refused::User(5).to_string(), "Max 5 SSE connections per user");
    }
}
