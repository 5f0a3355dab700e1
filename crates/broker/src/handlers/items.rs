//! Requests with many items, of which each has a result of its own.

/// Does the items that are not refused, all at once; the results are those of all items, in their
/// order. `work` returns one for each item that it is given.
pub(super) fn together<T, R, E>(
    items: impl IntoIterator<Item = Result<T, E>>,
    work: impl FnOnce(Vec<T>) -> Vec<Result<R, E>>,
) -> Vec<Result<R, E>> {
    let (mut good, mut refused) = (Vec::new(), Vec::new());
    for item in items {
        refused.push(item.map(|item| good.push(item)).err());
    }
    let done = if good.is_empty() { Vec::new() } else { work(good) };
    let mut done = done.into_iter();
    let result = |error: Option<E>| error.map_or_else(|| done.next(), |error| Some(Err(error)));
    refused.into_iter().filter_map(result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let odd = |n: i32| if n % 2 == 0 { Err("even") } else { Ok(n) };
        let done = together([1, 2, 3, 4].map(odd), |good| {
            assert_eq!(good, [1, 3]);
            vec![Ok(10), Err("refused")]
        });
        assert_eq!(done, [Ok(10), Err("even"), Err("refused"), Err("even")]);
        let none = together([2].map(odd), |_| -> Vec<Result<i32, &str>> { panic!("nothing is to be done") });
        assert_eq!(none, [Err("even")]);
    }
}
