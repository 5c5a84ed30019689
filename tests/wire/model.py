"""Whether an answer is what the service model says, to the member: a client passes over what it does not expect."""

import json
import re


def conforms(shape, value, at):
    """Raises AssertionError where it does not."""
    kind = shape.type_name
    if kind == "structure":
        assert isinstance(value, dict), at
        assert value.keys() <= shape.members.keys(), f"{at} has unknown members: {value.keys() - shape.members.keys()}"
        assert value.keys() >= set(shape.required_members), f"{at} lacks members"
        for name, member in value.items():
            conforms(shape.members[name], member, f"{at}.{name}")
    elif kind == "list":
        assert isinstance(value, list), at
        for member in value:
            conforms(shape.member, member, f"{at}[]")
    elif kind == "map":
        assert isinstance(value, dict), at
        for name, member in value.items():
            conforms(shape.key, name, f"{at} key")
            conforms(shape.value, member, f"{at}[{name}]")
    elif kind == "string":
        assert isinstance(value, str), at
        assert shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", len(value)), at
        assert not shape.enum or value in shape.enum, at
        pattern = shape.metadata.get("pattern")
        # Python's re has no Unicode properties.
        assert pattern is None or r"\p" in pattern or re.fullmatch(pattern, value), at
    elif kind == "boolean":
        assert isinstance(value, bool), at
    elif kind in ("integer", "long"):
        assert type(value) is int, at
    elif kind == "timestamp":
        assert type(value) in (int, float), at
    else:
        raise AssertionError(f"{at}: a {kind}")


def check(http_response, model, **_):
    """Judges every answer of a client that it is registered with."""
    if http_response.status_code == 200:
        if model.output_shape:
            conforms(model.output_shape, json.loads(http_response.content), model.name)
    else:
        body = json.loads(http_response.content)
        assert body.keys() == {"__type", "message"}, f"{model.name}: {body.keys()}"
