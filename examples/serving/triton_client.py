"""Logits of random samples, with NVIDIA's client: pip install tritonclient[http]

Usage: triton_client.py [127.0.0.1:8080] [digits]
"""

import sys

import numpy
import tritonclient.http as http

address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8080"
model = sys.argv[2] if len(sys.argv) > 2 else "digits"

with http.InferenceServerClient(address) as client:
    described = client.get_model_metadata(model)["inputs"][0]
    shape = [2, *described["shape"][1:]]
    samples = http.InferInput(described["name"], shape, "FP32")
    samples.set_data_from_numpy(numpy.random.default_rng(1).random(shape, dtype=numpy.float32))
    answer = client.infer(model, [samples], outputs=[http.InferRequestedOutput(n) for n in ("class", "logits")])
    print("release", answer.get_response()["model_version"])
    print(answer.as_numpy("class"), answer.as_numpy("logits"), sep="\n")
