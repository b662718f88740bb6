//! Bars that show how far a program has come with what it waits for: tasks, streams, what a pool maps.

use crate::as_completed::AsCompleted;
use crate::threads::{Map, MapChunks};
use futures_core::Stream;
use indicatif::{ProgressBar, ProgressStyle};
use kasasagi_task::JoinError;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<T> AsCompleted<T> {
    /// Shows on standard error, if that is a terminal, how many have ended, with `label` before the bar.
    ///
    /// Feature `progress`. Nothing is written into a pipe or a file.
    ///
    /// Counterpart: `tqdm.asyncio.tqdm.as_completed(aws, desc=label)`.
    pub fn progress(self, label: impl fmt::Display) -> Progress<T> {
        Progress::new(self, label)
    }
}

/// An [`AsCompleted`] with a bar; made by [`AsCompleted::progress`].
///
/// Dropped before its end, it leaves the bar as it is, on a line of its own.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Progress<T> {
    ends: AsCompleted<T>,
    bar: Bar,
}

impl<T> Progress<T> {
    pub(crate) fn new(ends: AsCompleted<T>, label: impl fmt::Display) -> Self {
        let bar = Bar::new(Some(ends.len()), label);
        Self { ends, bar }
    }

    /// What came of the next task to end; `None` after the last.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, it has taken nothing.
    #[expect(clippy::should_implement_trait, reason = "the name that streams have for it")]
    pub fn next(&mut self) -> impl Future<Output = Option<Result<T, JoinError>>> {
        poll_fn(move |cx| Pin::new(&mut *self).poll_next(cx))
    }

    /// How many are to come.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether none is to come.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Stream for Progress<T> {
    type Item = Result<T, JoinError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let output = ready!(Pin::new(&mut self.ends).poll_next(cx));
        self.bar.count(output.is_some());
        Poll::Ready(output)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ends.size_hint()
    }
}

/// Shows on standard error, if that is a terminal, how much of a stream has come, with `label` before the bar.
///
/// Feature `progress`. A stream that does not say how much is to come has a count instead of a bar. Nothing is written
/// into a pipe or a file.
///
/// # Examples
/// ```
/// use futures_util::StreamExt;
/// use kasasagi::{ThreadPool, stream};
///
/// let pool = ThreadPool::new(2);
/// kasasagi::run(async {
///     let squares = pool.map(1..=3_u64, |n| n * n).into_stream();
///     let squares: Vec<_> = stream::progress(squares, "squares").collect().await;
///     assert_eq!(squares.len(), 3);
/// });
/// ```
///
/// Counterpart: `tqdm.asyncio.tqdm(aiterable, desc=label)`.
pub fn progress<S: Stream>(stream: S, label: impl fmt::Display) -> WithProgress<S> {
    let bar = Bar::new(known(stream.size_hint()), label);
    WithProgress { inner: stream, bar }
}

impl<U> Map<U> {
    /// Shows on standard error, if that is a terminal, how many results have been taken, with `label` before the bar; for
    /// threads. In a task, see [`stream::progress`](crate::stream::progress()).
    ///
    /// Feature `progress`. Nothing is written into a pipe or a file.
    ///
    /// # Examples
    /// ```
    /// let pool = kasasagi::ThreadPool::new(2);
    /// let squares: Result<Vec<u64>, _> = pool.map(1..=3, |n| n * n).progress("squares").collect();
    /// assert_eq!(squares?, [1, 4, 9]);
    /// # Ok::<(), kasasagi::BlockingError>(())
    /// ```
    ///
    /// Counterpart: `tqdm(executor.map(f, items), desc=label)`.
    pub fn progress(self, label: impl fmt::Display) -> WithProgress<Self> {
        WithProgress { bar: Bar::new(known(self.size_hint()), label), inner: self }
    }
}

impl<U> MapChunks<U> {
    /// As [`Map::progress`], with a count instead of a bar: the last chunk may be a small one.
    ///
    /// Feature `progress`.
    pub fn progress(self, label: impl fmt::Display) -> WithProgress<Self> {
        WithProgress { bar: Bar::new(known(self.size_hint()), label), inner: self }
    }
}

pin_project! {
    /// A stream, or an iterator, with a bar; made by [`stream::progress`](crate::stream::progress()) and
    /// [`Map::progress`].
    ///
    /// Dropped before its end, it leaves the bar as it is, on a line of its own.
    ///
    /// # Cancel safety
    /// As what is inside.
    #[derive(Debug)]
    #[must_use = "streams and iterators do nothing unless they are asked"]
    pub struct WithProgress<S> {
        #[pin]
        inner: S,
        bar: Bar,
    }
}

impl<S: Stream> Stream for WithProgress<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let item = ready!(this.inner.poll_next(cx));
        this.bar.count(item.is_some());
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<I: Iterator> Iterator for WithProgress<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let item = self.inner.next();
        self.bar.count(item.is_some());
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

fn known((least, most): (usize, Option<usize>)) -> Option<usize> {
    most.filter(|most| *most == least)
}

/// What is drawn: nothing, where standard error is no terminal.
#[derive(Debug)]
struct Bar(ProgressBar);

impl Bar {
    fn new(length: Option<usize>, label: impl fmt::Display) -> Self {
        let (bar, template) = match length {
            Some(length) => {
                let bar = ProgressBar::new(length as u64);
                (bar, "{msg} {bar:40} {pos}/{len} {per_sec}, {eta} left")
            }
            None => (ProgressBar::no_length(), "{msg} {spinner} {pos} {per_sec}"),
        };
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(bar.with_style(style).with_message(label.to_string()))
    }

    /// Something came, or nothing is to come any more.
    fn count(&self, came: bool) {
        if came { self.0.inc(1) } else { self.0.finish() }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        // After its end it does nothing.
        self.0.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::progress;
    use crate::{ThreadPool, as_completed, run};
    use futures_core::Stream;
    use futures_util::{StreamExt, stream};

    #[test]
    fn the_bar_stands_where_the_stream_is() {
        run(async {
            let mut ends = as_completed((0..5).map(|n| async move { n })).progress("counting");
            assert_eq!((ends.bar.0.position(), ends.bar.0.length()), (0, Some(5)));
            for count in 1..=5 {
                assert!(ends.next().await.is_some_and(|end| end.is_ok()));
                assert_eq!(ends.bar.0.position(), count);
            }
            assert!(!ends.bar.0.is_finished());
            assert!(ends.next().await.is_none());
            assert!(ends.bar.0.is_finished());
        });
    }

    #[test]
    fn any_stream_has_a_bar_or_a_count() {
        run(async {
            let mut known = progress(stream::iter(0..2), "two");
            assert_eq!((known.bar.0.length(), known.size_hint()), (Some(2), (2, Some(2))));
            assert_eq!(known.next().await, Some(0));
            assert_eq!(known.bar.0.position(), 1);
            let all: Vec<_> = known.by_ref().collect().await;
            assert_eq!(all, [1]);
            assert!(known.bar.0.is_finished());

            let some = stream::iter(0..9).filter(|n| std::future::ready(n % 3 == 0));
            let mut some = std::pin::pin!(progress(some, "some"));
            assert_eq!(some.bar.0.length(), None);
            assert_eq!(some.next().await, Some(0));
            assert_eq!(some.bar.0.position(), 1);
        });
    }

    #[test]
    fn what_a_pool_maps_has_a_bar_on_a_thread() {
        let pool = ThreadPool::new(2);
        let mut squares = pool.map(1..=3_u64, |n| n * n).progress("squares");
        assert_eq!(squares.bar.0.length(), Some(3));
        let bar = squares.bar.0.clone();
        assert_eq!(squares.next().and_then(Result::ok), Some(1));
        assert_eq!(bar.position(), 1);
        drop(squares);
        assert!(bar.is_finished(), "it is left as it stands");
        assert_eq!(bar.position(), 1);
        let chunks = pool.map_chunks(2, 1..=3_u64, |n| n * n).progress("squares");
        assert_eq!(chunks.filter_map(Result::ok).sum::<u64>(), 14);
    }
}
