"""Writes test/unit/compute/nn/losses/references.json: the losses of distillation by SciPy, in float64, for our tests.

    pip install numpy scipy && python scripts/loss-references.py

Each formula is put together from SciPy's own pieces (softmax, rel_entr, zscore, norm), as the papers state it and not as
src/compute/nn/losses computes it; gradients are SciPy's numerical derivatives.
"""
import json
import pathlib

import numpy as np
from scipy.linalg import norm
from scipy.optimize import approx_fprime
from scipy.special import rel_entr, softmax
from scipy.stats import zscore

random = np.random.default_rng(20241124)


def relative(own, hint):
    return np.sum((own - hint) ** 2) / np.mean([norm(row) ** 2 for row in hint.reshape(len(hint), -1)])


def length_one(own, hint):
    return sum(norm(s / norm(s) - t / norm(t)) ** 2 for s, t in zip(own.reshape(len(own), -1), hint.reshape(len(hint), -1)))


def attention(own, hint):
    def of(features):
        flat = np.sum(features**2, axis=-1).reshape(len(features), -1)
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    return np.sum((of(own) - of(hint)) ** 2)


def plain(own, teacher, labels, temperature, _beta):
    return temperature**2 * np.sum(rel_entr(softmax(teacher / temperature, axis=1), softmax(own / temperature, axis=1)))


def standardised(own, teacher, labels, temperature, beta):
    return plain(zscore(own, axis=1, ddof=1), zscore(teacher, axis=1, ddof=1), labels, temperature, beta)


def decoupled(own, teacher, labels, temperature, beta):
    total = 0.0
    for s, t, label in zip(own / temperature, teacher / temperature, labels):
        target = int(np.argmax(t)) if label < 0 else label
        p, q = softmax(t), softmax(s)
        total += np.sum(rel_entr([p[target], 1 - p[target]], [q[target], 1 - q[target]]))
        total += beta * np.sum(rel_entr(softmax(np.delete(t, target)), softmax(np.delete(s, target))))
    return temperature**2 * total


def case(loss, own, other, *rest):
    def flat(values):
        return loss(values.reshape(own.shape), other, *rest)

    gradient = approx_fprime(own.ravel(), flat, 1e-7)
    back = -approx_fprime(own.ravel(), lambda values: -flat(values), -1e-7)
    return {
        "own": own.ravel().tolist(),
        "other": other.ravel().tolist(),
        "shape": list(own.shape),
        "loss": loss(own, other, *rest),
        "gradient": ((gradient + back) / 2).tolist(),
    }


features = [(random.normal(size=(3, 2, 2, 4)), random.normal(size=(3, 2, 2, 4))) for _ in range(3)]
logits = [(3 * random.normal(size=(4, 5)), 3 * random.normal(size=(4, 5))) for _ in range(3)]
labels = [[0, 1, 2, 4], [3, 3, 0, 1], [2, -1, -1, 0]]
written = {
    "hints": {
        "relative": [case(relative, *pair) for pair in features],
        "l2": [case(length_one, *pair) for pair in features],
        "attention": [case(attention, *pair) for pair in features],
    },
    "logits": {
        name: [
            {**case(loss, *pair, of, temperature, beta), "labels": of, "temperature": temperature, "nonTarget": beta}
            for pair, of, temperature, beta in zip(logits, labels, [1.0, 2.0, 4.0], [8.0, 1.0, 2.0])
        ]
        for name, loss in {"plain": plain, "standardised": standardised, "decoupled": decoupled}.items()
    },
}
target = pathlib.Path(__file__).parent.parent / "test/unit/compute/nn/losses/references.json"
target.write_text(json.dumps(written, indent=1) + "\n")
