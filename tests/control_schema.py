"""As much of JSON Schema as control/schema/ uses, and an error for more."""

import json
import os

TYPES = {"object": dict, "array": list, "string": str, "null": type(None),
         "boolean": bool, "integer": int}
NOTES = {"$schema", "title", "description"}


class Mismatch(Exception):
    """The value is not what the schema says."""


def is_type(value, name):
    if name == "integer" and isinstance(value, bool):
        return False
    return isinstance(value, TYPES[name])


def check_object(schema, value, where):
    for key in schema.get("required", []):
        if key not in value:
            raise Mismatch(f"{where}: no {key}")
    known = schema.get("properties", {})
    rest = schema.get("additionalProperties", True)
    for key, item in value.items():
        if key in known:
            check(known[key], item, f"{where}.{key}")
        elif rest is False:
            raise Mismatch(f"{where}: unexpected {key}")
        elif rest is not True:
            check(rest, item, f"{where}.{key}")


def check(schema, value, where="$"):
    """Raises Mismatch unless value fits the schema."""
    used = set(schema) - NOTES
    if "type" in schema:
        names = schema["type"]
        names = [names] if isinstance(names, str) else names
        if not any(is_type(value, name) for name in names):
            raise Mismatch(f"{where}: {value!r} is no {names}")
    if "enum" in schema and value not in schema["enum"]:
        raise Mismatch(f"{where}: {value!r} is not in {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        raise Mismatch(f"{where}: {value!r} is not {schema['const']!r}")
    if "minimum" in schema and value is not None and value < schema["minimum"]:
        raise Mismatch(f"{where}: {value} is less than {schema['minimum']}")
    if "items" in schema and isinstance(value, list):
        for number, item in enumerate(value):
            check(schema["items"], item, f"{where}[{number}]")
    if isinstance(value, dict):
        check_object(schema, value, where)
    unknown = used - {"type", "enum", "const", "minimum", "items",
                      "properties", "required", "additionalProperties"}
    if unknown:
        raise AssertionError(f"{where}: this cannot check {unknown}")


def load():
    folder = os.path.join(os.environ.get("top_srcdir", "."), "control/schema")
    schemas = {}
    for name in os.listdir(folder):
        if name.endswith(".json"):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                schemas[name[:-5]] = json.load(f)
    return schemas


SCHEMAS = load()


def check_line(message, method=None):
    """A line of the server; method: of the request that it answers."""
    if "error" in message:
        check(SCHEMAS["error"], message)
    elif "method" in message:
        check(SCHEMAS[message["method"]], message)
    else:
        check(SCHEMAS[method], message)
