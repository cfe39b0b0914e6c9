//! The door: what every request passes before its handler, and every answer behind it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use firebrick_control::{Began, Context};
use tower::ServiceExt;
use uuid::Uuid;

use crate::auth::{self, Asker, is_project};
use crate::body::{MAX_BODY, announced};
use crate::call::Call;
use crate::fault::Fault;
use crate::links::Links;
use crate::microversion::{self, Microversion, Refused};
use crate::openapi::Documents;
use crate::options::ApiOptions;
use crate::query::Query;
use crate::route::Entry;
use crate::{routes, versions};

/// The names under which the request's id is sent back.
const REQUEST_ID: [HeaderName; 2] = [
    HeaderName::from_static("x-openstack-request-id"),
    HeaderName::from_static("x-compute-request-id"),
];

/// The name under which the activity that a request has begun is sent back.
const ACTIVITY: HeaderName = HeaderName::from_static("x-firebrick-activity");

/// What the door leads to.
pub(crate) struct Door {
    resources: Router,
    documents: Documents,
    collections: BTreeSet<&'static str>,
    options: ApiOptions,
}

/// Where an address leads.
#[derive(Debug, Eq, PartialEq)]
enum Place<'a> {
    /// The list of versions.
    Root,
    /// The one version.
    Version,
    /// The one version, without the slash at its end.
    Slashless,
    /// The description of all routes.
    Document,
    /// The health of this process.
    Health,
    /// A resource, beginning with a slash, for the project in the address.
    Resource {
        project: Option<&'a str>,
        path: &'a str,
    },
    /// Nothing.
    Nowhere,
}

fn place<'a>(collections: &BTreeSet<&str>, path: &'a str) -> Place<'a> {
    if path == "/v3" {
        return Place::Slashless;
    }
    match path {
        "" | "/" => return Place::Root,
        "/v3/" => return Place::Version,
        "/openapi.json" => return Place::Document,
        "/healthcheck" => return Place::Health,
        _ => {}
    }
    // A slash at the end is an id left out: a client that asks for the volume "" is not shown all.
    let Some(below) = path
        .strip_prefix("/v3/")
        .filter(|rest| !rest.ends_with('/'))
    else {
        return Place::Nowhere;
    };
    let first = below.split('/').next().unwrap_or_default();
    if collections.contains(first) {
        return Place::Resource {
            project: None,
            path: &path["/v3".len()..],
        };
    }
    let (project, rest) = below.split_at(first.len());
    let second = rest.split('/').nth(1).unwrap_or_default();
    // Clients of 3.67 and later leave the project out, so that what is no collection here must not
    // be taken for a project: `/v3/backups/detail` is nowhere, not somebody else's `detail`.
    if is_project(project) && collections.contains(second) {
        return Place::Resource {
            project: Some(project),
            path: rest,
        };
    }
    Place::Nowhere
}

/// Answers any request.
pub(crate) async fn enter(State(door): State<Arc<Door>>, request: Request) -> Response {
    let began = Instant::now();
    let id = format!("req-{}", Uuid::new_v4());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response = door.answer(request, &id).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        for name in REQUEST_ID {
            response.headers_mut().insert(name, value.clone());
        }
    }
    let status = response.status().as_u16();
    let milliseconds = began.elapsed().as_millis() as u64;
    tracing::info!(%method, path, status, milliseconds, request = id, "answered");
    response
}

impl Door {
    /// A door to `resources`.
    pub(crate) fn new(resources: Router, entries: Vec<Entry>, options: ApiOptions) -> Self {
        Self {
            resources,
            collections: routes::collections(&entries),
            documents: Documents::new(entries),
            options,
        }
    }

    async fn answer(&self, request: Request, id: &str) -> Response {
        let place = place(&self.collections, request.uri().path());
        let asker = match self.asker(request.uri().path(), request.headers()).await {
            Ok(asker) => asker,
            Err(refusal) => return refusal,
        };
        let negotiated = Microversion::negotiate(request.headers());
        match (&place, negotiated) {
            (Place::Health, _) => versions::healthy(),
            // What Cinder's server answers to those who ask for its methods.
            (Place::Slashless | Place::Version | Place::Resource { .. }, _)
                if request.method() == Method::OPTIONS =>
            {
                StatusCode::OK.into_response()
            }
            (Place::Slashless, _) => versions::slash(&self.links(&request, None)),
            (Place::Document, negotiated) => self.document(&request, negotiated),
            (Place::Nowhere, _) => Fault::no_route().into_response(),
            // Whoever asks for the versions need not know one yet.
            (Place::Root, negotiated) => {
                let version = negotiated.unwrap_or(Microversion::MIN);
                echoing(self.versions(&request, true), Some(version))
            }
            (Place::Version | Place::Resource { .. }, Err(refused)) => {
                echoing(refused.fault.into_response(), refused.echo)
            }
            (Place::Version, Ok(version)) => echoing(self.versions(&request, false), Some(version)),
            (Place::Resource { project, path }, Ok(version)) => {
                let called = self.call(&request, asker, *project, version, id);
                let uri = path.parse::<Uri>().map_err(|_| Fault::no_route());
                let response = match (called, uri) {
                    (Err(fault), _) | (_, Err(fault)) => fault.into_response(),
                    (Ok(call), Ok(uri)) => self.pass(request, call, uri).await,
                };
                echoing(response, Some(version))
            }
        }
    }

    fn versions(&self, request: &Request, choices: bool) -> Response {
        if request.method() != Method::GET {
            return Fault::no_route().into_response();
        }
        versions::document(&self.links(request, None), choices)
    }

    /// The description of all routes, at the version that the request names, or else the newest.
    fn document(&self, request: &Request, asked: Result<Microversion, Refused>) -> Response {
        if request.method() != Method::GET {
            return Fault::no_route().into_response();
        }
        let version = if request.headers().contains_key(microversion::HEADER) {
            asked
        } else {
            Ok(Microversion::MAX)
        };
        match version {
            Ok(version) => {
                let base = self.links(request, None).base().to_owned();
                let kind = [(header::CONTENT_TYPE, "application/json")];
                (kind, self.documents.text(version, &base)).into_response()
            }
            Err(refused) => echoing(refused.fault.into_response(), refused.echo),
        }
    }

    fn links(&self, request: &Request, project: Option<&str>) -> Links {
        let endpoint = self.options.public_endpoint.as_deref();
        Links::new(endpoint, request.headers(), project)
    }

    /// Who asks, where that matters: versions, health and the description are for everybody.
    async fn asker(&self, path: &str, headers: &HeaderMap) -> Result<Asker, Response> {
        if path == "/v3" || path.starts_with("/v3/") {
            auth::ask(&self.options.auth, headers).await
        } else {
            Ok(Asker::Unproved)
        }
    }

    fn call(
        &self,
        request: &Request,
        asker: Asker,
        project: Option<&str>,
        version: Microversion,
        id: &str,
    ) -> Result<Call, Fault> {
        // Cinder knows no HEAD.
        if request.method() == Method::HEAD {
            return Err(Fault::no_route());
        }
        if announced(request.headers()).is_some_and(|length| length > MAX_BODY as u64) {
            return Err(Fault::too_long());
        }
        // No database takes NUL everywhere, and no name has it.
        if request.uri().to_string().contains("%00") {
            return Err(Fault::malformed());
        }
        let policy = Arc::clone(&self.options.policy);
        let (caller, access) = asker.caller(request.headers(), project, policy)?;
        Ok(Call {
            context: Context {
                project: caller.project,
                user: caller.user,
                request_id: id.to_owned(),
                access,
                began: Began::default(),
            },
            version,
            links: self.links(request, project),
            query: Query::parse(request.uri().query())?,
            filters: Arc::clone(&self.options.filters),
            max_limit: self.options.max_limit,
        })
    }

    async fn pass(&self, request: Request, call: Call, uri: Uri) -> Response {
        let (mut parts, body) = request.into_parts();
        parts.uri = uri;
        let began = call.context.began.clone();
        parts.extensions.insert(call);
        let passed = self
            .resources
            .clone()
            .oneshot(Request::from_parts(parts, body))
            .await;
        let mut response = passed.unwrap_or_else(|never| match never {});
        // What a refused request had begun was not committed.
        let activity = began.activity().filter(|_| response.status().is_success());
        let value = activity.and_then(|id| HeaderValue::from_str(&id.to_string()).ok());
        if let Some(value) = value {
            response.headers_mut().insert(ACTIVITY, value);
        }
        response
    }
}

/// The answer with the version by which it was made.
fn echoing(mut response: Response, version: Option<Microversion>) -> Response {
    let echo = version.and_then(|v| HeaderValue::from_str(&format!("volume {v}")).ok());
    if let Some(echo) = echo {
        response.headers_mut().insert(microversion::HEADER, echo);
        let vary = HeaderValue::from_static("OpenStack-API-Version");
        response.headers_mut().insert(header::VARY, vary);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Place<'_> {
        super::place(&BTreeSet::from(["types", "volumes"]), path)
    }

    #[test]
    fn projects_are_told_from_collections() {
        let of = |project, path| Place::Resource { project, path };
        assert_eq!(place("/v3/volumes"), of(None, "/volumes"));
        assert_eq!(place("/v3/volumes/detail"), of(None, "/volumes/detail"));
        assert_eq!(place("/v3/admin/volumes"), of(Some("admin"), "/volumes"));
        let hex = "/v3/ead99782a50b4b49bfa3acd446721735/types/a%2Fb";
        assert_eq!(
            place(hex),
            of(Some("ead99782a50b4b49bfa3acd446721735"), "/types/a%2Fb")
        );
    }

    #[test]
    fn other_addresses_lead_to_documents_or_nowhere() {
        assert_eq!(place("/"), Place::Root);
        assert_eq!(place("/v3"), Place::Slashless);
        assert_eq!(place("/v3/"), Place::Version);
        assert_eq!(place("/healthcheck"), Place::Health);
        assert_eq!(place("/openapi.json"), Place::Document);
        for nowhere in [
            "/v2",
            "/v3/admin",
            "/v3/admin/",
            "/v3/admin/volumes/",
            "/v3/volumes/detail/",
            "/v3/a%20b/volumes",
            "/v3/backups/detail",
            "/v3/os-quota-sets/admin",
            "/v3/admin/backups",
            "/v3/admin//volumes",
            "/v3x",
            "/volumes",
        ] {
            assert_eq!(place(nowhere), Place::Nowhere, "{nowhere}");
        }
    }
}
