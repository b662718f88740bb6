//! Arguments and results as bytes, and what a trampoline does with them.

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How a job ended in the worker; the bytes of a result are beside it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    BadArgument(String),
    BadResult(String),
}

/// Appends the value to `bytes`, whose length is `limit` at most then.
pub(crate) fn encode<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
    limit: usize,
) -> Result<(), String> {
    let sink = Sink { bytes, limit };
    postcard::serialize_with_flavor(value, sink).map_err(|error| match error {
        postcard::Error::SerializeBufferFull => format!(
            "it is longer than the {limit} bytes of a message; `max_message` of the pool's builder allows more"
        ),
        error => format!("it cannot be encoded: {error}"),
    })
}

/// The value that `bytes`, and no more than they, make.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(format!("{} of its {} bytes are left over", rest.len(), bytes.len())),
        Err(error) => Err(format!("its {} bytes cannot be decoded: {error}", bytes.len())),
    }
}

/// Calls `function` with what `argument` says, and appends the result to `reply`.
pub(crate) fn answer<F, A, R>(
    function: F,
    argument: &[u8],
    reply: &mut Vec<u8>,
    limit: usize,
) -> Answer
where
    F: Fn(A) -> R,
    A: DeserializeOwned,
    R: Serialize,
{
    match decode(argument) {
        Ok(argument) => match encode(&function(argument), reply, limit) {
            Ok(()) => Answer::Done,
            Err(why) => Answer::BadResult(why),
        },
        Err(why) => Answer::BadArgument(why),
    }
}

/// A vector that grows to a limit; what comes in one piece is copied in one piece.
struct Sink<'a> {
    bytes: &'a mut Vec<u8>,
    limit: usize,
}

impl Flavor for Sink<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        if self.bytes.len() >= self.limit {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.bytes.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if self.limit - self.bytes.len().min(self.limit) < bytes.len() {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
