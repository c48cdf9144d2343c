// One client with one origin or many, in a process of its own. It begins with a small pool and measures memory;
// opens what it is told to, and measures again; and then answers with the CPU time of requests that take the
// origins, or the paths of the only one, in turn.

import { serve, settings } from "../processes.mjs";

/** Requests under way at a time, whatever the number of origins. */
const workers = 50;
/** Requests after which compilers and caches have done most of what they will. */
const warmUp = 5_000;

const { file, port, origins, connections, paths, isFifo } = settings();
const client = await import(file);
const urls =
  origins === 1
    ? Array.from({ length: paths }, (_, index) => `http://o0.test:${port}/${index}`)
    : Array.from({ length: origins }, (_, index) => `http://o${index}.test:${port}/`);
const driver = await client.start({
  urls,
  sockets: origins === 1 ? Math.max(connections, workers) : connections,
  isFifo,
});
let next = 0;
const opened = await open();

serve({
  ready: { name: client.name, ...opened },
  reply: (question) => (question.expire === undefined ? send(question) : expire(question.expire)),
  stop: () => driver.stop(),
});

/** Opens every connection, and returns what each takes. */
async function open() {
  const few = Math.min(workers, origins);
  await many(warmUp, (worker) => driver.run(worker % few));
  const before = memory();
  const from = performance.now();
  const alreadyOpen = workers;
  let total = workers;
  if (origins > 1) {
    next = few;
    await many(origins - few, () => driver.run(next++));
    total = origins;
    next = 0;
  } else if (connections > workers) {
    // A few at a time, so that the server need not hold more than its backlog.
    for (let count = workers; count < connections; count += workers) {
      await driver.warm(Math.min(count + workers, connections));
    }
    total = connections;
  }
  const openMsecs = performance.now() - from;
  const each = total - alreadyOpen;
  if (each === 0) return { memory: null, openMsecs: null };
  const after = memory();
  const per = (key) => (after[key] - before[key]) / each;
  return {
    openMsecs,
    memory: { rss: per("rss"), heap: per("heapUsed"), external: per("external") },
    before,
    after,
  };
}

/** What `requests` cost, after `priming` ones that are not measured. */
async function send({ requests, priming }) {
  const inTurn = () => {
    next = (next + 1) % urls.length;
    return driver.run(next);
  };
  await many(priming, inTurn);
  const cpu = process.cpuUsage();
  const from = performance.now();
  await many(requests, inTurn);
  const { user, system } = process.cpuUsage(cpu);
  return {
    cpuMicros: (user + system) / requests,
    wallMicros: ((performance.now() - from) * 1_000) / requests,
  };
}

/** Lets idle connections end after `keepAliveMsecs`, and waits until their pools are gone too. */
async function expire({ keepAliveMsecs, mostMsecs }) {
  const asked = performance.now();
  // What it returns is large, and not to be counted as what pools take.
  const pools = driver.stats().origins.length;
  const statsMsecs = performance.now() - asked;
  const full = memory();
  const from = performance.now();
  let closedMsecs = null;
  driver.letExpire(keepAliveMsecs);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = performance.now() - from;
    const { left, open } = sizes();
    if (closedMsecs === null && open === 0) closedMsecs = now;
    if (left > 0 && now < mostMsecs) continue;
    return {
      pools,
      left,
      statsMsecs,
      closedMsecs,
      droppedMsecs: left === 0 ? now : null,
      full,
      after: memory(),
    };
  }
}

function sizes() {
  const { origins: pools } = driver.stats();
  return { left: pools.length, open: pools.reduce((sum, each) => sum + each.sockets.open, 0) };
}

/** Makes `total` requests, `workers` at a time; `request` is told which of the workers asks. */
async function many(total, request) {
  let left = total;
  const loop = async (_, worker) => {
    while (left-- > 0) await request(worker);
  };
  await Promise.all(Array.from({ length: workers }, loop));
}

function memory() {
  globalThis.gc();
  globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heapUsed, external };
}
