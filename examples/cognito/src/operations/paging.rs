//! Lists, a page at a time.

use crate::exception::{Answer, Exception};

/// Those after the one that the token of the page before names, at most so many, and the token of
/// the next page, where there is one.
///
/// # Errors
///
/// `InvalidParameterException` for a token that names nothing here.
pub(super) fn page<'a, T>(
    all: &'a [T],
    name: impl Fn(&T) -> &str,
    after: Option<&str>,
    most: u64,
) -> Answer<(&'a [T], Option<String>)> {
    let begin = after.map_or(Some(0), |after| {
        Some(1 + all.iter().position(|one| name(one) == after)?)
    });
    let begin = begin.ok_or_else(|| Exception::invalid_parameter("Invalid token."))?;
    let rest = all.get(begin..).unwrap_or_default();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let page = rest.get(..most).unwrap_or(rest);
    let next = page.last().filter(|_| page.len() < rest.len());
    Ok((page, next.map(|last| name(last).to_owned())))
}
