//! The requests that are tried at each route.

use reqwest::Method;

use Outcome::{Broken, CrossOrigin, OtherHost, Passes};

/// The end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The route answers it, however.
    Passes,
    /// 421: it is for another host.
    OtherHost,
    /// 403: a page of another origin sent it.
    CrossOrigin,
    /// 400: it is no HTTP.
    Broken,
}

impl Outcome {
    /// The outcome that an answer of that status shows. The programs say of what is no
    /// HTTP nothing but the status, and of all else more.
    pub(crate) fn of(status: u16, is_empty: bool) -> Self {
        match status {
            400 if is_empty => Broken,
            403 => CrossOrigin,
            421 => OtherHost,
            _ => Passes,
        }
    }
}

/// A request, but for its method and path.
pub(crate) struct Case {
    /// The last digit of HTTP's version.
    version: u8,
    /// The text before the path, if there is any.
    before_path: &'static str,
    /// The header fields, in which `{address}` is that of the listener.
    fields: &'static [&'static str],
    /// Its end if its method only reads, and if it changes something.
    outcomes: [Outcome; 2],
}

impl Case {
    pub(crate) fn request(&self, method: &Method, path: &str, address: &str) -> String {
        let (version, before) = (self.version, self.before_path);
        let fields = self.fields.iter().map(|field| format!("{field}\r\n"));
        let fields = fields.collect::<String>().replace("{address}", address);
        format!(
            "{method} {before}{path} HTTP/1.{version}\r\n{fields}connection: close\r\ncontent-length: 0\r\n\r\n"
        )
    }

    pub(crate) fn outcome(&self, method: &Method) -> Outcome {
        let [reading, changing] = self.outcomes;
        match *method {
            Method::GET | Method::HEAD | Method::OPTIONS => reading,
            _ => changing,
        }
    }
}

const fn case(fields: &'static [&'static str], outcomes: [Outcome; 2]) -> Case {
    Case {
        version: 1,
        before_path: "",
        fields,
        outcomes,
    }
}

/// The same, of HTTP/1.0.
const fn old(fields: &'static [&'static str], outcomes: [Outcome; 2]) -> Case {
    Case {
        version: 0,
        ..case(fields, outcomes)
    }
}

/// The same, with a whole URL for its target.
const fn absolute(
    before_path: &'static str,
    fields: &'static [&'static str],
    outcomes: [Outcome; 2],
) -> Case {
    Case {
        before_path,
        ..case(fields, outcomes)
    }
}

const OWN: &str = "host: {address}";

pub(crate) const CASES: &[Case] = &[
    // Hosts that no stranger's name server can give away.
    case(&[OWN], [Passes; 2]),
    case(&["host: localhost"], [Passes; 2]),
    case(&["host: LocalHost.:1"], [Passes; 2]),
    case(&["host: 10.0.0.9:80"], [Passes; 2]),
    case(&["host: [::1]:4001"], [Passes; 2]),
    case(&["host: [2001:DB8::1]"], [Passes; 2]),
    // Those of ALLOWED_HOSTS.
    case(&["host: hookme.internal"], [Passes; 2]),
    case(&["host: HOOKME.internal.:80"], [Passes; 2]),
    case(&["host: worker:4002"], [Passes; 2]),
    case(&["host: worker:9999"], [Passes; 2]),
    // No browser: it would name a host.
    old(&[], [Passes; 2]),
    old(&[OWN], [Passes; 2]),
    // All others.
    case(&["host: evil.example"], [OtherHost; 2]),
    case(&["host: evil.example:4001"], [OtherHost; 2]),
    old(&["host: evil.example"], [OtherHost; 2]),
    case(&["host: localhost.evil.example"], [OtherHost; 2]),
    case(&["host: evil.localhost"], [OtherHost; 2]),
    case(&["host: 127.0.0.1.evil.example"], [OtherHost; 2]),
    case(&["host: evil.hookme.internal"], [OtherHost; 2]),
    case(&["host: hookme"], [OtherHost; 2]),
    case(&["host: [evil.example]"], [OtherHost; 2]),
    case(&["host: [::1]evil.example"], [OtherHost; 2]),
    case(&["host: [::1"], [OtherHost; 2]),
    case(&["host: localhost:evil.example"], [OtherHost; 2]),
    case(&["host: evil.example@localhost"], [OtherHost; 2]),
    case(&["host: localhost, evil.example"], [OtherHost; 2]),
    case(&["host: localhost/evil.example"], [OtherHost; 2]),
    case(&["host: local\u{e9}"], [OtherHost; 2]),
    case(&["host: localhost.."], [OtherHost; 2]),
    case(&["host:"], [OtherHost; 2]),
    case(&[], [Broken; 2]),
    case(&[OWN, "host: evil.example"], [Broken; 2]),
    // The target is stronger than the field.
    absolute("http://evil.example", &[OWN], [OtherHost; 2]),
    absolute("http://evil.example@localhost", &[OWN], [OtherHost; 2]),
    absolute(
        "http://localhost:4001",
        &["host: evil.example"],
        [Passes; 2],
    ),
    absolute("http://[::1]", &["host: evil.example"], [Passes; 2]),
    // A page whose name leads here now: of one origin, but of another host.
    case(
        &[
            "host: evil.example:4001",
            "sec-fetch-site: same-origin",
            "origin: http://evil.example:4001",
        ],
        [OtherHost; 2],
    ),
    // Whose page was it?
    case(&[OWN, "sec-fetch-site: same-origin"], [Passes; 2]),
    case(&[OWN, "sec-fetch-site: none"], [Passes; 2]),
    case(&[OWN, "sec-fetch-site: same-site"], [Passes, CrossOrigin]),
    case(&[OWN, "sec-fetch-site: cross-site"], [Passes, CrossOrigin]),
    case(&[OWN, "sec-fetch-site: anything"], [Passes, CrossOrigin]),
    case(&[OWN, "sec-fetch-site:"], [Passes; 2]),
    case(
        &[
            OWN,
            "sec-fetch-site: same-origin",
            "sec-fetch-site: cross-site",
        ],
        [Passes, CrossOrigin],
    ),
    // What is said of the site is stronger than the origin.
    case(
        &[
            OWN,
            "sec-fetch-site: cross-site",
            "origin: http://{address}",
        ],
        [Passes, CrossOrigin],
    ),
    case(
        &[
            OWN,
            "sec-fetch-site: same-origin",
            "origin: http://evil.example",
        ],
        [Passes; 2],
    ),
    case(&[OWN, "origin: http://{address}"], [Passes; 2]),
    case(&[OWN, "origin: https://{address}"], [Passes; 2]),
    case(
        &["host: hookme.internal", "origin: http://HOOKME.internal"],
        [Passes; 2],
    ),
    case(&[OWN, "origin: http://localhost:1"], [Passes, CrossOrigin]),
    case(
        &["host: localhost", "origin: http://localhost:1"],
        [Passes, CrossOrigin],
    ),
    case(&[OWN, "origin: http://evil.example"], [Passes, CrossOrigin]),
    case(
        &[OWN, "origin: http://evil.example/{address}"],
        [Passes, CrossOrigin],
    ),
    case(&[OWN, "origin: {address}"], [Passes, CrossOrigin]),
    case(&[OWN, "origin: null"], [Passes, CrossOrigin]),
    case(&[OWN, "origin:"], [Passes; 2]),
    case(
        &[
            OWN,
            "origin: http://{address}",
            "origin: http://evil.example",
        ],
        [Passes, CrossOrigin],
    ),
    old(&["origin: http://{address}"], [Passes, CrossOrigin]),
    absolute(
        "http://hookme.internal",
        &[OWN, "origin: http://hookme.internal"],
        [Passes; 2],
    ),
    absolute(
        "http://hookme.internal",
        &[OWN, "origin: http://{address}"],
        [Passes, CrossOrigin],
    ),
];
