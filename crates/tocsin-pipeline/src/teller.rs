//! A detection told as an alert: its evidence read again, worded, with what it asks of those who
//! want to see it.

use std::sync::Arc;

use serde_json::{Map, Value};
use tocsin_alert::role::MinRole;
use tocsin_alert::{Alert, AlertSource, EvidenceEvent};
use tocsin_core::detection::{Detection, Evidence};
use tocsin_core::limits::EVIDENCE_EVENTS_MAX;
use tocsin_core::plan::Plan;
use tocsin_core::time::Timestamp;
use tocsin_decode::view::{EventView, Viewed};

use crate::records::Records;

/// Tells detections.
pub struct Teller {
    plan: Arc<Plan>,
    view: EventView,
}

/// An alert and what it asks for.
pub struct Told {
    /// The alert.
    pub alert: Alert,
    /// What any of its events that are shown asks for.
    pub min_role: MinRole,
}

impl Teller {
    /// A teller; `as_of` is the reference time of lines without a year.
    #[must_use]
    pub fn new(plan: Arc<Plan>, as_of: Timestamp) -> Teller {
        Teller { plan, view: EventView::new(as_of) }
    }

    /// It speaks of these rules from now on.
    pub fn change_rules(&mut self, plan: &Arc<Plan>) {
        if !Arc::ptr_eq(&self.plan, plan) {
            self.plan = Arc::clone(plan);
        }
    }

    /// The rules it speaks of.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// A detection and what it belongs to.
    #[must_use]
    pub fn source<'a>(&'a self, tenant: &'a str, detection: &'a Detection) -> AlertSource<'a> {
        AlertSource { tenant, meta: self.plan.meta(detection.rule), detection }
    }

    /// The alert of a detection.
    pub fn tell(&mut self, tenant: &str, detection: &Detection, records: &mut dyn Records) -> Told {
        let mut min_role = MinRole::default();
        let mut evidence = Vec::with_capacity(detection.evidence.len());
        for (index, event) in detection.evidence.iter().enumerate() {
            let whole = if index < EVIDENCE_EVENTS_MAX { self.viewed(event, records) } else { None };
            if let Some(viewed) = &whole {
                min_role.join(&MinRole::of_event(&viewed.event));
            }
            evidence.push(EvidenceEvent {
                event_id: event.position.to_string(),
                event_time: event.time.to_string(),
                event: whole.map(|viewed| viewed.event),
            });
        }
        let completing = self.completing(detection, records);
        let (event, named) = completing.map_or((Value::Null, Map::new()), |v| (v.event, v.named));
        min_role.join(&MinRole::of_event(&event));
        Told { alert: self.source(tenant, detection).alert(event, &named, evidence), min_role }
    }

    fn completing(&mut self, detection: &Detection, records: &mut dyn Records) -> Option<Viewed> {
        let known = detection.evidence.iter().find(|event| event.position == detection.completing);
        let unknown = Evidence { time: detection.t0, ingest: detection.t0, position: detection.completing };
        self.viewed(known.unwrap_or(&unknown), records)
    }

    fn viewed(&mut self, event: &Evidence, records: &mut dyn Records) -> Option<Viewed> {
        let record = records.read(event.position)?;
        Some(self.view.view(&record, event.position, event.ingest))
    }
}
