//! plane: see ARCHITECTURE.md.
