//! Where Redis is: at an address, or wherever Sentinel says that the master is.
//!
//! Sentinel may not know better than yesterday, and a master that was one may not know
//! yet that it is none. So whoever it names is asked what it is before it is used, and a
//! connection that ends is not made again to the same place: Sentinel is asked anew.

use std::time::Duration;

use futures_util::future::select_ok;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError,
    RedisResult,
};

use super::tls::{CertificateAuthority, trusting};

/// A peer that acknowledges nothing for this long is gone.
const USER_TIMEOUT: Duration = Duration::from_secs(3);
/// Where Sentinel listens, unless the URL says otherwise.
const SENTINEL_PORT: u16 = 26379;

/// Where Redis is.
pub(super) enum Whereabouts {
    /// At one address.
    Fixed(Box<ConnectionInfo>),
    /// Where one of the Sentinels says.
    Sentinels(Sentinels),
}

/// Who knows where a master is, and how to enter there.
pub(super) struct Sentinels {
    asked: Vec<ConnectionInfo>,
    service: String,
    /// `redis` or `rediss`.
    scheme: &'static str,
    /// `<user>:<password>@`, or nothing.
    login: String,
    /// `/<number>`, or nothing.
    database: String,
    authority: Option<CertificateAuthority>,
}

/// A master's address and a connection to it.
type Found = (ConnectionInfo, MultiplexedConnection);

impl Whereabouts {
    /// Reads a URL, of Redis or of Sentinels:
    /// `redis+sentinel://[user:password@]host[:port][,host[:port]]/service[/database]`,
    /// `rediss+sentinel` for TLS. User and password are Redis's own.
    pub(super) fn read(url: &str, authority: Option<&CertificateAuthority>) -> RedisResult<Self> {
        let (scheme, rest) = match url.split_once("+sentinel://") {
            Some(("redis", rest)) => ("redis", rest),
            Some(("rediss", rest)) => ("rediss", rest),
            _ => return Ok(Self::Fixed(Box::new(info(url, authority)?))),
        };
        let wrong = || RedisError::from((ErrorKind::InvalidClientConfig, "no URL of Sentinels"));
        let (place, path) = rest.split_once('/').ok_or_else(wrong)?;
        let (login, hosts) = match place.rsplit_once('@') {
            Some((login, hosts)) => (format!("{login}@"), hosts),
            None => (String::new(), place),
        };
        let (service, database) = match path.split_once('/') {
            Some((service, number)) => (service, format!("/{number}")),
            None => (path, String::new()),
        };
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        if service.is_empty() || !service.chars().all(is_name) {
            return Err(wrong());
        }
        let sentinel = |host: &str| {
            let has_port = host
                .rsplit_once(':')
                .is_some_and(|(_, port)| !port.contains(']'));
            let port = if has_port {
                String::new()
            } else {
                format!(":{SENTINEL_PORT}")
            };
            info(&format!("{scheme}://{host}{port}"), authority)
        };
        let sentinels = Sentinels {
            asked: hosts.split(',').map(sentinel).collect::<RedisResult<_>>()?,
            service: service.to_owned(),
            scheme,
            login,
            database,
            authority: authority.cloned(),
        };
        sentinels.master_at("localhost", 1)?;
        Ok(Self::Sentinels(sentinels))
    }

    /// The name of the user at Redis.
    pub(super) fn user(&self) -> String {
        let master = match self {
            Self::Fixed(info) => Ok(*info.clone()),
            Self::Sentinels(sentinels) => sentinels.master_at("localhost", 1),
        };
        let user = master.map(|info| info.redis_settings().username().map(str::to_owned));
        user.ok().flatten().unwrap_or_else(|| "default".to_owned())
    }

    /// Connects to Redis, to a master if Sentinels say where. Takes `patience` at most.
    pub(super) async fn connect(&self, patience: Duration) -> RedisResult<MultiplexedConnection> {
        match self {
            Self::Fixed(info) => connect(info, patience).await,
            Self::Sentinels(sentinels) => Ok(sentinels.find(patience).await?.1),
        }
    }

    /// Where Redis is now: the one address, or that of a master, which was asked what it
    /// is. Takes `patience` at most.
    pub(super) async fn place(&self, patience: Duration) -> RedisResult<ConnectionInfo> {
        match self {
            Self::Fixed(info) => Ok(*info.clone()),
            Self::Sentinels(sentinels) => Ok(sentinels.find(patience).await?.0),
        }
    }
}

impl Sentinels {
    fn master_at(&self, host: &str, port: u16) -> RedisResult<ConnectionInfo> {
        let Self {
            scheme,
            login,
            database,
            ..
        } = self;
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let url = format!("{scheme}://{login}{host}:{port}{database}");
        info(&url, self.authority.as_ref())
    }

    /// Where the first Sentinel to answer says that a master is, and a connection there.
    async fn find(&self, patience: Duration) -> RedisResult<Found> {
        // All at once, because one that is away must not cost the time of the others.
        let tries = self.asked.iter();
        let tries = tries.map(|sentinel| Box::pin(self.ask(sentinel, patience)));
        let found = tokio::time::timeout(patience, select_ok(tries)).await;
        let late = || std::io::Error::from(std::io::ErrorKind::TimedOut);
        Ok(found.map_err(|_elapsed| RedisError::from(late()))??.0)
    }

    /// Connects to the master that one Sentinel names, if it is one.
    async fn ask(&self, sentinel: &ConnectionInfo, patience: Duration) -> RedisResult<Found> {
        let mut connection = connect(sentinel, patience).await?;
        let place: Option<(String, u16)> = redis::cmd("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(&self.service)
            .query_async(&mut connection)
            .await?;
        let (host, port) = place.ok_or_else(|| not_found("Sentinel does not know this service"))?;
        let info = self.master_at(&host, port)?;
        let mut master = connect(&info, patience).await?;
        // Not ROLE, which needs a right that nothing else here does.
        let replication: String = redis::cmd("INFO")
            .arg("replication")
            .query_async(&mut master)
            .await?;
        if replication.lines().any(|line| line.trim() == "role:master") {
            Ok((info, master))
        } else {
            Err(not_found("whom Sentinel names as the master is none"))
        }
    }
}

/// As a Redis that is away: another may be the master soon.
fn not_found(what: &'static str) -> RedisError {
    std::io::Error::new(std::io::ErrorKind::NotConnected, what).into()
}

async fn connect(info: &ConnectionInfo, patience: Duration) -> RedisResult<MultiplexedConnection> {
    Client::open(info.clone())?
        .get_multiplexed_async_connection_with_config(&waiting(patience))
        .await
}

/// How a connection is made that waits so long for itself, and for each answer.
pub(super) fn waiting(patience: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(patience))
        .set_response_timeout(Some(patience))
}

fn info(url: &str, authority: Option<&CertificateAuthority>) -> RedisResult<ConnectionInfo> {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(10))
        .with_interval(Duration::from_secs(3))
        .with_retries(3);
    let tcp = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive)
        .set_user_timeout(USER_TIMEOUT);
    let info = url.into_connection_info()?;
    // Redis 7.0 does not know the commands that tell it the library's name, and a user
    // with few rights may not send them.
    let login = info.redis_settings().clone().set_skip_set_lib_name();
    trusting(
        info.set_tcp_settings(tcp).set_redis_settings(login),
        authority,
    )
}

/// Whether `url` says where Redis is, or where Sentinels are that know it. One with a
/// fragment does not: that would switch off the look at a certificate.
#[must_use]
pub fn is_redis_url(url: &str) -> bool {
    !url.contains('#') && Whereabouts::read(url, None).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_sentinels_names_hosts_with_or_without_a_port_and_a_service() {
        let url = "redis+sentinel://me:se%40cret@one:5000,two,[::1],[::1]:7/my-master/3";
        let Ok(Whereabouts::Sentinels(read)) = Whereabouts::read(url, None) else {
            panic!("no Sentinels");
        };
        let asked: Vec<_> = read
            .asked
            .iter()
            .map(|info| info.addr().to_string())
            .collect();
        assert_eq!(asked, ["one:5000", "two:26379", "::1:26379", "::1:7"]);
        let master = read.master_at("10.0.0.1", 6379).unwrap();
        assert_eq!(master.addr().to_string(), "10.0.0.1:6379");
        let login = master.redis_settings();
        assert_eq!(
            (login.username(), login.password()),
            (Some("me"), Some("se@cret"))
        );
        assert_eq!((read.service.as_str(), login.db()), ("my-master", 3));
        // Sentinel is not sent the password of Redis.
        assert_eq!(read.asked[0].redis_settings().password(), None);
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for url in [
            "redis+sentinel://host",
            "redis+sentinel://host/",
            "redis+sentinel:///service",
            "redis+sentinel://a,,b/service",
            "redis+sentinel://host:x/service",
            "redis+sentinel://host/ser vice",
            "redis+sentinel://host/service/x",
            "http+sentinel://host/service",
            "rediss://host/#insecure",
            "http://host",
        ] {
            assert!(!is_redis_url(url), "{url}");
        }
        for url in ["redis://h", "rediss://h:1/2", "rediss+sentinel://h/service"] {
            assert!(is_redis_url(url), "{url}");
        }
    }
}
