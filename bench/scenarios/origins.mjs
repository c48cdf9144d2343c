// Whether what a request costs depends on how many origins there are, and what each of them takes. Most of it
// is not the client's: a socket that was not used for a while has left the caches of kernel and processor, and so has
// a URL. Hence the same with raw sockets, and with one origin whose connections take turns for as many URLs.

import { Failure } from "../../dist/cli/errors.js";
import { someOf, whole } from "../options.mjs";
import { say, startClient, startOrigin } from "../processes.mjs";
import { ratioOf, spreadOf, takeTurns } from "../rounds.mjs";
import { block, count, figure, range } from "../table.mjs";
import { target } from "../targets.mjs";

const clients = ["raw", "keepline", "undici-agent", "node-http"];
/** What a process has open beside its sockets. */
const otherFiles = 200;
const hotSockets = 50;
/** Clients in whose costs some tenths of a microsecond matter: where the memory of a process lies makes as much of a difference. */
const severalTimes = ["keepline"];
/** Requests to an origin that note where they are made, the one that opened the connection left out. */
const earlyRequests = 15;
/**
 * Requests of a round before those that are measured. In the pause between rounds the engine gives memory back and caches
 * fill with what others do: the first 10,000 of 50,000 requests of keepline cost 1.4 to 2.8 times as much as the last, the second up to 1.3 times.
 */
const priming = 20_000;
/** Until connections end, when pools are to go; and how long that is waited for. */
const expiry = { keepAliveMsecs: 1_000, mostMsecs: 60_000 };

export const title = "many origins";
export const summary = "what a request costs among 10,000 origins, and what each of them takes";
export const options = {
  rounds: whole(1, 100, 10, "rounds, after one that warms up"),
  requests: whole(1, 1_000_000, 25_000, "requests of each client in a round"),
  origins: whole(100, 20_000, 10_000, "origins, with one idle connection each"),
  processes: whole(
    1,
    10,
    5,
    "processes of keepline with as many sockets, which differ by where their memory lies",
  ),
  only: someOf(clients),
};
export const examples = [
  ["npm run bench -- origins", "about eight minutes; needs some 10,000 file descriptors"],
  ["npm run bench -- origins --origins 1000 --only raw,keepline", "where there are fewer"],
];

export async function measure(settings) {
  const { rounds, requests, origins, processes, only } = settings;
  checkFiles(origins);
  const groups = [];
  for (const key of only) {
    for (const { kind, ...shape } of shapesFor(key, origins)) {
      const copies = [];
      const many = severalTimes.includes(key) && kind !== "hot" ? processes : 1;
      for (let copy = 0; copy < many; copy++) {
        say(`opening sockets: ${key}, ${kind}`);
        copies.push(await open(key, shape));
      }
      const { name, memory, openMsecs } = copies[0].child.ready;
      groups.push({ key, kind, name, memory, openMsecs, copies });
    }
  }
  const groupOf = (key, kind) =>
    groups.find((each) => each.key === key && each.kind === kind) ?? null;
  const measured = groupOf("keepline", "many")?.copies ?? [];
  const firsts = [];
  for (const { child } of measured) {
    say("the first requests to each origin: keepline");
    firsts.push(await child.ask({ requests: earlyRequests * origins, priming: 0 }));
  }
  const early = firsts.length === 0 ? null : { cpuMicros: spreadOf(firsts, "cpuMicros").median };
  // Those that are compared come one after the other: the machine is another one some seconds later.
  const most = Math.max(...groups.map(({ copies }) => copies.length));
  const turns = Array.from({ length: most }, (_, index) =>
    groups.flatMap(({ name, copies: { [index]: copy } }) =>
      copy === undefined ? [] : [{ name, copy, ask: () => copy.child.ask({ requests, priming }) }],
    ),
  ).flat();
  const answers = await takeTurns(rounds, turns);
  for (const [index, { copy }] of turns.entries()) copy.answers = answers[index];
  const results = groups.map((group) => {
    const { key, kind, name, memory, openMsecs } = group;
    return {
      key,
      kind,
      name,
      cpuMicros: spreadOf(allOf(group), "cpuMicros"),
      wallMicros: spreadOf(allOf(group), "wallMicros"),
      toHot: ratioTo(group, groupOf(key, "hot")),
      toTurns: kind === "many" ? ratioTo(group, groupOf(key, "turns")) : null,
      toRaw: ratioTo(group, groupOf("raw", kind === "hot" ? "hot" : "many")),
      memory,
      openMsecs,
    };
  });
  say("until pools are dropped: about 35 s");
  const [first] = measured;
  const dropped = first === undefined ? null : await first.child.ask({ expire: expiry });
  for (const { copy } of turns) {
    copy.child.stop();
    copy.server.stop();
  }
  const before = first?.child.ready.before ?? null;
  return { results, early, dropped: dropped && { ...dropped, before } };
}

/** What keepline holds itself to: the baseline has as many connections and URLs, which costs raw sockets as much more as well. */
export const targets = ({ results }) =>
  target(
    "many origins, to one with as many connections",
    results.find(({ key, kind }) => key === "keepline" && kind === "many")?.toTurns?.median ?? null,
    1.15,
  );

/** A process of a client, and its server: the sockets of all clients may be more than one server can have. */
async function open(key, shape) {
  const server = await startOrigin(new URL("../origin.mjs", import.meta.url), {});
  const file = new URL(`../origins/${key}.mjs`, import.meta.url).href;
  const child = await startClient(
    new URL("../runners/origins.mjs", import.meta.url),
    { file, port: server.ready.port, ...shape },
    {},
    ["--expose-gc"],
  );
  return { server, child, answers: [] };
}

/** What all processes of a group have answered, one process after the other. */
const allOf = ({ copies }) => copies.flatMap((each) => each.answers);

/** The ratios of `group` to `other`, each of its processes to one of the other's, round by round; null where there is no other. */
function ratioTo(group, other) {
  if (other === null) return null;
  const others = group.copies.flatMap(
    (_, copy) => other.copies[copy % other.copies.length].answers,
  );
  return ratioOf(allOf(group), others, "cpuMicros");
}

/** One origin with few connections; one with many that take turns, where a client can do that; many origins. */
function shapesFor(key, origins) {
  const hot = { kind: "hot", origins: 1, connections: hotSockets, paths: 1, isFifo: false };
  const turns = { kind: "turns", origins: 1, connections: origins, paths: origins, isFifo: true };
  const many = { kind: "many", origins, connections: 1, paths: 1, isFifo: false };
  return key === "keepline" ? [hot, turns, many] : [hot, many];
}

/** Node.js raises the limit as far as it may by itself. */
function checkFiles(origins) {
  const limit = process.report.getReport().userLimits?.open_files?.soft;
  const needed = origins + otherFiles;
  if (typeof limit !== "number" || limit >= needed) return;
  throw new Failure(
    `${count(origins)} origins need ${count(needed)} file descriptors in a process, and the limit is ${count(limit)}: ` +
      `raise it (ulimit -Hn, as root), or give --origins ${Math.max(limit - otherFiles, 100)}`,
  );
}

export function report({ rounds, requests, origins, processes }, { results, early, dropped }) {
  const shapes = {
    hot: `one origin, ${hotSockets} connections`,
    turns: `one origin, ${count(origins)} connections and URLs in turn`,
    many: `${count(origins)} origins, one connection each`,
  };
  const kib = (bytes) => (bytes === undefined ? "–" : figure(bytes / 1_024));
  const rows = results.map((each) => [
    `${each.name}: ${each.key === "raw" && each.kind === "many" ? `${count(origins)} sockets in turn` : shapes[each.kind]}`,
    figure(each.cpuMicros.median),
    range(each.cpuMicros),
    figure(each.toHot.median, 2),
    figure(each.toTurns?.median, 2),
    figure(each.toRaw?.median, 2),
    kib(each.memory?.rss),
    kib(each.memory?.heap),
    kib(each.memory?.external),
  ]);
  return [
    title,
    `${rounds} rounds of ${count(requests)}, each after ${count(priming)} that are not measured${severalOf(results, processes)}`,
    "CPU time of the client's process per request, its ratios (medians), and KiB per idle connection and its pool",
    block(
      [
        "client",
        "µs",
        "min–max",
        "to hot",
        "to turns",
        "to raw",
        "resident",
        "heap",
        "outside heap",
      ],
      rows,
    ),
    `to hot: to the same client with one origin and ${hotSockets} connections; to turns: with one origin and as many connections and URLs,`,
    "the baseline for origins; to raw: to raw sockets, hot or in turn. Ratios are medians of those of the rounds, so that they are not those of the medians.",
    "Outside heap: buffers, counted by Node.js. Memory is that of the first process of each kind.",
    ...added(results),
    ...earlyLines(early),
    ...droppedLines(dropped),
  ];
}

/** How many processes were measured, where there were several. */
function severalOf(results, processes) {
  const isSeveral = processes > 1 && results.some(({ key }) => severalTimes.includes(key));
  return isSeveral ? `; keepline with many connections in ${count(processes)} processes` : "";
}

/** What keepline takes beyond its sockets, which every client has. */
function added(results) {
  const of = (key, kind) => results.find((each) => each.key === key && each.kind === kind);
  const raw = { hot: of("raw", "hot"), many: of("raw", "many") };
  const own = { hot: of("keepline", "hot"), many: of("keepline", "many") };
  if (raw.hot === undefined || own.hot === undefined) return [];
  const beyond = (kind) => figure(own[kind].cpuMicros.median - raw[kind].cpuMicros.median);
  return [
    `keepline adds to raw sockets: ${beyond("hot")} µs with one origin, ${beyond("many")} µs with many`,
  ];
}

function earlyLines(early) {
  if (early === null) return [];
  return [
    `keepline, requests 2 to ${earlyRequests + 1} to each origin, which note where they are made: ${figure(early.cpuMicros)} µs`,
  ];
}

function droppedLines(dropped) {
  if (dropped === null) return [];
  const { pools, left, closedMsecs, droppedMsecs, statsMsecs, before, full, after } = dropped;
  const mib = (bytes) => figure(bytes / 2 ** 20);
  const seconds = (msecs) => (msecs === null ? "–" : `${figure(msecs / 1_000)} s`);
  const gone =
    left === 0
      ? `all ${count(pools)} pools gone after ${seconds(droppedMsecs)}`
      : `${count(left)} of ${count(pools)} pools are left`;
  return [
    `keepline, connections idle for ${expiry.keepAliveMsecs} ms close: all closed after ${seconds(closedMsecs)}, ${gone}; stats() of all takes ${figure(statsMsecs, 0)} ms`,
    block(
      ["MiB", "before", "all open", "all gone"],
      [
        ["resident", mib(before.rss), mib(full.rss), mib(after.rss)],
        ["heap", mib(before.heapUsed), mib(full.heapUsed), mib(after.heapUsed)],
        ["outside heap", mib(before.external), mib(full.external), mib(after.external)],
      ],
    ),
  ];
}
