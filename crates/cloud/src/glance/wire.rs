//! Calls over HTTP to one of the addresses of Glance.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use ureq::http::{HeaderMap, HeaderValue, Response};
use ureq::{Agent, SendBody};

use super::GlanceOptions;
use super::error::GlanceError;
use super::image::Image;
use super::upload::Upload;
use crate::seal::UserToken;
use crate::tls;

/// The longest answer that is read, in bytes; that of data is not.
const MAX_ANSWER: u64 = 1 << 20;
/// Data that come more slowly than so many bytes a second, over all, are given up.
const SLOWEST: u64 = 256 << 10;
/// What Glance takes changes of images as.
const PATCH: &str = "application/openstack-images-v2.1-json-patch";
/// The pause before the first call that is made again; it doubles.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest such pause.
const LONGEST: Duration = Duration::from_secs(5);

/// The way to one Glance.
pub(super) struct Wire {
    options: GlanceOptions,
    agent: Agent,
    /// Which of the addresses is asked; another one after each that did not answer.
    turn: AtomicUsize,
}

/// What is asked for.
pub(super) enum Call {
    Get,
    Post(Value),
    /// A JSON patch.
    Patch(Value),
    Delete,
}

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: u16,
    body: Vec<u8>,
}

impl Answer {
    /// The image in it.
    pub(super) fn image(&self, expected: u16) -> Result<Image, GlanceError> {
        if self.status != expected {
            return Err(GlanceError::of_status(self.status));
        }
        Image::read(&self.body).map_err(GlanceError::Nonsense)
    }

    /// The images in it.
    pub(super) fn images(&self) -> Result<Vec<Image>, GlanceError> {
        if self.status != 200 {
            return Err(GlanceError::of_status(self.status));
        }
        Image::read_all(&self.body).map_err(GlanceError::Nonsense)
    }
}

impl Wire {
    pub(super) fn new(mut options: GlanceOptions) -> Result<Self, GlanceError> {
        for server in &mut options.servers {
            if !server.starts_with("http://") && !server.starts_with("https://") {
                let why = "glance_api_servers must begin with http:// or https://";
                return Err(GlanceError::Options(why.to_owned()));
            }
            *server = base(server).to_owned();
        }
        if options.servers.is_empty() && options.keystone.is_none() {
            let why = "glance_api_servers is needed where there is no keystone";
            return Err(GlanceError::Options(why.to_owned()));
        }
        let tls = tls::checks(options.cafile.as_deref(), options.insecure)
            .map_err(|why| GlanceError::Options(format!("glance_ca_certificates_file: {why}")))?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_resolve(Some(options.timeout))
            .timeout_connect(Some(options.timeout))
            .timeout_send_request(Some(options.timeout))
            .timeout_recv_response(Some(options.timeout))
            .tls_config(tls);
        Ok(Self {
            agent: config.build().new_agent(),
            options,
            turn: AtomicUsize::new(0),
        })
    }

    /// How long Glance may be silent.
    pub(super) fn patience(&self) -> Duration {
        self.options.timeout
    }

    /// Asks, again where no answer comes.
    pub(super) async fn call(
        self: &Arc<Self>,
        token: Option<&UserToken>,
        call: Call,
        path: String,
    ) -> Result<Answer, GlanceError> {
        // Glance may have done what it did not answer: a second image would be nobody's.
        let repeatable = !matches!(call, Call::Post(_));
        let (call, mut again) = (Arc::new(call), Again::new(&self.options, repeatable));
        loop {
            let (url, headers) = (self.url(&path).await?, self.headers(token).await?);
            let (wire, call) = (Arc::clone(self), Arc::clone(&call));
            match waited(move || wire.ask(&url, headers, &call)).await {
                Err(GlanceError::Unreachable(why)) => again.pause(&self.turn, why).await?,
                other => return other,
            }
        }
    }

    /// Opens the data of an image of `size` bytes.
    pub(super) async fn open(
        self: &Arc<Self>,
        token: Option<&UserToken>,
        path: String,
        size: Option<u64>,
    ) -> Result<ureq::Body, GlanceError> {
        let whole = self.whole(size);
        let mut again = Again::new(&self.options, true);
        loop {
            let (url, headers) = (self.url(&path).await?, self.headers(token).await?);
            let wire = Arc::clone(self);
            let answer = waited(move || {
                let mut request = wire.agent.get(url);
                if let Some(to) = request.headers_mut() {
                    to.extend(headers);
                }
                let request = request.config().timeout_recv_body(Some(whole)).build();
                let answer = request.call().map_err(GlanceError::unreachable)?;
                match answer.status().as_u16() {
                    200 => Ok(answer.into_body()),
                    status => Err(GlanceError::of_status(status)),
                }
            });
            match answer.await {
                Err(GlanceError::Unreachable(why)) => again.pause(&self.turn, why).await?,
                other => return other,
            }
        }
    }

    /// Begins to send data.
    pub(super) async fn put(
        self: &Arc<Self>,
        token: Option<&UserToken>,
        path: String,
        size: Option<u64>,
    ) -> Result<Upload, GlanceError> {
        let (url, mut headers) = (self.url(&path).await?, self.headers(token).await?);
        let kind = HeaderValue::from_static("application/octet-stream");
        headers.insert("content-type", kind);
        if let Some(size) = size {
            headers.insert("content-length", HeaderValue::from(size));
        }
        let (wire, whole) = (Arc::clone(self), self.whole(size));
        let send = move |body| {
            let mut request = wire.agent.put(url);
            if let Some(to) = request.headers_mut() {
                to.extend(headers);
            }
            let request = request.config().timeout_send_body(Some(whole)).build();
            let sent = request.send(SendBody::from_owned_reader(body));
            let answer = sent.map_err(GlanceError::unreachable)?;
            Ok(answer.status().as_u16())
        };
        Ok(Upload::of(send, self.options.timeout))
    }

    /// How long the way of so many bytes may take.
    fn whole(&self, size: Option<u64>) -> Duration {
        let day = Duration::from_secs(86_400);
        size.map_or(day, |size| {
            self.options.timeout + Duration::from_secs(size / SLOWEST)
        })
    }

    async fn url(&self, path: &str) -> Result<String, GlanceError> {
        let turn = self.turn.load(Ordering::Relaxed);
        let servers = &self.options.servers;
        if let Some(server) = turn
            .checked_rem(servers.len())
            .and_then(|at| servers.get(at))
        {
            return Ok(format!("{server}{path}"));
        }
        let Some(keystone) = &self.options.keystone else {
            return Err(GlanceError::unreachable("nobody knows where it is"));
        };
        let region = self.options.region.as_deref();
        let found = keystone.endpoint("image", &self.options.interface, region);
        Ok(format!("{}{path}", base(&found.await?)))
    }

    /// The tokens: that of the user, and this service's own, which vouches for one that has expired.
    async fn headers(&self, token: Option<&UserToken>) -> Result<HeaderMap, GlanceError> {
        let mut headers = HeaderMap::new();
        let Some(token) = token else {
            return Ok(headers);
        };
        let value = |text: &str| {
            let mut value = HeaderValue::from_str(text).map_err(|_| GlanceError::Refused)?;
            value.set_sensitive(true);
            Ok::<_, GlanceError>(value)
        };
        headers.insert("x-auth-token", value(token.text())?);
        if let Some(keystone) = &self.options.keystone {
            headers.insert("x-service-token", value(&keystone.own_token().await?)?);
        }
        Ok(headers)
    }

    fn ask(&self, url: &str, headers: HeaderMap, call: &Call) -> Result<Answer, GlanceError> {
        let whole = Some(self.options.timeout);
        let answered = match call {
            Call::Get => {
                let mut request = self.agent.get(url);
                if let Some(to) = request.headers_mut() {
                    to.extend(headers);
                }
                request.config().timeout_global(whole).build().call()
            }
            Call::Delete => {
                let mut request = self.agent.delete(url);
                if let Some(to) = request.headers_mut() {
                    to.extend(headers);
                }
                request.config().timeout_global(whole).build().call()
            }
            Call::Patch(body) => {
                let mut request = self.agent.patch(url).content_type(PATCH);
                if let Some(to) = request.headers_mut() {
                    to.extend(headers);
                }
                let request = request.config().timeout_global(whole).build();
                request.send(body.to_string())
            }
            Call::Post(body) => {
                let mut request = self.agent.post(url);
                if let Some(to) = request.headers_mut() {
                    to.extend(headers);
                }
                let request = request.config().timeout_global(whole).build();
                request.send_json(body)
            }
        };
        read(answered.map_err(GlanceError::unreachable)?)
    }
}

/// How often a call is made again.
struct Again {
    left: u32,
    pause: Duration,
}

impl Again {
    fn new(options: &GlanceOptions, repeatable: bool) -> Self {
        Self {
            left: if repeatable { options.retries } else { 0 },
            pause: PAUSE,
        }
    }

    /// Waits until it is time for another address, or gives up.
    async fn pause(
        &mut self,
        turn: &AtomicUsize,
        why: Box<dyn std::error::Error + Send + Sync>,
    ) -> Result<(), GlanceError> {
        turn.fetch_add(1, Ordering::Relaxed);
        if self.left == 0 {
            return Err(GlanceError::Unreachable(why));
        }
        tracing::info!(%why, "the image service does not answer; it is asked again");
        self.left -= 1;
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(())
    }
}

fn read(mut answer: Response<ureq::Body>) -> Result<Answer, GlanceError> {
    let status = answer.status().as_u16();
    if status >= 500 {
        return Err(GlanceError::of_status(status));
    }
    let body = answer.body_mut().with_config().limit(MAX_ANSWER);
    let body = body.read_to_vec().map_err(GlanceError::unreachable)?;
    Ok(Answer { status, body })
}

/// Runs what waits on a thread that may wait.
async fn waited<T: Send + 'static>(
    waits: impl FnOnce() -> Result<T, GlanceError> + Send + 'static,
) -> Result<T, GlanceError> {
    let waited = tokio::task::spawn_blocking(waits).await;
    waited.map_err(GlanceError::unreachable)?
}

/// The address without a version.
fn base(address: &str) -> &str {
    let address = address.trim_end_matches('/');
    address.strip_suffix("/v2").unwrap_or(address)
}
