// `npm run race`: what becomes of requests that are written while the server closes the idle connection,
// keepline beside its peers. Each client and method has a server, a link and a process of its own, and the
// same think times. It counts; a noisy machine shifts the counts a little, but not who fails.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { UsageError } from "../../dist/cli/errors.js";
import { say, start } from "../processes.mjs";
import { help, readOptions } from "./options.mjs";
import { report } from "./report.mjs";

/** How long clients keep idle connections where that can be set: longer than the server does. */
const keepAliveFor = (idleMsecs) => Math.max(5_000, 5 * idleMsecs);

// Ends by `exit`, at which temporary files go; the started processes end with this one.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => process.exit(128 + os.constants.signals[signal]));
}

await main();

async function main() {
  let race;
  try {
    race = readOptions(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`race: ${error.message}; --help shows what there is`);
    process.exitCode = 2;
    return;
  }
  if (race === null) {
    console.log(help());
    return;
  }
  const turns = ["GET", "POST"].flatMap((method) =>
    race.chosen.map((client) => ({ client, method })),
  );
  const results = [];
  for (const [index, { client, method }] of turns.entries()) {
    say(`${index + 1}/${turns.length}: ${method} with ${client} …`);
    results.push(await turn(race, client, method));
  }
  say("");
  console.log(report(race, results));
}

async function turn(race, client, method) {
  const { idleMsecs, delayMsecs, hint, reset, isTls } = race;
  const server = await start(new URL("./origin.mjs", import.meta.url), {
    idleMsecs,
    delayMsecs,
    hint,
    reset,
    isTls,
  });
  try {
    const { origin, ca } = server.ready;
    const runner = await start(
      new URL("./runner.mjs", import.meta.url),
      {
        file: new URL(`./clients/${client}.mjs`, import.meta.url).href,
        origin,
        method,
        keepAliveMsecs: keepAliveFor(idleMsecs),
        workers: race.workers,
        requests: race.requests,
        ages: race.ages,
        seed: race.seed,
        poolPerWorker: race.poolPerWorker,
      },
      // The one way that all clients heed.
      ca === null ? {} : { NODE_EXTRA_CA_CERTS: temporaryFile("ca.pem", ca) },
    );
    const sent = await runner.ask("run");
    // What is still under way behind the link is counted, too.
    await new Promise((resolve) => setTimeout(resolve, 4 * delayMsecs + 50));
    const result = summarize(runner.ready.name, client, method, sent, await server.ask("counts"));
    runner.stop();
    return result;
  } finally {
    server.stop();
  }
}

/** Writes a file that is gone when this process ends, and returns its path. */
function temporaryFile(name, text) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "keepline-race-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

function summarize(name, client, method, sent, { opened, received }) {
  const { outcomes, idleAges, resent, ...more } = sent;
  const failures = outcomes.filter((each) => each.code !== null);
  const lost = outcomes.find((each) => each.code === null && received[each.id] === undefined);
  if (lost !== undefined) throw new Error(`${name}: a response to a request that was not received`);
  const codes = {};
  for (const { code } of failures) codes[code] = (codes[code] ?? 0) + 1;
  const told = outcomes.every((each) => each.knew !== null);
  return {
    client,
    name,
    method,
    requests: outcomes.length,
    failed: failures.length,
    codes,
    // By what the client knew when it was asked to send.
    beforeIdleClose: told ? failures.filter((each) => !each.knew).length : null,
    afterIdleClose: told ? failures.filter((each) => each.knew).length : null,
    failedThoughReceived: failures.filter((each) => received[each.id] !== undefined).length,
    duplicated: Object.values(received).filter((times) => times > 1).length,
    resent,
    opened,
    idleAges: quantiles(idleAges),
    ...more,
  };
}

function quantiles(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.floor(share * sorted.length)] ?? null;
  return { count: sorted.length, p10: at(0.1), p50: at(0.5), p90: at(0.9) };
}
