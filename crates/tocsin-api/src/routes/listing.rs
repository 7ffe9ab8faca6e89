//! Asking the store, on threads that may wait for a disk.

use tocsin_pipeline::commit::StoreError;
use tocsin_store::{AlertFilter, AlertPage, KeptAlert, Page, Reader};

use crate::auth::Identity;
use crate::error::Problem;
use crate::state::AppState;

impl AppState {
    /// A page of what the caller may see.
    ///
    /// # Errors
    /// 503 when the store cannot be read now.
    pub(crate) async fn list(
        &self,
        caller: &Identity,
        filter: AlertFilter,
        page: Page,
    ) -> Result<AlertPage, Problem> {
        let (tenant, roles) = (caller.tenant, caller.roles.clone());
        self.ask(move |store| {
            store.recent(tenant, &filter, &page, |kept| roles.may_see(&kept.stored.min_role))
        })
        .await
    }

    /// One alert, if it is there for the caller.
    ///
    /// # Errors
    /// 404 when it is not, 503 when the store cannot be read now.
    pub(crate) async fn find(&self, caller: &Identity, id: String) -> Result<KeptAlert, Problem> {
        let tenant = caller.tenant;
        let found = self.ask(move |store| store.alert(tenant, &id)).await?;
        found.filter(|kept| caller.roles.may_see(&kept.stored.min_role)).ok_or_else(Problem::not_found)
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let store = self.store.clone();
        let unreadable = |error: &dyn std::fmt::Display| {
            tracing::warn!(%error, "the store cannot be read");
            Problem::unavailable("the store cannot be read now; try again")
        };
        let answer = tokio::task::spawn_blocking(move || question(&store)).await;
        answer.map_err(|error| unreadable(&error))?.map_err(|error| unreadable(&error))
    }
}
