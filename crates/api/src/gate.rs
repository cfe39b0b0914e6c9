//! What stands before each handler: its entry's version and body, checked before anything is asked or
//! done. In debug builds every answer is held to the entry too.

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use firebrick_control::Control;

use crate::body::Body;
use crate::call::Call;
use crate::fault::Fault;
use crate::microversion::Microversion;
use crate::route::{Action, Entry, Route, Takes, newest};
use crate::schema::broken;

/// The route's handler behind its gate.
pub(crate) fn guarded(route: Route) -> MethodRouter<Control> {
    let entry = Arc::new(route.entry);
    route
        .handler
        .route_layer(middleware::from_fn(move |request: Request, next: Next| {
            let entry = Arc::clone(&entry);
            async move { pass(&entry, request, next).await }
        }))
}

async fn pass(entry: &Entry, request: Request, next: Next) -> Response {
    let Some(version) = request.extensions().get::<Call>().map(|call| call.version) else {
        return Fault::internal().into_response();
    };
    match check(entry, version, request).await {
        Ok((request, action)) => {
            let response = next.run(request).await;
            held(entry, action, version, response).await
        }
        Err(fault) => fault.into_response(),
    }
}

/// The request with its body read and checked, and the action that it asks for.
async fn check(
    entry: &Entry,
    version: Microversion,
    mut request: Request,
) -> Result<(Request, Option<&'static Action>), Fault> {
    if version < entry.since {
        return Err(Fault::no_route());
    }
    match entry.takes {
        Takes::Nothing => Ok((request, None)),
        Takes::Body(bodies) => {
            let body = Body::read(&mut request).await?;
            let schema = newest(bodies, version);
            if let Some(broken) = schema.and_then(|s| broken(s, version, None, body.value())) {
                return Err(broken.into());
            }
            request.extensions_mut().insert(body);
            Ok((request, None))
        }
        Takes::Action(actions) => {
            let body = Body::read(&mut request).await?;
            let (name, fields) = body.action()?;
            let action = (actions.iter().find(|action| action.key == name))
                .ok_or_else(|| Fault::no_action(name))?;
            if version < action.since {
                return Err(Fault::no_route());
            }
            let below = fields.get(name).zip(newest(action.body, version));
            if let Some(broken) = below.and_then(|(v, s)| broken(s, version, Some(name), v)) {
                return Err(broken.into());
            }
            request.extensions_mut().insert(body);
            Ok((request, Some(action)))
        }
    }
}

/// The answer, as it is.
#[cfg(not(debug_assertions))]
#[expect(clippy::unused_async, reason = "debug builds read the body")]
async fn held(
    _: &Entry,
    _: Option<&'static Action>,
    _: Microversion,
    response: Response,
) -> Response {
    response
}

/// The answer where it is what the entry says, else what is wrong with it: so every test in which
/// something is asked is a test of the entry too.
#[cfg(debug_assertions)]
async fn held(
    entry: &Entry,
    action: Option<&'static Action>,
    version: Microversion,
    response: Response,
) -> Response {
    match crate::verify::answer(entry, action, version, response).await {
        Ok(response) => response,
        Err(wrong) => {
            tracing::error!(method = %entry.method, path = entry.path, %version, wrong, "not as documented");
            Fault::undocumented(&wrong).into_response()
        }
    }
}
