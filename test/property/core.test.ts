// Random schedules for the core. `ManualWorld` checks all invariants after every step; here are the
// steps, and what must be true once everything is over.
//   KEEPLINE_SEED=n   other schedules. Fixed when absent, so that what fails is what was changed
//   KEEPLINE_RUNS=n   how many schedules, 10,000 when absent
// What they found is kept, each as short as it gets, in the tests beside the sources.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { LaneOptions } from "../../src/core/lane-options.ts";
import type { CoreOptions } from "../../src/core/options.ts";
import type { Tuning } from "../../src/core/tuning-options.ts";
import { yieldAfterMsecs } from "../support/core-invariants.ts";
import { fc } from "../support/fast-check.ts";
import {
  type AcquireOptions,
  type ManualConnection,
  type ManualRequest,
  type ManualServices,
  type ManualWorld,
  manualWorld,
  type Reactions,
  seededRandom,
} from "../support/manual-world.ts";
import { extent } from "../support/thorough.ts";

const runs = Number(process.env.KEEPLINE_RUNS ?? extent(2_000, 10_000));
const seed = { seed: Number(process.env.KEEPLINE_SEED ?? 1) };

// Over TLS requests may be held back from dials.
const origins = ["http://a.test", "https://b.test", "http://c.test", "https://d.test"];
const never = Number.POSITIVE_INFINITY;

/** Which step, and two numbers that choose what it is done to. */
type Step = readonly [kind: number, first: number, second: number];

interface Schedule {
  readonly options: CoreOptions;
  readonly services: Record<string, ServiceDraw>;
  readonly originCount: number;
  readonly capacity: number;
  readonly reaction: keyof typeof reactions;
  readonly seed: number;
  readonly steps: readonly Step[];
  readonly end: "destroy" | "finish" | "close";
}

/** Limits that leave no sense out, however they are drawn. */
const options: fc.Arbitrary<CoreOptions> = fc
  .record({
    keepAlive: fc.constantFrom(true, true, true, true, false),
    keepAliveMsecs: fc.constantFrom(5_000, 0, 1, 40.5, 300, never),
    maxSockets: fc.constantFrom(2, 1, 3, 4, never),
    maxFreeSockets: fc.constantFrom(4, 0, 1, 2, never),
    maxTotalSockets: fc.constantFrom(never, 1, 2, 3, 4, 5, 6),
    maxOrigins: fc.constantFrom(never, never, never, 1, 2),
    scheduling: fc.constantFrom("lifo", "fifo"),
    dialing: fc.constantFrom("patient", "eager"),
    minFreeSockets: fc.constantFrom(0, 0, 0, 1, 2),
    maxSocketAgeMsecs: fc.constantFrom(never, never, 30.25, 500, 4_000),
    maxRequestsPerSocket: fc.constantFrom(never, never, 1, 2, 3),
    maxPending: fc.constantFrom(never, never, 0, 1, 3),
    queueTimeoutMsecs: fc.constantFrom(never, never, 20, 150.5, 2_000),
    connectTimeoutMsecs: fc.constantFrom(never, 10, 100, 1_000),
    saturationMsecs: fc.constantFrom(1_000, never, 150.5),
    tuning: fc.constantFrom<Tuning>("off", "off", "frozen", {
      maxFreeSockets: [1, 4],
      keepAliveMsecs: [1, 5_000],
      intervalMsecs: 100,
      weights: { idleSecond: 5 },
    }),
  })
  .map((drawn): CoreOptions => {
    const most = Math.min(drawn.maxFreeSockets, drawn.maxSockets, drawn.maxTotalSockets);
    const canKeep = drawn.keepAliveMsecs > 0;
    return { ...drawn, minFreeSockets: canKeep ? Math.min(drawn.minFreeSockets, most) : 0 };
  });

/** The lanes of a service, of which some reserve a socket: see `tamed`. */
const lanes: fc.Arbitrary<Record<string, LaneDraw>> = fc.dictionary(
  fc.constantFrom("default", "x", "y", "z"),
  fc.record({
    weight: fc.constantFrom(1, 1, 2, 5),
    reservedSockets: fc.constantFrom(0, 0, 1, 2),
    maxSockets: fc.constantFrom(never, never, 1, 2, 3),
    overload: fc.constantFrom("queue", "queue", "queue", "reject", "newest-first"),
    shedLate: fc.boolean(),
    maxPending: fc.constantFrom(never, never, 0, 2),
  }),
  { maxKeys: 4 },
);

type LaneDraw = Omit<LaneOptions, "queueTimeoutMsecs" | "requestTimeoutMsecs">;

interface ServiceDraw {
  readonly origins: readonly string[];
  readonly maxTotalSockets: number;
  readonly lanes: Readonly<Record<string, LaneDraw>>;
}

const drawnServices: fc.Arbitrary<Record<string, ServiceDraw>> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({}) },
  {
    weight: 3,
    arbitrary: fc
      .record({
        first: lanes,
        second: lanes,
        unnamed: lanes,
        shared: fc.constantFrom(never, 2, 3, 4),
        other: fc.constantFrom(never, never, 1, 3),
      })
      .map(({ first, second, unnamed, shared, other }) => ({
        default: { origins: [], maxTotalSockets: other, lanes: unnamed },
        first: { origins: ["a", "b"], maxTotalSockets: shared, lanes: first },
        second: { origins: ["c"], maxTotalSockets: never, lanes: second },
      })),
  },
);

/** `services` with as many reservations as all limits allow. */
function tamed(options: CoreOptions, services: Record<string, ServiceDraw>): ManualServices {
  let leftOfClient = options.maxTotalSockets - 1;
  return Object.fromEntries(
    Object.entries(services).map(([name, service]) => {
      let left = Math.min(options.maxSockets, service.maxTotalSockets) - 1;
      const own = Object.entries(service.lanes).map(([lane, drawn]) => {
        const most = Math.min(drawn.reservedSockets, drawn.maxSockets, left, leftOfClient);
        const reservedSockets = Math.max(most, 0);
        left -= reservedSockets;
        leftOfClient -= reservedSockets;
        return [lane, { ...drawn, reservedSockets }] as const;
      });
      return [name, { ...service, lanes: Object.fromEntries(own) }];
    }),
  );
}

/** Each with how often it is drawn. Those whose choice has nothing to choose from do nothing. */
const steps: Record<string, [number, (run: Run, first: number, second: number) => void]> = {
  acquire: [26, (run, first) => run.acquire(first)],
  "acquire with a timeout": [
    6,
    (run, first, second) =>
      run.acquire(first, { queueTimeoutMsecs: [1, 30, 60, 400.75][second % 4] as number }),
  ],
  "acquire not to be sent twice": [6, (run, first) => run.acquire(first, { isReplayable: false })],
  fail: [
    5,
    (run, first, second) => {
      const attempt = { isWritten: second % 3 > 0, hasResponse: second % 8 === 0 };
      choose(run.holding, first, (each) => run.world.fail(each, attempt));
    },
  ],
  dialed: [14, (run, first) => choose(run.world.dialing, first, (each) => run.dialed(each))],
  "dial failed": [
    5,
    (run, first) => choose(run.world.dialing, first, (each) => run.world.dialFailed(each)),
  ],
  release: [18, (run, first) => choose(run.holding, first, (each) => run.world.release(each))],
  "acquire with little time": [
    3,
    (run, first, second) => run.acquire(first, { requestTimeoutMsecs: 1 + (second % 60) }),
  ],
  cancel: [4, (run, first) => choose(run.pending, first, (each) => run.world.cancel(each))],
  "cancel whatever it is": [
    1,
    (run, first) => choose(run.world.requests, first, (each) => run.world.cancel(each)),
  ],
  lose: [4, (run, first) => choose([...run.world.live], first, (each) => run.world.lose(each))],
  // Answers that may come after the core has given the dial up.
  "dialed, perhaps late": [
    1,
    (run, first) => choose(run.world.dials, first, (each) => run.dialed(each)),
  ],
  "dial failed, perhaps late": [
    1,
    (run, first) => choose(run.world.dials, first, (each) => run.world.dialFailed(each)),
  ],
  hint: [3, (run, first, second) => choose(run.holding, first, (each) => run.hint(each, second))],
  drain: [2, (run, first) => choose([...run.world.live], first, (each) => run.world.drain(each))],
  warm: [2, (run, first, second) => run.world.warm(second % 4, run.origin(first))],
  configure: [2, (run, first, second) => run.configure(first, second)],
  "configure services": [2, (run, first, second) => run.configureServices(first, second)],
  "advance a little": [6, (run, first) => run.world.advance((first % 40) / 4)],
  advance: [3, (run, first) => run.world.advance(first * 2)],
  "advance with late ticks": [
    2,
    (run, first, second) => run.world.advance(first, { lateMsecs: second / 10 }),
  ],
  suspend: [1, (run, first) => run.world.suspend(first * 40)],
  "advance far": [1, (run, first) => run.world.advance(first * 60)],
};
const drawn = Object.entries(steps).flatMap(
  ([name, [weight, act]]) =>
    new Array(weight).fill({ name, act }) as { name: string; act: (typeof steps)[string][1] }[],
);

/** Drivers that answer inside the call of the core. */
const reactions = {
  none: () => ({}),
  "releases in grant": (run) => ({
    granted: (request) => run.react(() => run.world.release(request)),
  }),
  "loses in grant": (run) => ({
    granted: (_, connection) => run.react(() => run.world.lose(connection, "socket-error")),
  }),
  "fails in grant": (run) => ({
    granted: (request) => run.react(() => run.world.fail(request)),
  }),
  "acquires in grant": (run) => ({
    granted: (request) => run.react((random) => run.acquire(request.id + random)),
  }),
  "acquires in refuse": (run) => ({
    refused: (request) => run.react(() => run.world.acquire(request.origin)),
  }),
  "acquires in retire": (run) => ({
    retired: () => run.react((random) => run.acquire(random)),
  }),
  "opens in dial": (run) => ({
    dialing: (connection) => run.react(() => run.dialed(connection)),
  }),
  "fails in dial": (run) => ({
    dialing: (connection) => run.react(() => run.world.dialFailed(connection)),
  }),
  everything: (run) => ({
    dialing: (connection) => {
      run.react((random) => {
        if (random % 2 === 0) run.dialed(connection);
        else run.world.dialFailed(connection);
      });
    },
    granted: (request, connection) => {
      run.react((random) => {
        if (random % 3 === 0) run.world.release(request);
        else if (random % 3 === 1) run.world.lose(connection, "socket-error");
        else run.acquire(random);
      });
    },
    // What a client does that is being closed, when its last request is refused.
    refused: (request) => {
      run.react((random) => {
        if (random % 16 === 15) run.world.destroy();
        else run.world.acquire(request.origin);
      });
    },
    retired: () => run.react((random) => run.acquire(random)),
  }),
} as const satisfies Record<string, (run: Run) => Reactions>;

/** One schedule on its way. */
class Run {
  readonly world: ManualWorld;
  readonly #schedule: Schedule;
  /** Reactions that the present step may still have, so that none runs for ever. */
  #reactionsLeft = 0;
  #reactionCount = 0;
  #services: Record<string, ServiceDraw>;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
    this.#services = schedule.services;
    this.world = manualWorld(schedule.options, {
      dials: "wait",
      seed: schedule.seed,
      services: tamed(schedule.options, schedule.services),
      reactions: reactions[schedule.reaction](this),
    });
  }

  get pending(): ManualRequest[] {
    return this.world.requests.filter((each) => each.outcome === null);
  }

  get holding(): ManualRequest[] {
    return this.world.requests.filter((each) => each.isHolding);
  }

  origin(index: number): string {
    return origins[index % this.#schedule.originCount] as string;
  }

  acquire(index: number, options: AcquireOptions = {}): void {
    const lane = ["default", "x", "y", "z"][index % 7] ?? "x";
    this.world.acquire(this.origin(index), { lane, ...options });
  }

  dialed(connection: ManualConnection): void {
    const { capacity } = this.#schedule;
    this.world.dialed(connection, { capacity, connectMsecs: connection.id % 7 });
  }

  hint(request: ManualRequest, index: number): void {
    const timeoutMsecs = [1_000, 0, 150, 5_000, null][index % 5] as number | null;
    const further = [never, 0, 1, 3][index % 4] as number;
    this.world.hint(request.connection, timeoutMsecs, further);
  }

  /** Draws one limit anew. */
  configure(first: number, second: number): void {
    const changes: Partial<CoreOptions>[] = [
      { maxSockets: 1 + (second % 4) },
      { maxTotalSockets: second % 7 === 0 ? never : second % 7 },
      { maxFreeSockets: second % 5 },
      { keepAliveMsecs: [5_000, 1, 60, never][second % 4] as number },
      { keepAlive: second % 2 === 0 },
      { maxRequestsPerSocket: second % 4 === 0 ? never : second % 4 },
      { maxSocketAgeMsecs: second % 2 === 0 ? never : 25 },
      { scheduling: second % 2 === 0 ? "lifo" : "fifo" },
      { maxOrigins: second % 4 === 0 ? never : second % 4 },
      { minFreeSockets: second % 3 },
      { dialing: second % 2 === 0 ? "patient" : "eager" },
    ];
    const changed = { ...this.world.pools.options, ...changes[first % changes.length] };
    const most = Math.min(changed.maxFreeSockets, changed.maxSockets, changed.maxTotalSockets);
    const canKeep = changed.keepAliveMsecs > 0;
    const minFreeSockets = canKeep ? Math.min(changed.minFreeSockets, most) : 0;
    const services = tamed({ ...changed, minFreeSockets }, this.#services);
    this.world.configure({ ...changed, minFreeSockets }, services);
  }

  /** Moves an origin to another service, or changes, adds and removes lanes. */
  configureServices(first: number, second: number): void {
    const { default: unnamed, first: one, second: two } = this.#services;
    if (unnamed === undefined || one === undefined || two === undefined) return;
    const lane: LaneDraw = {
      weight: 1 + (second % 3),
      reservedSockets: second % 3,
      maxSockets: second % 2 === 0 ? never : 1 + (second % 4),
      overload: (["queue", "newest-first", "reject"] as const)[second % 3] ?? "queue",
      shedLate: second % 5 === 0,
      maxPending: never,
    };
    const changes: (() => Record<string, ServiceDraw>)[] = [
      () => ({ ...this.#services, first: { ...one, origins: ["b"] } }),
      () => ({ ...this.#services, first: { ...one, origins: ["a", "b", "d"] } }),
      () => ({ default: unnamed, second: two, first: { ...one, origins: [] } }),
      () => ({ ...this.#services, first: { ...one, lanes: { ...one.lanes, x: lane } } }),
      () => ({ ...this.#services, first: { ...one, lanes: { y: lane } } }),
      () => ({ ...this.#services, second: { ...two, lanes: {} } }),
      () => ({ ...this.#services, default: { ...unnamed, lanes: { x: lane, z: lane } } }),
      () => ({ ...this.#services, first: { ...one, maxTotalSockets: 1 + (second % 4) } }),
      () => ({ ...this.#services, first: { ...one, maxTotalSockets: never } }),
    ];
    this.#services = (changes[first % changes.length] as () => Record<string, ServiceDraw>)();
    const { options } = this.world.pools;
    this.world.configure(options, tamed(options, this.#services));
  }

  react(reaction: (random: number) => void): void {
    if (this.#reactionsLeft === 0) return;
    this.#reactionsLeft--;
    reaction(this.#reactionCount++);
  }

  step([kind, first, second]: Step): void {
    this.#reactionsLeft = 4;
    drawn[kind]?.act(this, first, second);
  }

  /** Lets everything that is under way complete. */
  finish(): void {
    this.#reactionsLeft = 0;
    for (let turn = 0; this.pending.length + this.holding.length > 0; turn++) {
      assert.ok(turn < 500, "requests wait although every dial opens and every lease ends");
      for (const connection of this.world.dialing) this.dialed(connection);
      for (const request of this.holding) if (request.isHolding) this.world.release(request);
      this.world.advance(turn * 10);
    }
    for (let turn = 0; this.world.dialing.length > 0; turn++) {
      assert.ok(turn < 10, "dials go on while nothing else happens");
      for (const connection of this.world.dialing) this.dialed(connection);
    }
  }

  end(): void {
    const { world } = this;
    this.#reactionsLeft = 4;
    if (this.#schedule.end === "close") {
      world.close();
      this.finish();
      assert.equal(world.live.size, 0, "a closed client with nothing to do has no sockets");
      assert.equal(world.pools.timers.count, 0, "a closed client with nothing to do sets no timer");
    }
    if (this.#schedule.end === "finish") this.finish();
    world.destroy();
    assert.equal(world.pools.budget.open, 0, "every permit comes back");
    for (const { budget } of world.pools.services) {
      assert.equal(budget.open, 0, "every permit of a service comes back");
      assert.equal(budget.committed, budget.reserved, "every claim ends");
    }
    assert.equal(world.live.size, 0, "every connection is retired");
    assert.equal(world.pools.timers.count, 0, "no timer is left");
    assert.equal(world.retirements.length, world.dials.length, "each connection is retired once");
    for (const request of world.requests) assert.ok(request.outcome, "every request settles");
    for (const warmer of world.warmers) assert.notEqual(warmer.outcome, null, "a warmer is told");
    const late = world.acquire();
    assert.equal(late.error.code, "ERR_KEEPLINE_CLIENT_CLOSED");
  }
}

function choose<V>(from: readonly V[], index: number, act: (chosen: V) => void): void {
  const chosen = from[index % Math.max(from.length, 1)];
  if (chosen !== undefined) act(chosen);
}

function play(schedule: Schedule): void {
  const run = new Run(schedule);
  let at = 0;
  try {
    for (; at < schedule.steps.length; at++) run.step(schedule.steps[at] as Step);
    run.end();
  } catch (error) {
    const script = schedule.steps.slice(0, at + 1).map(sentence);
    if (at === schedule.steps.length) script.push(schedule.end);
    throw new Error(`${(error as Error).message}, after ${script.join(", ")}`, { cause: error });
  }
}

function sentence([kind, first, second]: Step): string {
  return `${drawn[kind]?.name} (${first}, ${second})`;
}

const schedules: fc.Arbitrary<Schedule> = fc.record({
  options,
  services: drawnServices,
  originCount: fc.integer({ min: 1, max: origins.length }),
  capacity: fc.constantFrom(1, 1, 1, 1, 1, 2, 3),
  reaction: fc.constantFrom(
    "none",
    "none",
    "none",
    ...(Object.keys(reactions) as (keyof typeof reactions)[]),
  ),
  seed: fc.nat(),
  steps: fc.array(fc.tuple(fc.nat(drawn.length - 1), fc.nat(1_000), fc.nat(1_000)), {
    maxLength: 80,
    size: "max",
  }),
  end: fc.constantFrom("destroy", "finish", "close"),
});

test("whatever happens in whatever order, every invariant of the core holds after every step", () => {
  fc.assert(fc.property(schedules, play), { ...seed, numRuns: runs });
});

test("under one maxTotalSockets every freed place goes to the request that has waited longest", () => {
  const script = fc.array(fc.nat(11), { minLength: 10, maxLength: 80, size: "max" });
  const property = fc.property(fc.integer({ min: 1, max: 4 }), script, (maxTotalSockets, draws) => {
    // Without keep-alive every response frees a place; with it a connection may stay with its origin.
    const world = manualWorld({ maxTotalSockets, keepAlive: false });
    for (const draw of draws) {
      const holding = world.requests.filter((each) => each.isHolding);
      const origin = origins[draw];
      if (origin !== undefined) world.acquire(origin);
      else choose(holding, draw, (each) => world.release(each));
      world.advance(draw * 7);
    }
    assert.deepEqual(world.grants, world.requests.slice(0, world.grants.length));
  });
  fc.assert(property, { ...seed, numRuns: 1_000 });
});

interface Load {
  /** Sockets of the whole client. */
  readonly sockets: number;
  readonly busyOrigins: number;
  /** Requests that each busy origin has under way at any time. */
  readonly depth: number;
  readonly responseMsecs: number;
  readonly arrivesAt: number;
  readonly seed: number;
}

const loads: fc.Arbitrary<Load> = fc.record({
  sockets: fc.integer({ min: 1, max: 4 }),
  busyOrigins: fc.integer({ min: 1, max: 3 }),
  depth: fc.integer({ min: 1, max: 6 }),
  responseMsecs: fc.integer({ min: 1, max: 90 }),
  arrivesAt: fc.integer({ min: 0, max: 500 }),
  seed: fc.nat(),
});

test("behind origins that are always busy, a request of another waits for 100 ms and a response more than its turn", () => {
  const property = fc.property(loads, (load) => {
    const random = seededRandom(load.seed);
    const underWay: { readonly request: ManualRequest; readonly until: number }[] = [];
    const world = manualWorld(
      { maxTotalSockets: load.sockets },
      {
        reactions: {
          granted: (request) => {
            const until = world.now + load.responseMsecs * (0.5 + 0.5 * random());
            underWay.push({ request, until });
          },
        },
      },
    );
    const startAt = world.now;
    for (const origin of origins.slice(0, load.busyOrigins)) world.acquireMany(load.depth, origin);

    let other: ManualRequest | null = null;
    while (other === null || other.outcome === null) {
      underWay.sort((a, b) => a.until - b.until);
      const next = underWay.shift();
      assert.ok(next, "the busy origins stand still");
      if (other === null && next.until - startAt > load.arrivesAt) {
        world.advance(Math.max(startAt + load.arrivesAt - world.now, 0));
        other = world.acquire("http://other.test");
        if (other.outcome !== null) break;
      }
      world.advance(next.until - world.now);
      world.release(next.request);
      world.acquire(next.request.origin);
      if (other !== null) {
        // Its turn: all that waited before it did.
        const turns = Math.ceil((load.busyOrigins * load.depth) / load.sockets) + 1;
        const most = yieldAfterMsecs + turns * load.responseMsecs;
        const waited = world.now - other.enqueuedAt;
        assert.ok(waited <= most || other.outcome !== null, `waits for ${waited} ms, not ${most}`);
      }
    }
  });
  fc.assert(property, { ...seed, numRuns: 500 });
});
