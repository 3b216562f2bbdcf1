//! The way of a request as a line: each station and the edges between them, lit as far as the request came. On a terminal it is lit hop by hop, elsewhere it is drawn once.

use std::time::Duration;

use serde_json::Value;

use crate::output;

/// What a person sees of a hop before the next is lit.
const STEP: Duration = Duration::from_millis(120);
/// A terminal that is narrower gets no names of stations.
const WIDE_COLUMNS: u16 = 80;
/// Stations stand at even places, the edges between them at odd ones.
const PLACES: usize = 9;
/// The edges at which security groups judge.
const GATES: [usize; 2] = [5, 7];
const PASSED: &str = "32";
const REFUSED: &str = "1;31";
const UNLIT: &str = "2";

/// How far a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached {
    /// The last place that it passed.
    last: usize,
    /// The edge at which it was refused.
    refused: Option<usize>,
}

impl Reached {
    /// What `explain` tells of it, as JSON.
    pub(super) fn of(told: &Value) -> Self {
        let mut reached = Self { last: 0, refused: None };
        for hop in told["hops"].as_array().into_iter().flatten() {
            let place = match hop["kind"].as_str() {
                Some("gateway" | "route" | "integration") => 2,
                Some("link") => 4,
                // At the edge in front of the next station.
                Some("security-group") => (reached.last + 1) | 1,
                Some("listener" | "rule" | "target-group") => 6,
                Some("target") => 8,
                _ => continue,
            };
            match hop["verdict"].as_str() {
                Some("pass") => reached.last = reached.last.max(place),
                _ => return Self { refused: Some(place), ..reached },
            }
        }
        reached
    }
}

/// The picture of one chain.
#[derive(Debug)]
pub(super) struct Picture {
    /// The names of the gateway, the link, the load balancer and the target.
    pub(super) stations: [String; 4],
}

impl Picture {
    /// Shows how far a request came.
    pub(super) async fn show(&self, reached: Reached) {
        let Some(columns) = output::columns() else {
            output::line(&format!("\n  {}", self.drawn(reached, &plain)));
            return;
        };
        let words = if columns < WIDE_COLUMNS { self.narrow() } else { self.wide() };
        output::piece("\n");
        for last in (0..=reached.last).step_by(2).chain([reached.last]) {
            output::piece(&format!("\r  {}", painted(&words, Reached { last, refused: None }, &output::coloured)));
            tokio::time::sleep(STEP).await;
        }
        output::piece(&format!("\r  {}\n", painted(&words, reached, &output::coloured)));
    }

    /// As it is where nothing moves and nothing has a colour.
    fn drawn(&self, reached: Reached, paint: &dyn Fn(&str, &str) -> String) -> String {
        painted(&self.wide(), reached, paint)
    }

    fn wide(&self) -> [String; PLACES] {
        let [gateway, link, balancer, target] = &self.stations;
        self.places(["client", gateway, link, balancer, target], [" --> ", " --sg--> "])
    }

    fn narrow(&self) -> [String; PLACES] {
        self.places(["client", "API", "link", "ALB", "target"], [" > ", " sg> "])
    }

    fn places(&self, stations: [&str; 5], [edge, gate]: [&str; 2]) -> [String; PLACES] {
        std::array::from_fn(|place| match place {
            _ if place % 2 == 0 => stations[place / 2].to_owned(),
            _ if GATES.contains(&place) => gate.to_owned(),
            _ => edge.to_owned(),
        })
    }
}

fn painted(words: &[String; PLACES], reached: Reached, paint: &dyn Fn(&str, &str) -> String) -> String {
    let one = |(place, word): (usize, &String)| match reached.refused {
        // An arrow that ends before the station; as long as the other.
        Some(at) if at == place => paint(&word.replace('>', "X"), REFUSED),
        _ if place <= reached.last => paint(word, PASSED),
        _ => paint(word, UNLIT),
    };
    words.iter().enumerate().map(one).collect()
}

/// Where there are no colours, what a request did not reach is in brackets of its own.
fn plain(word: &str, how: &str) -> String {
    match how {
        UNLIT if word.contains("--") => " ".repeat(word.len()),
        UNLIT => format!("({word})"),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn picture() -> Picture {
        Picture { stations: ["API demo", "link demo", "ALB demo", "orders"].map(str::to_owned) }
    }

    fn told(hops: &[(&str, &str)]) -> Value {
        let hops: Vec<_> = hops.iter().map(|(kind, verdict)| json!({ "kind": kind, "verdict": verdict })).collect();
        json!({ "hops": hops })
    }

    const WHOLE: [(&str, &str); 9] = [
        ("gateway", "pass"),
        ("route", "pass"),
        ("integration", "pass"),
        ("link", "pass"),
        ("security-group", "pass"),
        ("listener", "pass"),
        ("target-group", "pass"),
        ("security-group", "pass"),
        ("target", "pass"),
    ];

    #[test]
    fn a_request_is_lit_as_far_as_it_came() {
        let mut refused_at_first = WHOLE[..5].to_vec();
        refused_at_first[4].1 = "deny";
        let mut refused_at_second = WHOLE[..8].to_vec();
        refused_at_second[7].1 = "deny";
        for (hops, reached, drawn) in [
            (&WHOLE[..], (8, None), "client --> API demo --> link demo --sg--> ALB demo --sg--> orders"),
            (&refused_at_first, (4, Some(5)), "client --> API demo --> link demo --sg--X (ALB demo)         (orders)"),
            (&refused_at_second, (6, Some(7)), "client --> API demo --> link demo --sg--> ALB demo --sg--X (orders)"),
            (
                &[("gateway", "fail")],
                (0, Some(2)),
                "client     API demo     (link demo)         (ALB demo)         (orders)",
            ),
        ] {
            let (last, refused) = reached;
            let found = Reached::of(&told(hops));
            assert_eq!(found, Reached { last, refused }, "{hops:?}");
            assert_eq!(picture().drawn(found, &plain), drawn);
        }
    }

    #[test]
    fn both_forms_fit_their_terminals() {
        let longest =
            Picture { stations: ["API demo", "link demo", "ALB demo", "reports 10.0.11.10"].map(str::to_owned) };
        for (words, most) in [(longest.wide(), WIDE_COLUMNS), (longest.narrow(), 44)] {
            let columns = words.concat().chars().count() + 2;
            assert!(columns <= usize::from(most), "{columns}: {words:?}");
        }
    }
}
