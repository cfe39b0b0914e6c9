//! Routes as a table: each entry says what a request must be and what it is answered with, and the
//! same entry is what requests are checked by and what the OpenAPI document shows.

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use firebrick_control::Control;

use crate::microversion::Microversion as V;
use crate::schema::Schema;

/// One method of one address.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) method: Method,
    /// Below `/v3` and the project, with its variable parts in braces.
    pub(crate) path: &'static str,
    /// The oldest version that knows it.
    pub(crate) since: V,
    /// The policies that are asked.
    pub(crate) rules: &'static [&'static str],
    /// The parameters of the query.
    pub(crate) query: &'static [&'static str],
    pub(crate) takes: Takes,
    /// The status of success.
    pub(crate) ok: u16,
    /// The body of success; none where it is empty.
    pub(crate) answer: Option<&'static Schema>,
    /// Whether that body is a text as it is, and no JSON.
    pub(crate) plain: bool,
}

/// The body that a request must have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Takes {
    /// Whatever there is, is not read.
    Nothing,
    /// The newest of these schemas that the request's version knows.
    Body(Bodies),
    /// One action.
    Action(&'static [Action]),
}

/// Schemas, each with the oldest version that knows it, the oldest first.
pub(crate) type Bodies = &'static [(V, &'static Schema)];

/// One action of an `…/action` address: the only key of the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action {
    pub(crate) key: &'static str,
    /// The oldest version that knows it.
    pub(crate) since: V,
    /// The policies that are asked.
    pub(crate) rules: &'static [&'static str],
    /// What stands below the key.
    pub(crate) body: Bodies,
    /// The status of success.
    pub(crate) ok: u16,
    /// The body of success; none where it is empty.
    pub(crate) answer: Option<&'static Schema>,
}

/// An entry and what answers it.
pub(crate) struct Route {
    pub(crate) entry: Entry,
    pub(crate) handler: MethodRouter<Control>,
}

/// The schema for requests at `version`.
pub(crate) fn newest(bodies: Bodies, version: V) -> Option<&'static Schema> {
    (bodies.iter().rev())
        .find(|(since, _)| *since <= version)
        .map(|(_, schema)| *schema)
}

fn route<H, T>(
    filter: MethodFilter,
    method: Method,
    path: &'static str,
    ok: u16,
    handler: H,
) -> Route
where
    H: Handler<T, Control>,
    T: 'static,
{
    Route {
        entry: Entry {
            method,
            path,
            since: V::MIN,
            rules: &[],
            query: &[],
            takes: Takes::Nothing,
            ok,
            answer: None,
            plain: false,
        },
        handler: on(filter, handler),
    }
}

/// `GET`, answered with 200.
pub(crate) fn get<H: Handler<T, Control>, T: 'static>(path: &'static str, handler: H) -> Route {
    route(MethodFilter::GET, Method::GET, path, 200, handler)
}

/// `POST`, answered with 200.
pub(crate) fn post<H: Handler<T, Control>, T: 'static>(path: &'static str, handler: H) -> Route {
    route(MethodFilter::POST, Method::POST, path, 200, handler)
}

/// `PUT`, answered with 200.
pub(crate) fn put<H: Handler<T, Control>, T: 'static>(path: &'static str, handler: H) -> Route {
    route(MethodFilter::PUT, Method::PUT, path, 200, handler)
}

/// `DELETE`, answered with 202.
pub(crate) fn delete<H: Handler<T, Control>, T: 'static>(path: &'static str, handler: H) -> Route {
    route(MethodFilter::DELETE, Method::DELETE, path, 202, handler)
}

impl Route {
    /// Known from `version` on.
    pub(crate) fn since(mut self, version: V) -> Self {
        self.entry.since = version;
        self
    }

    /// Asking these policies.
    pub(crate) fn rules(mut self, rules: &'static [&'static str]) -> Self {
        self.entry.rules = rules;
        self
    }

    /// With these parameters.
    pub(crate) fn query(mut self, query: &'static [&'static str]) -> Self {
        self.entry.query = query;
        self
    }

    /// With one of these bodies.
    pub(crate) fn body(mut self, bodies: Bodies) -> Self {
        self.entry.takes = Takes::Body(bodies);
        self
    }

    /// With one of these actions.
    pub(crate) fn actions(mut self, actions: &'static [Action]) -> Self {
        self.entry.takes = Takes::Action(actions);
        self
    }

    /// Answered with another status.
    pub(crate) fn ok(mut self, status: u16) -> Self {
        self.entry.ok = status;
        self
    }

    /// Answered with this body.
    pub(crate) fn answer(mut self, schema: &'static Schema) -> Self {
        self.entry.answer = Some(schema);
        self
    }

    /// Answered with this text.
    pub(crate) fn plain(mut self, schema: &'static Schema) -> Self {
        self.entry.plain = true;
        self.answer(schema)
    }
}

impl Action {
    /// The action `key`, which asks `rule` and is answered with 202 and no body.
    pub(crate) const fn new(
        key: &'static str,
        rules: &'static [&'static str],
        body: Bodies,
    ) -> Self {
        Self {
            key,
            since: V::MIN,
            rules,
            body,
            ok: 202,
            answer: None,
        }
    }

    /// Known from `version` on.
    pub(crate) const fn since(self, version: V) -> Self {
        Self {
            since: version,
            ..self
        }
    }

    /// Answered with another status.
    pub(crate) const fn ok(self, status: u16) -> Self {
        Self { ok: status, ..self }
    }

    /// Answered with 200 and this body.
    pub(crate) const fn answer(self, schema: &'static Schema) -> Self {
        Self {
            ok: 200,
            answer: Some(schema),
            ..self
        }
    }
}
