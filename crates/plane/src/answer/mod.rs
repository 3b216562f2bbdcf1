//! Answers as every part of the plane hands them on: their bodies, and the two families of generated ones. Who answers, and what, is
//! the business of those above.

pub(crate) mod body;
pub(crate) mod pages;
