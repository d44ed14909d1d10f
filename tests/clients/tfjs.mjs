// Every tfjs model of a folder in TensorFlow.js, and every Keras one as far as it goes there, against what it must answer.
import fs from 'node:fs';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { cases, report } from './cases.mjs';

await tf.setBackend('cpu');
for (const { name, file, path: modelPath, input, output } of cases('tfjs')) {
  const model = JSON.parse(file.toString());
  const group = model.weightsManifest[0];
  const bytes = fs.readFileSync(path.join(path.dirname(modelPath), group.paths[0]));
  const handler = tf.io.fromMemory({
    modelTopology: model.modelTopology,
    weightSpecs: group.weights,
    weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
    format: model.format,
  });
  const loaded = await tf.loadLayersModel(handler);
  const answer = loaded.predict(tf.tensor3d([input]));
  report('tfjs', name, [...answer.dataSync()], output.flat());
}

for (const { name, file, input, output } of cases('keras')) {
  const { class_name, config, weights } = JSON.parse(file.toString());
  const [{ config: { batch_shape } }, ...layers] = config.layers; // an InputLayer of Keras 3
  if (layers.some(({ config: { reset_after, layer } }) => reset_after || layer?.config.reset_after)) continue; // GRUs that tfjs does not have
  layers[0].config.batch_input_shape = batch_shape;
  const modelTopology = { class_name, config: { ...config, layers } };
  const loaded = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology }));
  for (const layer of loaded.layers)
    layer.setWeights(Object.values(weights[layer.name]).map((array) => tf.tensor(array)));
  report('keras layout in tfjs', name, [...loaded.predict(tf.tensor3d([input])).dataSync()], output.flat());
}
