// Properties of the source text itself that neither the compiler nor the linter states: the core is
// pure, imports name .ts files, files stay short enough to read.
// Sources are reduced to code first: comments go, literals are replaced by their number.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { root } from "./support/root.ts";

const maxLineCount = 450;

/** Names that would give the core a clock, a queue of its own, randomness or I/O. */
const impureNames = [
  "Date",
  "performance",
  "crypto",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "clearImmediate",
  "queueMicrotask",
  "Promise",
  "PromiseLike",
  "async",
  "await",
  "process",
  "Buffer",
  "console",
  "fetch",
  "require",
  "globalThis",
];
const impureName = new RegExp(`(?<![.\\w$#])(?:${impureNames.join("|")})(?![\\w$])`, "g");
// Also `Math["random"]`, of which only the literal's number is left here: every indexed Math counts.
const randomNumber = /(?<![.\w$#])Math\s*(?:\?\.|\.|\[)\s*(?:random\b|"\d+")/g;

test("the core is pure: it imports nothing outside itself", () => {
  assertNone(sources("src/core").filter(isNotTest).flatMap(importsLeavingCore));
});

test("the core is pure: it reads no clock, starts no timer, awaits nothing, draws no random number", () => {
  assertNone(sources("src/core").filter(isNotTest).flatMap(impurities));
});

test("every relative import names a .ts file", () => {
  assertNone([...sources("src"), ...sources("test")].flatMap(extensionlessImports));
});

test(`no source file under src/ is longer than ${maxLineCount} lines`, () => {
  const tooLong = sources("src")
    .filter(isNotTest)
    .map((source) => ({ ...source, lineCount: source.text.trimEnd().split("\n").length }))
    .filter((source) => source.lineCount > maxLineCount);
  assertNone(tooLong.map((source) => `${source.file} has ${source.lineCount} lines`));
});

test("the checks above see a violation wherever code can hold one", () => {
  const file = "src/core/planted.ts";
  const impure = [
    "const now = Date.now();",
    "const text = `at ${new Date()}`;",
    "const text = `at ${`${performance.now()}`}`;",
    "const x = Math.random();",
    'const x = Math["random"]();',
    "setTimeout(() => {}, 5);",
    "export async function f() {}",
    "const quote = /[\"'`/]/; process.exit();",
    "const half = (a + b) / 2; Buffer.alloc(1); const c = 1 / 2;",
    "type Later = Promise<void>;",
  ];
  for (const text of impure) assert.equal(impurities({ file, text }).length, 1, text);

  const leaving = [
    'import net from "node:net";',
    "import '../net/dial.ts';",
    'export * from "../index.ts";',
    'const dns = import("node:dns");',
    'import type {\n  Socket,\n} from "undici";',
  ];
  for (const text of leaving) assert.equal(importsLeavingCore({ file, text }).length, 1, text);

  const unfinished = ['import "./planted.js";', 'import { a } from "./planted";', 'import "..";'];
  for (const text of unfinished) assert.equal(extensionlessImports({ file, text }).length, 1, text);
});

test("the checks above do not mistake comments, literals and members for code", () => {
  const file = "src/core/planted.ts";
  const innocent = [
    "// Date.now() would make this a lie",
    "/* setTimeout\n * import x from 'node:net' */",
    'const message = "no Date, no process, async or await: from \\"node:net\\"";',
    'const message = `process ${origin} from "node:net" // Date`;',
    "const url = 'http://host'; const port = options.process;",
    "const pattern = /Date|process/; const updatedDate = 1;",
  ];
  for (const text of innocent) {
    assertNone([...impurities({ file, text }), ...importsLeavingCore({ file, text })]);
  }
});

type Source = { file: string; text: string };

function sources(folder: string): Source[] {
  const absolute = path.join(root, folder);
  if (!fs.existsSync(absolute)) return [];
  return fs
    .readdirSync(absolute, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => path.join(absolute, name))
    .sort()
    .map((name) => ({
      file: path.relative(root, name).replaceAll("\\", "/"),
      text: fs.readFileSync(name, "utf8"),
    }));
}

function isNotTest(source: Source): boolean {
  return !source.file.endsWith(".test.ts");
}

function impurities(source: Source): string[] {
  const { code } = codeOf(source.text);
  return [...code.matchAll(impureName), ...code.matchAll(randomNumber)].map(
    (match) => `${source.file}:${lineOf(code, match.index)} uses ${match[0]}`,
  );
}

function importsLeavingCore(source: Source): string[] {
  return importsOf(source)
    .filter(({ specifier }) => !targetOf(source, specifier)?.startsWith("src/core/"))
    .map(({ specifier, line }) => `${source.file}:${line} imports ${specifier}`);
}

function extensionlessImports(source: Source): string[] {
  // Tests may also import the scripts and JSON that they test.
  const allowed = source.file.startsWith("test/") ? /\.(?:ts|mjs|json)$/ : /\.ts$/;
  return importsOf(source)
    .filter(({ specifier }) => specifier.startsWith(".") && !allowed.test(specifier))
    .map(({ specifier, line }) => `${source.file}:${line} imports ${specifier}`);
}

/** The file that a relative specifier names, from the repository's root; null for a package. */
function targetOf(source: Source, specifier: string): string | null {
  if (!/^\.\.?(?:\/|$)/.test(specifier)) return null;
  return path.posix.join(path.posix.dirname(source.file), specifier);
}

function importsOf(source: Source): { specifier: string; line: number }[] {
  const { code, literals } = codeOf(source.text);
  return [...code.matchAll(/(?<![.\w$])(?:from|import|require)\s*\(?\s*"(\d+)"/g)].map((match) => ({
    specifier: literals[Number(match[1])] ?? "",
    line: lineOf(code, match.index),
  }));
}

/**
 * The code in `text`: comments become spaces, a string becomes its index into `literals`, the fixed
 * parts of templates and regular expressions go. Lines stay where they are.
 */
function codeOf(text: string): { code: string; literals: string[] } {
  const literals: string[] = [];
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'|[`{}]|\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/g;
  const templatePart = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*(`|\$\{)/gy;
  // For every open brace, whether it is a template's `${`.
  const braces: boolean[] = [];
  let code = "";
  let at = 0;

  const skipTemplatePart = (): void => {
    templatePart.lastIndex = at;
    const part = templatePart.exec(text);
    if (part === null) throw new Error("a template literal does not end");
    code += linesOf(part[0]);
    at = templatePart.lastIndex;
    if (part[1] === "${") {
      braces.push(true);
      code += "(";
    } else {
      code += '""';
    }
  };

  for (;;) {
    token.lastIndex = at;
    const match = token.exec(text);
    if (match === null) return { code: code + text.slice(at), literals };
    code += text.slice(at, match.index);
    const found = match[0];
    at = match.index + found.length;
    if (found.startsWith("//") || found.startsWith("/*")) {
      code += ` ${linesOf(found)}`;
    } else if (found === "`") {
      skipTemplatePart();
    } else if (found === "{") {
      braces.push(false);
      code += found;
    } else if (found === "}") {
      if (braces.pop() === true) {
        code += ")";
        skipTemplatePart();
      } else {
        code += found;
      }
    } else if (found.startsWith("/")) {
      // After a value a slash divides.
      if (/[\w$)\]}"]\s*$/.test(code) && !/\b(?:return|case|typeof)\s*$/.test(code)) {
        code += "/";
        at = match.index + 1;
      } else {
        code += "/regex/";
      }
    } else {
      code += `"${literals.length}"`;
      literals.push(found.slice(1, -1));
    }
  }
}

function linesOf(text: string): string {
  return "\n".repeat(text.split("\n").length - 1);
}

function lineOf(code: string, index: number): number {
  return code.slice(0, index).split("\n").length;
}

function assertNone(violations: string[]): void {
  assert.deepEqual(violations, []);
}
