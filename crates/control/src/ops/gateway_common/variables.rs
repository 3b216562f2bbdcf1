//! Stage variables, as both versions check them.

use std::collections::BTreeMap;

use wire::Fault;

use super::fault;

/// Variables of a stage: 100 at most, names of 64 and values of 512 characters (API Gateway quotas, 2026-11).
const VARIABLES_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 64;
const VALUE_CHARS_MAX: usize = 512;

/// Refuses a name or a value that AWS would not take.
pub(crate) fn check(name: &str, value: &str) -> Result<(), Fault> {
    let named = !name.is_empty()
        && name.len() <= NAME_CHARS_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let plain = value.len() <= VALUE_CHARS_MAX
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#&=,".contains(&b));
    if named && plain { Ok(()) } else { Err(fault::bad_request(format!("Invalid stage variable: {name}"))) }
}

/// Refuses more variables than a stage may have.
pub(crate) fn check_number(variables: &BTreeMap<String, String>) -> Result<(), Fault> {
    if variables.len() > VARIABLES_MAX {
        return Err(fault::bad_request("A stage can have at most 100 stage variables"));
    }
    Ok(())
}

/// Variables that AWS would take.
pub(crate) fn checked(variables: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Fault> {
    variables.iter().try_for_each(|(name, value)| check(name, value))?;
    check_number(&variables)?;
    Ok(variables)
}
