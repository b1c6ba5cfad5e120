// Records ../oracle.jsonl anew: what jsonata-js gives for cases.jsonl. Needs
// Node.js; npm install puts the pinned version beside this file.
import {createInterface} from 'node:readline';
import {createReadStream, createWriteStream, readFileSync} from 'node:fs';
import jsonata from 'jsonata';

const documents = JSON.parse(readFileSync('documents.json', 'utf8'));
const out = createWriteStream('../oracle.jsonl');
const now = new Date(1700000000000);
for await (const line of createInterface({input: createReadStream('cases.jsonl')})) {
  const {expr, input} = JSON.parse(line);
  const recorded = {expr, input};
  try {
    const expression = jsonata(expr);
    const OriginalDate = globalThis.Date;
    globalThis.Date = class extends OriginalDate {
      constructor(...args) { args.length ? super(...args) : super(now); }
    };
    let result;
    try {
      result = await expression.evaluate(documents[input]);
    } finally {
      globalThis.Date = OriginalDate;
    }
    const text = JSON.stringify(result, (_, v) => (typeof v === 'function' || v && v._jsonata_lambda || v && v._jsonata_function ? undefined : v));
    if (text === undefined) recorded.undefined = true;
    else recorded.result = JSON.parse(text);
  } catch (e) {
    recorded.code = e.code || 'none';
    if (!e.code) recorded.message = e.message;
  }
  out.write(JSON.stringify(recorded) + '\n');
}
