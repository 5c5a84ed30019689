//! What stands before the user pools: in Cognito a web application firewall, here two lists.

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;

use crate::exception::{Answer, Exception};
use crate::members::{Members, Shape};

/// Whose requests it lets through: all but these.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gateway {
    pub(crate) clients: Vec<String>,
    pub(crate) agents: Vec<String>,
}

impl Gateway {
    /// # Errors
    ///
    /// `ForbiddenException`, before anything else is looked at.
    pub(crate) fn check(&self, headers: &HeaderMap, body: &[u8]) -> Answer<()> {
        let agent = headers
            .get(USER_AGENT)
            .map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        let agent = agent.is_some_and(|agent| self.agents.iter().any(|text| agent.contains(text)));
        if agent || (!self.clients.is_empty() && self.names_client(body)) {
            return Err(Exception::forbidden(
                "Request not allowed due to WAF block.",
            ));
        }
        Ok(())
    }

    fn names_client(&self, body: &[u8]) -> bool {
        let client = Members::parse(body).and_then(|members| members.text("ClientId", Shape::TEXT));
        client.is_ok_and(|client| client.is_some_and(|client| self.clients.contains(&client)))
    }
}
