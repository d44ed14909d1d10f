#!/usr/bin/env python3
"""Runs a graph of wengert/2, step by step, for one sequence. Nothing is needed but Python 3.

    python3 wengert2.py model.json < inputs     a line of numbers for each step: all inputs, and then all outputs
    Graph("model.json").step([0.5, 1.0])        the first output of a step, as a flat list
"""
import itertools
import json
import math
import sys
from math import inf, nan, prod


def quiet(f):
    """f with infinities and NaN where Python raises."""

    def g(x):
        try:
            return f(x)
        except OverflowError:
            return math.copysign(inf, x)
        except ValueError:
            return nan

    return g


def div(a, b):
    if b != 0 or b != b:
        return a / b
    return nan if a == 0 or a != a else math.copysign(inf, a) * math.copysign(1, b)


def power(a, b):
    try:
        return math.pow(a, b)
    except OverflowError:
        return -inf if a < 0 and b % 2 == 1 else inf
    except ValueError:
        return nan if a else div(1.0, math.pow(a, -b))


exp, expm1 = quiet(math.exp), quiet(math.expm1)
log = lambda x: math.log(x) if x > 0 else -inf if x == 0 else nan
log1p = lambda x: math.log1p(x) if x > -1 else -inf if x == -1 else nan
sigmoid = lambda x: 1 / (1 + exp(-x)) if x >= 0 else exp(x) / (1 + exp(x))
maximum = lambda a, b: a if a != a or a > b else b
minimum = lambda a, b: a if a != a or a < b else b
clip = lambda x, low, high: minimum(maximum(x, low), high)
logaddexp = lambda a, b: maximum(a, b) + log1p(exp(-abs(0.0 if a == b else a - b)))
softplus = lambda x, beta, threshold: (
    x if x * beta > threshold else (maximum(x * beta, 0.0) + log1p(exp(-abs(x * beta)))) / beta)

# What an op computes of an element of each input, with its attributes.
ELEMENTWISE = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": div,
    "neg": lambda x: -x, "affine": lambda x, scale, shift: x * scale + shift,
    "divided_by": lambda x, divisor: div(x, divisor), "divided_into": lambda x, dividend: div(dividend, x),
    "pow": lambda x, exponent: power(x, exponent), "power": power, "square": lambda x: x * x,
    "reciprocal": lambda x: div(1.0, x),
    "exp": exp, "log": log, "sqrt": quiet(math.sqrt), "rsqrt": lambda x: div(1.0, quiet(math.sqrt)(x)),
    "expm1": expm1, "log1p": log1p, "logaddexp": logaddexp, "erf": math.erf, "erfc": math.erfc,
    "tanh": math.tanh, "sigmoid": sigmoid, "relu": lambda x: maximum(x, 0.0), "softplus": softplus, "abs": abs,
    "sin": quiet(math.sin), "cos": quiet(math.cos), "tan": quiet(math.tan), "asin": quiet(math.asin),
    "acos": quiet(math.acos), "atan": math.atan, "sinh": quiet(math.sinh),
    "cosh": lambda x: quiet(math.cosh)(abs(x)), "atan2": math.atan2,
    "leaky_relu": lambda x, slope: x if x > 0 else x * slope,
    "elu": lambda x, alpha: x if x > 0 else expm1(x) * alpha,
    "celu": lambda x, alpha: x if x > 0 else expm1(x / alpha) * alpha, "hard_tanh": clip, "clip": clip,
    "greater": lambda a, b: float(a > b), "greater_than": lambda x, threshold: float(x > threshold),
    "equal": lambda a, b: float(a == b), "equal_to": lambda x, value: float(x == value),
    "sign": lambda x: float(x > 0) - float(x < 0), "masked": lambda x, m: x if m != 0 else 0.0,
    "where": lambda c, a, b: a if c != 0 else b, "maximum": maximum, "minimum": minimum,
    "floor": lambda x: float(math.floor(x)) if math.isfinite(x) else x, "detach": lambda x: x,
}


# Arrays are pairs of a shape and a flat list, row-major.

def places(shape):
    return itertools.product(*map(range, shape))


def at(shape, place):
    """Where an element is in the flat list; of a shape that is broadcast to that of the place, too."""
    offset = 0
    for extent, k in zip(shape, place[len(place) - len(shape):]):
        offset = offset * extent + (k if extent > 1 else 0)
    return offset


def moved(x, shape, source):
    """An array whose element at a place is that of x at source(place)."""
    return shape, [x[1][at(x[0], source(place))] for place in places(shape)]


def along(x, axes, f, keep):
    """f of the elements that differ along the axes alone: a number if they go, or a list if they stay."""
    shape = x[0] if keep else [1 if k in axes else n for k, n in enumerate(x[0])]
    lines = {place: [] for place in places([1 if k in axes else n for k, n in enumerate(x[0])])}
    for offset, place in enumerate(places(x[0])):
        lines[tuple(0 if k in axes else i for k, i in enumerate(place))].append(offset)
    if not keep:
        return shape, [f([x[1][offset] for offset in line]) for line in lines.values()]
    result = [0.0] * len(x[1])
    for line in lines.values():
        for offset, value in zip(line, f([x[1][offset] for offset in line])):
            result[offset] = value
    return shape, result


def logsumexp(line):
    top = max(line, default=-inf)
    return top if math.isinf(top) else top + log(sum(exp(v - top) for v in line))


def softmax(line):
    terms = [exp(v - max(line)) for v in line]
    return [div(term, sum(terms)) for term in terms]


mean = lambda line: sum(line) / len(line)
running = lambda line: list(itertools.accumulate(line))


def matmul(a, b):
    rows, inner, columns = a[0][-2], a[0][-1], b[0][-1]
    result = []
    for p in range(prod(a[0][:-2])):
        x, y = a[1][p * rows * inner:], b[1][p * inner * columns:]
        result += [sum(x[i * inner + k] * y[k * columns + j] for k in range(inner))
                   for i in range(rows) for j in range(columns)]
    return a[0][:-1] + [columns], result


def linear(x, w, b=None):
    outputs, inputs = w[0]
    rows = [x[1][k * inputs:][:inputs] for k in range(prod(x[0][:-1]))]
    y = [sum(u * v for u, v in zip(row, w[1][j * inputs:])) for row in rows for j in range(outputs)]
    return x[0][:-1] + [outputs], y if b is None else [v + b[1][k % len(b[1])] for k, v in enumerate(y)]


def sum_to(x, shape):
    result = [0.0] * prod(shape)
    for value, place in zip(x[1], places(x[0])):
        result[at(shape, place)] += value
    return shape, result


def slice_of(x, axis, start, step, length):
    shape = x[0][:axis] + [length] + x[0][axis + 1:]
    return moved(x, shape, lambda p: p[:axis] + (start + p[axis] * step,) + p[axis + 1:])


def select(x, axis, index):
    return moved(x, x[0][:axis] + x[0][axis + 1:], lambda p: p[:axis] + (index,) + p[axis:])


def split(x, axis, extents):
    return [slice_of(x, axis, sum(extents[:k]), 1, extent) for k, extent in enumerate(extents)]


def concat(*pieces, axis):
    owners = [(piece, k) for piece in pieces for k in range(piece[0][axis])]
    shape = pieces[0][0][:axis] + [len(owners)] + pieces[0][0][axis + 1:]
    values = []
    for p in places(shape):
        piece, k = owners[p[axis]]
        values.append(piece[1][at(piece[0], p[:axis] + (k,) + p[axis + 1:])])
    return shape, values


def stack(*pieces, axis):
    return concat(*[(p[0][:axis] + [1] + p[0][axis:], p[1]) for p in pieces], axis=axis)


def permute(x, axes):
    return moved(x, [x[0][k] for k in axes], lambda p: tuple(p[axes.index(k)] for k in range(len(axes))))


def take(x, axis, index_shape, indices):
    n, shape = len(index_shape), x[0][:axis] + index_shape + x[0][axis + 1:]
    return moved(x, shape, lambda p: p[:axis] + (indices[at(index_shape, p[axis:axis + n])],) + p[axis + n:])


def gather(x, axis, index_shape, indices):
    return moved(x, index_shape, lambda p: p[:axis] + (indices[at(index_shape, p)],) + p[axis + 1:])


def embedding(weight, index):
    rows, width = weight[0]
    row = lambda v: weight[1][int(v) * width:][:width] if v in range(rows) else [nan] * width
    return index[0] + [width], [value for v in index[1] for value in row(v)]


# What an op computes of arrays.
STRUCTURAL = {
    "reshape": lambda x, shape: (shape, x[1]), "broadcast_to": lambda x, shape: moved(x, shape, lambda p: p),
    "sum_to": sum_to, "permute": permute, "slice": slice_of, "select": select, "split": split,
    "unbind": lambda x: [select(x, 0, k) for k in range(x[0][0])], "concat": concat, "stack": stack,
    "matmul": matmul, "linear": linear, "take": take, "gather": gather, "embedding": embedding,
    "cumsum": lambda x, axis, reverse: along(
        x, [axis], lambda line: running(line[::-1])[::-1] if reverse else running(line), True),
    "max": lambda x, axes, first: along(x, axes, lambda line: nan if any(v != v for v in line) else max(line), False),
    "logsumexp": lambda x, axes: along(x, axes, logsumexp, False),
    "softmax": lambda x, axis: along(x, [axis], softmax, True),
    "log_softmax": lambda x, axis: along(x, [axis], lambda line: [v - logsumexp(line) for v in line], True),
    "mean": lambda x, first, last: along(x, range(first, last), mean, False),
    "centered": lambda x, first, last: along(
        x, range(first, last), lambda line: [v - mean(line) for v in line], True),
}


class Graph:
    def __init__(self, path):
        with open(path) as file:
            self.file = json.load(file)
        if self.file.get("format") != "wengert/2":
            raise ValueError(f"{path} is no file of wengert/2")
        for step in self.file["steps"]:
            if step["op"] not in ELEMENTWISE and step["op"] not in STRUCTURAL:
                raise ValueError(f"{path}: unknown op {step['op']}")
        self.values, self.outputs = {}, {}
        for tensor in [*self.file.get("parameters", {}).values(), *self.file.get("constants", [])]:
            self.values[tensor["value"]] = self.shape(tensor["shape"]), [float(v) for v in tensor["data"]]
        self.reset()

    def shape(self, extents):
        return [1 if extent == "batch" else extent for extent in extents]

    def reset(self):
        """To the state before the first step."""
        for state in self.file.get("states", []):
            self.values[state["input"]] = self.shape(state["shape"]), [float(v) for v in state["initial"]]

    def step(self, *inputs):
        """Takes a flat list for each input. All outputs are in self.outputs, by name."""
        for port, data in zip(self.file["inputs"], inputs, strict=True):
            shape = self.shape(port["shape"])
            if len(data) != prod(shape):
                raise ValueError(f"{port['name']} has {len(data)} numbers, expected {prod(shape)}")
            self.values[port["value"]] = shape, [float(v) for v in data]
        for step in self.file["steps"]:
            self.run(**step)
        self.outputs = {port["name"]: self.values[port["value"]][1] for port in self.file["outputs"]}
        following = [self.values[state["output"]] for state in self.file.get("states", [])]
        for state, value in zip(self.file.get("states", []), following):
            self.values[state["input"]] = value
        return next(iter(self.outputs.values()), [])

    def run(self, op, inputs, outputs, **attributes):
        arrays = [self.values[k] for k in inputs]
        for name, value in attributes.items():
            if isinstance(value, str):
                attributes[name] = float(value)  # "inf", "-inf", "nan"
            elif isinstance(value, list):
                attributes[name] = self.shape(value)
        if op in ELEMENTWISE:
            lists = zip(*(data for _, data in arrays))
            results = arrays[0][0], [ELEMENTWISE[op](*each, **attributes) for each in lists]
        else:
            results = STRUCTURAL[op](*arrays, **attributes)
        for output, result in zip(outputs, results if isinstance(results, list) else [results], strict=True):
            self.values[output["value"]] = result


def main():
    graph = Graph(sys.argv[1])
    sizes = [prod(graph.shape(port["shape"])) for port in graph.file["inputs"]]
    for line in sys.stdin:
        numbers = iter(map(float, line.split()))
        graph.step(*[list(itertools.islice(numbers, size)) for size in sizes])
        print(*[repr(value) for output in graph.outputs.values() for value in output])


if __name__ == "__main__":
    main()
