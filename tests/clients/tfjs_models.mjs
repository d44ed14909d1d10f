// Models as TensorFlow.js makes and saves them, each with a question and its answer as its self-test, and some that
// can not be converted, whose names begin with "refused": tfjs_models.mjs FOLDER.
import fs from 'node:fs';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';

const folder = process.argv[2];
fs.mkdirSync(folder, { recursive: true });
await tf.setBackend('cpu');
const { layers: L } = tf;

let state = 1;
const random = () => (state = (state * 1103515245 + 12345) % 2147483648) / 1073741824 - 1;
const randoms = (shape) => tf.tensor(Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(random())), shape);

const inputShape = [null, 2];
const sigmoid = { returnSequences: true, recurrentActivation: 'sigmoid' };
const row = (...layers) => tf.sequential({ layers });
const lstm = (options) => L.lstm({ units: 3, ...sigmoid, ...options });
const models = {
  lstm: () => row(lstm({ inputShape }), L.dense({ units: 1, activation: 'tanh' })),
  without_biases: () => row(lstm({ inputShape, useBias: false }), L.gru({ units: 2, ...sigmoid, useBias: false }), L.dense({ units: 1, useBias: false })),
  time_distributed: () => row(
    L.gru({ units: 3, ...sigmoid, inputShape }), L.dropout({ rate: 0.2 }),
    L.timeDistributed({ layer: L.dense({ units: 2, activation: 'relu' }) }), L.dense({ units: 1 })),
  bidirectional: () => row(
    L.bidirectional({ layer: lstm(), mergeMode: 'concat', inputShape }),
    L.bidirectional({ layer: L.gru({ units: 2, ...sigmoid }), mergeMode: 'concat' }),
    L.bidirectional({ layer: L.simpleRNN({ units: 2, returnSequences: true, useBias: false }), mergeMode: 'concat' }), L.dense({ units: 1 })),
  functional: () => {
    const input = tf.input({ shape: inputShape });
    const hidden = L.simpleRNN({ units: 3, returnSequences: true, activation: 'relu' }).apply(input);
    const output = L.activation({ activation: 'sigmoid' }).apply(L.dense({ units: 2 }).apply(hidden));
    return tf.model({ inputs: input, outputs: output });
  },
  activations: () => row(
    L.inputLayer({ inputShape }), L.dense({ units: 3 }), L.reLU(), L.dense({ units: 3 }), L.elu(), L.gaussianNoise({ stddev: 1 }),
    L.dense({ units: 3 }), L.softmax({ axis: -1 }), L.dense({ units: 2, activation: 'relu' }), L.activation({ activation: 'linear' })),
  refused_hard_sigmoid: () => row(L.lstm({ units: 3, returnSequences: true, inputShape }), L.dense({ units: 1 })),
  refused_last_step: () => row(lstm({ inputShape, returnSequences: false }), L.dense({ units: 1 })),
  refused_two_activations: () => row(lstm({ inputShape }), L.dense({ units: 1, activation: 'relu' }), L.activation({ activation: 'tanh' })),
  refused_activation_of_lstm: () => row(lstm({ inputShape }), L.activation({ activation: 'tanh' })),
  refused_gelu: () => row(lstm({ inputShape }), L.dense({ units: 1, activation: 'gelu' })),
  refused_sum: () => row(L.bidirectional({ layer: lstm(), mergeMode: 'sum', inputShape }), L.dense({ units: 1 })),
  refused_masking: () => row(L.masking({ maskValue: 0.5, inputShape }), lstm(), L.dense({ units: 1 })),
  refused_leaky_relu: () => row(lstm({ inputShape }), L.dense({ units: 1 }), L.leakyReLU()),
  refused_capped_relu: () => row(lstm({ inputShape }), L.dense({ units: 1 }), L.reLU({ maxValue: 0.1 })),
  refused_norm: () => row(lstm({ inputShape }), L.layerNormalization(), L.dense({ units: 1 })),
  refused_stateful: () => row(lstm({ batchInputShape: [1, 9, 2], stateful: true }), L.dense({ units: 1 })),
  refused_branches: () => {
    const input = tf.input({ shape: inputShape });
    const hidden = lstm().apply(input);
    const sum = L.add().apply([L.dense({ units: 2 }).apply(hidden), input]);
    return tf.model({ inputs: input, outputs: sum });
  },
  refused_used_twice: () => {
    const input = tf.input({ shape: inputShape });
    const dense = L.dense({ units: 2 });
    return tf.model({ inputs: input, outputs: dense.apply(dense.apply(lstm({ units: 2 }).apply(input))) });
  },
};

for (const [name, make] of Object.entries(models)) {
  const model = make();
  for (const layer of model.layers) layer.setWeights(layer.getWeights().map((w) => randoms(w.shape)));
  const input = randoms([1, 9, 2]);
  const output = model.predict(input);
  const self_test = { input: input.arraySync()[0], output: output.rank === 3 ? output.arraySync()[0] : output.arraySync(), tolerance: 1e-5 };
  await model.save(tf.io.withSaveHandler((made) => {
    const bin = `${name}.weights.bin`;
    fs.writeFileSync(path.join(folder, bin), Buffer.from(made.weightData));
    fs.writeFileSync(path.join(folder, `${name}.json`), JSON.stringify({
      format: made.format, generatedBy: made.generatedBy, convertedBy: made.convertedBy, modelTopology: made.modelTopology,
      weightsManifest: [{ paths: [`./${bin}`], weights: made.weightSpecs }], userDefinedMetadata: { self_test } }));
    return { modelArtifactsInfo: {} };
  }));
}
console.log(`tfjs: saved ${Object.keys(models).length} models`);
