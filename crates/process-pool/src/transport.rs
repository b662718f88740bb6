//! A frame on its way: out of a header and a payload, and into a buffer. Both sides use it, one waiting in the system
//! call and one not.

use crate::frame::{HEADER, Header};
use crate::sys;
use rustix::buffer::spare_capacity;
use rustix::fd::AsFd;
use rustix::net::SendAncillaryBuffer;
use std::io::{self, IoSlice};

/// What a buffer begins with: most frames come with one read.
const FIRST: usize = 4096;
/// What a buffer keeps between frames; more is given back.
const KEEP: usize = 1 << 20;
/// What a length is believed without proof. Beyond that, the buffer grows no faster than what comes: a length that lies
/// costs nothing.
const TRUST: usize = 1 << 20;

/// A frame that is being sent.
pub(crate) struct Outgoing<'a> {
    header: [u8; HEADER],
    payload: &'a [u8],
    sent: usize,
}

impl<'a> Outgoing<'a> {
    /// The payload's length is put into the header.
    pub(crate) fn new(header: Header, payload: &'a [u8], build: u64) -> Self {
        // The codec lets no payload become longer than `u32::MAX`: the pool's limit is not above it.
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        Self { header: Header { length, ..header }.to_bytes(build), payload, sent: 0 }
    }

    /// Sends once, as much as the socket takes; returns whether that was all.
    pub(crate) fn send(&mut self, socket: impl AsFd) -> io::Result<bool> {
        let header = self.header.get(self.sent..).unwrap_or_default();
        let payload = &self.payload[self.sent.saturating_sub(HEADER)..];
        let parts = [IoSlice::new(header), IoSlice::new(payload)];
        let mut nothing = SendAncillaryBuffer::default();
        self.sent += rustix::net::sendmsg(socket, &parts, &mut nothing, sys::NO_SIGNAL)?;
        Ok(self.sent == HEADER + self.payload.len())
    }

    /// Sends all, waiting in the call.
    pub(crate) fn send_all(mut self, socket: impl AsFd) -> io::Result<()> {
        loop {
            match self.send(socket.as_fd()) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// What one read brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The rest of a frame: the payload is in the buffer.
    Frame(Header),
    /// A part of one.
    Part,
    /// The stream has ended.
    End,
}

/// The frame that is being received: one at a time, since nobody sends a second before the first is answered.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    header: Option<Header>,
}

impl Incoming {
    /// The payload of the frame that has come.
    pub(crate) fn payload(&self) -> &[u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }

    /// Forgets the frame; the next may come.
    pub(crate) fn clear(&mut self) {
        self.header = None;
        self.bytes.clear();
        self.bytes.shrink_to(KEEP);
    }

    /// Reads once.
    ///
    /// # Errors
    /// The system's; `InvalidData` if what came is no frame of this build, or too long.
    pub(crate) fn read(&mut self, socket: impl AsFd, build: u64, limit: usize) -> io::Result<Step> {
        match self.header {
            None => self.bytes.reserve(FIRST),
            Some(header) => self.make_room(header)?,
        }
        if rustix::io::read(socket, spare_capacity(&mut self.bytes))? == 0 {
            return Ok(Step::End);
        }
        if self.header.is_none() {
            let Some(head) = self.bytes.first_chunk() else { return Ok(Step::Part) };
            let header = Header::from_bytes(head, build, limit).map_err(invalid)?;
            self.header = Some(header);
        }
        match self.header {
            Some(header) => self.step(header),
            None => Ok(Step::Part),
        }
    }

    /// Room for what is missing, or for as much as has come.
    fn make_room(&mut self, header: Header) -> io::Result<()> {
        if self.bytes.len() < self.bytes.capacity() {
            return Ok(());
        }
        let missing = (HEADER + header.length as usize).saturating_sub(self.bytes.len());
        // One byte more, so that a read of what should not be there is not a read of nothing.
        let room = missing.min(self.bytes.len().max(TRUST)) + 1;
        self.bytes.try_reserve_exact(room).map_err(invalid)
    }

    fn step(&self, header: Header) -> io::Result<Step> {
        match self.bytes.len().cmp(&(HEADER + header.length as usize)) {
            std::cmp::Ordering::Less => Ok(Step::Part),
            std::cmp::Ordering::Equal => Ok(Step::Frame(header)),
            std::cmp::Ordering::Greater => Err(invalid("bytes came that belong to no frame")),
        }
    }

    /// Reads a whole frame, waiting in the call; `None` is the end of the stream.
    pub(crate) fn read_all(
        &mut self,
        socket: impl AsFd,
        build: u64,
        limit: usize,
    ) -> io::Result<Option<Header>> {
        loop {
            match self.read(socket.as_fd(), build, limit) {
                Ok(Step::Frame(header)) => return Ok(Some(header)),
                Ok(Step::Part) => {}
                Ok(Step::End) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn invalid(why: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}

#[cfg(test)]
mod tests;
