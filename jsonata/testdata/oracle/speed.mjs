// Tells the CPU time of evaluations: standard input holds {states, expressions,
// millis}, standard output gets the nanoseconds of one evaluation of each, and of
// one compilation of the last.
import {readFileSync} from 'node:fs';
import jsonata from 'jsonata';

const {states, expressions, millis} = JSON.parse(readFileSync(0, 'utf8'));
const measure = async (once) => {
  for (let i = 0; i < 20; i++) await once();
  const before = process.cpuUsage();
  const until = performance.now() + millis;
  let n = 0;
  while (performance.now() < until) { for (let i = 0; i < 10; i++) await once(); n += 10; }
  const used = process.cpuUsage(before);
  return (used.user + used.system) * 1000 / n;
};
const result = [];
for (const text of expressions) {
  const expression = jsonata(text);
  result.push(await measure(() => expression.evaluate(undefined, {states})));
}
const last = expressions.at(-1);
result.push(await measure(async () => jsonata(last)));
process.stdout.write(JSON.stringify(result));
