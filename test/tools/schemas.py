#!/usr/bin/env python3
"""schemas.py SWAGGER FOLDER: strict JSON schemas for kubeconform out of the OpenAPI document that the Kubernetes module ships:
unknown fields are refused, kind and apiVersion are required."""
import json
import os
import sys

swagger, folder = sys.argv[1:]
definitions = json.load(open(swagger))["definitions"]
os.makedirs(folder, exist_ok=True)

for name, schema in definitions.items():
    if name.endswith((".IntOrString", ".Quantity")):
        schema.pop("type", None)
        schema.pop("format", None)
        schema["oneOf"] = [{"type": "string"}, {"type": "number"}]
    elif "properties" in schema:
        schema["additionalProperties"] = False


def reachable(value, found):
    """Names of all definitions that `value` leads to."""
    if isinstance(value, list):
        for item in value:
            reachable(item, found)
    elif isinstance(value, dict):
        reference = value.get("$ref")
        name = reference.rsplit("/", 1)[1] if isinstance(reference, str) else None
        if name is not None and name not in found:
            found.add(name)
            reachable(definitions[name], found)
        for item in value.values():
            reachable(item, found)
    return found


count = 0
for name, schema in definitions.items():
    kinds = schema.get("x-kubernetes-group-version-kind") or []
    if len(kinds) != 1:
        continue
    [kind] = kinds
    used = reachable(schema, {name})
    document = json.loads(json.dumps({"$ref": f"#/definitions/{name}", "definitions": {each: definitions[each] for each in used}}))
    top = document["definitions"][name]
    properties = top.setdefault("properties", {})
    properties.setdefault("kind", {})["enum"] = [kind["kind"]]
    properties.setdefault("apiVersion", {})["enum"] = ["/".join(filter(None, [kind["group"], kind["version"]]))]
    top["required"] = sorted({*top.get("required", []), "kind", "apiVersion"})
    parts = [kind["kind"].lower(), kind["group"].split(".")[0], kind["version"]]
    json.dump(document, open(os.path.join(folder, "-".join(filter(None, parts)) + ".json"), "w"))
    count += 1
print(count, "schemas")
