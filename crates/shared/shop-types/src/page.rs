//! Lists in pages: `{items, page{number,size,total,pages,nextCursor}}`.

use serde::Serialize;

/// Where a page stands in its list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageInfo {
    /// This page, from 1.
    pub number: u32,
    /// Items asked for per page, 1 to 100.
    pub size: u32,
    /// Items in the whole list: from 100,000 on, at least so many.
    pub total: u64,
    /// Pages that hold `total` items.
    pub pages: u64,
    /// Send it back as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Where it stands.
    pub page: PageInfo,
}

impl<T> Page<T> {
    /// A page of a list that is `total` items long, or longer: what stands on the page and before it counts at least.
    #[must_use]
    pub fn new(items: Vec<T>, number: u32, size: u32, total: u64) -> Self {
        let before = u64::from(number.saturating_sub(1)) * u64::from(size);
        let here = u64::try_from(items.len()).unwrap_or(u64::MAX);
        let total = if here == 0 { total } else { total.max(before.saturating_add(here)) };
        let pages = total.div_ceil(u64::from(size.max(1)));
        Self { items, page: PageInfo { number, size, total, pages, next_cursor: None } }
    }

    /// A list that is always told as a whole: its one page.
    #[must_use]
    pub fn whole(items: Vec<T>) -> Self {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        Self::new(items, 1, count, count.into())
    }

    /// The same page of other items.
    #[must_use]
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), page: self.page }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_list_is_one_page_and_an_empty_one_none() {
        let page = Page::whole(vec!['a', 'b', 'c']).page;
        assert_eq!(page, PageInfo { number: 1, size: 3, total: 3, pages: 1, next_cursor: None });
        assert_eq!(Page::whole(Vec::<char>::new()).page.pages, 0);
    }

    fn info(items: usize, number: u32, total: u64) -> (u64, u64) {
        let PageInfo { total, pages, .. } = Page::new(vec![(); items], number, 20, total).page;
        (total, pages)
    }

    #[test]
    fn a_list_has_as_many_pages_as_its_items_need() {
        assert_eq!(info(0, 1, 0), (0, 0));
        assert_eq!(info(20, 1, 20), (20, 1));
        assert_eq!(info(1, 2, 21), (21, 2));
        assert_eq!(info(0, 9, 21), (21, 2), "behind the end");
    }

    #[test]
    fn a_page_that_has_items_is_one_of_the_pages() {
        assert_eq!(info(20, 5000, 100_000), (100_000, 5000));
        assert_eq!(info(20, 5001, 100_000), (100_020, 5001), "counting ends before the list does");
        assert_eq!(info(3, 7, 100_000), (100_000, 5000));
    }
}
