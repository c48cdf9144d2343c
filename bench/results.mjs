// What has been measured, kept as JSON: of the last runs in results/, of those that docs/performance.md shows in
// docs/performance/. And what is made of it: a page with all tables and charts, and the parts of that document between its
// marks, so that its figures are those of the numbers.

import fs from "node:fs";
import os from "node:os";
import { scenarios } from "./all.mjs";
import { areApart } from "./processors.mjs";
import { targetTable, targetTableOf } from "./targets.mjs";

const major = process.versions.node.split(".")[0];
const results = new URL("./results/", import.meta.url);
const documented = new URL("../docs/performance/", import.meta.url);
const page = new URL("../docs/performance.md", import.meta.url);

const machine = () => ({
  node: process.version,
  cpu: os.cpus()[0]?.model.trim(),
  cores: os.cpus().length,
  memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  system: `${os.type()} ${os.release().split("-")[0]}`,
  // How many processes wanted a core before: above the number of cores the machine had other work.
  load: Number(os.loadavg()[0].toFixed(1)),
  areApart,
});

const fileIn = (folder, node = major) => new URL(`node-${node}.json`, folder);

function read(file) {
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) : {};
}

/** Keeps what a scenario has found, in place of what it found before on this major version of Node.js. */
export function keep(name, settings, found, isForDocs) {
  const entry = { at: new Date().toISOString().slice(0, 10), machine: machine(), settings, found };
  for (const folder of isForDocs ? [results, documented] : [results]) {
    fs.mkdirSync(folder, { recursive: true });
    const file = fileIn(folder);
    const all = { ...read(file), [name]: entry };
    fs.writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
  }
}

/** The scenarios in `numbers`, each with its name and what was kept of it. */
const entriesOf = (numbers) =>
  Object.entries(scenarios).flatMap(([name, scenario]) =>
    numbers[name] === undefined ? [] : [{ name, scenario, ...numbers[name] }],
  );

const targetsOf = (numbers) =>
  entriesOf(numbers).flatMap(({ scenario, found }) => scenario.targets?.(found) ?? []);

/** One line: where and how it was measured. */
const circumstances = ({ at, machine: { node, cpu, cores, memoryGiB, system, load, areApart } }) =>
  `Node.js ${node.slice(1)}, ${cores} cores (${cpu}), ${memoryGiB} GiB, ${system}, ${at}, load average ${load} before it` +
  (areApart ? ", the origin on a processor apart from the clients" : "");

/** Writes results/report.html. Returns its path. */
export async function writeReport() {
  const { chartOf } = await import("./charts.mjs");
  const numbers = read(fileIn(results));
  const parts = [];
  for (const entry of entriesOf(numbers)) {
    const blocks = entry.scenario.report(entry.settings, entry.found);
    const svg = await chartOf(entry);
    parts.push(`<section><h2>${escaped(entry.scenario.title)}</h2>
<p>${escaped(circumstances(entry))}</p>
${svg ?? ""}
${blocks.slice(1).map(htmlOf).join("\n")}</section>`);
  }
  const file = new URL("report.html", results);
  fs.writeFileSync(
    file,
    `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>keepline beside its peers</title>
<meta name="viewport" content="width=device-width">
<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: 1rem 0; }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #8884; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
</style>
<h1>keepline beside its peers</h1>
<h2>What keepline holds itself to</h2>
${htmlOf(targetTable(targetsOf(numbers)))}
${parts.join("\n")}
</html>
`,
  );
  return file.pathname;
}

/** Draws the charts of docs/performance.md, and writes its parts between marks again. */
export async function writeDocs() {
  const { chartOf } = await import("./charts.mjs");
  fs.mkdirSync(documented, { recursive: true });
  const all = documentedNumbers();
  for (const entry of entriesOf(all[0]?.numbers ?? {})) {
    const svg = await chartOf(entry);
    const file = new URL(`${entry.name}.svg`, documented);
    if (svg !== null) fs.writeFileSync(file, `${svg}\n`);
  }
  fs.writeFileSync(page, withNumbers(fs.readFileSync(page, "utf8"), all));
}

/** The numbers of docs/performance/ by version of Node.js, the oldest first. */
export function documentedNumbers() {
  if (!fs.existsSync(documented)) return [];
  return fs
    .readdirSync(documented)
    .map((name) => /^node-(\d+)\.json$/.exec(name)?.[1])
    .filter((node) => node !== undefined)
    .sort((a, b) => a - b)
    .map((node) => ({ node, numbers: read(fileIn(documented, node)) }));
}

/** `text` with what stands between `<!-- bench: NAME -->` and `<!-- /bench -->` written anew; what was not measured is left out. */
export const withNumbers = (text, all) =>
  text.replaceAll(
    /(<!-- bench: (\w+)(?: (\d+))? -->\n).*?(<!-- \/bench -->)/gs,
    (_, begin, name, node, end) => `${begin}${partOf(name, node, all)}${end}`,
  );

function partOf(name, node, all) {
  if (name === "targets") {
    return markdownOf(
      targetTableOf(all.map((each) => ({ node: each.node, targets: targetsOf(each.numbers) }))),
    );
  }
  const { numbers } = all.find((each) => each.node === node) ?? all[0] ?? { numbers: {} };
  const entry = entriesOf(numbers).find((each) => each.name === name);
  if (entry === undefined)
    return `\nNo numbers yet: \`npm run bench -- ${name} --write-docs\` puts them here.\n\n`;
  const blocks = entry.scenario.report(entry.settings, entry.found).slice(1);
  const hasChart = entry.scenario.bars !== undefined && node === undefined;
  const picture = hasChart ? `\n![${entry.scenario.title}](performance/${name}.svg)\n` : "";
  return `${picture}${blocks.map(markdownOf).join("")}\n*${circumstances(entry)}.*\n\n`;
}

function markdownOf(block) {
  if (typeof block === "string") return `\n${block}\n`;
  const line = (cells) => `| ${cells.join(" | ")} |\n`;
  const rule = block.titles.map((_, index) => (index === 0 ? "---" : "---:"));
  return `\n${line(block.titles)}${line(rule)}${block.rows.map(line).join("")}\n`;
}

function htmlOf(block) {
  if (typeof block === "string") return `<p>${escaped(block)}</p>`;
  const row = (cells, tag) =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  return `<table>${row(block.titles, "th")}${block.rows.map((each) => row(each, "td")).join("")}</table>`;
}

const escaped = (text) =>
  String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
