// `npm run truth`: whether the simulator tells the truth. The same requests, at the same instants and held for the same
// times, go to a server on this machine and into the simulator; what both count is compared, and the exit code
// is 1 where they are further apart than allowed.

import os from "node:os";
import { UsageError } from "../../dist/cli/errors.js";
import { flag, parseOptions, wholeNumber } from "../../dist/cli/options.js";
import { say, start } from "../processes.mjs";
import { figure, textOf } from "../table.mjs";
import { bounds, compare } from "./compare.mjs";
import { median, percentile } from "./figures.mjs";
import { simulated } from "./simulated.mjs";
import { drawing, workloads } from "./workloads.mjs";

const names = Object.keys(workloads);
/** A run in which timers were later than this, or dials varied by more, measured the machine, not the client: it is done again. */
const latestMsecs = 6;
const attempts = 4;

const options = {
  only: {
    value: "NAMES",
    doc: `some of ${names.join(",")}`,
    allowed: `some of ${names.join(",")}, with commas between them`,
    parse: (text) => {
      const chosen = text.split(",");
      return chosen.every((each) => names.includes(each)) ? chosen : null;
    },
  },
  seed: wholeNumber(0, 999_999_999, "of the schedules (1)"),
  json: flag("results as JSON"),
  help: flag("show this"),
};

// Ends by `exit`; the started processes end with this one.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => process.exit(128 + os.constants.signals[signal]));
}

await main();

async function main() {
  let given;
  try {
    given = parseOptions(options, process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`truth: ${error.message}; --help shows what there is`);
    process.exitCode = 2;
    return;
  }
  if (given.help === true) {
    console.log(help());
    return;
  }
  const seed = given.seed ?? 1;
  const results = [];
  for (const name of given.only ?? names) {
    say(`${name} …`);
    results.push(await hold(name, seed));
  }
  say("");
  console.log(
    given.json === true
      ? JSON.stringify(documentOf(results, seed), null, 2)
      : textOf(blocks(results)).join("\n"),
  );
  if (results.some(({ rows }) => rows.some(({ isNear }) => !isNear))) process.exitCode = 1;
}

/** Both sides of one workload. */
async function hold(name, seed) {
  const { server = {}, settings, schedule, origins: count = 1, doc } = workloads[name];
  const servers = [];
  let client = null;
  try {
    for (let index = 0; index < count; index++) {
      servers.push(await begin("server.mjs", server));
    }
    const origins = servers.map(({ ready }) => ready.origin);
    const requests = schedule(drawing(seed));
    const chosen = settings(origins);
    client = await begin("client.mjs", {
      origins,
      ca: servers[0].ready.ca,
      isTls: server.isTls === true,
    });
    for (let attempt = 1; ; attempt++) {
      const roundTripMsecs = await client.ask({ kind: "calibrate" });
      for (const each of servers) await each.ask({});
      const { found, done, dials, lateness } = await client.ask({
        kind: "run",
        settings: chosen,
        schedule: requests,
      });
      const late = [lateness, ...(await Promise.all(servers.map((each) => each.ask({}))))];
      const spreadMsecs = (percentile(dials, 0.95) ?? 0) - (median(dials) ?? 0);
      const lateMsecs = Math.max(spreadMsecs, ...late.map((each) => percentile(each, 0.95) ?? 0));
      if (lateMsecs > latestMsecs && attempt < attempts) continue;
      const other = await simulated({
        settings: chosen,
        schedule: done,
        server,
        origins,
        roundTripMsecs,
        dials,
        seed,
      });
      return {
        name,
        doc,
        requests: requests.length,
        attempt,
        lateMsecs,
        roundTripMsecs,
        rows: compare(found, other),
      };
    }
  } finally {
    client?.stop();
    for (const each of servers) each.stop();
  }
}

/** Ahead of what else the machine does, where that is allowed: what is to be seen are the pool's limits, not the processor's. */
async function begin(file, settings) {
  // Overload is one of the workloads, and needs no warning.
  const env = { NODE_NO_WARNINGS: "1" };
  const child = await start(new URL(`./${file}`, import.meta.url), settings, env);
  try {
    os.setPriority(child.pid, os.constants.priority.PRIORITY_HIGHEST);
  } catch {
    // Only a privileged user may.
  }
  return child;
}

function blocks(results) {
  const missed = results.flatMap(({ name, rows }) =>
    rows.filter(({ isNear }) => !isNear).map((row) => `${name}: ${row.name} (${row.bound})`),
  );
  return [
    ...results.flatMap(({ name, doc, requests, rows, lateMsecs, attempt }) => [
      `${name}: ${doc}; ${requests} requests, timers and dials up to ${figure(lateMsecs)} ms late${attempt > 1 ? `, attempt ${attempt}` : ""}`,
      {
        titles: ["", ...rows.map((row) => row.name)],
        rows: [
          ["on sockets", ...rows.map(({ real, digits }) => figure(real, digits))],
          ["simulated", ...rows.map(({ simulated, digits }) => figure(simulated, digits))],
          ["", ...rows.map(({ isNear }) => (isNear ? "" : "missed"))],
        ],
      },
    ]),
    missed.length === 0
      ? `all within bounds: ${bounds}`
      : `further apart than allowed: ${missed.join("; ")}`,
  ];
}

function documentOf(results, seed) {
  return {
    format: "keepline-truth",
    seed,
    machine: `Node.js ${process.version}, ${os.cpus().length} CPUs, ${os.platform()}`,
    bounds,
    isTrue: results.every(({ rows }) => rows.every(({ isNear }) => isNear)),
    results,
  };
}

function help() {
  const lines = Object.entries(options).map(
    ([name, { value, doc }]) =>
      `  ${`--${name}${value === undefined ? "" : ` ${value}`}`.padEnd(16)}  ${doc}`,
  );
  return [
    "usage: npm run truth -- [options]",
    "",
    "Sends the same requests to a server on this machine and into the simulator, and compares what both count.",
    "",
    ...lines,
  ].join("\n");
}
