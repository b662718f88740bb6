//! Epoll: servers that are one loop on one thread, without a runtime; the floor, and the far end of fetches.

use crate::server::{self, Service};
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// What hyper answers, to the byte's number.
const CANNED: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nHello, world!";
/// How long the far end of a fetch takes to answer.
pub const DELAY: Duration = Duration::from_millis(100);

struct Connection {
    stream: TcpStream,
    buf: Box<[u8]>,
}

/// Serves for ever.
pub fn serve(service: Service, listeners: Vec<TcpListener>) -> io::Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut vacant: Vec<usize> = Vec::new();
    let mut late: VecDeque<(Instant, usize)> = VecDeque::new();
    for (i, listener) in listeners.iter().enumerate() {
        listener.set_nonblocking(true)?;
        epoll::add(&epoll, listener, epoll::EventData::new_u64(i as u64), epoll::EventFlags::IN)?;
    }
    let mut events = Vec::with_capacity(1024);
    loop {
        wait(&epoll, &mut events, late.front().map(|(due, _)| *due))?;
        for event in events.drain(..) {
            let token = event.data.u64() as usize;
            let Some(place) = token.checked_sub(listeners.len()) else {
                accept(service, &epoll, &listeners, token, &mut connections, &mut vacant)?;
                continue;
            };
            let connection = connections[place].as_mut().expect("an open connection has events");
            match answer(service, connection) {
                Ok(Step::Again) => {}
                Ok(Step::Later) => late.push_back((Instant::now() + DELAY, place)),
                Ok(Step::End) | Err(_) => {
                    connections[place] = None;
                    vacant.push(place);
                }
            }
        }
        while late.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            let (_, place) = late.pop_front().expect("it has a front");
            if let Some(mut connection) = connections[place].take() {
                // A client that went away is no fault of the server's.
                let _ = connection.stream.write_all(CANNED);
                vacant.push(place);
            }
        }
    }
}

fn wait(epoll: &OwnedFd, events: &mut Vec<epoll::Event>, until: Option<Instant>) -> io::Result<()> {
    let timeout = until.map(|due| {
        let left = due.saturating_duration_since(Instant::now());
        Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() }
    });
    let spare = rustix::buffer::spare_capacity(events);
    match epoll::wait(epoll, spare, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn accept(
    service: Service,
    epoll: &OwnedFd,
    listeners: &[TcpListener],
    which: usize,
    connections: &mut Vec<Option<Connection>>,
    vacant: &mut Vec<usize>,
) -> io::Result<()> {
    loop {
        let stream = match listeners[which].accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        let place = vacant.pop().unwrap_or_else(|| {
            connections.push(None);
            connections.len() - 1
        });
        let token = epoll::EventData::new_u64((place + listeners.len()) as u64);
        epoll::add(epoll, &stream, token, epoll::EventFlags::IN)?;
        let buf = vec![0; service.buffer()].into_boxed_slice();
        connections[place] = Some(Connection { stream, buf });
        server::accepted();
    }
}

enum Step {
    Again,
    Later,
    End,
}

fn answer(service: Service, connection: &mut Connection) -> io::Result<Step> {
    let Connection { stream, buf } = connection;
    let read = stream.read(buf)?;
    if read == 0 {
        return Ok(Step::End);
    }
    match service {
        Service::Echo | Service::Idle => stream.write_all(&buf[..read])?,
        Service::Hello | Service::HelloTimed => stream.write_all(CANNED)?,
        Service::Delayed => return Ok(Step::Later),
    }
    Ok(Step::Again)
}
