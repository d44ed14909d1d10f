// Every graph that export_graphs wrote, in onnxruntime-web: over the whole sequence, and step by step. With --table,
// the largest difference of each.
import fs from 'node:fs';
import path from 'node:path';
import * as ort from 'onnxruntime-web';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';
const folder = process.argv[2];
const table = process.argv.includes('--table');

const number = (value) => (typeof value === 'number' ? value : { inf: Infinity, '-inf': -Infinity }[value] ?? NaN);
const tolerance = { float32: 1e-6, float64: 1e-13 };

// The largest difference, relative for numbers above 1; infinities and NaN must be what they are.
function difference(got, expected) {
  if (got.length !== expected.length) return Infinity;
  let largest = 0;
  for (let k = 0; k < got.length; ++k) {
    if (Object.is(got[k], expected[k]) || got[k] === expected[k]) continue;
    const at = Math.abs(got[k] - expected[k]) / Math.max(1, Math.abs(expected[k]));
    largest = Math.max(largest, Number.isNaN(at) ? Infinity : at);
  }
  return largest;
}

async function check(name, { type, batch, features, input, output, states = [] }) {
  const tensor = (values, dims) =>
    new ort.Tensor(type, (type === 'float32' ? Float32Array : Float64Array).from(values.map(number)), dims);
  const open = (form) => ort.InferenceSession.create(fs.readFileSync(path.join(folder, `${name}.${form}.onnx`)));

  const scan = await open('scan');
  const { y } = await scan.run({ x: tensor(input.flat(), [input.length, batch, features]) });
  const whole = difference([...y.data], output.flat().map(number));

  const step = await open('step');
  let now = {};
  for (const { name, shape, initial } of states) {
    const values = Array(batch).fill(initial).flat();
    now[name] = tensor(values, [shape[0] * batch, ...shape.slice(1)]);
  }
  const got = [];
  for (const row of input) {
    const results = await step.run({ x: tensor(row, [batch, features]), ...now });
    got.push(...results.y.data);
    now = Object.fromEntries(states.map(({ name }) => [name, results[name + '_next']]));
  }
  return [whole, difference(got, output.flat().map(number))];
}

const worst = { float32: [0, 0, 0], float64: [0, 0, 0] };
let wrong = 0;
for (const file of fs.readdirSync(folder).filter((file) => file.endsWith('.json'))) {
  const name = file.slice(0, -'.json'.length);
  const answer = JSON.parse(fs.readFileSync(path.join(folder, file)));
  if (answer.refused) {
    if (table) console.log(`${name}: refused: ${answer.refused}`);
    continue;
  }
  try {
    const [whole, steps] = await check(name, answer);
    if (table) console.log(`${name}: ${whole.toExponential(1)} over a sequence, ${steps.toExponential(1)} step by step`);
    // Where the library's own rounding is magnified, so is that of others.
    if (!(Math.max(whole, steps) < Math.max(tolerance[answer.type], 4 * answer.rounding)))
      throw new Error(`differs by ${whole} over a sequence, ${steps} step by step`);
    const found = worst[answer.type];
    worst[answer.type] = [Math.max(found[0], whole), Math.max(found[1], steps), found[2] + 1];
  } catch (error) {
    console.log(`${name}: ${error.message ?? error}`);
    ++wrong;
  }
}
for (const [type, [whole, steps, count]] of Object.entries(worst)) {
  console.log(
    `onnxruntime-web: ${count} graphs of ${type} differ by at most ${whole.toExponential(1)} over a sequence, ` +
      `${steps.toExponential(1)} step by step`,
  );
  if (count < 50) throw new Error(`only ${count} graphs of ${type} in ${folder}`);
}
if (wrong) throw new Error(`${wrong} graphs answer otherwise in onnxruntime-web`);
