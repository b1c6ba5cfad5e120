// Evaluates expressions as they come: a line of JSON {expr, input} on standard
// input gives a line {result}, {undefined} or {code} on standard output. With
// "compile" they are compiled only.
import {createInterface} from 'node:readline';
import {readFileSync} from 'node:fs';
import jsonata from 'jsonata';

const documents = readFileSync(new URL('documents.json', import.meta.url), 'utf8');
const OriginalDate = globalThis.Date;
const now = 1700000000000;
globalThis.Date = class extends OriginalDate {
  constructor(...args) { args.length ? super(...args) : super(now); }
  static now() { return now; }
};
const hidden = (_, v) => (typeof v === 'function' || v && v._jsonata_lambda || v && v._jsonata_function ? undefined : v);
for await (const line of createInterface({input: process.stdin})) {
  const {expr, compile} = JSON.parse(line);
  let answer;
  try {
    const compiled = jsonata(expr);
    const result = compile ? true : await compiled.evaluate(JSON.parse(documents));
    const text = JSON.stringify(result, hidden);
    answer = text === undefined ? '{"undefined":true}' : '{"result":' + text + '}';
  } catch (e) {
    answer = JSON.stringify({code: e.code || 'none', message: e.message, position: e.position, token: e.token});
  }
  process.stdout.write(answer + '\n');
}
