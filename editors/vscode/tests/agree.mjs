// The grammar says of each character of all case files and examples what the lexer says of it.
//
// The lexer's tokens come from the example `tokens` of the crate kaleidoscope-lang.

import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const fromTest = createRequire(require.resolve("vscode-tmgrammar-test/package.json"));
const { INITIAL, Registry, parseRawGrammar } = fromTest("vscode-textmate");
const oniguruma = fromTest("vscode-oniguruma");

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..", "..");
const grammarFile = join(here, "..", "syntaxes", "kaleidoscope.tmLanguage.json");

/** The kinds of tokens that a scope may stand for. */
const kinds = [
  ["comment", "space"],
  ["keyword.declaration", "keyword"],
  ["keyword.control", "keyword"],
  ["keyword.operator.word", "keyword"],
  ["keyword.operator", "operator"],
  ["constant.numeric", "number"],
  ["invalid.illegal.number", "malformed number"],
  ["invalid.illegal.character", "unknown"],
  ["punctuation", "punctuation"],
  ["entity.name.function", "identifier"],
  ["variable.other", "identifier"],
];

function kindOfScopes(scopes) {
  const scope = scopes.at(-1);
  return kinds.find(([prefix]) => scope.startsWith(prefix))?.[1] ?? "space";
}

function files(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return files(path);
    return extname(path) === ".kal" ? [path] : [];
  });
}

async function loadGrammar() {
  const wasm = readFileSync(fromTest.resolve("vscode-oniguruma/release/onig.wasm"));
  await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.length));
  const onigLib = Promise.resolve({
    createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
    createOnigString: (text) => new oniguruma.OnigString(text),
  });
  const load = () => parseRawGrammar(readFileSync(grammarFile, "utf8"), grammarFile);
  const registry = new Registry({ onigLib, loadGrammar: async () => load() });
  return registry.loadGrammar("source.kaleidoscope");
}

/** The kind of each character according to the grammar. Space and line ends are of no kind. */
function kindsOfGrammar(grammar, text) {
  const all = [];
  let stack = INITIAL;
  for (const [line, end] of linesOf(text)) {
    const result = grammar.tokenizeLine(line, stack);
    stack = result.ruleStack;
    const ofLine = new Array(line.length).fill("space");
    for (const token of result.tokens) {
      ofLine.fill(kindOfScopes(token.scopes), token.startIndex, Math.min(token.endIndex, line.length));
    }
    all.push(...ofLine, ...new Array(end.length).fill("space"));
  }
  return all;
}

/** The lines of a text, each with its end. */
function linesOf(text) {
  const parts = text.split(/(\r\n|\n|\r)/);
  const lines = [];
  for (let at = 0; at < parts.length; at += 2) lines.push([parts[at], parts[at + 1] ?? ""]);
  return lines;
}

/** The kind of each character according to the lexer. */
function kindsOfLexer(text, tokens) {
  const all = new Array(text.length).fill("space");
  for (const { kind, start, end } of tokens) all.fill(kind, start, end);
  return all;
}

const paths = [join(root, "tests", "cases"), join(root, "examples")].flatMap(files);
// A file that is not UTF-8 has no characters to compare.
const readable = paths.filter((path) => Buffer.from(readFileSync(path, "utf8")).equals(readFileSync(path)));
const cargo = ["run", "--quiet", "--package", "kaleidoscope-lang", "--example", "tokens", "--"];
const output = execFileSync("cargo", [...cargo, ...readable], {
  cwd: root,
  encoding: "utf8",
  maxBuffer: 1 << 28,
});
const tokensOf = output.trimEnd().split("\n").map((line) => JSON.parse(line));
const grammar = await loadGrammar();
let nDifferences = 0;
let nCharacters = 0;
readable.forEach((path, index) => {
  const text = readFileSync(path, "utf8");
  const ofGrammar = kindsOfGrammar(grammar, text);
  const ofLexer = kindsOfLexer(text, tokensOf[index]);
  for (let at = 0; at < text.length; at += 1) {
    if (/\s/.test(text[at]) || (at === 0 && text[at] === "\uFEFF")) continue;
    nCharacters += 1;
    if (ofGrammar[at] === ofLexer[at]) continue;
    nDifferences += 1;
    const line = text.slice(0, at).split("\n").length;
    console.error(`${path}:${line}: ${JSON.stringify(text[at])} is ${ofLexer[at]}, not ${ofGrammar[at]}`);
    break;
  }
});
if (nDifferences > 0 || readable.length < 50) {
  console.error(`${nDifferences} of ${readable.length} files differ`);
  process.exit(1);
}
console.log(`${readable.length} files with ${nCharacters} characters: grammar and lexer agree`);
