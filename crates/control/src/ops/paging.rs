//! Pages of a list. A token is opaque to clients: it is the place of the next item, so a list that changes between two pages
//! may skip or repeat an item, as AWS's do.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A token that was not made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadToken;

/// Cuts one page out of `items`: at most `size` of them from where `token` points, and the token of the next page.
pub(crate) fn page<T>(
    items: Vec<T>,
    size: Option<usize>,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), BadToken> {
    let start = token.map_or(Ok(0), decode)?;
    let total = items.len();
    let size = size.unwrap_or(usize::MAX);
    let page: Vec<T> = items.into_iter().skip(start).take(size).collect();
    let end = start.saturating_add(page.len());
    let next = (end < total).then(|| encode(end));
    Ok((page, next))
}

fn encode(place: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("p{place}"))
}

fn decode(token: &str) -> Result<usize, BadToken> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| BadToken)?;
    let text = String::from_utf8(bytes).map_err(|_| BadToken)?;
    text.strip_prefix('p').and_then(|place| place.parse().ok()).ok_or(BadToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_and_the_last_has_no_token() {
        let (first, token) = page(vec![1, 2, 3], Some(2), None).unwrap();
        assert_eq!(first, [1, 2]);
        let (last, end) = page(vec![1, 2, 3], Some(2), token.as_deref()).unwrap();
        assert_eq!((last, end), (vec![3], None));
        assert_eq!(page(vec![1], None, Some("%")), Err(BadToken));
    }
}
