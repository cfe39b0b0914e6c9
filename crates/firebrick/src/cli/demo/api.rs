//! The few requests of the demo, as any client sends them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::exit::Failure;

/// The name of the backend's own site in a failover.
pub(super) const DEFAULT: &str = "default";
/// The microversion of the requests.
const VERSION: &str = "volume 3.71";
/// How long a volume or a failover may take.
const WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(20);

/// A client of the control plane.
#[derive(Clone)]
pub(super) struct Api {
    base: String,
    host: String,
    agent: ureq::Agent,
}

impl Api {
    /// A client of the API at `api` that works with the backend service `host`.
    pub(super) fn new(api: &str, host: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(WITHIN))
            .build();
        Self {
            base: format!("{api}/v3"),
            host: host.to_owned(),
            agent: config.into(),
        }
    }

    /// The backend's service.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Makes a type with replication and a volume of it, and waits for the volume: its id.
    pub(super) async fn make_replicated_volume(&self, gib: u32) -> Result<String, Failure> {
        let backend = self.host.split('@').next_back().unwrap_or_default();
        let made = json!({"volume_type": {
            "name": "replicated",
            "extra_specs": {"volume_backend_name": backend, "replication_enabled": "<is> True"},
        }});
        self.send("POST", "/types", Some(made)).await?;
        let wanted = json!({"volume": {
            "name": "fingers-crossed", "size": gib, "volume_type": "replicated",
        }});
        let made = self.send("POST", "/volumes", Some(wanted)).await?;
        let id = text(&made["volume"]["id"], "a volume's id")?;
        let path = format!("/volumes/{id}");
        self.wait(
            &path,
            |shown| shown["volume"]["status"].clone(),
            "available",
        )
        .await?;
        Ok(id)
    }

    /// Attaches the volume: the attachment and where the guest finds the disk.
    pub(super) async fn attach(&self, volume: &str) -> Result<(String, String), Failure> {
        let wanted = json!({"attachment": {
            "volume_uuid": volume,
            "instance_uuid": uuid::Uuid::new_v4(),
            "connector": connector(),
        }});
        let made = self.send("POST", "/attachments", Some(wanted)).await?;
        let attachment = text(&made["attachment"]["id"], "an attachment's id")?;
        let done = json!({"os-complete": null});
        let path = format!("/attachments/{attachment}/action");
        self.send("POST", &path, Some(done)).await?;
        Ok((attachment, uri(&made)?))
    }

    /// Connects again: where the guest finds the disk now.
    pub(super) async fn reattach(&self, attachment: &str) -> Result<String, Failure> {
        let wanted = json!({"attachment": {"connector": connector()}});
        let path = format!("/attachments/{attachment}");
        uri(&self.send("PUT", &path, Some(wanted)).await?)
    }

    /// Moves the backend, and waits until the service says that it is `status`.
    pub(super) async fn fail_over(&self, to: Option<&str>, status: &str) -> Result<(), Failure> {
        let mut order = json!({"host": self.host});
        if let Some(to) = to {
            order["backend_id"] = json!(to);
        }
        self.send("PUT", "/os-services/failover_host", Some(order))
            .await?;
        let path = format!("/os-services?binary=cinder-volume&host={}", self.host);
        let look = |shown: &Value| shown["services"][0]["replication_status"].clone();
        self.wait(&path, look, status).await
    }

    async fn wait(
        &self,
        path: &str,
        look: impl Fn(&Value) -> Value,
        wanted: &str,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + WITHIN;
        loop {
            let now = look(&self.send("GET", path, None).await?);
            if now == wanted {
                return Ok(());
            }
            let failed = now.as_str().is_some_and(|now| now.contains("error"));
            if failed || Instant::now() > deadline {
                let why = format!("it is {now}");
                return Err(Failure::new(format!("wait for {wanted} at {path}"), why));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn send(
        &self,
        method: &'static str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let doing = format!("{method} {path}");
        let (agent, url) = (self.agent.clone(), format!("{}{path}", self.base));
        let exchange = move || exchange(&agent, method, &url, body);
        let answer = tokio::task::spawn_blocking(exchange).await;
        let answer = answer.map_err(|error| Failure::new(&doing, error))?;
        answer.map_err(|why| Failure::new(&doing, why))
    }
}

fn exchange(
    agent: &ureq::Agent,
    method: &str,
    url: &str,
    body: Option<Value>,
) -> Result<Value, String> {
    let said = |error: ureq::Error| error.to_string();
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(url)
        .header("Content-Type", "application/json")
        .header("X-Auth-Token", "demo:demo")
        .header("OpenStack-API-Version", VERSION)
        .body(body.map(|body| body.to_string()).unwrap_or_default())
        .map_err(|error| error.to_string())?;
    let mut response = agent.run(request).map_err(said)?;
    let status = response.status();
    let text = response.body_mut().read_to_string().map_err(said)?;
    if !status.is_success() {
        return Err(format!("{status}: {text}"));
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))
}

fn connector() -> Value {
    json!({"host": "demo", "ip": "127.0.0.1", "mountpoint": "/dev/vdb"})
}

fn uri(shown: &Value) -> Result<String, Failure> {
    text(
        &shown["attachment"]["connection_info"]["uri"],
        "an attachment's connection",
    )
}

fn text(value: &Value, what: &str) -> Result<String, Failure> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| Failure::Failed(format!("the answer has no {what}")))
}
