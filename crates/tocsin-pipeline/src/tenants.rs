//! Tenants by number and by name. Numbers are given by the store and never change; inside the house
//! only numbers travel.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tocsin_core::batch::TenantId;

/// The tenants there are. Cheap to clone; all clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Tenants {
    names: Arc<RwLock<BTreeMap<TenantId, Arc<str>>>>,
}

impl Tenants {
    /// These tenants.
    #[must_use]
    pub fn of(named: impl IntoIterator<Item = (TenantId, String)>) -> Tenants {
        let tenants = Tenants::default();
        tenants.replace(named);
        tenants
    }

    /// Takes over the tenants as the store has them now.
    pub fn replace(&self, named: impl IntoIterator<Item = (TenantId, String)>) {
        let named = named.into_iter().map(|(id, name)| (id, Arc::from(name))).collect();
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = named;
    }

    /// The name of a tenant.
    #[must_use]
    pub fn name(&self, id: TenantId) -> Option<Arc<str>> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// The tenant of a name.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<TenantId> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names.iter().find(|(_, known)| &***known == name).map(|(id, _)| *id)
    }
}
