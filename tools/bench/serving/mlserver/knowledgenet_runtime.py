"""MLServer's runtime for a network that `kn export --format keras-json` wrote: by Keras on TensorFlow (the kernels of
libtensorflow, as in our native backend), or by ONNX Runtime, as `parameters.extra.engine` of the model's settings says.
"""

import importlib.util
import json
import os
import pathlib

import numpy
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


POOLING = {"padding": "valid", "pool_size": 2, "strides": None}
KERAS_DEFAULTS = {
    "Rescaling": {"offset": 0.0},
    "Conv2D": {"padding": "valid", "strides": 1},
    "MaxPooling2D": POOLING,
    "AveragePooling2D": POOLING,
    "BatchNormalization": {"epsilon": 0.001},
}


class Runtime(MLModel):
    async def load(self) -> bool:
        folder = pathlib.Path(self.settings.parameters.uri)
        engine = (self.settings.parameters.extra or {}).get("engine", "keras")
        self._compute = onnx_engine(folder) if engine == "onnx" else keras_engine(folder)
        shape = json.loads((folder / "model.json").read_text())["config"]["layers"][0]["config"]
        sample = (shape.get("batch_input_shape") or shape.get("batch_shape"))[1:]
        for batch in (1, 2, 4, 8, 16, 32):
            self._compute(numpy.zeros([batch, *sample], numpy.float32))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        samples = NumpyCodec.decode_input(payload.inputs[0]).astype(numpy.float32)
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            outputs=[NumpyCodec.encode_output("logits", self._compute(samples))],
        )


def keras_engine(folder: pathlib.Path):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    model = read_keras(folder)
    compute = tf.function(lambda samples: model(samples, training=False), reduce_retracing=True)
    return lambda samples: compute(tf.constant(samples)).numpy()


def read_keras(folder: pathlib.Path):
    spec = importlib.util.spec_from_file_location("exported_network", folder / "load.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load()


def onnx_engine(folder: pathlib.Path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Threads that wait in a loop take the cores from the server's own Python.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        onnx_of(folder).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda samples: session.run(None, {"input": samples})[0]


def onnx_of(folder: pathlib.Path):
    """The network as an ONNX graph; images are [n, height, width, channels] outside and [n, channels, height, width] inside."""
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.numpy import load_file

    layers = json.loads((folder / "model.json").read_text())["config"]["layers"]
    weights = load_file(folder / "weights.safetensors")
    nodes, constants, at, is_image, shape = [], [], "input", False, None

    def constant(name, value):
        constants.append(numpy_helper.from_array(numpy.ascontiguousarray(value, numpy.float32), name))
        return name

    def add(kind, *inputs, **attributes):
        nonlocal at
        out = f"{kind}{len(nodes)}"
        nodes.append(helper.make_node(kind, [at, *inputs], [out], **attributes))
        at = out

    def pair(value):
        return list(value) if isinstance(value, (list, tuple)) else [value, value]

    def to_image():
        nonlocal is_image
        if not is_image:
            add("Transpose", perm=[0, 3, 1, 2])
            is_image = True

    def from_image():
        nonlocal is_image
        if is_image:
            add("Transpose", perm=[0, 2, 3, 1])
            is_image = False

    for layer in layers:
        kind, config = layer["class_name"], {**KERAS_DEFAULTS.get(layer["class_name"], {}), **layer["config"]}
        name = config["name"]
        shape = shape or config.get("batch_input_shape") or config.get("batch_shape")
        own = {key.split("/")[1]: value for key, value in weights.items() if key.split("/")[0] == name}
        if kind == "InputLayer":
            continue
        if kind == "Rescaling":
            add("Mul", constant(f"{name}.scale", config["scale"]))
            add("Add", constant(f"{name}.offset", config["offset"]))
        elif kind == "Conv2D":
            to_image()
            inputs = [constant(f"{name}.kernel", own["kernel"].transpose(3, 2, 0, 1))]
            if "bias" in own:
                inputs.append(constant(f"{name}.bias", own["bias"]))
            padding = "SAME_UPPER" if config["padding"] == "same" else "VALID"
            add("Conv", *inputs, strides=pair(config["strides"]), auto_pad=padding)
        elif kind in ("MaxPooling2D", "AveragePooling2D"):
            to_image()
            padding = "SAME_UPPER" if config["padding"] == "same" else "VALID"
            operator = "MaxPool" if kind == "MaxPooling2D" else "AveragePool"
            size, strides = pair(config["pool_size"]), pair(config["strides"] or config["pool_size"])
            add(operator, kernel_shape=size, strides=strides, auto_pad=padding)
        elif kind == "BatchNormalization":
            scale = own["gamma"] / numpy.sqrt(own["moving_variance"] + config["epsilon"])
            offset = own["beta"] - own["moving_mean"] * scale
            wide = [-1, 1, 1] if is_image else [-1]
            add("Mul", constant(f"{name}.scale", scale.reshape(wide)))
            add("Add", constant(f"{name}.offset", offset.reshape(wide)))
        elif kind == "ReLU":
            add("Relu")
            if config.get("max_value") is not None:
                add("Min", constant(f"{name}.max", config["max_value"]))
        elif kind == "GlobalAveragePooling2D":
            to_image()
            add("GlobalAveragePool")
            is_image = False
            add("Flatten", axis=1)
        elif kind == "Flatten":
            from_image()
            add("Flatten", axis=1)
        elif kind == "Dense":
            add("MatMul", constant(f"{name}.kernel", own["kernel"]))
            if "bias" in own:
                add("Add", constant(f"{name}.bias", own["bias"]))
        elif kind != "Dropout":
            raise ValueError(f"cannot write layer {name} of kind {kind}: there is no ONNX operator for it here")
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", *shape[1:]])],
        [helper.make_tensor_value_info(at, TensorProto.FLOAT, None)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
