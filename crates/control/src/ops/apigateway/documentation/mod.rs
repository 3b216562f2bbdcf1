//! Documentation of REST APIs (API Gateway developer guide, "Documenting REST APIs", 2026-11). Nothing of it reaches traffic.

pub(super) mod import;
pub(super) mod part;
pub(super) mod version;
