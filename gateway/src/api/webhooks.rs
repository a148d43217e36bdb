//! Programs that are told of events, for the command line.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{Page, Part};
use super::principal::Principal;
use super::problem::Problem;
use crate::gateway::Gateway;
use crate::webhooks::View;

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(test))
}

/// List the webhooks and how they are doing on this node.
#[utoipa::path(get, path = "/webhooks", tag = "webhooks", params(Part),
    responses((status = 200, description = "The webhooks", body = Page<View>)))]
async fn list(
    State(gateway): State<Arc<Gateway>>,
    Query(part): Query<Part>,
) -> Result<Json<Page<View>>, Problem> {
    Ok(Json(part.of(gateway.webhooks(), |webhook: &View| webhook.name.clone())?))
}

/// What became of a test.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookTest)]
pub(crate) struct TestAnswer {
    /// Whether the receiver took it.
    pub(crate) delivered: bool,
    /// What it answered, or why it did not.
    pub(crate) message: String,
}

/// Send a test event to a webhook. When it arrives, a webhook that waits goes on.
#[utoipa::path(post, path = "/webhooks/{name}/test", tag = "webhooks",
    params(("name" = String, Path, description = "The webhook's name")),
    responses((status = 200, description = "What became of it", body = TestAnswer)))]
async fn test(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(name): Path<String>,
) -> Result<Json<TestAnswer>, Problem> {
    let tested = gateway.test_webhook(&name, &principal.by()).await;
    let tested = tested.ok_or_else(|| Problem::not_found(format_args!("there is no webhook `{name}`")))?;
    let delivered = tested.is_ok();
    Ok(Json(TestAnswer { delivered, message: tested.unwrap_or_else(|why| why) }))
}
