//! A bar that shows how many of the tasks have ended that a program waits for.

use crate::as_completed::AsCompleted;
use futures_core::Stream;
use indicatif::{ProgressBar, ProgressStyle};
use kasasagi_task::JoinError;
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
    bar: ProgressBar,
}

impl<T> Progress<T> {
    pub(crate) fn new(ends: AsCompleted<T>, label: impl fmt::Display) -> Self {
        let style =
            ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {per_sec}, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
        // It draws nothing where standard error is no terminal.
        let bar = ProgressBar::new(ends.len() as u64).with_style(style);
        bar.set_message(label.to_string());
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
        match &output {
            Some(_) => self.bar.inc(1),
            None => self.bar.finish(),
        }
        Poll::Ready(output)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ends.size_hint()
    }
}

impl<T> Drop for Progress<T> {
    fn drop(&mut self) {
        // A second time it does nothing.
        self.bar.abandon();
    }
}

#[cfg(test)]
mod tests {
    use crate::{as_completed, run};

    #[test]
    fn the_bar_stands_where_the_stream_is() {
        run(async {
            let mut ends = as_completed((0..5).map(|n| async move { n })).progress("counting");
            assert_eq!((ends.bar.position(), ends.bar.length()), (0, Some(5)));
            for count in 1..=5 {
                assert!(ends.next().await.is_some_and(|end| end.is_ok()));
                assert_eq!(ends.bar.position(), count);
            }
            assert!(!ends.bar.is_finished());
            assert!(ends.next().await.is_none());
            assert!(ends.bar.is_finished());
        });
    }
}
