//! Ranges of numbers with ranges of addresses, none of which overlaps another.

use std::net::Ipv4Addr;

use crate::net::Ipv4Net;

/// Addresses from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first.
    pub first: Ipv4Addr,
    /// The last, not below the first.
    pub last: Ipv4Addr,
}

/// Numbers (ports, protocols, or types and codes of ICMP) with other ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// The first number.
    pub from: u16,
    /// The last number.
    pub to: u16,
    /// The other ends.
    pub span: Span,
}

impl Span {
    /// The addresses of a block.
    #[must_use]
    pub fn of(block: Ipv4Net) -> Self {
        Self { first: block.network(), last: block.broadcast() }
    }

    /// This address alone.
    #[must_use]
    pub const fn one(address: Ipv4Addr) -> Self {
        Self { first: address, last: address }
    }
}

/// The same addresses in as few spans as can be, in order.
pub(super) fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(before) if span.first.to_bits() <= before.last.to_bits().saturating_add(1) => {
                before.last = before.last.max(span.last);
            }
            _ => joined.push(span),
        }
    }
    joined
}

/// The numbers from 0 to `last`, cut wherever one of these ranges begins or has ended.
pub(super) fn pieces<N: Copy + Ord + Into<u64> + TryFrom<u64>>(
    last: N,
    ranges: impl Iterator<Item = (N, N)>,
) -> Vec<(N, N)> {
    let mut starts: Vec<u64> = ranges.flat_map(|(from, to)| [from.into(), to.into() + 1]).chain([0]).collect();
    starts.sort_unstable();
    starts.dedup();
    starts.retain(|start| *start <= last.into());
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([last.into()]);
    let pairs = starts.iter().zip(ends);
    pairs.filter_map(|(from, to)| Some((N::try_from(*from).ok()?, N::try_from(to).ok()?))).collect()
}

/// The same numbers with the same addresses, in areas that do not overlap.
pub(super) fn apart(wide: impl Iterator<Item = ((u16, u16), Span)>) -> Vec<Area> {
    let wide: Vec<_> = wide.collect();
    // What was cut and has the same addresses is joined again.
    let mut strips: Vec<((u16, u16), Vec<Span>)> = Vec::new();
    for (from, to) in pieces(u16::MAX, wide.iter().map(|(range, _)| *range)) {
        let here = wide.iter().filter(|((first, last), _)| *first <= from && to <= *last);
        let spans = joined(here.map(|(_, span)| *span).collect());
        match strips.last_mut() {
            Some(((_, before), same)) if *same == spans => *before = to,
            _ => strips.push(((from, to), spans)),
        }
    }
    let areas =
        |((from, to), spans): ((u16, u16), Vec<Span>)| spans.into_iter().map(move |span| Area { from, to, span });
    strips.into_iter().flat_map(areas).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(first: u32, last: u32) -> Span {
        Span { first: Ipv4Addr::from_bits(first), last: Ipv4Addr::from_bits(last) }
    }

    #[test]
    fn what_touches_is_joined_up_to_the_last_address() {
        assert_eq!(joined(vec![span(5, 9), span(0, 4), span(11, 12)]), [span(0, 9), span(11, 12)]);
        assert_eq!(joined(vec![span(0, u32::MAX), span(7, 8)]), [span(0, u32::MAX)]);
        assert_eq!(joined(vec![]), []);
    }

    #[test]
    fn pieces_cover_everything_to_the_end() {
        assert_eq!(
            pieces(u16::MAX, [(80, 81), (81, u16::MAX)].into_iter()),
            [(0, 79), (80, 80), (81, 81), (82, u16::MAX)]
        );
        assert_eq!(pieces(u32::MAX, std::iter::empty()), [(0, u32::MAX)]);
    }

    #[test]
    fn rules_that_say_the_same_of_neighbouring_ports_are_one_area() {
        let all = span(0, u32::MAX);
        let areas = apart([((80, 80), all), ((81, 90), all), ((85, 85), span(1, 2))].into_iter());
        assert_eq!(areas, [Area { from: 80, to: 90, span: all }]);
    }

    proptest! {
        #[test]
        fn areas_hold_what_was_given_and_never_twice(
            wide in prop::collection::vec(((0u16..40, 0u16..40), (0u32..40, 0u32..40)), 0..12)
        ) {
            let ordered = |a, b| if a <= b { (a, b) } else { (b, a) };
            let wide: Vec<_> = wide
                .into_iter()
                .map(|((a, b), (c, d))| ((a.min(b), a.max(b)), { let (c, d) = ordered(c, d); span(c, d) }))
                .collect();
            let areas = apart(wide.iter().copied());
            for number in 0u16..41 {
                for address in (0u32..41).map(Ipv4Addr::from_bits) {
                    let given = wide.iter().any(|((from, to), span)| {
                        (*from..=*to).contains(&number) && (span.first..=span.last).contains(&address)
                    });
                    let held = areas.iter().filter(|area| {
                        (area.from..=area.to).contains(&number) && (area.span.first..=area.span.last).contains(&address)
                    });
                    prop_assert_eq!(held.count(), usize::from(given));
                }
            }
        }
    }
}
