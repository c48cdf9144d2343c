// `npm run bench`: measures keepline beside its peers. A scenario asks one question; what is measured runs
// in processes of its own, and they take turns, round by round, so that a machine that slows down slows all of
// them; compare ratios, not times.

import { Failure, UsageError } from "../dist/cli/errors.js";
import { scenarios, shortSettings } from "./all.mjs";
import { help, readOptions, usualOf } from "./options.mjs";
import { say } from "./processes.mjs";
import { textOf } from "./table.mjs";
import { targetTable } from "./targets.mjs";

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
  const { json, help: _, draw, "write-docs": isForDocs, ...settings } = values;
  const { keep, writeDocs, writeReport } = await import("./results.mjs");
  if (draw) {
    await writeDocs();
    return;
  }
  const chosen =
    name === null
      ? Object.keys(scenarios).map((each) => [
          each,
          { ...usualOf(scenarios[each].options), ...shortSettings[each] },
        ])
      : [[name, settings]];
  const targets = [];
  for (const [each, given] of chosen) {
    const scenario = scenarios[each];
    const found = await scenario.measure(given);
    say("");
    keep(each, given, found, isForDocs);
    targets.push(...(scenario.targets?.(found) ?? []));
    if (!json) console.log(textOf(scenario.report(given, found)).join("\n"));
    else console.log(JSON.stringify({ scenario: scenario.title, ...given, ...found }, null, 2));
  }
  if (!json && targets.length > 0) console.log(textOf([targetTable(targets)]).join("\n"));
  if (isForDocs) await writeDocs();
  if (name === null) console.log(`with charts: ${await writeReport()}`);
}
