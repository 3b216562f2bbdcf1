//! Walks a snapshot hop by hop in the model and says what would happen and what would mend it.
