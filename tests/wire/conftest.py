"""One server for each process that runs tests; pools that nobody else's test changes."""

import os
from types import SimpleNamespace

import pytest

from server import Server
from world import Pool, client


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The server under test, or the one at WIRE_ENDPOINT."""
    if endpoint := os.environ.get("WIRE_ENDPOINT"):
        yield SimpleNamespace(endpoint=endpoint)
        return
    server = Server(tmp_path_factory.mktemp("server") / "log")
    yield server
    server.kill()


@pytest.fixture
def start(tmp_path):
    """Starts a server of the test's own."""
    if "SOFTTOKEN_COGNITO" not in os.environ:
        pytest.skip("a server of its own: SOFTTOKEN_COGNITO names the binary")
    servers = []

    def start(*arguments):
        servers.append(Server(tmp_path / f"log-{len(servers)}", *arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="session")
def endpoint(server):
    return server.endpoint


@pytest.fixture(scope="session")
def idp(endpoint):
    return client(endpoint)


@pytest.fixture(scope="session")
def unchecked(endpoint):
    """A client that sends what the service model forbids."""
    return client(endpoint, parameter_validation=False)


@pytest.fixture(scope="session")
def optional(idp):
    return Pool(idp).mfa("OPTIONAL")


@pytest.fixture(scope="session")
def required(idp):
    return Pool(idp).mfa("ON")


@pytest.fixture(scope="session")
def off(idp):
    """A pool as it is when new: MFA off, software tokens off."""
    return Pool(idp)
