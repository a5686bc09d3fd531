"""Writes test/unit/jobs/keras-references.json: models as Keras saves them, and the probabilities that it computes.

    pip install keras==3.15.1 jax safetensors && KERAS_BACKEND=jax python scripts/keras-references.py
    pip install keras==3.5.0 jax safetensors && KERAS_BACKEND=jax python scripts/keras-references.py
    pip install tensorflow-cpu==2.15.1 safetensors && python scripts/keras-references.py

Each of them replaces its own part of the file. Weights and pixels come from formulas that the tests repeat. Each also
loads the export in test/unit/jobs/exported.json, and notes what it computes with it.
"""
import base64
import json
import os
import pathlib
import runpy
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras  # noqa: E402
import numpy as np  # noqa: E402

layers = keras.layers
IS_KERAS_3 = keras.__version__.startswith("3")


def weight(position, path, shape):
    """Of -0.28 to 0.52; a variance of 0.5 to 1.02."""
    index = np.arange(int(np.prod(shape)))
    values = ((index * 7919 + position * 104729) % 2001 - 700) / 2500
    if "variance" in path:
        values = 0.5 + np.abs(values)
    return values.reshape(shape).astype(np.float32)


def pixels(shape):
    return ((np.arange(int(np.prod(shape))) * 97) % 256).reshape(1, *shape).astype(np.float32)


def sequential():
    # Keras 2 cannot save a layer as an activation.
    activation = layers.ReLU(max_value=1.5) if IS_KERAS_3 else "relu6"
    return keras.Sequential(
        [
            layers.InputLayer(shape=(9, 8, 3)) if IS_KERAS_3 else layers.InputLayer(input_shape=(9, 8, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(4, (3, 2), activation=activation, kernel_regularizer="l2"),
            layers.BatchNormalization(epsilon=0.01),
            layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu", depth_multiplier=2),
            layers.MaxPooling2D(2, strides=1),
            layers.Dropout(0.5),
            layers.GlobalAveragePooling2D(keepdims=True),
            layers.Flatten(),
            layers.Dense(6, use_bias=False),
            layers.ReLU(),
            layers.Dense(5, activation="softmax"),
            layers.Dropout(0.5),
        ]
    )


def functional():
    image = layers.Input((6, 6, 1), name="image")
    flow = layers.Rescaling(1 / 255)(image)
    # Two names that are one in a spec; Keras 3 refuses slashes.
    flow = layers.Conv2D(3, 3, padding="same", name="block.conv" if IS_KERAS_3 else "block/conv")(flow)
    flow = layers.BatchNormalization(axis=3, name="block_conv")(flow, training=False)
    flow = layers.AveragePooling2D(4, strides=2, padding="same")(flow)
    flow = layers.Flatten()(flow)
    answer = layers.Dense(4, name="answer")(flow)
    return keras.Model(image, layers.Softmax()(answer))


def flat():
    return keras.Sequential(
        [layers.Dense(7, activation="relu", input_shape=(12,)), layers.Dense(3, activation="softmax")]
    )


def reference(model):
    variables = [(getattr(variable, "path", variable.name), tuple(variable.shape)) for variable in model.weights]
    model.set_weights([weight(position, path, shape) for position, (path, shape) in enumerate(variables)])
    shape = tuple(model.input_shape[1:])
    return {
        "topology": model.to_json(),
        "weights": [{"name": path, "shape": shape} for path, shape in variables],
        "input": shape,
        "probabilities": np.asarray(model(pixels(shape), training=False))[0].astype(float).tolist(),
    }


def exported(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            data = base64.b64decode(content) if name.endswith(".safetensors") else content.encode()
            (pathlib.Path(folder) / name).write_bytes(data)
        model = runpy.run_path(f"{folder}/load.py")["load"]()
    logits = np.asarray(model(pixels(model.input_shape[1:]), training=False))[0].astype(float)
    exponentials = np.exp(logits - logits.max())
    return (exponentials / exponentials.sum()).tolist()


folder = pathlib.Path(__file__).parent.parent / "test/unit/jobs"
target = folder / "keras-references.json"
written = json.loads(target.read_text()) if target.exists() else {}
written[f"keras {keras.__version__}"] = {
    "exported": exported(json.loads((folder / "exported.json").read_text())),
    "models": {build.__name__: reference(build()) for build in (sequential, functional, flat)},
}
target.write_text(json.dumps(dict(sorted(written.items())), indent=1) + "\n")
