"""Keras 3 loads every .keras export as docs/formats.md says, and must answer as expected; then it makes models of its
own, each with a question and its answer as its self-test, and some that can not be converted, whose names begin with
"refused": keras_models.py MODELS FOLDER."""

import glob
import json
import os
import sys

import keras
import numpy

models, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)

exports = sorted(glob.glob(os.path.join(models, "*.keras")))
if len(exports) < 5:
    sys.exit(f"only {len(exports)} files of keras in {models}")
for path in exports:
    with open(path, encoding="utf-8") as text:
        file = json.load(text)
    keys = ("module", "class_name", "config", "registered_name")
    model = keras.models.model_from_json(json.dumps({key: file[key] for key in keys}))
    for layer in model.layers:
        layer.set_weights([numpy.array(array) for array in file["weights"][layer.name].values()])
    with open(path[: -len(".keras")] + ".expected.json", encoding="utf-8") as text:
        expected = json.load(text)
    answer = model.predict(numpy.array([expected["input"]], dtype="float32"), verbose=0)[0]
    difference = numpy.abs(answer - numpy.array(expected["output"])).max()
    print(f"keras {keras.__version__}: {os.path.basename(path)} differs by at most {difference:.1e}")
    if not difference < 5e-6:
        sys.exit("Keras answers otherwise")

L = keras.layers


def row(*layers):
    return keras.Sequential([keras.Input((None, 2)), *layers])


def functional(inputs, apply):
    return keras.Model(inputs, apply(inputs))


def twice(x):
    dense = L.Dense(2)
    return dense(dense(L.LSTM(2, return_sequences=True)(x)))


def lstm(**options):
    return L.LSTM(3, **{"return_sequences": True, **options})


def both(**options):
    return L.Bidirectional(lstm(), **options)


def stateful():
    return keras.Sequential([keras.Input(batch_shape=(1, None, 2)), lstm(stateful=True), L.Dense(1)])


made = {
    "lstm": lambda: row(lstm(dropout=0.1), L.Dense(1, activation="relu")),
    "gru": lambda: row(L.GRU(3, return_sequences=True), L.Dropout(0.5), L.TimeDistributed(L.Dense(2, activation="elu"))),
    "gru_before": lambda: row(L.GRU(3, return_sequences=True, reset_after=False), L.Dense(1)),
    "without_biases": lambda: row(
        L.GRU(3, return_sequences=True, use_bias=False), lstm(use_bias=False), L.Dense(1, use_bias=False)
    ),
    "bidirectional": lambda: row(
        both(), L.Bidirectional(L.GRU(2, return_sequences=True)), L.SpatialDropout1D(0.5), L.Dense(1)
    ),
    "functional": lambda: functional(
        keras.Input((None, 2)),
        lambda x: L.Activation("sigmoid")(L.Dense(2)(L.SimpleRNN(3, return_sequences=True, activation="relu")(x))),
    ),
    "activations": lambda: row(
        L.Dense(3), L.ReLU(), L.Dense(3), L.ELU(), L.GaussianNoise(1), L.Dense(3), L.Softmax(), L.Dense(2, "tanh")
    ),
    "refused_hard_sigmoid": lambda: row(lstm(recurrent_activation="hard_sigmoid"), L.Dense(1)),
    "refused_relu_in_lstm": lambda: row(lstm(activation="relu"), L.Dense(1)),
    "refused_last_step": lambda: row(lstm(return_sequences=False), L.Dense(1)),
    "refused_two_activations": lambda: row(lstm(), L.Dense(1, activation="relu"), L.Activation("tanh")),
    "refused_backwards": lambda: row(lstm(go_backwards=True), L.Dense(1)),
    "refused_sum": lambda: row(both(merge_mode="sum"), L.Dense(1)),
    "refused_two_layers": lambda: row(both(backward_layer=lstm(go_backwards=True, use_bias=False)), L.Dense(1)),
    "refused_stateful": stateful,
    "refused_masking": lambda: row(L.Masking(0.5), lstm(), L.Dense(1)),
    "refused_leaky_relu": lambda: row(lstm(), L.Dense(1), L.LeakyReLU()),
    "refused_slope": lambda: row(lstm(), L.Dense(1), L.ReLU(negative_slope=0.1)),
    "refused_norm": lambda: row(lstm(), L.LayerNormalization(), L.Dense(1)),
    "refused_half": lambda: row(lstm(dtype="mixed_float16"), L.Dense(1)),
    "refused_branches": lambda: functional(keras.Input((None, 2)), lambda x: L.Add()([L.Dense(2)(x), x])),
    "refused_used_twice": lambda: functional(keras.Input((None, 2)), twice),
}


def arrays(layer):
    parts = {"": layer}
    if isinstance(layer, L.Bidirectional):
        parts = {"forward_": layer.forward_layer, "backward_": layer.backward_layer}
    return {
        prefix + weight.name: numpy.asarray(weight.value).tolist() for prefix, part in parts.items() for weight in part.weights
    }


random = numpy.random.default_rng(1)
for name, make in made.items():
    model = make()
    model.set_weights([random.uniform(-1, 1, weight.shape).astype("float32") for weight in model.weights])
    question = random.uniform(-1, 1, (1, 9, 2)).astype("float32")
    answer = numpy.asarray(model.predict(question, verbose=0))
    file = json.loads(model.to_json())
    file["weights"] = {layer.name: arrays(layer) for layer in model.layers if layer.weights}
    test = {"input": question[0].tolist(), "output": answer.reshape(-1, answer.shape[-1]).tolist(), "tolerance": 1e-5}
    file["self_test"] = test
    with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as text:
        json.dump(file, text)
print(f"keras {keras.__version__}: made {len(made)} models")
