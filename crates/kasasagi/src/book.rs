//! The book's and the README's code, compiled and run as doc tests.

#[doc = include_str!("../../../README.md")]
mod readme {}

#[doc = include_str!("../../../docs/src/introduction.md")]
mod introduction {}

#[doc = include_str!("../../../docs/src/guide/first-program.md")]
mod first_program {}

#[doc = include_str!("../../../docs/src/guide/tasks.md")]
mod tasks {}

#[doc = include_str!("../../../docs/src/guide/groups.md")]
mod groups {}

#[doc = include_str!("../../../docs/src/guide/futures.md")]
mod futures {}

#[doc = include_str!("../../../docs/src/guide/sharing.md")]
mod sharing {}
#[doc = include_str!("../../../docs/src/guide/queues.md")]
mod queues {}

#[doc = include_str!("../../../docs/src/guide/time.md")]
mod time {}

#[doc = include_str!("../../../docs/src/guide/streams.md")]
mod streams {}

#[doc = include_str!("../../../docs/src/guide/blocking.md")]
mod blocking {}

#[doc = include_str!("../../../docs/src/guide/sockets.md")]
mod sockets {}

#[doc = include_str!("../../../docs/src/guide/cancellation.md")]
mod cancellation {}

#[doc = include_str!("../../../docs/src/guide/shutdown.md")]
mod shutdown {}

#[doc = include_str!("../../../docs/src/guide/testing.md")]
mod testing {}

#[doc = include_str!("../../../docs/src/migration/from-asyncio.md")]
mod from_asyncio {}

#[doc = include_str!("../../../docs/src/migration/from-tokio.md")]
mod from_tokio {}

#[cfg(all(feature = "process", unix))]
#[doc = include_str!("../../../docs/src/guide/processes.md")]
mod processes {}
