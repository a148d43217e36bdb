//! The configured users.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use passerelle_config::{Config, User as Configured};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Role;
use super::page::{Page, Part};
use super::problem::Problem;
use crate::gateway::Gateway;

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A user of the configuration.
#[derive(Serialize, ToSchema)]
struct User {
    name: String,
    groups: Vec<String>,
    /// Beyond being a technician.
    roles: Vec<&'static str>,
    /// Whether they can log in with a password.
    has_password: bool,
}

impl User {
    fn of(user: &Configured, config: &Config) -> Self {
        Self {
            name: user.name.clone(),
            groups: user.groups.clone(),
            roles: Role::of(&user.groups, config).into_iter().map(Role::name).collect(),
            has_password: user.password_hash.is_some(),
        }
    }
}

/// List the users.
#[utoipa::path(get, path = "/users", tag = "users", params(Part),
    responses((status = 200, description = "The users", body = Page<User>)))]
async fn list(
    State(gateway): State<Arc<Gateway>>,
    Query(part): Query<Part>,
) -> Result<Json<Page<User>>, Problem> {
    let policy = gateway.policy();
    let users = policy.config.users.iter().map(|user| User::of(user, &policy.config)).collect();
    Ok(Json(part.of(users, |user: &User| user.name.clone())?))
}
