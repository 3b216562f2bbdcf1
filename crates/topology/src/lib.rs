//! topology: see ARCHITECTURE.md.
