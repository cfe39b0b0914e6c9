//! The whole router over a real control plane and database, with no backend behind.

pub(crate) mod keystone;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use firebrick_api::{ApiOptions, router};
use firebrick_control::{Control, ControlOptions, Running};
use firebrick_db::Db;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// A router with all that must outlive it.
pub(crate) struct Api {
    router: Router,
    control: Control,
    /// What it answers from, for what no request makes.
    pub(crate) db: Db,
    _running: Running,
    _directory: TempDir,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) version: Option<String>,
    /// `x-firebrick-activity`.
    pub(crate) activity: Option<String>,
    pub(crate) body: Value,
    /// `WWW-Authenticate`.
    pub(crate) challenge: Option<String>,
}

impl Reply {
    /// The status and the message of a fault, which has the one key `kind`.
    pub(crate) fn fault(&self, kind: &str) -> (u16, &str) {
        let fault = self.body.get(kind);
        let fault = fault.unwrap_or_else(|| panic!("no {kind} in {}", self.body));
        assert_eq!(fault["code"], json!(self.status.as_u16()));
        assert_eq!(self.body.as_object().unwrap().len(), 1);
        (self.status.as_u16(), fault["message"].as_str().unwrap())
    }
}

impl Api {
    pub(crate) async fn new() -> Self {
        Self::made(|_| {}, ApiOptions::default()).await
    }

    /// The same with other options of the control plane.
    pub(crate) async fn with(change: impl FnOnce(&mut ControlOptions)) -> Self {
        Self::made(change, ApiOptions::default()).await
    }

    /// The same with other options of the API.
    pub(crate) async fn behind(api: ApiOptions) -> Self {
        Self::made(|_| {}, api).await
    }

    /// The same with other options of both.
    pub(crate) async fn made(change: impl FnOnce(&mut ControlOptions), api: ApiOptions) -> Self {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("api.sqlite");
        let db = Db::open(&format!("sqlite:///{}", file.display())).await;
        let db = db.unwrap();
        let mut options = ControlOptions::new("node1", Vec::new());
        change(&mut options);
        let (control, running) = Control::start(db.clone(), options).await.unwrap();
        Self {
            router: router(control.clone(), api),
            control,
            db,
            _running: running,
            _directory: directory,
        }
    }

    /// From here on with other options.
    pub(crate) fn change(&mut self, api: ApiOptions) {
        self.router = router(self.control.clone(), api);
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let header = |name| {
            parts
                .headers
                .get(name)
                .map(|it| it.to_str().unwrap().to_owned())
        };
        Reply {
            status: parts.status,
            version: header("openstack-api-version"),
            activity: header("x-firebrick-activity"),
            challenge: header("www-authenticate"),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    /// A request of the newest version with these headers.
    pub(crate) async fn ask(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Value,
    ) -> Reply {
        self.ask_at("3.71", headers, method, path, body).await
    }

    /// The same at the version `version`.
    pub(crate) async fn ask_at(
        &self,
        version: &str,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Value,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("openstack-api-version", format!("volume {version}"))
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    /// A request as the stock clients make it, at the version `version`.
    pub(crate) async fn call(
        &self,
        version: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-auth-token", "admin:dev")
            .header("openstack-api-version", format!("volume {version}"))
            .header(header::CONTENT_TYPE, "application/json");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    /// An answer that is no JSON: its status, its type, its text.
    pub(crate) async fn text(&self, path: &str) -> (u16, String, String) {
        let request = Request::get(path)
            .header("x-auth-token", "admin:dev")
            .header("openstack-api-version", "volume 3.71");
        let request = request.body(Body::empty()).unwrap();
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let kind = parts.headers[header::CONTENT_TYPE].to_str().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        (parts.status.as_u16(), kind.to_owned(), text)
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call("3.71", "GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("3.71", "POST", path, Some(body)).await
    }
}
