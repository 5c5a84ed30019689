//! A client that knows nothing of the server but its address.

use serde_json::Value;

pub(crate) struct Client {
    url: String,
    agent: ureq::Agent,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) error_type: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) allow_origin: Option<String>,
    pub(crate) exposed: Option<String>,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn at(url: String) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build();
        Self {
            url,
            agent: config.into(),
        }
    }

    /// The host and the port.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub(crate) fn call(&self, operation: &str, members: &Value) -> Reply {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        self.post(&[("x-amz-target", &target)], &members.to_string())
            .expect("answered")
    }

    pub(crate) fn post(&self, headers: &[(&str, &str)], body: &str) -> Result<Reply, ureq::Error> {
        let request = self
            .agent
            .post(format!("{}/", self.url))
            .content_type("application/x-amz-json-1.1");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        request.send(body).map(read)
    }

    /// What a browser asks before it sends a page's request.
    pub(crate) fn preflight(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> ureq::http::Response<ureq::Body> {
        let request = self.agent.options(format!("{}{path}", self.url));
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        request.call().expect("answered")
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        read(
            self.agent
                .get(format!("{}{path}", self.url))
                .call()
                .expect("answered"),
        )
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Reply {
    let header = |name| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().expect("text").to_owned())
    };
    Reply {
        status: response.status().as_u16(),
        error_type: header("x-amzn-errortype"),
        request_id: header("x-amzn-requestid"),
        allow_origin: header("access-control-allow-origin"),
        exposed: header("access-control-expose-headers"),
        body: response.body_mut().read_json().expect("JSON"),
    }
}
