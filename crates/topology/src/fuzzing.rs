//! What the fuzz target and the tests run: hostile text into everything here that is parsed from text. It must be taken or
//! refused, and what is taken must print and read back the same. Nothing else calls this.

use crate::arn::{ApiGatewayArn, ElbArn};
use crate::id::{AccountId, ApiId, ListenerId, Region, VpcId, Zone};
use crate::mapping::{self, Side};
use crate::resource::health_check::Matcher;
use crate::snapshot::pattern::Glob;
use crate::snapshot::routes::{RouteKey, RouteTable, path_parameter};
use crate::trace::RequestId;

/// Splits the bytes into two texts at the first line end and tries each parser.
///
/// # Panics
/// When something that was taken does not read back: that is what a fuzzer looks for.
pub fn texts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (first, second) = text.split_once('\n').unwrap_or((text, ""));
    macro_rules! reads_back {
        ($($kind:ty)*) => {$(
            if let Ok(value) = first.parse::<$kind>() {
                assert_eq!(value.to_string(), first);
            }
        )*};
    }
    reads_back!(AccountId ApiId ElbArn ListenerId Region RequestId VpcId Zone);
    // Taken or refused; it has no text form of its own.
    let _taken = first.parse::<ApiGatewayArn>();
    if let Ok(zone) = first.parse::<Zone>() {
        assert!(!zone.id().is_empty());
    }
    route(first, second);
    for glob in [Glob::exact_case(first), Glob::any_case(first), Glob::any_case_with_escapes(first)] {
        let _matches = glob.matches(second.as_bytes());
    }
    let _mapped = [Side::Request, Side::Response].map(|side| mapping::parse(side, first, second));
    if let Ok(matcher) = first.parse::<Matcher>() {
        assert!(matcher.to_string() == first && matcher.ranges().iter().all(|(low, high)| low <= high));
    }
}

fn route(key: &str, path: &str) {
    let Ok(key) = key.parse::<RouteKey>() else { return };
    assert_eq!(key.to_string().parse(), Ok(key.clone()));
    let table = RouteTable::new([&key]);
    let found = table.find("GET", path);
    assert!(found.is_none_or(|at| at == 0));
    let _value = path_parameter(&key, path, "proxy");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn past_crashes_are_answered() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/regressions/topology");
        for entry in std::fs::read_dir(folder).expect("the folder stands").flatten() {
            if entry.path().extension().is_none_or(|extension| extension != "md") {
                texts(&std::fs::read(entry.path()).expect("bytes"));
            }
        }
    }

    proptest! {
        #[test]
        fn texts_near_the_grammars_never_panic(
            first in "(GET|ANY|\\$default|arn:aws:[a-z]{2,5}|append:header\\.|overwrite:path|[0-9-]{0,6})?[ /{}+*?\\\\.:a-z0-9$-]{0,40}",
            second in "[/{}$.a-z0-9*?\\\\-]{0,40}",
        ) {
            texts(format!("{first}\n{second}").as_bytes());
        }
    }
}
