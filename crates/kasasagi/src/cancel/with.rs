//! `with`: a resource that is entered before a body and left after it, asynchronously, whatever becomes of the body.

use super::catch::{Cancelled, catch_cancel};
use super::finally::finally;
use super::owed::{Cleanup, Owner, hand_over};
use kasasagi_primitive::sync::Mutex;
use pin_project_lite::pin_project;
use std::any::Any;
use std::future::ready;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Something that has to be entered before it is used, and left afterwards.
///
/// Counterpart: an asynchronous context manager, `__aenter__` and `__aexit__`.
pub trait Resource: Send + 'static {
    /// What entering, and the body, may fail with.
    type Error: Send + 'static;

    /// Acquires it. Cancelled or failed midway, it was not acquired: there will be no exit.
    fn enter(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        ready(Ok(()))
    }

    /// Gives it back; called once after each `enter` that succeeded, and told how the body ended. No cancellation
    /// interrupts it.
    fn exit(self, outcome: &Outcome<Self::Error>) -> impl Future<Output = Exit> + Send;
}

/// How the body of [`with`] ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome<E> {
    /// With a value.
    Ok,
    /// With an error.
    Err(E),
    /// By a cancellation; the text says why, if that was said.
    Cancelled(Option<String>),
    /// By a panic.
    Panicked,
    /// It was dropped by whoever polled it: nobody will learn what `exit` answers.
    Dropped,
}

/// What becomes of an error, a cancellation or a panic of the body once the resource was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exit {
    /// It goes on.
    #[default]
    Propagate,
    /// It ends here: `with` gives `Ok(None)`.
    Suppress,
}

/// Enters `resource`, runs `body` with it, and leaves it: after a value, an error, a panic, a cancellation, or a drop.
///
/// The exit runs in place where it can. If a combinator drops the whole, it becomes a task of its own, and the running
/// task is not done before that is.
///
/// Gives the body's value; `None` if the exit suppressed what had ended the body.
///
/// # Errors
/// What `enter` failed with, and then there is no exit; what `body` failed with, unless the exit suppressed it.
///
/// # Cancel safety
/// Cancel safe if `enter` and `body` are: the exit runs to its end in any case.
///
/// # Examples
/// ```
/// use kasasagi::{Exit, Outcome, Resource, with};
///
/// struct Connection {
///     sent: Vec<&'static str>,
/// }
///
/// impl Resource for Connection {
///     type Error = String;
///
///     async fn exit(self, outcome: &Outcome<String>) -> Exit {
///         kasasagi::yield_now().await; // say goodbye
///         match outcome {
///             Outcome::Err(error) if error == "closed by peer" => Exit::Suppress,
///             _ => Exit::Propagate,
///         }
///     }
/// }
///
/// kasasagi::run(async {
///     let sent = with(Connection { sent: Vec::new() }, async |connection| {
///         connection.sent.push("hello");
///         Ok(connection.sent.len())
///     });
///     assert_eq!(sent.await, Ok(Some(1)));
/// });
/// ```
///
/// Counterpart: `async with resource as r:`.
#[track_caller]
pub fn with<R, T, B>(resource: R, body: B) -> impl Future<Output = Result<Option<T>, R::Error>>
where
    R: Resource,
    B: AsyncFnOnce(&mut R) -> Result<T, R::Error>,
{
    let place = Location::caller();
    run(resource, body, place)
}

async fn run<R, T, B>(
    mut resource: R,
    body: B,
    place: &'static Location<'static>,
) -> Result<Option<T>, R::Error>
where
    R: Resource,
    B: AsyncFnOnce(&mut R) -> Result<T, R::Error>,
{
    resource.enter().await?;
    let mut entered = Entered { resource: Some(resource), owner: Owner::current(), place };
    let ended = match entered.resource.as_mut() {
        Some(resource) => CatchUnwind { future: catch_cancel(body(resource)) }.await,
        None => return Ok(None),
    };
    let Some(resource) = entered.resource.take() else { return Ok(None) };
    let (outcome, rest) = match ended {
        Ok(Ok(Ok(value))) => (Outcome::Ok, Rest::Value(value)),
        Ok(Ok(Err(error))) => (Outcome::Err(error), Rest::Error),
        Ok(Err(cancelled)) => {
            let reason = cancelled.reason().map(str::to_owned);
            (Outcome::Cancelled(reason), Rest::Cancelled(cancelled))
        }
        Err(payload) => (Outcome::Panicked, Rest::Panicked(payload)),
    };
    let answer = Arc::new(Mutex::new(None));
    let theirs = Arc::clone(&answer);
    let exit = async move {
        let exit = resource.exit(&outcome).await;
        *theirs.lock() = Some((exit, outcome));
    };
    finally(ready(()), exit).await;
    let answer = answer.lock().take();
    let (exit, outcome) = match answer {
        Some((exit, outcome)) => (exit, Some(outcome)),
        None => (Exit::Propagate, None),
    };
    rest.end(exit, outcome).await
}

/// What is left of the body while the resource is left.
enum Rest<T> {
    Value(T),
    Error,
    Cancelled(Cancelled),
    Panicked(Box<dyn Any + Send>),
}

impl<T> Rest<T> {
    async fn end<E>(self, exit: Exit, outcome: Option<Outcome<E>>) -> Result<Option<T>, E> {
        match (self, outcome) {
            (Self::Value(value), _) => Ok(Some(value)),
            _ if exit == Exit::Suppress => Ok(None),
            (Self::Error, Some(Outcome::Err(error))) => Err(error),
            (Self::Error, _) => Ok(None),
            (Self::Cancelled(cancelled), _) => cancelled.rethrow().await,
            (Self::Panicked(payload), _) => resume_unwind(payload),
        }
    }
}

/// A resource that was entered; dropped, its exit becomes a task.
struct Entered<R: Resource> {
    resource: Option<R>,
    owner: Option<Owner>,
    place: &'static Location<'static>,
}

impl<R: Resource> Drop for Entered<R> {
    fn drop(&mut self) {
        if let Some(resource) = self.resource.take() {
            let exit: Cleanup = Box::pin(async move {
                resource.exit(&Outcome::Dropped).await;
            });
            Owner::renew(&mut self.owner);
            hand_over(exit, self.owner.take(), self.place);
        }
    }
}

pin_project! {
    struct CatchUnwind<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for CatchUnwind<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    }
}
