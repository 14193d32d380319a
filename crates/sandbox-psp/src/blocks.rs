//! A list that only grows, in blocks of a fixed size: never copied, and never larger than it must be by more than a block.

/// Items of a block.
const SIZE: usize = 1 << 14;

/// The list.
#[derive(Debug)]
pub(crate) struct Blocks<T>(Vec<Vec<T>>);

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy> Blocks<T> {
    /// How many items it has.
    pub(crate) fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * SIZE + last.len())
    }

    /// The item at a place, from 0.
    pub(crate) fn get(&self, place: usize) -> Option<T> {
        self.0.get(place / SIZE)?.get(place % SIZE).copied()
    }

    /// The newest item.
    pub(crate) fn last(&self) -> Option<T> {
        self.0.last()?.last().copied()
    }

    /// Adds an item.
    pub(crate) fn push(&mut self, item: T) {
        if let Some(last) = self.0.last_mut().filter(|last| last.len() < SIZE) {
            last.push(item);
        } else {
            let mut block = Vec::with_capacity(SIZE);
            block.push(item);
            self.0.push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stand_where_they_were_put_also_beyond_a_block() {
        let mut list = Blocks::default();
        assert_eq!((list.len(), list.get(0)), (0, None));
        for n in 0..2 * SIZE + 3 {
            list.push(n);
        }
        assert_eq!(list.len(), 2 * SIZE + 3);
        assert!((0..list.len()).all(|n| list.get(n) == Some(n)));
        assert_eq!(list.get(list.len()), None);
    }
}
