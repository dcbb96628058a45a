// Reads a JSON list of Mermaid diagrams and prints, for each, what is wrong with it, or null.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.env.NODE_MODULES + '/');
// Mermaid cleans labels with the browser's own parser.
const { JSDOM } = require('jsdom');
globalThis.window = new JSDOM('').window;
globalThis.document = globalThis.window.document;
const { default: mermaid } = await import(pathToFileURL(process.env.NODE_MODULES + '/mermaid/dist/mermaid.core.mjs'));

const wrong = [];
for (const diagram of JSON.parse(readFileSync(0, 'utf8'))) {
  try {
    await mermaid.parse(diagram);
    wrong.push(null);
  } catch (error) {
    wrong.push({ message: error.message, line: error.hash?.loc?.first_line ?? 1 });
  }
}
console.log(JSON.stringify(wrong));
