//! The order of what AWS keeps in hash tables: that of `java.util.HashMap`. The exports that were recorded (2024-04) have it in
//! models, headers, mappings, parameters and the paths of OpenAPI 3.0. Only of parameters, which are a list, do clients see it.

use std::collections::BTreeMap;

/// Places of the smallest table.
const PLACES_MIN: usize = 16;

/// The entries of a map as a table of AWS's lists them. Those of one place follow each other by their keys here, there as they came.
pub(super) fn as_hashed<V>(map: &BTreeMap<String, V>) -> Vec<(&String, &V)> {
    let mut places = PLACES_MIN;
    // A table doubles once it is more than three quarters full.
    while map.len() * 4 > places * 3 {
        places *= 2;
    }
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| {
        let hash = hash(key);
        (hash ^ (hash >> 16)) as usize & (places - 1)
    });
    entries
}

/// `String.hashCode`, over units of UTF-16.
fn hash(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(keys: &[&str]) -> Vec<String> {
        let map: BTreeMap<String, ()> = keys.iter().map(|key| ((*key).to_owned(), ())).collect();
        as_hashed(&map).into_iter().map(|(key, ())| key.clone()).collect()
    }

    #[test]
    fn keys_come_as_recorded() {
        let rows: &[&[&str]] = &[
            &["method.request.querystring.type", "method.request.querystring.page"],
            &["integration.request.querystring.page", "integration.request.querystring.type"],
            &["/pets", "/pets/{petId}", "/"],
            &["Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers"],
            &[
                "method.response.header.Access-Control-Allow-Methods",
                "method.response.header.Access-Control-Allow-Headers",
                "method.response.header.Access-Control-Allow-Origin",
            ],
        ];
        for row in rows {
            assert_eq!(ordered(row), *row);
        }
    }

    #[test]
    fn a_table_grows_with_its_entries() {
        let keys: Vec<String> = (0..40).map(|at| format!("k{at}")).collect();
        let twelve: Vec<&str> = keys.iter().take(12).map(String::as_str).collect();
        let all: Vec<&str> = keys.iter().map(String::as_str).collect();
        let places = |keys: &[&str], places: u32| {
            let place = |key: &String| (hash(key) ^ (hash(key) >> 16)) & (places - 1);
            ordered(keys).iter().map(place).collect::<Vec<_>>()
        };
        assert!(places(&twelve, 16).is_sorted());
        assert!(places(&all, 64).is_sorted() && !places(&all, 16).is_sorted());
    }
}
