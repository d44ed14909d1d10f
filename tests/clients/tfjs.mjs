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
  const model = JSON.parse(file.toString());
  if (model.config.layers.some((layer) => layer.config.reset_after)) continue; // GRUs that tfjs does not have
  const { class_name, config } = model;
  const loaded = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology: { class_name, config } }));
  for (const layer of loaded.layers)
    layer.setWeights(Object.values(model.weights[layer.name]).map((array) => tf.tensor(array)));
  report('keras layout in tfjs', name, [...loaded.predict(tf.tensor3d([input])).dataSync()], output.flat());
}
