// The real side, in a process of its own. Asked to `calibrate` it measures what the way to the server costs; asked to
// `run` it sends a schedule, counts from the client's events what a simulation counts, and tells the schedule as it was
// carried out: when each request was made, what the server really took, and what the way there and back took beside it.

import { Client, subscribe } from "../../dist/index.js";
import { serve, settings } from "../processes.mjs";
import { median, percentile } from "./figures.mjs";

const { origins, ca, isTls } = settings();
const connect = isTls ? { tls: { ca } } : {};

serve({
  ready: {},
  reply: ({ kind, ...rest }) => (kind === "calibrate" ? calibrate() : run(rest)),
});

/** A round trip, the median of many. It warms up both processes, too. */
async function calibrate() {
  const warm = new Client({ connect });
  const trips = [];
  for (let index = 0; index < 300; index++) {
    const startedAt = performance.now();
    await send(warm, { serviceMsecs: index % 2 });
    if (index > 200 && index % 2 === 0) trips.push(performance.now() - startedAt);
  }
  await warm.close();
  return median(trips);
}

async function run({ settings: options, schedule }) {
  const client = new Client({ ...options, connect });
  const counts = { opened: 0, granted: 0, reused: 0, resent: 0, failed: 0, idleMsecs: 0 };
  const createdAt = new Map();
  const numbers = new Map();
  const waits = new Map();
  const idleSince = new Map();
  const dials = [];
  const sentAt = new Map();
  /** By the path, which is the number of the request: from sending it to the end of its response. */
  const held = new Map();
  let lastAt = 0;
  const wasIdle = (id, at) => {
    if (idleSince.has(id)) counts.idleMsecs += at - idleSince.get(id);
    idleSince.delete(id);
  };
  const stop = subscribe(
    {
      "request:created": ({ requestId, path, at }) => {
        createdAt.set(requestId, at);
        numbers.set(requestId, Number(path.slice(1)));
      },
      "request:granted": ({ requestId, connectionId, reused, lane, at }) => {
        counts.granted++;
        if (reused) counts.reused++;
        wasIdle(connectionId, at);
        sentAt.set(requestId, at);
        const askedAt = createdAt.get(requestId);
        if (askedAt === undefined) return; // sent again
        createdAt.delete(requestId);
        if (!waits.has(lane)) waits.set(lane, []);
        waits.get(lane).push(at - askedAt);
      },
      "request:end": ({ requestId, at }) => {
        lastAt = at;
        held.set(numbers.get(requestId), at - sentAt.get(requestId));
      },
      "request:resend": () => counts.resent++,
      "request:failed": ({ at }) => {
        counts.failed++;
        lastAt = at;
      },
      "connection:open": ({ dialMsecs }) => {
        counts.opened++;
        dials.push(dialMsecs);
      },
      "connection:idle": ({ connectionId, at }) => idleSince.set(connectionId, at),
      "connection:retired": ({ connectionId, at }) => wasIdle(connectionId, at),
    },
    client,
  );
  const startedAt = performance.now();
  const done = await Promise.all(await sendAll(client, schedule, startedAt));
  await turn();
  for (const id of [...idleSince.keys()]) wasIdle(id, Math.max(lastAt, idleSince.get(id)));
  stop();
  client.destroy();
  const tookMsecs = lastAt - startedAt;
  return {
    lateness: done.map(({ at }, index) => at - schedule[index].at),
    dials,
    done: done.map(({ hadMsecs, ...each }, index) => ({
      ...each,
      wayMsecs: hadMsecs === undefined ? null : held.get(index) - hadMsecs,
    })),
    found: {
      opened: counts.opened,
      reuseRatio: counts.reused / counts.granted,
      meanIdle: counts.idleMsecs / tookMsecs,
      failed: counts.failed,
      resent: counts.resent,
      waits: Object.fromEntries(
        [...waits].map(([lane, all]) => [
          lane,
          { p50: percentile(all, 0.5), p99: percentile(all, 0.99) },
        ]),
      ),
    },
  };
}

/** Sends each request at its instant. Resolves with the promises of what they were when the last one is sent. */
function sendAll(client, schedule, startedAt) {
  const sent = [];
  return new Promise((resolve) => {
    const go = () => {
      while (sent.length < schedule.length) {
        const request = schedule[sent.length];
        const at = performance.now() - startedAt;
        if (at < request.at) break;
        sent.push(
          send(client, request, sent.length).then(
            ({ tookMsecs, hadMsecs }) => ({ ...request, at, serviceMsecs: tookMsecs, hadMsecs }),
            () => ({ ...request, at }),
          ),
        );
      }
      const next = schedule[sent.length];
      if (next === undefined) resolve(sent);
      else setTimeout(go, next.at - (performance.now() - startedAt));
    };
    go();
  });
}

/** Resolves with what the server says of itself. */
async function send(client, { origin = 0, lane, serviceMsecs }, index = 0) {
  const headers = { "x-service-msecs": String(serviceMsecs) };
  const response = await client.request(`${origins[origin]}/${index}`, { headers, lane });
  await response.body.dump();
  return {
    tookMsecs: Number(response.headers["x-took-msecs"]),
    hadMsecs: Number(response.headers["x-had-msecs"]),
  };
}

/** Events are told in the microtask after them; what the sockets still have to say comes in a turn. */
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
