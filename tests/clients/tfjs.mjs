// Every tfjs model of a folder in TensorFlow.js, against what it must answer.
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
