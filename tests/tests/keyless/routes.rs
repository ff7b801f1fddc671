//! The listeners that ask for no key, with every route that they have.

use reqwest::Method;
use serde_json::Value;

use super::{exchange, status};

/// A listener of one of the programs.
pub(crate) struct Listener {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    pub(crate) routes: Vec<Route>,
    /// Says whether problems have pages of their own here.
    has_pages: bool,
}

/// A path with one of its methods.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: String,
}

impl Listener {
    /// A listener of the API, whose routes are those that it describes itself.
    pub(crate) async fn of_api(name: &'static str, address: String) -> Self {
        let request = "GET /openapi.json HTTP/1.0\r\n\r\n";
        let answer = exchange(&address, request).await;
        assert_eq!(status(&answer), 200, "{answer}");
        let (_, description) = answer.split_once("\r\n\r\n").unwrap();
        let description: Value = serde_json::from_str(description).unwrap();
        let mut routes = Vec::new();
        for (path, methods) in description["paths"].as_object().unwrap() {
            let path = path.replace("{id}", "none").replace("{name}", "none");
            let methods = methods.as_object().unwrap();
            routes.extend(methods.keys().map(|method| Route::new(method, &path)));
            routes.extend(["put", "head", "options"].map(|method| Route::new(method, &path)));
        }
        assert!(routes.len() >= 12 + 3 * 10, "{description}");
        // Those that no description has, and one that is none.
        for path in ["/docs/", "/openapi.json", "/nowhere", "/"] {
            routes.extend(["get", "post", "delete"].map(|method| Route::new(method, path)));
        }
        Self {
            name,
            address,
            routes,
            has_pages: true,
        }
    }

    /// The listener of the worker. A test beside its router holds that there are no other routes.
    pub(crate) fn of_worker(address: String) -> Self {
        let paths = ["/livez", "/readyz", "/metrics", "/nowhere"];
        let methods = ["get", "head", "post", "put"];
        let routes = paths
            .iter()
            .flat_map(|path| methods.map(|method| Route::new(method, path)));
        Self {
            name: "worker",
            address,
            routes: routes.collect(),
            has_pages: false,
        }
    }

    /// The `type` of a problem of that name.
    pub(crate) fn problem(&self, name: &str) -> String {
        if self.has_pages {
            format!("/problems/{name}")
        } else {
            "about:blank".to_owned()
        }
    }
}

impl Route {
    fn new(method: &str, path: &str) -> Self {
        Self {
            method: Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(),
            path: path.to_owned(),
        }
    }
}
