// `npm run bench`: measures keepline beside its peers. A scenario asks one question; what is measured runs
// in processes of its own, and they take turns, round by round, so that a machine that slows down slows all of
// them; compare ratios, not times.

import os from "node:os";
import { Failure, UsageError } from "../dist/cli/errors.js";
import { help, readOptions } from "./options.mjs";
import { say } from "./processes.mjs";
import * as burst from "./scenarios/burst.mjs";
import * as extras from "./scenarios/extras.mjs";
import * as neighbour from "./scenarios/neighbour.mjs";
import * as observe from "./scenarios/observe.mjs";
import * as origins from "./scenarios/origins.mjs";
import * as queue from "./scenarios/queue.mjs";
import * as sequence from "./scenarios/sequence.mjs";
import * as simulation from "./scenarios/simulate.mjs";
import { body, get, headers, https, post, sockets } from "./scenarios/small.mjs";
import * as surfaces from "./scenarios/surfaces.mjs";
import * as transfer from "./scenarios/transfer.mjs";
import { textOf } from "./table.mjs";
import { targetTable } from "./targets.mjs";

const scenarios = {
  get,
  https,
  post,
  headers,
  body,
  sequence,
  sockets,
  burst,
  extras,
  surfaces,
  transfer,
  queue,
  origins,
  neighbour,
  observe,
  simulate: simulation,
};

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError) && !(error instanceof Failure)) throw error;
  const hint = error instanceof UsageError ? "; --help shows what there is" : "";
  console.error(`bench: ${error.message}${hint}`);
  // Not all processes may have been told to stop; they end with this one.
  process.exit(error instanceof UsageError ? 2 : 1);
}

async function main() {
  const { name, values } = readOptions(scenarios, process.argv.slice(2));
  if (values.help) {
    console.log(help(scenarios, name));
    return;
  }
  const { json, help: _, ...settings } = values;
  const scenario = scenarios[name];
  const found = await scenario.measure(settings);
  say("");
  if (!json) {
    const targets = scenario.targets?.(found) ?? [];
    const held = targets.length === 0 ? [] : [targetTable(targets)];
    console.log(textOf([...scenario.report(settings, found), ...held]).join("\n"));
    return;
  }
  const machine = { node: process.version, cpu: os.cpus()[0]?.model, cores: os.cpus().length };
  console.log(
    JSON.stringify({ scenario: scenario.title, ...settings, machine, ...found }, null, 2),
  );
}
