// Draws the pictures of docs/: each from a run of its scenario on this machine, whose numbers are kept beside it.

import fs from "node:fs";
import os from "node:os";
import { parseArgs } from "node:util";
import { svgOf } from "./chart.mjs";

const names = ["neighbour", "weights", "tenants", "dependency", "overload", "cost", "tuning"];
const help = `usage: npm run pictures -- [options] [scenario …]

Runs the scenarios against servers on 127.0.0.1 (tuning: in the simulator), all of them when none is named: ${names.join(", ")}.
Writes docs/pictures/numbers/<scenario>.json and draws docs/pictures/<scenario>.svg. Together they take about four minutes.

  --draw    draw again from the numbers that are there, without a run
  --help    this text
`;

/** A run that takes this long does not end any more. */
const longestMsecs = 10 * 60_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { draw: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
});
const unknown = positionals.filter((each) => !names.includes(each));
if (values.help) {
  process.stdout.write(help);
} else if (unknown.length > 0) {
  process.stderr.write(`there is no scenario ${unknown.join(", ")}\n\n${help}`);
  process.exitCode = 1;
} else {
  setTimeout(() => {
    process.stderr.write("a run did not end\n");
    process.exit(1);
  }, longestMsecs).unref();
  for (const name of positionals.length > 0 ? positionals : names) await picture(name);
}

async function picture(name) {
  const { measure, chart, pictures, report } = await import(`./scenarios/${name}.mjs`);
  const file = new URL(`numbers/${name}.json`, import.meta.url);
  if (!values.draw) {
    process.stderr.write(`${name} …\n`);
    const measured = await measure();
    const machine = `Node.js ${process.version}, ${os.cpus().length} CPUs, ${os.platform()}`;
    fs.mkdirSync(new URL(".", file), { recursive: true });
    fs.writeFileSync(file, `${JSON.stringify({ machine, ...measured }, null, 2)}\n`);
  }
  const numbers = JSON.parse(fs.readFileSync(file, "utf8"));
  if (chart !== undefined) {
    const svg = await svgOf(chart(numbers));
    fs.writeFileSync(new URL(`${name}.svg`, import.meta.url), `${svg}\n`);
  }
  for (const [file, svg] of Object.entries(pictures?.(numbers) ?? {})) {
    fs.writeFileSync(new URL(`${file}.svg`, import.meta.url), svg);
  }
  process.stdout.write(`${report(numbers).join("\n")}\n\n`);
}
