//! TLS towards Redis: with who vouches for it, and not without.
//!
//! The certificates come from the `openssl` program, as an operator's may: a crate for it
//! would be a second TLS library for the sake of a test.

use std::path::{Path, PathBuf};
use std::process::Command;

use hookme_tests::process::free_port;
use hookme_tests::redis_server::{Persistence, RedisOptions};
use hookme_tests::site::SiteOptions;
use hookme_tests::{Program, RedisServer, Site};
use tempfile::TempDir;

use super::PATIENCE;
use super::users::PASSWORD;

fn openssl(directory: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments}: {output:?}");
}

/// Certificates for 127.0.0.1 of an authority, and another authority's own.
fn certificates() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for name in ["ca", "other"] {
        let subject = format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
        );
        openssl(at, &subject);
    }
    openssl(
        at,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=redis -keyout redis.key -out redis.csr",
    );
    std::fs::write(at.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    openssl(
        at,
        "x509 -req -in redis.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out redis.pem",
    );
    directory
}

/// A Redis with TLS on a port of its own, beside the harness's.
struct Sealed {
    redis: RedisServer,
    certificates: TempDir,
    port: u16,
}

impl Sealed {
    async fn start() -> Self {
        let (certificates, port) = (certificates(), free_port().unwrap());
        let file = |name: &str| certificates.path().join(name).display().to_string();
        let arguments = [
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", file("redis.pem")),
            ("--tls-key-file", file("redis.key")),
            ("--tls-ca-cert-file", file("ca.pem")),
            ("--tls-auth-clients", "no".to_owned()),
            ("--requirepass", PASSWORD.to_owned()),
        ];
        let redis = RedisServer::start(RedisOptions {
            persistence: Persistence::AofAlways,
            arguments: arguments
                .map(|(name, value)| [name.to_owned(), value])
                .concat(),
            login: Some(format!("default:{PASSWORD}")),
        });
        Self {
            redis: redis.await.unwrap(),
            certificates,
            port,
        }
    }

    fn url(&self, host: &str) -> String {
        format!("rediss://:{PASSWORD}@{host}:{}", self.port)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.certificates.path().join(name)
    }
}

#[tokio::test]
async fn a_report_goes_end_to_end_over_tls() {
    let Sealed {
        redis,
        certificates,
        port,
    } = Sealed::start().await;
    let url = format!("rediss://:{PASSWORD}@127.0.0.1:{port}");
    let authority = certificates.path().join("ca.pem").display().to_string();
    let options = SiteOptions {
        redis_urls: Some([url.clone(), url]),
        ..SiteOptions::default()
    };
    let site = Site::start_on(redis, options.with("REDIS_CA_FILE", &authority));
    let site = site.await.unwrap();
    site.submit("octocat", "hello-world").await.unwrap();
    site.all_ended(PATIENCE).await.unwrap();
    assert_eq!(site.receiver.deliveries().len(), 1);
    for program in site.workers.iter().chain([&site.api]) {
        assert!(!program.log().contains(PASSWORD), "{}", program.log());
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusted_vouches_for_is_refused_at_once() {
    let sealed = Sealed::start().await;
    for (host, authority) in [
        // Only the system's list, which does not have the authority of a test.
        ("127.0.0.1", None),
        ("127.0.0.1", Some("other.pem")),
        // The certificate is for the address and not for the name.
        ("localhost", Some("ca.pem")),
    ] {
        let url = sealed.url(host);
        let authority = authority.map(|name| sealed.file(name).display().to_string());
        let authority = authority.unwrap_or_default();
        let environment = [
            ("REDIS_URL", &*url),
            ("REDIS_CA_FILE", &*authority),
            ("LISTEN", "127.0.0.1:0"),
        ];
        let api = Program::start("api", &environment).unwrap();
        assert_eq!(api.wait(PATIENCE).await.unwrap().code(), Some(1));
        let log = api.log();
        assert!(
            log.contains("not trusted") && log.contains("REDIS_CA_FILE"),
            "{host} {authority}: {log}"
        );
        assert!(
            !log.contains("waiting for redis") && !log.contains(PASSWORD),
            "{log}"
        );
    }
}
