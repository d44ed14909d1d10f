// Every JSON file of a folder against the schema of its format: schema.mjs FOLDER SCHEMAS. Damaged ones must fail.
import fs from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv/dist/2020.js';

const [folder, schemas] = process.argv.slice(2);
let validated = 0;
for (const schemaFile of fs.readdirSync(schemas)) {
  const schema = JSON.parse(fs.readFileSync(path.join(schemas, schemaFile)));
  const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
  const format = schemaFile.split('.')[0];
  const formats = format === 'rtneural' ? ['rtneural', 'aidax'] : [format];
  for (const file of fs.readdirSync(folder).filter((f) => formats.includes(f.split('.').pop()))) {
    const value = JSON.parse(fs.readFileSync(path.join(folder, file)));
    if (!validate(value)) throw new Error(`${file}: ${JSON.stringify(validate.errors)}`);
    for (const key of schema.required ?? [Object.keys(value)[0]]) {
      const damaged = structuredClone(value);
      damaged[key] = 'damaged';
      if (schema.properties?.[key]?.type === 'string') damaged[key] = 1;
      if (validate(damaged)) throw new Error(`${file}: valid though "${key}" is damaged`);
    }
    ++validated;
  }
}
if (validated < 30) throw new Error(`only ${validated} files`);
console.log(`ajv: ${validated} files are what their schemas say`);
