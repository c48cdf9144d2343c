/**
 * The README says what the code does: its tables are those of the rules. Its examples and those of docs/
 * type-check.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { clientRules } from "../src/client/options.ts";
import type { Rule } from "../src/core/rules.ts";
import * as keepline from "../src/index.ts";
import { connectRules } from "../src/net/connect-options.ts";
import { root } from "./support/root.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");

test("the README lists every option with the default and the meaning of the rules table", () => {
  const { connect: _, ...rules } = clientRules;
  for (const [name, rule] of Object.entries<Rule<unknown>>({ ...rules, ...connectRules })) {
    const row = `| \`${name}\` | ${shown(rule.default)} | ${rule.doc} |`;
    assert.ok(readme.includes(row), `the README has no row\n${row}`);
  }
});

test("the README lists every error class with its code", () => {
  const classes = Object.entries(keepline).filter(
    ([name]) => name.endsWith("Error") && name !== "KeeplineError",
  );
  assert.equal(classes.length, 12);
  for (const [name] of classes) {
    const words = name.replace(/Error$/, "").replace(/([a-z])([A-Z])/g, "$1_$2");
    const row = `| \`${name}\` | \`ERR_KEEPLINE_${words.toUpperCase()}\` |`;
    assert.ok(readme.includes(row), `the README has no row\n${row}`);
  }
});

test("the examples of the README and of docs/ type-check", () => {
  const folder = mkdtempSync(join(tmpdir(), "keepline-docs-"));
  try {
    for (const [name, text] of pages()) {
      const examples = [...text.matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1] as string);
      assert.ok(examples.length >= 1, `${name} has an example`);
      examples.forEach((example, index) => {
        writeFileSync(join(folder, `${name}-${index}.ts`), `${example}\nexport {};\n`);
      });
    }
    const config = {
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        paths: { ...ownModules(), undici: [join(root, "node_modules/undici7/index.d.ts")] },
        typeRoots: [join(root, "node_modules/@types")],
      },
      include: [join(folder, "*.ts")],
      exclude: [],
    };
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    try {
      execFileSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
    } catch (error) {
      assert.fail((error as { stdout: string }).stdout);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("every test file that SECURITY.md names exists, and every section names one", () => {
  const security = readFileSync(join(root, "SECURITY.md"), "utf8");
  const named = [...security.matchAll(/`((?:src|test)\/[^`]*)`/g)].map(
    (match) => match[1] as string,
  );
  for (const file of named) assert.ok(existsSync(join(root, file)), `there is no ${file}`);
  const [, ...sections] = security.split(/^### /m);
  assert.ok(sections.length >= 9);
  for (const section of sections) assert.match(section, /^\*Tests\.\* `(src|test)\/.*\.test\.ts`/m);
});

test("the tables of docs/performance.md are those of its numbers", async () => {
  const file = pathToFileURL(join(root, "bench/results.mjs")).href;
  const { documentedNumbers, withNumbers } = (await import(file)) as {
    documentedNumbers: () => unknown;
    withNumbers: (text: string, numbers: unknown) => string;
  };
  const text = readFileSync(join(root, "docs/performance.md"), "utf8");
  assert.equal(text, withNumbers(text, documentedNumbers()), "npm run bench -- --draw");
});

/** The modules of the package, each with its source. */
function ownModules(): Readonly<Record<string, readonly string[]>> {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    exports: Record<string, string | { readonly default: string }>;
  };
  const sources = Object.entries(exports).flatMap(([name, target]) => {
    if (typeof target === "string") return [];
    const source = target.default.replace("./dist/", "src/").replace(/\.js$/, ".ts");
    return [[name.replace(/^\./, "keepline"), [join(root, source)]] as const];
  });
  return Object.fromEntries(sources);
}

/** The README and the pages of docs/ that show code, by name. */
function pages(): [name: string, text: string][] {
  const docs = ["docs", "docs/migrate"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((file) => file.endsWith(".md"))
      .map((file): [string, string] => [file, readFileSync(join(root, folder, file), "utf8")]),
  );
  return [["README.md", readme], ...docs.filter(([, text]) => text.includes("```ts"))];
}

function shown(value: unknown): string {
  if (value === null || typeof value === "object") return "–";
  if (typeof value === "string") return `\`${JSON.stringify(value)}\``;
  // Digits in groups of three, as a program would write them.
  const text = String(value);
  return `\`${/^\d+$/.test(text) ? text.replace(/\B(?=(\d{3})+$)/g, "_") : text}\``;
}
