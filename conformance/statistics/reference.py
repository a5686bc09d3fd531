#!/usr/bin/env python3
"""Reference values for src/continuous, by SciPy, statsmodels and river: cases with their inputs and answers, as JSON.

    python3 conformance/statistics/reference.py --size full > reference.json
    python3 conformance/statistics/reference.py --size small > test/unit/continuous/statistics/references.json   # checked in

The same size gives the same file. The first run makes a virtual environment (conformance/environment.py) with the packages
of requirements.txt. The comparison is test/support/statistics-reference.ts.
"""
import argparse
import json
import os
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from environment import environment  # noqa: E402

SEED = 20261127
# Cases of each kind; values of each stream.
SIZES = {"small": {"cases": 6, "stream": 1500}, "full": {"cases": 200, "stream": 20000}}


def log_gamma(draw, count):
    from scipy.special import gammaln

    values = [0.5, 1.0, 2.0, 15.999, 16.0, 1e4] + [draw.uniform(0.01, 3000) for _ in range(count)]
    return [{"x": x, "value": float(gammaln(x))} for x in values]


def regularized_beta(draw, count):
    from scipy.special import betainc

    cases = [(0.0, 2.0, 3.0), (1.0, 2.0, 3.0), (0.5, 0.5, 0.5), (0.999, 1000.0, 2.0), (1e-6, 0.5, 4000.0)]
    cases += [(draw.random(), draw.uniform(0.5, 800), draw.uniform(0.5, 800)) for _ in range(count)]
    return [{"x": x, "a": a, "b": b, "value": float(betainc(a, b, x))} for x, a, b in cases]


def normal_quantile(draw, count):
    from scipy.stats import norm

    shares = [1e-12, 0.02424, 0.02426, 0.5, 0.97574, 0.97576, 0.999999] + [draw.random() for _ in range(count)]
    return [{"share": share, "value": float(norm.ppf(share))} for share in shares]


def student_quantile(draw, count):
    from scipy.stats import t

    cases = [(0.975, 1), (0.975, 101), (0.995, 3)] + [(draw.uniform(0.6, 0.9999), draw.randint(1, 500)) for _ in range(count)]
    return [{"share": share, "degreesOfFreedom": df, "value": float(t.ppf(share, df))} for share, df in cases]


def shares(draw, count):
    """scipy.stats.binomtest: Clopper and Pearson's interval, and the one-sided tail for a chance."""
    from scipy.stats import binomtest

    cases = [(0, 1, 0.95, 0.5), (1, 1, 0.95, 0.5), (0, 100, 0.99, 0.1), (100, 100, 0.95, 0.9), (1990, 2000, 0.95, 0.99)]
    for _ in range(count):
        trials = draw.randint(1, 2000)
        cases.append((draw.randint(0, trials), trials, draw.choice([0.9, 0.95, 0.999]), draw.uniform(0.02, 0.98)))
    found = []
    for successes, trials, confidence, chance in cases:
        test = binomtest(successes, trials, chance, alternative="greater")
        interval = binomtest(successes, trials).proportion_ci(confidence, method="exact")
        found.append({
            "successes": successes, "trials": trials, "confidence": confidence, "chance": chance,
            "tail": float(test.pvalue), "low": float(interval.low), "high": float(interval.high),
        })
    return found


def mc_nemar(draw, count):
    """statsmodels' exact test, and SciPy's binomial test for the one-sided value."""
    from scipy.stats import binomtest
    from statsmodels.stats.contingency_tables import mcnemar

    cases = [(0, 1), (5, 5), (60, 40), (100, 0), (0, 30)]
    cases += [(draw.randint(0, 120), draw.randint(1, 120)) for _ in range(count)]
    return [{
        "gains": gains, "losses": losses,
        "pValue": float(mcnemar([[3, gains], [losses, 4]], exact=True).pvalue),
        "pValueBetter": float(binomtest(gains, gains + losses, 0.5, alternative="greater").pvalue),
    } for gains, losses in cases]


def weighted_mean(draw, count):
    """statsmodels' weighted least squares on a constant, HC1 errors, Student's interval."""
    import numpy as np
    from statsmodels.regression.linear_model import WLS

    found = []
    for case in range(count + 2):
        n = draw.randint(2, 120)
        values = [draw.choice([-1, 0, 1]) if case % 2 else draw.gauss(0.2, 1) for _ in range(n)]
        values[0], values[1] = -1, 1
        weights = [1.0 if case == 0 else draw.uniform(0.2, 30) for _ in range(n)]
        fit = WLS(np.array(values), np.ones(n), weights=np.array(weights)).fit(cov_type="HC1", use_t=True)
        low, high = fit.conf_int(0.05)[0]
        found.append({
            "values": [{"value": value, "weight": weight} for value, weight in zip(values, weights)],
            "mean": float(fit.params[0]), "standardError": float(fit.bse[0]), "low": float(low), "high": float(high),
        })
    return found


def kolmogorov_smirnov(draw, count):
    """scipy.stats.ks_2samp, exact, on values with and without ties."""
    from scipy.stats import ks_2samp

    found = []
    for case in range(count):
        sizes = [draw.randint(1, 150), draw.randint(1, 150)]
        shift = draw.choice([0, 0.05, 0.3])
        digits = draw.choice([1, 2, 9])
        first, second = ([round(min(1, draw.betavariate(4, 2) + by), digits) for _ in range(n)]
                         for n, by in zip(sizes, (0, shift)))
        if case == 0:
            second = first
        test = ks_2samp(first, second, method="exact")
        found.append({"first": first, "second": second, "statistic": float(test.statistic), "pValue": float(test.pvalue)})
    return found


def adwin(draw, count, length):
    """river.drift.ADWIN: where it detects, and its window at some values; bits, then confidences."""
    from river.drift import ADWIN

    found = []
    for case in range(max(2, count // 20)):
        delta, clock = [(0.002, 32), (0.002, 32), (0.05, 32), (0.002, 1)][case % 4]
        means = [draw.uniform(0.05, 0.95) for _ in range(4)]
        values = []
        for mean in means:
            for _ in range(length // 4):
                values.append(int(draw.random() < mean) if case % 2 == 0 else round(min(1, max(0, draw.gauss(mean, 0.2))), 3))
        detector = ADWIN(delta=delta, clock=clock)
        detections, windows = [], []
        for index, value in enumerate(values):
            detector.update(value)
            if detector.drift_detected:
                detections.append(index)
            if detector.drift_detected or index % 250 == 100:
                windows.append({"index": index, "width": int(detector.width), "mean": float(detector.estimation)})
        found.append({"delta": delta, "checkEvery": clock, "values": values, "detections": detections, "windows": windows})
    return found


def reference(size):
    count, length = SIZES[size]["cases"], SIZES[size]["stream"]
    kinds = {
        "logGamma": log_gamma, "regularizedBeta": regularized_beta, "normalQuantile": normal_quantile,
        "studentQuantile": student_quantile, "shares": shares, "mcNemar": mc_nemar, "weightedMean": weighted_mean,
        "kolmogorovSmirnov": kolmogorov_smirnov,
    }
    found = {name: kind(random.Random(f"{SEED} {name}"), count) for name, kind in kinds.items()}
    found["adwin"] = adwin(random.Random(f"{SEED} adwin"), count, length)
    return found


def main():
    parser = argparse.ArgumentParser(description="reference values for src/continuous")
    parser.add_argument("--size", choices=sorted(SIZES), default="full")
    arguments = parser.parse_args()
    if os.environ.get("KN_STATISTICS_PYTHON") != "1":
        python = environment("statistics", HERE / "requirements.txt")
        os.execve(str(python), [str(python), *sys.argv], {**os.environ, "KN_STATISTICS_PYTHON": "1"})
    json.dump(reference(arguments.size), sys.stdout, separators=(",", ":"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
