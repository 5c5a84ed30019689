"""The protocol without a client: what no client sends, and what a client hides."""

import http.client
import json
from urllib.parse import urlsplit

SERVICE = "AWSCognitoIdentityProviderService"


class Answer:
    """Status, headers and body as they came."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def body(self):
        return json.loads(self.text)


def send(endpoint, body, *, target=None, method="POST", path="/", headers=None):
    """Sends these bytes, with this value of X-Amz-Target or without the header."""
    headers = {"Content-Type": "application/x-amz-json-1.1"} | (headers or {})
    if target is not None:
        headers["X-Amz-Target"] = target
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=30)
    try:
        connection.request(method, path, body, headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def call(endpoint, operation, members):
    """Calls an operation with these members, whatever the service model says of them."""
    body = members if isinstance(members, (bytes, str)) else json.dumps(members)
    return send(endpoint, body, target=f"{SERVICE}.{operation}")
