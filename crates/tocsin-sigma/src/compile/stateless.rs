//! Stateless rules: log source, condition, and the filters that apply.

use super::{Compiler, Refused};
use crate::ast::{Body, Document, Expr, Severity};
use crate::canonical;
use crate::program::{Condition, Logic};
use crate::ruleset::AppliedFilter;

impl Compiler {
    pub(super) fn stateless(&mut self, mut document: Document) {
        if !self.admit(&document) {
            return;
        }
        let filters = match self.filters.apply(&mut document) {
            Ok(filters) => filters,
            Err(refused) => return self.report(&document, Severity::Error, refused),
        };
        let Body::Detection(detection) = &document.body else { return };
        let gate = match &detection.gate {
            _ if !self.options.gate => Expr::And(Vec::new()),
            Ok(gate) => gate.clone(),
            Err(unmapped) => {
                let hint = "the rule is loaded but can never match; map the log source in the file of \
                            `--logsources`, or of `logsources` in the configuration";
                let refused = Refused {
                    place: detection.logsource.place,
                    code: "unmapped_logsource",
                    reason: unmapped.0.clone(),
                    hint: Some(hint.to_string()),
                };
                self.report(&document, Severity::Warning, refused);
                Expr::Or(Vec::new())
            }
        };
        self.regex_bytes = 0;
        let condition = match self.condition(&detection.condition, &filters, &gate) {
            Ok(condition) => condition,
            Err(refused) => return self.report(&document, Severity::Error, refused),
        };
        let mut text = String::new();
        canonical::both(&detection.condition, &gate, &mut text);
        let meta = self.meta(&document, &text, Vec::new(), None);
        self.enter(document, meta, None, Some(condition), filters);
    }

    /// A condition with its log source, and apart from it those of the filters that were added to it.
    fn condition(
        &mut self,
        whole: &Expr,
        filters: &[AppliedFilter],
        gate: &Expr,
    ) -> Result<Condition, Refused> {
        let (own, added) = match whole {
            Expr::And(parts) if !filters.is_empty() => (&parts[0], &parts[1..]),
            whole => (whole, &[][..]),
        };
        let own = Logic::And(vec![self.lower(own)?, self.lower(gate)?]);
        Ok(Condition { own, filters: self.lower_all(added)? })
    }
}
