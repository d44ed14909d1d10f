// The models that export_models wrote, and the comparison with what they must answer.
import fs from 'node:fs';
import path from 'node:path';

const folder = process.argv[2];

export function* cases(format) {
  const files = fs.readdirSync(folder).filter((file) => file.endsWith('.' + format));
  if (files.length < 5) throw new Error(`only ${files.length} files of ${format} in ${folder}`);
  for (const file of files) {
    const name = file.slice(0, -format.length - 1);
    const expected = JSON.parse(fs.readFileSync(path.join(folder, name + '.expected.json')));
    yield { name, path: path.join(folder, file), file: fs.readFileSync(path.join(folder, file)), ...expected };
  }
}

export function report(client, name, got, expected) {
  const largest = Math.max(...expected.map((value, k) => Math.abs(value - got[k])));
  console.log(`${client}: ${name} differs by at most ${largest.toExponential(1)}`);
  if (got.length !== expected.length || !(largest < 1e-6)) throw new Error(`${client} answers otherwise for ${name}`);
}
