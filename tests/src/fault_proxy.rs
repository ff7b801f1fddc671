//! A wire to Redis that breaks on command.
//!
//! The interesting faults are the ambiguous ones: a request that was lost and a
//! request whose reply was lost look the same to a client. This proxy makes either
//! of any chosen command, by reading Redis's protocol in both directions and
//! matching each reply to its command.
//!
//! It matches one reply to one command, in order. So connections that subscribe,
//! monitor or switch replies off are not for it; RESP3's pushes are.
//!
//! The idea has two sources: the outcome that `FoundationDB` calls
//! `commit_unknown_result`, and Shopify's toxiproxy, which knows bytes but not
//! commands.

mod connection;
mod resp;
mod rules;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::process::free_port;
use rules::{Loss, Rules};

/// How long to wait before trying again to accept or to listen.
const PAUSE: Duration = Duration::from_millis(10);
/// How many ports are tried before there is none.
const LISTEN_TRIES: usize = 10;

/// What happens to all connections; the rules for single commands come on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Everything passes.
    #[default]
    Pass,
    /// Everything is accepted, nothing is answered, nothing is closed. A
    /// connection that loses bytes this way, or is opened in this mode, stays dead
    /// when the mode changes, as a half-open path does; new ones work then.
    Blackhole,
    /// Open connections are reset and new ones are refused.
    Refuse,
    /// Whatever arrives, in either direction, goes on that much later.
    Delay(Duration),
}

/// A proxy on a port of its own. Dropping it resets all connections.
pub struct FaultProxy {
    address: SocketAddr,
    rules: Arc<Rules>,
    mode: watch::Sender<Mode>,
    /// Holds the accepting task, which holds the connections.
    _accepting: JoinSet<()>,
}

/// Listens on a port that can be left and taken again, as `Mode::Refuse` does; so not
/// on port 0. A child process that is just being started holds what is open here for a
/// moment, also a port that was only looked at; then the next one is taken.
async fn listen() -> anyhow::Result<(TcpListener, SocketAddr)> {
    let mut last = None;
    for _ in 0..LISTEN_TRIES {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok((listener, address)),
            Err(error) => last = Some(error),
        }
    }
    bail!("the proxy cannot listen: {last:?}")
}

impl FaultProxy {
    /// Starts a proxy in front of the Redis on port `redis_port` of 127.0.0.1.
    /// Redis need not run yet.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start(redis_port: u16) -> anyhow::Result<Self> {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, redis_port));
        let (listener, address) = listen().await?;
        let rules = Arc::new(Rules::default());
        let (mode, modes) = watch::channel(Mode::Pass);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, address, server, Arc::clone(&rules), modes));
        Ok(Self {
            address,
            rules,
            mode,
            _accepting: accepting,
        })
    }

    /// Where clients connect, for `REDIS_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// Switches all connections, open and new ones, to `mode`.
    pub fn set_mode(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Lets Redis run the next `times` commands that `predicate` chooses, swallows
    /// the reply of each and resets its connection: the client cannot know that it
    /// ran. Earlier replies of the same connection still arrive.
    ///
    /// `predicate` gets the command's words, the name first, and is asked about
    /// each command once, so that it may count.
    pub fn drop_reply<P>(&self, times: usize, predicate: P)
    where
        P: FnMut(&[Vec<u8>]) -> bool + Send + 'static,
    {
        self.rules.add(Loss::Reply, times, Box::new(predicate));
    }

    /// Keeps the next `times` commands that `predicate` chooses from Redis, and
    /// resets the connection of each. As [`FaultProxy::drop_reply`] otherwise.
    pub fn drop_request<P>(&self, times: usize, predicate: P)
    where
        P: FnMut(&[Vec<u8>]) -> bool + Send + 'static,
    {
        self.rules.add(Loss::Request, times, Box::new(predicate));
    }

    /// Forgets all rules of [`FaultProxy::drop_reply`] and
    /// [`FaultProxy::drop_request`]; a command that is on its way keeps its fate.
    pub fn clear_rules(&self) {
        self.rules.clear();
    }

    /// How many requests and replies the rules have lost.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.rules.dropped()
    }

    /// How many commands have come from clients, lost ones included.
    #[must_use]
    pub fn commands(&self) -> usize {
        self.rules.commands()
    }

    /// How many commands of this name have come from clients.
    #[must_use]
    pub fn commands_named(&self, name: &str) -> usize {
        self.rules.commands_named(name)
    }

    /// How many replies have come from Redis, lost ones included.
    #[must_use]
    pub fn replies(&self) -> usize {
        self.rules.replies()
    }
}

/// Accepts connections, except while they are refused: then nobody listens, and
/// the kernel refuses for us.
async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    server: SocketAddr,
    rules: Arc<Rules>,
    mut mode: watch::Receiver<Mode>,
) {
    let mut connections = JoinSet::new();
    let mut listener = Some(listener);
    loop {
        if *mode.borrow_and_update() == Mode::Refuse {
            listener = None;
            if mode.changed().await.is_err() {
                return;
            }
            continue;
        }
        let Some(open) = &listener else {
            listener = TcpListener::bind(address).await.ok();
            if listener.is_none() {
                sleep(PAUSE).await;
            }
            continue;
        };
        tokio::select! {
            accepted = open.accept() => match accepted {
                Ok((client, _)) => {
                    let (rules, mode) = (Arc::clone(&rules), mode.clone());
                    connections.spawn(async move {
                        connection::serve(client, server, &rules, mode).await;
                    });
                }
                // No file handle is free, for example; the clients wait so long.
                Err(_) => sleep(PAUSE).await,
            },
            changed = mode.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
        }
    }
}
