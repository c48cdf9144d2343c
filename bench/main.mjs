// `npm run bench`: CPU time per small GET over reused sockets, keepline beside its peers. All clients take
// turns, round by round, so that a machine that slows down slows all of them; compare ratios, not times.
//
//   npm run bench                       all clients, 7 rounds of 20,000 requests over 50 sockets
//   npm run bench -- --rounds 3 --requests 5000 --sockets 10 --only keepline,undici-agent --json

import os from "node:os";
import { parseArgs } from "node:util";
import { say, start } from "./processes.mjs";

const all = ["raw", "keepline", "undici-pool", "undici-agent", "node-http"];
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    requests: { type: "string", default: "20000" },
    sockets: { type: "string", default: "50" },
    only: { type: "string", default: all.join(",") },
    json: { type: "boolean", default: false },
  },
});
const count = (name, most) => {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
  console.error(`bench: --${name} must be a whole number from 1 to ${most}, not ${values[name]}`);
  process.exit(2);
};
const rounds = count("rounds", 100);
const requests = count("requests", 1_000_000);
const sockets = count("sockets", 1_000);
const chosen = values.only.split(",");
const unknown = chosen.find((each) => !all.includes(each));
if (unknown !== undefined) {
  console.error(`bench: --only takes some of ${all.join(",")}, not ${unknown}`);
  process.exit(2);
}

const origin = await start(new URL("./origin.mjs", import.meta.url), {});
const url = `http://127.0.0.1:${origin.ready.port}/`;

const runners = [];
for (const each of chosen) {
  const file = new URL(`./clients/${each}.mjs`, import.meta.url).href;
  const child = await start(new URL("./runner.mjs", import.meta.url), { file, url, sockets });
  const { name } = child.ready;
  runners.push({ key: each, name, child, cpu: [], wall: [], opened: null });
}
// The first round warms caches and compilers and is not counted.
for (let round = 0; round <= rounds; round++) {
  for (const runner of runners) {
    say(`round ${round}/${rounds}: ${runner.name}`);
    const { cpuMicros, wallMicros, opened } = await runner.child.ask({ requests });
    runner.opened = opened;
    if (round === 0) continue;
    runner.cpu.push(cpuMicros);
    runner.wall.push(wallMicros);
  }
}
say("");
for (const { child } of runners) child.stop();
origin.stop();

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const results = runners.map(({ key, name, cpu, wall, opened }) => ({
  key,
  name,
  cpuMicros: { median: median(cpu), min: Math.min(...cpu), max: Math.max(...cpu) },
  wallMicros: { median: median(wall), min: Math.min(...wall), max: Math.max(...wall) },
  opened,
  // Round by round, so that both sides of a ratio saw the same machine.
  ratios: Object.fromEntries(
    runners.map((other) => [other.key, median(cpu.map((each, round) => each / other.cpu[round]))]),
  ),
}));

if (values.json) {
  const machine = { node: process.version, cpu: os.cpus()[0]?.model, cores: os.cpus().length };
  console.log(
    JSON.stringify({ scenario: "small GET", requests, sockets, rounds, machine, results }, null, 2),
  );
} else {
  const peers = results.filter((each) => each.key !== "keepline").map((each) => each.key);
  const row = (cells) =>
    cells.map((cell, index) => (index === 0 ? cell.padEnd(28) : cell.padStart(15))).join("");
  console.log(
    `small GET, ${sockets} sockets, ${rounds} rounds of ${requests}, Node ${process.version}`,
  );
  console.log(
    `CPU time of the client's process per request, and its ratio to each peer (medians)\n`,
  );
  console.log(row(["client", "µs", "min–max", ...peers]));
  for (const { name, cpuMicros, ratios } of results) {
    const spread = `${cpuMicros.min.toFixed(1)}–${cpuMicros.max.toFixed(1)}`;
    console.log(
      row([
        name,
        cpuMicros.median.toFixed(1),
        spread,
        ...peers.map((peer) => ratios[peer].toFixed(2)),
      ]),
    );
  }
}
