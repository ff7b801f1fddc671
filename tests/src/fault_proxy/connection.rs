//! One client's connection through the proxy.
//!
//! Each direction is cut into whole messages, so that a reply can be told to
//! belong to its command: Redis answers in order. A message goes on, is swallowed,
//! or ends the connection; none is changed.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::sleep;

use super::Mode;
use super::resp::{NotResp, command_length, command_words, is_push, message_length};
use super::rules::{Loss, Rules};
use crate::lock::lock;

/// Why a direction came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// One side has closed; the other is closed too.
    Closed,
    /// The client is to see a reset.
    Cut,
    /// Bytes were swallowed: nothing that comes later could be understood.
    Dead,
}

/// What is to become of the reply that answers a command.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Forward,
    Swallow,
}

/// What both directions of a connection share.
struct Shared<'a> {
    rules: &'a Rules,
    mode: &'a watch::Receiver<Mode>,
    /// One entry per command that has gone to Redis and was not answered yet.
    awaited: Mutex<VecDeque<Fate>>,
}

/// Serves `client` until either side closes or a fault ends it.
pub(super) async fn serve(
    mut client: TcpStream,
    server: std::net::SocketAddr,
    rules: &Rules,
    mut mode: watch::Receiver<Mode>,
) {
    let current = mode.clone();
    let end = tokio::select! {
        end = carry(&mut client, server, rules, &current) => end,
        () = refused(&mut mode) => End::Cut,
    };
    if end == End::Dead {
        swallow(&mut client, &mut mode).await;
    }
    if end != End::Closed {
        // Failing means that the socket is gone already.
        drop(client.set_zero_linger());
    }
}

/// Passes on both directions.
async fn carry(
    client: &mut TcpStream,
    server: std::net::SocketAddr,
    rules: &Rules,
    mode: &watch::Receiver<Mode>,
) -> End {
    if *mode.borrow() == Mode::Blackhole {
        return End::Dead;
    }
    let Ok(mut server) = TcpStream::connect(server).await else {
        return End::Cut;
    };
    // Without it small messages wait for others; failing only makes it slow.
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let shared = Shared {
        rules,
        mode,
        awaited: Mutex::new(VecDeque::new()),
    };
    let (client_reads, client_writes) = client.split();
    let (server_reads, server_writes) = server.split();
    tokio::select! {
        end = carry_commands(client_reads, server_writes, &shared) => end,
        end = carry_replies(server_reads, client_writes, &shared) => end,
    }
}

async fn carry_commands(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, shared: &Shared<'_>) -> End {
    let mut buffer = BytesMut::new();
    loop {
        if let Err(end) = arrive(&mut from, &mut buffer, shared.mode).await {
            return end;
        }
        let (passed, lost) = take_commands(&mut buffer, shared);
        // What stood before a lost request in the same pipeline still arrives.
        if to.write_all(&passed).await.is_err() {
            return End::Closed;
        }
        if let Err(end) = lost {
            return end;
        }
    }
}

async fn carry_replies(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, shared: &Shared<'_>) -> End {
    let mut buffer = BytesMut::new();
    loop {
        if let Err(end) = arrive(&mut from, &mut buffer, shared.mode).await {
            return end;
        }
        let (passed, lost) = take_replies(&mut buffer, shared);
        if to.write_all(&passed).await.is_err() {
            return End::Closed;
        }
        if let Err(end) = lost {
            return end;
        }
    }
}

/// Takes whole commands off `buffer` up to one whose request is lost, and notes
/// what is to become of their replies.
fn take_commands(buffer: &mut BytesMut, shared: &Shared<'_>) -> (BytesMut, Result<(), End>) {
    take(buffer, command_length, |command| {
        let words = command_words(command).map_err(|NotResp| End::Cut)?;
        if words.is_empty() {
            // An empty line is no command and is never answered.
            return Ok(());
        }
        let fate = match shared.rules.judge(&words) {
            None => Fate::Forward,
            Some(Loss::Reply) => Fate::Swallow,
            Some(Loss::Request) => {
                shared.rules.count_drop();
                return Err(End::Cut);
            }
        };
        lock(&shared.awaited).push_back(fate);
        Ok(())
    })
}

/// Takes whole replies off `buffer` up to one that is lost.
fn take_replies(buffer: &mut BytesMut, shared: &Shared<'_>) -> (BytesMut, Result<(), End>) {
    take(buffer, message_length, |message| {
        if is_push(message) {
            return Ok(());
        }
        shared.rules.count_reply();
        // A reply that nobody awaits is Redis's farewell, as at too many clients.
        match lock(&shared.awaited).pop_front() {
            None | Some(Fate::Forward) => Ok(()),
            Some(Fate::Swallow) => {
                shared.rules.count_drop();
                Err(End::Cut)
            }
        }
    })
}

/// Takes whole messages off `buffer` until `judge` ends the connection; returns
/// those that go on, and how it ended.
fn take(
    buffer: &mut BytesMut,
    length: impl Fn(&[u8]) -> Result<Option<usize>, NotResp>,
    mut judge: impl FnMut(&[u8]) -> Result<(), End>,
) -> (BytesMut, Result<(), End>) {
    let mut passed = BytesMut::new();
    loop {
        match length(buffer) {
            Ok(None) => return (passed, Ok(())),
            Err(NotResp) => return (passed, Err(End::Cut)),
            Ok(Some(length)) => {
                let message = buffer.split_to(length);
                if let Err(end) = judge(&message) {
                    return (passed, Err(end));
                }
                passed.unsplit(message);
            }
        }
    }
}

/// Waits for more bytes, and for what the mode makes of them.
async fn arrive(
    from: &mut ReadHalf<'_>,
    buffer: &mut BytesMut,
    mode: &watch::Receiver<Mode>,
) -> Result<(), End> {
    match from.read_buf(buffer).await {
        Ok(0) | Err(_) => return Err(End::Closed),
        Ok(_) => {}
    }
    let mode = *mode.borrow();
    match mode {
        Mode::Pass => Ok(()),
        Mode::Delay(delay) => {
            sleep(delay).await;
            Ok(())
        }
        Mode::Blackhole => Err(End::Dead),
        Mode::Refuse => Err(End::Cut),
    }
}

/// Takes everything the client sends and answers nothing, until the client leaves
/// or connections are refused.
async fn swallow(client: &mut TcpStream, mode: &mut watch::Receiver<Mode>) {
    let mut scrap = vec![0; 64 * 1_024];
    loop {
        let read = tokio::select! {
            read = client.read(&mut scrap) => read,
            () = refused(mode) => return,
        };
        if !matches!(read, Ok(1..)) {
            return;
        }
    }
}

/// Comes back when connections are refused; never, when the proxy has gone, which
/// ends this task by itself.
async fn refused(mode: &mut watch::Receiver<Mode>) {
    if mode.wait_for(|mode| *mode == Mode::Refuse).await.is_err() {
        std::future::pending::<()>().await;
    }
}
