//! The Block Storage API over HTTP: routes, shapes, microversions, faults.
//!
//! What it is for: [`router`] answers Cinder's requests from what `control` says; [`serve`] puts it on
//! a socket. Each resource has its part of one table of routes (`route`): version, policies, body and
//! answer of each. The gate checks requests by it, debug builds hold every answer to it, and
//! `/openapi.json` is made from it. What it promises: it decides nothing and keeps nothing; input is bounded and checked, and
//! a refusal names the field and the rule; what a microversion hides stays hidden. What it leans on:
//! `control` for everything that happens, axum for HTTP.

mod activities;
mod attachments;
mod auth;
mod backups;
mod body;
mod call;
mod clusters;
mod default_types;
mod door;
mod extensions;
mod fault;
mod gate;
mod group_snapshots;
mod group_types;
mod groups;
mod hosts;
mod ids;
mod limits;
mod links;
mod list;
mod literal;
mod manage;
mod messages;
mod metadata;
mod microversion;
mod openapi;
mod options;
mod pools;
mod qos;
mod query;
mod quotas;
mod replications;
mod resource_filters;
mod route;
mod routes;
mod schema;
mod server;
mod services;
mod snapshots;
mod transfers;
mod types;
#[cfg(debug_assertions)]
mod verify;
mod versions;
mod view;
mod volumes;
mod workers;
mod zones;

pub use list::open::ResourceFilters;
pub use options::{ApiOptions, AuthStrategy, OptionsError};
pub use routes::router;
pub use server::serve;
