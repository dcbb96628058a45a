// Reads a JSON list of LogQL queries and prints, for each, where its first syntax error is, or null.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(process.env.NODE_MODULES + '/');
const { parser } = require('@grafana/lezer-logql');

const firstError = (query) => {
  let at = null;
  parser.parse(query).iterate({ enter: (node) => { if (node.type.isError) at ??= node.from; } });
  return at;
};
console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(firstError)));
