// Every .onnx file of a folder in onnxruntime-web, against what it must answer.
import * as ort from 'onnxruntime-web';
import { cases, report } from './cases.mjs';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';
for (const { name, file, input, output } of cases('onnx')) {
  const session = await ort.InferenceSession.create(file);
  const [steps, batch, features] = [input.length, 2, input[0].length];
  // The same sequence twice, as a batch of two.
  const numbers = Float32Array.from(input.flatMap((row) => [...row, ...row]));
  const results = await session.run({ input: new ort.Tensor('float32', numbers, [steps, batch, features]) });
  const dims = results.output.dims;
  if (String(dims) !== String([steps, batch, output[0].length])) throw new Error(`${name}: dims ${dims}`);
  report('onnxruntime-web', name, [...results.output.data], output.flatMap((row) => [...row, ...row]));
}
