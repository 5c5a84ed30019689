//! Which client a sign-in is asked for by, and its pool.

use crate::directory::{Client, Pool};
use crate::exception::Answer;
use crate::members::{Members, Shape};
use crate::server::Server;

/// By `ClientId` alone, as users ask.
pub(super) async fn named_client(server: &Server, members: &Members) -> Answer<(Pool, Client)> {
    let id = members.required("ClientId", Shape::CLIENT_ID)?;
    let read = server.directory().read(move |rows| {
        let client = rows.client(&id)?;
        Ok((rows.pool(&client.pool)?, client))
    });
    read.await
}

/// By `UserPoolId` and `ClientId`, as administrators ask.
pub(super) async fn named_pool_and_client(
    server: &Server,
    members: &Members,
) -> Answer<(Pool, Client)> {
    let pool = members.required("UserPoolId", Shape::POOL_ID)?;
    let id = members.required("ClientId", Shape::CLIENT_ID)?;
    let read = server
        .directory()
        .read(move |rows| Ok((rows.pool(&pool)?, rows.client_of(&pool, &id)?)));
    read.await
}
