#!/usr/bin/env python3
"""Runs the cases of cases.yaml against a server of the Open Inference Protocol, version 2, over HTTP.

    python3 conformance/oip/run.py --url http://127.0.0.1:8080 --model digits [--only flat,gzip] [--json results.json]

Any server will do. The model needs one input of numbers; its metadata says how to ask. Prints a table of the cases, with
what was found where it failed, and exits 1 on failures. The first run makes a virtual environment in the cache folder
(KN_CACHE, XDG_CACHE_HOME, ~/.cache) with the packages of requirements.txt; `--setup` does no more than that.

A case has a `source`, what it `needs` of the server (version, outputs, batch, image, FP32: left out otherwise), one of
    request  one request by `requests`:
             infer / infer-text / binary + tensors (hex, or a word): a POST to /v2/models/$model/infer; `length` replaces
             Inference-Header-Content-Length, `pad` the remainder of its JSON's length by 4, `encoding` compresses
    raw      bytes over a socket; `await` waits for an answer, `pause` a moment
    call     a call of tritonclient, `with` its options
and what to `expect`: status (4xx: any of them), statuses (raw), error (an object with one string), json (dotted paths),
names (outputs in order), outputs (equal to the reference: the plain JSON request), alive (the server answers after it).
Words with $ are filled in from the metadata.
"""
import argparse
import base64
import gzip
import json
import os
import pathlib
import socket
import struct
import sys
import time
import urllib.parse
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from environment import environment  # noqa: E402

PATIENCE_S = 20


# ---------------------------------------------------------------- the model, and the words of the cases
class Failure(Exception):
    """What was found instead of what was expected."""


NUMPY = {"FP32": "<f4", "FP64": "<f8", "UINT8": "u1", "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8",
         "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2"}


class Server:
    def __init__(self, url, model):
        import numpy as np
        import requests

        self.url, self.model = url.rstrip("/"), model
        parts = urllib.parse.urlsplit(self.url)
        self.host, self.port = parts.hostname, parts.port or 80
        answer = requests.get(f"{self.url}/v2/models/{model}", timeout=PATIENCE_S)
        if answer.status_code != 200:
            raise SystemExit(f"no metadata of model {model} at {url}: {answer.status_code} {answer.text[:200]}")
        self.metadata = answer.json()
        entry = self.metadata["inputs"][0]
        self.name, self.datatype = entry["name"], entry["datatype"]
        extents = [int(extent) for extent in entry["shape"]]
        self.has_batch = extents[0] == -1
        self.shape = [extent if extent > 0 else 1 for extent in extents]
        self.outputs = [output["name"] for output in self.metadata["outputs"]]
        versions = self.metadata.get("versions") or []
        live = (self.metadata.get("properties") or {}).get("live")
        self.version = live or (versions[0] if versions else None)
        count = int(np.prod(self.shape))
        self.array = (np.arange(count) * 37 % 251).astype(NUMPY[self.datatype]).reshape(self.shape)
        image = (self.metadata.get("properties") or {}).get("image")
        self.image = [int(part) for part in image.split(" x ")] if image else None

    def needs(self, need):
        """Whether the server has what a case is about."""
        return {
            "version": self.version is not None,
            "outputs": len(self.outputs) > 1,
            "batch": self.has_batch,
            "image": self.image is not None,
            None: True,
        }.get(need, self.datatype == need)

    def words(self):
        data = self.array.ravel().tolist()
        size = self.array.nbytes
        tensor = {"name": self.name, "shape": self.shape, "datatype": self.datatype}
        nan = self.array.copy().ravel()
        if self.datatype == "FP32":
            nan[0] = float("nan")
        return {
            "$model": self.model,
            "$encoded": "".join(f"%{byte:02X}" for byte in self.model.encode()),
            "$version": self.version,
            "$name": self.name,
            "$shape": self.shape,
            "$datatype": self.datatype,
            "$data": data,
            "$nested": self.array.tolist(),
            "$too-many": data + [1],
            "$ragged": [data[:-1], data[-1:]],
            "$texts": ["a"] * len(data),
            "$nulls": [None] * len(data),
            "$overflow": [1e39] * len(data),
            "$input": {**tensor, "data": data},
            "$pair": {**tensor, "shape": [2, *self.shape[1:]], "data": data + data},
            "$request": {"inputs": [{**tensor, "data": data}]},
            "$binary": {**tensor, "parameters": {"binary_data_size": size}},
            "$bytes": self.array.tobytes(),
            "$nan-bytes": nan.tobytes(),
            "$output": self.outputs[0],
            "$last": self.outputs[-1],
            "$outputs": self.outputs,
            "$reversed": [{"name": name} for name in reversed(self.outputs)],
            "$reversed-names": list(reversed(self.outputs)),
        }


def fill(value, words):
    if isinstance(value, str):
        if value in words:
            return words[value]
        for word in sorted(words, key=len, reverse=True):
            if isinstance(words[word], str):
                value = value.replace(word, words[word])
        return value
    if isinstance(value, list):
        return [fill(item, words) for item in value]
    if isinstance(value, dict):
        return {key: fill(item, words) for key, item in value.items()}
    return value


# ---------------------------------------------------------------- answers
class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, {key.lower(): value for key, value in headers.items()}, body

    def json(self):
        length = self.headers.get("inference-header-content-length")
        text = self.body if length is None else self.body[: int(length)]
        try:
            return json.loads(text)
        except ValueError:
            raise Failure(f"no JSON: {self.body[:80]!r}")

    def outputs(self):
        """Name -> values, of JSON or binary."""
        import numpy as np

        value = self.json()
        at = int(self.headers.get("inference-header-content-length", len(self.body)))
        found = {}
        for output in value["outputs"]:
            size = (output.get("parameters") or {}).get("binary_data_size")
            if size is None:
                found[output["name"]] = np.asarray(output["data"]).ravel()
                continue
            data, at = self.body[at : at + size], at + size
            if output["datatype"] == "BYTES":
                texts = []
                while data:
                    (length,) = struct.unpack("<I", data[:4])
                    texts.append(data[4 : 4 + length].decode())
                    data = data[4 + length :]
                found[output["name"]] = np.asarray(texts)
            else:
                found[output["name"]] = np.frombuffer(data, NUMPY[output["datatype"]])
        if at != len(self.body):
            raise Failure(f"{len(self.body) - at} bytes beyond the last output")
        return found


def same(found, expected):
    import numpy as np

    if list(found) != list(expected):
        raise Failure(f"outputs {list(found)} instead of {list(expected)}")
    for name, values in found.items():
        values, wanted = np.asarray(values).ravel(), np.asarray(expected[name]).ravel()
        if values.dtype.kind in "OSU":
            values = np.asarray([each.decode() if isinstance(each, bytes) else str(each) for each in values])
        is_same = values.shape == wanted.shape and (
            np.allclose(values, wanted, rtol=1e-4, atol=1e-6) if values.dtype.kind in "fiu" else (values == wanted).all())
        if not is_same:
            raise Failure(f"{name} is {values[:3]} instead of {wanted[:3]}")


def status_is(found, expected):
    return found // 100 == 4 if expected == "4xx" else found == expected


def value_at(value, path):
    for part in path.split("."):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise Failure(f"no {path}")
    return value


def check_value(found, expected, path):
    kinds = {"$string": str, "$list": list, "$number": (int, float)}
    if isinstance(expected, str) and expected in kinds:
        if not isinstance(found, kinds[expected]):
            raise Failure(f"{path} is {found!r} instead of a {expected[1:]}")
    elif found != expected:
        raise Failure(f"{path} is {found!r} instead of {expected!r}")


# ---------------------------------------------------------------- the three ways to ask
def compress(body, encoding):
    return {None: body, "gzip": gzip.compress(body), "deflate": zlib.compress(body)}[encoding]


def png_of(height, width, channels, values):
    """A PNG file of bytes, [height, width, channels]."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + values[row * width * channels : (row + 1) * width * channels] for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_request(server, form):
    import numpy as np

    height, width, channels = server.image
    file = png_of(height, width, channels, server.array.astype(np.uint8).tobytes())
    tensor = {"name": server.name, "shape": [1], "datatype": "BYTES"}
    if form == "base64":
        return {"infer": {"inputs": [{**tensor, "data": [base64.b64encode(file).decode()]}]}}
    if form == "binary":
        data = struct.pack("<I", len(file)) + file
        return {"binary": {"inputs": [{**tensor, "parameters": {"binary_data_size": len(data)}}]}, "tensors": [data]}
    return {"body": file[: len(file) // 2] if form == "damaged" else file}


def ask(server, request):
    """One request by `requests`, as the case says."""
    import requests

    if "png" in request:
        request = png_request(server, request["png"])
    path = request.get("path", f"/v2/models/{server.model}/infer")
    method = request.get("method", "GET" if "path" in request else "POST")
    headers = dict(request.get("headers", {}))
    body = None
    if "json" in request or "infer" in request:
        body = json.dumps(request.get("json", request.get("infer"))).encode()
        headers.setdefault("content-type", "application/json")
    elif "infer-text" in request:
        body = request["infer-text"].encode()
    elif "infer-nan" in request:
        tensor = {"name": server.name, "shape": server.shape, "datatype": server.datatype}
        body = json.dumps({"inputs": [{**tensor, "data": [float("nan")] * server.array.size}]}).encode()
    elif "infer-repeat" in request:
        repeat = request["infer-repeat"]
        count = repeat["count"]
        body = (repeat["before"] + repeat["open"] * count + repeat["close"] * count + repeat["after"]).encode()
    elif "bomb" in request:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        zeros = bytes(1_000_000)
        body = b"".join(packer.compress(zeros) for _ in range(request["bomb"] // len(zeros))) + packer.flush()
        headers["content-encoding"] = "gzip"
    elif "body" in request:
        body = request["body"]
    elif "binary" in request:
        head = b"" if request["binary"] == "" else json.dumps(request["binary"]).encode()
        while "pad" in request and len(head) % 4 != request["pad"]:
            head += b" "
        tensors = [bytes.fromhex(each) if isinstance(each, str) else each for each in request["tensors"]]
        body = head + b"".join(tensors)
        headers["inference-header-content-length"] = request.get("length", str(len(head)))
    if "encoding" in request:
        body = compress(body, request["encoding"])
        headers["content-encoding"] = request["encoding"]
    # Bytes without a media type are sent without one.
    # A connection for each: what one case does to it is not the next one's fault.
    answer = requests.request(method, server.url + path, data=body, headers=headers, timeout=PATIENCE_S)
    return Answer(answer.status_code, answer.headers, answer.content)


def read_answer(connection, received):
    """The next answer of a connection; None when it is closed before one is complete."""
    while True:
        end = received.find(b"\r\n\r\n")
        if end >= 0:
            lines = received[:end].decode("latin1").split("\r\n")
            headers = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines[1:])}
            status = int(lines[0].split(" ")[1])
            rest = received[end + 4 :]
            if status == 100:
                return Answer(status, headers, b""), rest
            if "chunked" in headers.get("transfer-encoding", ""):
                last = rest.find(b"0\r\n\r\n")
                if last >= 0:
                    return Answer(status, headers, rest[:last]), rest[last + 5 :]
            else:
                length = int(headers.get("content-length", 0))
                if len(rest) >= length:
                    return Answer(status, headers, rest[:length]), rest[length:]
        piece = connection.recv(65536)
        if not piece:
            return None, received
        received += piece


def ask_raw(server, pieces, expect):
    body = json.dumps(server.words()["$request"])
    half = len(body) // 2
    chunks = "".join(f"{len(part):x}\r\n{part}\r\n" for part in (body[:half], body[half:]))
    words = {"$body": body, "$length": str(len(body)), "$half": body[:half], "$rest": body[half:], "$chunks": chunks}
    statuses, received = [], b""
    with socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as connection:
        for piece in pieces:
            if piece == "pause":
                time.sleep(0.05)
            elif piece == "await":
                answer, received = read_answer(connection, received)
                statuses.append(answer.status if answer else 0)
            else:
                connection.sendall(fill(piece, {**words, "$model": server.model}).encode())
        while len(statuses) < len(expect["statuses"]):
            answer, received = read_answer(connection, received)
            if answer is None:
                break
            statuses.append(answer.status)
        if expect.get("closed"):
            connection.shutdown(socket.SHUT_WR)
            try:
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                pass
    matches = len(statuses) == len(expect["statuses"]) and all(map(status_is, statuses, expect["statuses"]))
    if not matches:
        raise Failure(f"statuses {statuses} instead of {expect['statuses']}")


def triton_tensors(module, server, options):
    tensor = module.InferInput(server.name, server.shape, server.datatype)
    tensor.set_data_from_numpy(server.array, binary_data=options.get("binary_input", True))
    outputs = [module.InferRequestedOutput(name, binary_data=options.get("binary_output", True)) for name in server.outputs]
    arguments = {"model_name": server.model, "inputs": [tensor]}
    if options.get("outputs", True):
        arguments["outputs"] = outputs
    if "compression" in options:
        arguments["request_compression_algorithm"] = options["compression"]
        arguments["response_compression_algorithm"] = options["compression"]
    for option, name in (("id", "request_id"), ("priority", "priority"), ("timeout", "timeout")):
        if option in options:
            arguments[name] = options[option]
    return arguments


def triton_outputs(server, result):
    return {name: result.as_numpy(name) for name in server.outputs}


def expect_exception(exception, error):
    if not isinstance(error, exception):
        raise Failure(f"{type(error).__name__} instead of InferenceServerException: {error}")
    if "an exception occurred in the client" in error.message():
        raise Failure(f"the client cannot read the error: {error.message()[:120]}")


def call_triton(server, call, options, expect, reference):
    import tritonclient.http as triton
    from tritonclient.utils import InferenceServerException

    with triton.InferenceServerClient(f"{server.host}:{server.port}", concurrency=4) as client:
        if call == "health":
            if not (client.is_server_live() and client.is_server_ready() and client.is_model_ready(server.model)):
                raise Failure("not live, not ready, or the model is not")
        elif call == "metadata":
            check_value(client.get_model_metadata(server.model)["name"], server.model, "name")
            check_value(client.get_server_metadata()["name"], "$string", "name")
        elif call == "config":
            check_value(client.get_model_config(server.model)["name"], server.model, "name")
        elif call == "statistics":
            check_value(client.get_inference_statistics(server.model)["model_stats"][0]["name"], server.model, "name")
        elif call == "index":
            names = [entry["name"] for entry in client.get_model_repository_index()]
            if server.model not in names:
                raise Failure(f"index {names}")
        elif call == "infer":
            result = client.infer(**triton_tensors(triton, server, options))
            same(triton_outputs(server, result), reference)
            if "id" in expect:
                check_value(result.get_response().get("id"), expect["id"], "id")
        elif call == "async-infer":
            pending = [client.async_infer(**triton_tensors(triton, server, options)) for _ in range(8)]
            for each in pending:
                same(triton_outputs(server, each.get_result()), reference)
        elif call == "error":
            try:
                client.infer(**{**triton_tensors(triton, server, options), "model_name": "no-such-model"})
            except Exception as error:
                expect_exception(InferenceServerException, error)
            else:
                raise Failure("no exception for an unknown model")


def call_triton_aio(server, call, options, expect, reference):
    import asyncio

    import tritonclient.http.aio as triton
    from tritonclient.utils import InferenceServerException

    async def run():
        async with triton.InferenceServerClient(f"{server.host}:{server.port}") as client:
            if call == "aio-health":
                if not (await client.is_server_live() and await client.is_model_ready(server.model)):
                    raise Failure("not live, or the model is not ready")
            elif call == "aio-infer":
                result = await client.infer(**triton_tensors(triton, server, options))
                same(triton_outputs(server, result), reference)
            elif call == "aio-error":
                try:
                    await client.infer(**{**triton_tensors(triton, server, options), "model_name": "no-such-model"})
                except Exception as error:
                    expect_exception(InferenceServerException, error)
                else:
                    raise Failure("no exception for an unknown model")

    asyncio.run(run())


# ---------------------------------------------------------------- a case
def check_answer(server, answer, expect, reference):
    import numpy as np

    if not status_is(answer.status, expect["status"]):
        raise Failure(f"{answer.status} instead of {expect['status']}: {answer.body[:100]!r}")
    if expect.get("error"):
        error = answer.json()
        if not (isinstance(error, dict) and isinstance(error.get("error"), str)):
            raise Failure(f'no {{"error": string}}: {answer.body[:100]!r}')
    for path, value in expect.get("json", {}).items():
        check_value(value_at(answer.json(), path), value, path)
    for path, value in expect.get("absent-or", {}).items():
        if path in answer.json():
            check_value(answer.json()[path], value, path)
    if "names" in expect:
        check_value([output["name"] for output in answer.json()["outputs"]], expect["names"], "outputs")
    if "header" in expect and expect["header"] not in answer.headers:
        raise Failure(f"no header {expect['header']}")
    if "bytes" in expect:
        check_value(len(answer.body), expect["bytes"], "length of the body")
    if expect.get("outputs") == "twice":
        same(answer.outputs(), {name: np.concatenate([values, values]) for name, values in reference.items()})
    elif expect.get("outputs") == "png":
        same(answer.outputs(), ask(server, {"png": "body"}).outputs())
    elif "outputs" in expect:
        same(answer.outputs(), reference)


def run_case(server, case, reference):
    expect = fill(case["expect"], server.words())
    if "call" in case:
        caller = call_triton_aio if case["call"].startswith("aio") else call_triton
        caller(server, case["call"], case.get("with", {}), expect, reference)
    elif "raw" in case:
        ask_raw(server, case["raw"], expect)
    else:
        check_answer(server, ask(server, fill(case["request"], server.words())), expect, reference)
    if expect.get("alive"):
        answer = ask(server, {"infer": server.words()["$request"]})
        if answer.status != 200:
            raise Failure(f"{answer.status} to the next request")


def run(arguments):
    import yaml

    groups = yaml.safe_load((HERE / "cases.yaml").read_text())
    cases = [{**case, "group": group} for group, members in groups.items() for case in members]
    if arguments.only:
        cases = [case for case in cases if case["id"] in arguments.only.split(",")]
    server = Server(arguments.url, arguments.model)
    reference = ask(server, {"infer": server.words()["$request"]})
    if reference.status != 200:
        raise SystemExit(f"the plain JSON request is answered with {reference.status}: {reference.body[:200]!r}")
    reference = reference.outputs()
    results = []
    for case in cases:
        started = time.monotonic()
        found = ""
        if not server.needs(case.get("needs")):
            verdict, found = "left out", f"no {case['needs']}"
        else:
            try:
                run_case(server, case, reference)
                verdict = "ok"
            except Failure as failure:
                verdict, found = "FAILED", str(failure)
            except Exception as error:  # a reset, a time-out, or a client that cannot read an answer
                verdict, found = "FAILED", f"{type(error).__name__}: {error}"
        milliseconds = round((time.monotonic() - started) * 1000)
        about = {name: case[name] for name in ("id", "group", "source")}
        results.append({**about, "verdict": verdict, "found": found, "ms": milliseconds})
        print(f"{verdict:<8} {case['id']:<26} {milliseconds:>5} ms  {found or case['source']}"[:200], flush=True)
    counts = {verdict: sum(each["verdict"] == verdict for each in results) for verdict in ("ok", "FAILED", "left out")}
    for group in groups:
        members = [each["verdict"] for each in results if each["group"] == group]
        print(f"{members.count('ok'):>3} of {len(members) - members.count('left out'):>3} {group}")
    print(f"{counts['ok']} passed, {counts['FAILED']} failed, {counts['left out']} left out")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=2) + "\n")
    return 1 if counts["FAILED"] else 0


def main():
    parser = argparse.ArgumentParser(description="conformance to the Open Inference Protocol, version 2")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--model", default="digits")
    parser.add_argument("--only", help="ids of cases, with commas")
    parser.add_argument("--json", help="file for the results")
    parser.add_argument("--setup", action="store_true", help="install the packages and end")
    arguments = parser.parse_args()
    if os.environ.get("KN_OIP_PYTHON") != "1":
        python = environment("oip", HERE / "requirements.txt")
        if arguments.setup:
            return 0
        os.execve(str(python), [str(python), *sys.argv], {**os.environ, "KN_OIP_PYTHON": "1"})
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
