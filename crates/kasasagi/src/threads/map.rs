//! The results of a function over many items, in their order, as the threads of a pool make them.

use futures_core::Stream;
use kasasagi_blocking::{BlockingError, Unblock};
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

type Item<U> = Result<U, BlockingError>;

/// The results of [`ThreadPool::map`](crate::ThreadPool::map), in the order of the items; for threads.
///
/// Dropped, it takes back what has not started.
///
/// # Panics
/// `next` inside a task: it would block the worker. See [`into_stream`](Self::into_stream).
#[must_use = "what has not started is taken back when it is dropped"]
pub struct Map<U> {
    results: VecDeque<Unblock<U>>,
}

impl<U> Map<U> {
    pub(super) fn new(results: VecDeque<Unblock<U>>) -> Self {
        Self { results }
    }

    /// The same for tasks.
    ///
    /// # Examples
    /// ```
    /// use futures_util::StreamExt;
    ///
    /// let pool = kasasagi::ThreadPool::new(2);
    /// kasasagi::run(async {
    ///     let mut squares = pool.map(1..=2_u64, |n| n * n).into_stream();
    ///     assert_eq!(squares.next().await.and_then(Result::ok), Some(1));
    ///     assert_eq!(squares.next().await.and_then(Result::ok), Some(4));
    /// });
    /// ```
    pub fn into_stream(self) -> MapStream<U> {
        MapStream(self)
    }
}

impl<U> Iterator for Map<U> {
    type Item = Item<U>;

    fn next(&mut self) -> Option<Item<U>> {
        self.results.pop_front().map(Unblock::wait)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.results.len(), Some(self.results.len()))
    }
}

impl<U> ExactSizeIterator for Map<U> {}

/// The results of [`ThreadPool::map`](crate::ThreadPool::map), in the order of the items; for tasks.
///
/// # Cancel safety
/// Waiting for the next is cancel safe. Dropped, it takes back what has not started.
#[must_use = "what has not started is taken back when it is dropped"]
pub struct MapStream<U>(Map<U>);

impl<U> Unpin for MapStream<U> {}

impl<U> Stream for MapStream<U> {
    type Item = Item<U>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item<U>>> {
        let results = &mut self.0.results;
        let Some(first) = results.front_mut() else { return Poll::Ready(None) };
        let result = ready!(Pin::new(first).poll(cx));
        results.pop_front();
        Poll::Ready(Some(result))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// The results of [`ThreadPool::map_chunks`](crate::ThreadPool::map_chunks), in the order of the items; for threads.
///
/// Dropped, it takes back what has not started.
///
/// # Panics
/// `next` inside a task: it would block the worker. See [`into_stream`](Self::into_stream).
#[must_use = "what has not started is taken back when it is dropped"]
pub struct MapChunks<U> {
    chunks: Map<Vec<U>>,
    current: vec::IntoIter<U>,
}

impl<U> MapChunks<U> {
    pub(super) fn new(results: VecDeque<Unblock<Vec<U>>>) -> Self {
        Self { chunks: Map::new(results), current: Vec::new().into_iter() }
    }

    /// The same for tasks.
    pub fn into_stream(self) -> MapChunksStream<U> {
        MapChunksStream { chunks: MapStream(self.chunks), current: self.current }
    }
}

impl<U> Iterator for MapChunks<U> {
    type Item = Item<U>;

    fn next(&mut self) -> Option<Item<U>> {
        loop {
            if let Some(value) = self.current.next() {
                return Some(Ok(value));
            }
            match self.chunks.next()? {
                Ok(chunk) => self.current = chunk.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The results of [`ThreadPool::map_chunks`](crate::ThreadPool::map_chunks), in the order of the items; for tasks.
///
/// # Cancel safety
/// Waiting for the next is cancel safe. Dropped, it takes back what has not started.
#[must_use = "what has not started is taken back when it is dropped"]
pub struct MapChunksStream<U> {
    chunks: MapStream<Vec<U>>,
    current: vec::IntoIter<U>,
}

impl<U> Unpin for MapChunksStream<U> {}

impl<U> Stream for MapChunksStream<U> {
    type Item = Item<U>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item<U>>> {
        loop {
            if let Some(value) = self.current.next() {
                return Poll::Ready(Some(Ok(value)));
            }
            match ready!(Pin::new(&mut self.chunks).poll_next(cx)) {
                Some(Ok(chunk)) => self.current = chunk.into_iter(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<U> fmt::Debug for Map<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("left", &self.results.len()).finish()
    }
}

impl<U> fmt::Debug for MapStream<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MapStream").field(&self.0).finish()
    }
}

impl<U> fmt::Debug for MapChunks<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapChunks").field("chunks", &self.chunks).finish_non_exhaustive()
    }
}

impl<U> fmt::Debug for MapChunksStream<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapChunksStream").field("chunks", &self.chunks).finish_non_exhaustive()
    }
}
