//! The Block Storage API as a plain HTTP client sees it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::wait::until_some;

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body; null where it was empty or no JSON.
    pub body: Value,
}

impl Answer {
    /// Fails the test unless the status is `status`.
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}

/// A client of one API.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    agent: ureq::Agent,
    /// `X-Auth-Token` and others.
    tokens: Vec<(String, String)>,
}

impl Api {
    /// A client of the API at `base`, for example `http://127.0.0.1:8776`.
    pub fn new(base: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .into();
        Self {
            base: base.to_owned(),
            agent,
            tokens: vec![("X-Auth-Token".to_owned(), "admin:admin".to_owned())],
        }
    }

    /// The same client with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        let tokens = vec![("X-Auth-Token".to_owned(), token.to_owned())];
        Self {
            tokens,
            ..self.clone()
        }
    }

    /// The same client as a service that passes on what it is asked.
    #[must_use]
    pub fn with_service_token(&self, token: &str) -> Self {
        let mut passed = self.clone();
        let service = ("X-Service-Token".to_owned(), token.to_owned());
        passed.tokens.push(service);
        passed
    }

    /// Sends a request below `/v3`; `None` where no answer came.
    pub fn try_send(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Answer> {
        let text = body.map(Value::to_string);
        self.try_send_text(method, &format!("/v3{path}"), text.as_deref(), "latest")
    }

    /// Sends a request with a body as it stands, at a microversion.
    pub fn try_send_text(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        microversion: &str,
    ) -> Option<Answer> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("Content-Type", "application/json")
            .header("Accept", "application/json")
            .header("OpenStack-API-Version", format!("volume {microversion}"));
        for (name, token) in &self.tokens {
            request = request.header(name, token);
        }
        let response = match body {
            Some(body) => self.agent.run(request.body(body.to_owned()).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut response = response.ok()?;
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().ok()?;
        Some(Answer {
            status,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
        })
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.try_send(method, path, body)
            .unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    /// `POST`.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body))
    }

    /// `PUT`.
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, Some(body))
    }

    /// `DELETE`.
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None)
    }

    /// A volume, as `GET /volumes/{id}` shows it; null where it is gone.
    pub fn volume(&self, id: &str) -> Value {
        let answer = self.get(&format!("/volumes/{id}"));
        if answer.status == 404 {
            Value::Null
        } else {
            answer.expect(200).body["volume"].clone()
        }
    }

    /// Makes a volume type with extra specs and returns its name.
    pub fn make_type(&self, name: &str, specs: &Value) -> String {
        let made = self
            .post("/types", &json!({"volume_type": {"name": name}}))
            .expect(200);
        let id = made.body["volume_type"]["id"].as_str().unwrap().to_owned();
        let _ = self
            .post(
                &format!("/types/{id}/extra_specs"),
                &json!({"extra_specs": specs}),
            )
            .expect(200);
        name.to_owned()
    }

    /// Makes the type `replicated`.
    pub fn make_replicated_type(&self) -> String {
        let specs = json!({"volume_backend_name": "blocks", "replication_enabled": "<is> True"});
        self.make_type("replicated", &specs)
    }

    /// Makes a volume, waits until it is available and returns its id.
    pub fn make_volume(&self, volume: &Value) -> String {
        let made = self
            .post("/volumes", &json!({ "volume": volume }))
            .expect(202);
        let id = made.body["volume"]["id"].as_str().unwrap().to_owned();
        self.wait_status(&id, "available");
        id
    }

    /// Waits until the volume has the status; an `error` that is not asked for ends the wait.
    pub fn wait_status(&self, id: &str, status: &str) {
        let found = until_some(&format!("volume {id} becomes {status}"), 60, || {
            let now = self.volume(id)["status"]
                .as_str()
                .unwrap_or("gone")
                .to_owned();
            (now == status || now.starts_with("error")).then_some(now)
        });
        assert_eq!(found, status, "volume {id}: {}", self.volume(id));
    }

    /// Attaches the volume and returns the attachment's id and the NBD URI.
    pub fn attach(&self, id: &str) -> (String, String) {
        let body = json!({"attachment": {
            "volume_uuid": id,
            "instance_uuid": "5d3cbd1a-0000-4000-8000-000000000001",
            "connector": {"host": "guest", "ip": "127.0.0.1", "mountpoint": "/dev/vdb"},
        }});
        let answer = self.post("/attachments", &body).expect(200);
        let attachment = &answer.body["attachment"];
        let uri = attachment["connection_info"]["uri"]
            .as_str()
            .or(attachment["connection_info"]["data"]["uri"].as_str())
            .unwrap_or_else(|| panic!("no uri in {}", answer.body))
            .to_owned();
        let key = attachment["id"].as_str().unwrap().to_owned();
        let path = format!("/attachments/{key}/action");
        let _ = self.post(&path, &json!({"os-complete": null})).expect(204);
        (key, uri)
    }

    /// Ends an attachment.
    pub fn detach(&self, attachment: &str) {
        let _ = self
            .delete(&format!("/attachments/{attachment}"))
            .expect(200);
    }

    /// The service of the volume backend.
    pub fn volume_service(&self) -> Value {
        let answer = self.get("/os-services?binary=cinder-volume").expect(200);
        answer.body["services"][0].clone()
    }

    /// Asks for a failover and waits until the service's replication status is `status`.
    pub fn fail_over(&self, backend_id: Option<&str>, status: &str) {
        let host = self.volume_service()["host"].as_str().unwrap().to_owned();
        let mut body = json!({ "host": host });
        if let Some(target) = backend_id {
            body["backend_id"] = json!(target);
        }
        let _ = self.put("/os-services/failover_host", &body).expect(202);
        self.wait_replication(status);
    }

    /// Waits until the service's replication status is `status`.
    pub fn wait_replication(&self, status: &str) {
        let found = until_some(&format!("the backend becomes {status}"), 120, || {
            let now = self.volume_service()["replication_status"]
                .as_str()?
                .to_owned();
            (now != "failing-over").then_some(now)
        });
        assert_eq!(found, status, "{}", self.volume_service());
    }
}
