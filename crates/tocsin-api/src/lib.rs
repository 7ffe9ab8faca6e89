//! HTTP: ingest, queries, live streams, the page.
