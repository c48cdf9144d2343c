// Whether what a request costs depends on how many others wait: served from a short and from a long queue, and
// joining and leaving both. And how long it takes until very many are aborted at once.

import { someOf, whole } from "../options.mjs";
import { startClient, startOrigin } from "../processes.mjs";
import { ratioOf, spread, spreadOf, takeTurns } from "../rounds.mjs";
import { block, count, figure, range } from "../table.mjs";

/** It can abort nothing: it shows what of the cost is that of promises that wait. */
const floor = "raw-queue";
const clients = [floor, "keepline", "undici-pool", "node-http"];
const fewPending = 100;
/** Requests of `join and abort`, and how many share a controller. */
const joins = 20_000;
const batchSize = 100;
const abortedAtOnce = 20_000;
/** How late the origin answers where requests are aborted while they wait: later than that takes. */
const heldMsecs = 5_000;
/** How long what was aborted is waited for, at most. */
const mostMsecs = 15_000;
/**
 * A young generation that is larger than all that a measurement allocates, so that none of it is collected
 * meanwhile; and a heap that holds the rest.
 */
const withoutCollections = [
  "--expose-gc",
  "--max-semi-space-size=512",
  "--min-semi-space-size=512",
];
const requestsWithoutCollections = 20_000;

const waitingNote = `undici and node:http settle an aborted request when its turn for a socket comes: the origin answers after ${count(heldMsecs)} ms`;

export const title = "long queues";
export const summary = "what a request costs in a queue of 100 and of 100,000; mass aborts";
export const options = {
  rounds: whole(1, 100, 3, "rounds, after one that warms up"),
  requests: whole(1, 1_000_000, 100_000, "requests measured in a round"),
  pending: whole(1_000, 1_000_000, 100_000, "requests in the long queue"),
  sockets: whole(1, 1_000, 10, "sockets of each client"),
  only: someOf(clients),
};
export const examples = [
  ["npm run bench -- queue", "about ten minutes"],
  ["npm run bench -- queue --rounds 2 --only raw-queue,keepline", "about a minute"],
];

const runner = (name) => new URL(`../runners/${name}.mjs`, import.meta.url);
const fileOf = (key) => new URL(`../clients/${key}.mjs`, import.meta.url).href;

export async function measure(settings) {
  return {
    served: await served(settings, settings.requests, false),
    servedWithoutCollections: await served(
      settings,
      Math.min(settings.requests, requestsWithoutCollections),
      true,
    ),
    ...(await aborted({ ...settings, only: settings.only.filter((key) => key !== floor) })),
  };
}

/** Every client with both lengths, each in a process of its own. */
async function served({ rounds, pending, sockets, only }, requests, isWithout) {
  const origin = await startOrigin(new URL("../origin.mjs", import.meta.url), {});
  const url = `http://127.0.0.1:${origin.ready.port}/`;
  const turns = [];
  for (const key of only) {
    for (const length of [fewPending, pending]) {
      const child = await startClient(
        runner("queue"),
        { file: fileOf(key), url, sockets, pending: length, withoutCollections: isWithout },
        {},
        isWithout ? withoutCollections : [],
      );
      const variant = isWithout ? ", no garbage collection" : "";
      const name = `${child.ready.name}, ${count(length)} pending${variant}`;
      turns.push({ key, length, name, child, ask: () => child.ask({ requests }) });
    }
  }
  const answers = await takeTurns(rounds, turns);
  for (const { child } of turns) child.stop();
  origin.stop();
  return only.map((key, index) => {
    const few = answers[2 * index];
    const many = answers[2 * index + 1];
    const sideOf = (each) => ({
      cpuMicros: spreadOf(each, "cpuMicros"),
      pauseMicros: spreadOf(each, "pauseMicros"),
      collections: spreadOf(each, "collections"),
    });
    const { name } = turns[2 * index].child.ready;
    return {
      key,
      name,
      requests,
      few: sideOf(few),
      many: sideOf(many),
      ratio: ratioOf(many, few, "cpuMicros"),
    };
  });
}

/** Requests that nobody answers: join and leave in queues of both lengths, and the abort of very many. */
async function aborted({ rounds, pending, sockets, only }) {
  const origin = await startOrigin(new URL("../origin.mjs", import.meta.url), {
    delayMsecs: heldMsecs,
  });
  const url = `http://127.0.0.1:${origin.ready.port}/`;
  const turns = [];
  const add = async (key, kind, what, question) => {
    const child = await startClient(
      runner("abort"),
      { file: fileOf(key), url, sockets, mostMsecs },
      {},
      ["--expose-gc"],
    );
    const name = `${child.ready.name}, ${what}`;
    turns.push({ key, kind, name, child, ask: () => child.ask(question) });
  };
  const batches = joins / batchSize;
  for (const key of only) {
    // With the others what is aborted stays in line, so every abort would wait for the origin.
    if (key === "keepline") {
      await add(key, "few", "joins", { standing: fewPending, batches, size: batchSize });
      await add(key, "many", "joins", { standing: pending, batches, size: batchSize });
    }
    await add(key, "abort", "aborts", { standing: 0, batches: 1, size: abortedAtOnce });
  }
  const answers = await takeTurns(rounds, turns);
  for (const { child } of turns) child.stop();
  origin.stop();
  const found = (key, kind) =>
    answers[turns.findIndex((each) => each.key === key && each.kind === kind)] ?? null;
  const nameOf = (key) => turns.find((each) => each.key === key).child.ready.name;
  return {
    joined: only.map((key) => {
      const few = found(key, "few");
      const many = found(key, "many");
      return {
        key,
        name: nameOf(key),
        few: few && spreadOf(few, "cpuMicros"),
        many: many && spreadOf(many, "cpuMicros"),
        ratio: few && ratioOf(many, few, "cpuMicros"),
        heapBytes: many && spreadOf(many, "heapBytes"),
      };
    }),
    abortedAtOnce: only.map((key) => {
      const answers = found(key, "abort");
      return {
        key,
        name: nameOf(key),
        joinMsecs: spreadOf(answers, "joinMsecs"),
        callMsecs: spreadOf(answers, "callMsecs"),
        settleMsecs: spreadOf(answers, "settleMsecs"),
        aborted: spread(answers.map((each) => each.aborted)).min,
      };
    }),
  };
}

export function report({ rounds, pending, sockets }, found) {
  const { served, servedWithoutCollections, joined, abortedAtOnce: aborts } = found;
  const few = `${count(fewPending)} pending`;
  const many = `${count(pending)} pending`;
  const two = (digits, each) => [
    figure(each?.few?.median, digits),
    figure(each?.many?.median, digits),
    figure(each?.ratio?.median, 2),
    each?.ratio ? range(each.ratio, 2) : "–",
  ];
  const titles = (first) => [first, few, many, "ratio", "min–max"];
  const cpuOf = (results) =>
    results.map(({ name, few, many, ratio }) => [
      name,
      ...two(1, { few: few.cpuMicros, many: many.cpuMicros, ratio }),
      figure(few.pauseMicros.median),
      figure(many.pauseMicros.median),
    ]);
  const pauses = ["paused, short", "paused, long"];
  return [
    title,
    `${sockets} sockets, ${rounds} rounds`,
    `CPU time of the client's process per request served, µs: another one joins for each, ${count(served[0].requests)} a round`,
    "(of it, how long collections held the main thread; they also take time of other threads)",
    block([...titles("client"), ...pauses], cpuOf(served)),
    `the same where no garbage is collected meanwhile, ${count(servedWithoutCollections[0].requests)} a round`,
    block([...titles("client"), ...pauses], cpuOf(servedWithoutCollections)),
    ...joinedLines(joined, titles, two),
    `${count(abortedAtOnce)} pending requests aborted at once by one AbortController, ms`,
    block(
      ["client", "to join", "abort()", "all settled", "min–max", "aborted"],
      aborts.map((each) => [
        each.name,
        figure(each.joinMsecs.median, 0),
        figure(each.callMsecs.median, 0),
        figure(each.settleMsecs.median, 0),
        range(each.settleMsecs, 0),
        count(each.aborted),
      ]),
    ),
    ...(aborts.every((each) => each.key === "keepline") ? [] : [waitingNote]),
  ];
}

function joinedLines(joined, titles, two) {
  const rows = joined.filter((each) => each.ratio !== null);
  if (rows.length === 0) return [];
  return [
    `CPU time to join the queue and to be aborted there, µs per request, ${count(batchSize)} of ${count(joins)} at a time;`,
    "and what a pending request takes of the heap, KiB, the promises of the program included",
    block(
      [...titles("client"), "heap, KiB"],
      rows.map((each) => [
        each.name,
        ...two(1, each),
        figure(each.heapBytes && each.heapBytes.median / 1_024),
      ]),
    ),
  ];
}
