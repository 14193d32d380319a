//! Sorting what does not fit into memory: runs of bounded size in temporary files, merged when they are read.
//!
//! Items with the same key keep their order. The files have no names and end with the process. Reads and writes block for
//! the moment that a file takes.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Items that are held in memory before they are written to a file.
const MOST: usize = 100_000;

/// Takes items in any order.
#[derive(Debug)]
pub(crate) struct Sorter<T> {
    waiting: Vec<(String, T)>,
    runs: Vec<File>,
    most: usize,
}

/// Gives items in the order of their keys.
#[derive(Debug)]
pub(crate) struct Sorted<T> {
    runs: Vec<Run<T>>,
    heads: BinaryHeap<Head<T>>,
}

#[derive(Debug)]
enum Run<T> {
    Memory(std::vec::IntoIter<(String, T)>),
    File(BufReader<File>),
}

/// The next item of a run.
#[derive(Debug)]
struct Head<T> {
    key: String,
    item: T,
    run: usize,
}

impl<T: Serialize + DeserializeOwned> Default for Sorter<T> {
    fn default() -> Self {
        Self::with_most(MOST)
    }
}

impl<T: Serialize + DeserializeOwned> Sorter<T> {
    fn with_most(most: usize) -> Self {
        Self { waiting: Vec::new(), runs: Vec::new(), most }
    }

    /// Takes an item.
    pub(crate) fn push(&mut self, key: String, item: T) -> io::Result<()> {
        self.waiting.push((key, item));
        if self.waiting.len() >= self.most { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> io::Result<()> {
        self.waiting.sort_by(|a, b| a.0.cmp(&b.0));
        let mut file = BufWriter::new(tempfile::tempfile()?);
        for pair in self.waiting.drain(..) {
            serde_json::to_writer(&mut file, &pair)?;
            file.write_all(b"\n")?;
        }
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        self.runs.push(file);
        Ok(())
    }

    /// Gives everything in order.
    pub(crate) fn sorted(mut self) -> io::Result<Sorted<T>> {
        self.waiting.sort_by(|a, b| a.0.cmp(&b.0));
        let files = self.runs.into_iter().map(|file| Run::File(BufReader::new(file)));
        // The last run came last, so it stands last among equals.
        let mut sorted =
            Sorted { runs: files.chain([Run::Memory(self.waiting.into_iter())]).collect(), heads: BinaryHeap::new() };
        for run in 0..sorted.runs.len() {
            sorted.advance(run)?;
        }
        Ok(sorted)
    }
}

impl<T: DeserializeOwned> Sorted<T> {
    /// The key of the next item.
    pub(crate) fn key(&self) -> Option<&str> {
        self.heads.peek().map(|head| head.key.as_str())
    }

    /// The next items of this key.
    pub(crate) fn take(&mut self, key: &str) -> io::Result<Vec<T>> {
        let mut items = Vec::new();
        while self.key() == Some(key) {
            let Some(Head { item, run, .. }) = self.heads.pop() else { break };
            items.push(item);
            self.advance(run)?;
        }
        Ok(items)
    }

    fn advance(&mut self, run: usize) -> io::Result<()> {
        let next = match self.runs.get_mut(run) {
            Some(Run::Memory(items)) => items.next(),
            Some(Run::File(file)) => {
                let mut line = String::new();
                if file.read_line(&mut line)? == 0 { None } else { Some(serde_json::from_str(&line)?) }
            }
            None => None,
        };
        if let Some((key, item)) = next {
            self.heads.push(Head { key, item, run });
        }
        Ok(())
    }
}

/// The heap gives the greatest: the smallest key counts as that, and among equals the oldest run.
impl<T> Ord for Head<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key).then(other.run.cmp(&self.run))
    }
}

impl<T> PartialOrd for Head<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Head<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Head<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(mut sorted: Sorted<u32>) -> Vec<(String, Vec<u32>)> {
        let mut all = Vec::new();
        while let Some(key) = sorted.key().map(str::to_owned) {
            let items = sorted.take(&key).unwrap();
            all.push((key, items));
        }
        all
    }

    #[test]
    fn what_went_through_files_comes_out_as_from_memory() {
        for most in [1, 2, 3, 7, 1000] {
            let mut sorter = Sorter::with_most(most);
            for n in 0..100_u32 {
                sorter.push(format!("k{}", (n * 37) % 10), n).unwrap();
            }
            let all = drain(sorter.sorted().unwrap());
            assert_eq!(all.len(), 10, "runs of {most}");
            for (key, items) in all {
                let of_key = |n: &u32| format!("k{}", (n * 37) % 10) == key;
                assert_eq!(items, (0..100).filter(of_key).collect::<Vec<_>>(), "runs of {most}");
            }
        }
    }

    #[test]
    fn nothing_gives_nothing_and_another_key_takes_nothing() {
        assert_eq!(Sorter::<u32>::default().sorted().unwrap().key(), None);
        let mut sorter = Sorter::default();
        sorter.push("b".into(), 1_u32).unwrap();
        let mut sorted = sorter.sorted().unwrap();
        assert_eq!(sorted.take("a").unwrap(), [0_u32; 0]);
        assert_eq!(sorted.key(), Some("b"));
    }
}
