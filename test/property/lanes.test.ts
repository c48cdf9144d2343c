// Lanes and services under load, on the manual clock. `ManualWorld` checks its invariants after every step; here shares,
// waits and limits are counted from outside, by grants and releases alone. Waits are in turns: grants of the service.
//   KEEPLINE_SEED=n   other loads. Fixed when absent, so that what fails is what was changed

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CoreOptions } from "../../src/core/options.ts";
import type { Given } from "../../src/core/rules.ts";
import { yieldAfterMsecs } from "../support/core-invariants.ts";
import { fc } from "../support/fast-check.ts";
import {
  type ManualRequest,
  type ManualServices,
  type ManualWorld,
  manualWorld,
  seededRandom,
} from "../support/manual-world.ts";

const seed = { seed: Number(process.env.KEEPLINE_SEED ?? 1) };
const never = Number.POSITIVE_INFINITY;
const origins = ["http://a.test", "http://b.test", "http://c.test", "http://d.test"] as const;
const [a, b] = origins;

interface TrafficSettings {
  readonly options?: Given<CoreOptions>;
  readonly services: ManualServices;
  /** How long the response to a request takes. */
  readonly serviceMsecs: (request: ManualRequest) => number;
  readonly dialMsecs?: number;
}

/** A world in which every dial opens, and every request that is granted has its response, after a while. */
class Traffic {
  readonly world: ManualWorld;
  /** Requests that hold a connection. */
  readonly underWay = new Set<ManualRequest>();
  onGrant: (request: ManualRequest) => void = () => {};
  onRelease: (request: ManualRequest) => void = () => {};
  #dialsSinceGrant = 0;
  readonly #events: { readonly at: number; readonly act: () => void }[] = [];

  constructor({ options, services, serviceMsecs, dialMsecs = 0 }: TrafficSettings) {
    this.world = manualWorld(options, {
      services,
      dials: dialMsecs === 0 ? "open" : "wait",
      reactions: {
        granted: (request) => {
          this.#dialsSinceGrant = 0;
          this.underWay.add(request);
          this.onGrant(request);
          this.after(serviceMsecs(request), () => {
            this.underWay.delete(request);
            this.world.release(request);
            this.onRelease(request);
          });
        },
        dialing: (connection) => {
          assert.ok(++this.#dialsSinceGrant < 40, "it dials and dials, and serves nobody");
          if (dialMsecs > 0) this.after(dialMsecs, () => this.world.dialed(connection));
        },
      },
    });
  }

  /** Lets something happen, after what was to happen at the same instant before. */
  after(msecs: number, act: () => void): void {
    if (msecs === never) return;
    const at = this.world.now + msecs;
    let index = this.#events.length;
    while (index > 0 && (this.#events[index - 1]?.at ?? 0) > at) index--;
    this.#events.splice(index, 0, { at, act });
  }

  /** Lets happen what does, until `isOver` or nothing is left to happen. */
  run(isOver: () => boolean = () => false): void {
    while (!isOver()) {
      const next = this.#events.shift();
      if (next === undefined) return;
      this.world.advance(Math.max(next.at - this.world.now, 0));
      next.act();
    }
  }
}

/** Counts the turns of lanes, of which all wait. */
class Shares {
  readonly weights: ReadonlyMap<string, number>;
  readonly #served = new Map<string, number>();
  total = 0;

  constructor(weights: ReadonlyMap<string, number>) {
    this.weights = weights;
  }

  get sum(): number {
    return [...this.weights.values()].reduce((sum, each) => sum + each, 0);
  }

  count(lane: string): void {
    this.#served.set(lane, (this.#served.get(lane) ?? 0) + 1);
    this.total++;
  }

  /** How many turns each lane has had beyond its share. */
  beyond(): number[] {
    return [...this.weights].map(
      ([name, weight]) => (this.#served.get(name) ?? 0) - (this.total * weight) / this.sum,
    );
  }
}

interface Load {
  readonly sockets: number;
  readonly weights: readonly number[];
  /** Requests of each lane that wait at least. */
  readonly depth: number;
  readonly seed: number;
}

const weight = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom(1, 100, 1_000));
const loads: fc.Arbitrary<Load> = fc.record({
  sockets: fc.integer({ min: 1, max: 6 }),
  weights: fc.array(weight, { minLength: 2, maxLength: 5 }),
  depth: fc.integer({ min: 1, max: 3 }),
  seed: fc.nat(),
});

function named(weights: readonly number[]): Map<string, number> {
  return new Map(weights.map((each, index) => [`lane${index}`, each]));
}

function lanesOf(weights: ReadonlyMap<string, number>) {
  return Object.fromEntries([...weights].map(([name, each]) => [name, { weight: each }]));
}

/** All lanes of one origin are kept backlogged, for so many turns after so many random requests. Returns the shares' greatest and least excess. */
function backlogged({ sockets, weights, depth, seed }: Load, historyCount: number) {
  const random = seededRandom(seed);
  const shares = new Shares(named(weights));
  const names = [...shares.weights.keys()];
  const traffic = new Traffic({
    options: { maxSockets: sockets },
    services: { s: { origins: ["a"], lanes: lanesOf(shares.weights) } },
    serviceMsecs: () => 1 + 19 * random(),
  });
  const { world } = traffic;
  for (let count = 0; count < historyCount; count++) {
    const lane = names[Math.floor(random() * names.length)] as string;
    traffic.after(random() * 200, () => world.acquire(a, { lane }));
  }
  const until = world.now + (historyCount === 0 ? 0 : 100);
  traffic.run(() => historyCount === 0 || world.now >= until);
  // Who gets its connection at once takes no turn: nobody waits beside it.
  while (world.counts(a).idle > 0 || world.counts(a).open < sockets) world.acquire(a);

  let [most, least] = [0, 0];
  const again = (request: ManualRequest): void => {
    if (request.lane !== "default") world.acquire(a, { lane: request.lane });
  };
  for (let count = 0; count < depth + sockets; count++) {
    for (const lane of names) world.acquire(a, { lane });
  }
  traffic.onRelease = again;
  traffic.onGrant = ({ lane }) => {
    if (lane === "default") return;
    shares.count(lane);
    most = Math.max(most, ...shares.beyond());
    least = Math.min(least, ...shares.beyond());
  };
  traffic.run(() => shares.total >= 120);
  return { most, least };
}

test("lanes that wait at one origin have their shares of its sockets, to less than one request", () => {
  const property = fc.property(loads, (load) => {
    const { most, least } = backlogged(load, 0);
    assert.ok(most < 1 && least > -1, `from ${least} to ${most} requests beyond the share`);
  });
  fc.assert(property, { ...seed, numRuns: 60 });
});

test("lanes that wait after a time of coming and going have their shares, but for what they had too much", () => {
  // A lane may begin with a request too much, and be one short later; a third is for what others carried when they went.
  // What all the others had too much, up to one request each, is given back to one lane at most.
  const property = fc.property(loads, fc.integer({ min: 10, max: 60 }), (load, history) => {
    const { most, least } = backlogged(load, history);
    const { length } = load.weights;
    assert.ok(most < length && least > -3, `from ${least} to ${most} requests beyond the share`);
  });
  fc.assert(property, { ...seed, numRuns: 120 });
});

test("every request has its turn in as many turns as its lane's share takes for it and three more", () => {
  // A lane is at most three requests short of its share, as above; and each other lane may be one ahead.
  const property = fc.property(loads, (load) => {
    const random = seededRandom(load.seed);
    const weights = named(load.weights);
    const names = [...weights.keys()];
    const sum = load.weights.reduce((all, each) => all + each, 0);
    const traffic = new Traffic({
      options: { maxSockets: load.sockets },
      services: { s: { origins: ["a"], lanes: lanesOf(weights) } },
      serviceMsecs: () => 1 + 19 * random(),
    });
    const { world } = traffic;
    const dueAt = new Map<ManualRequest, number>();
    let turns = 0;
    traffic.onGrant = (request) => {
      turns++;
      const most = dueAt.get(request) ?? never;
      assert.ok(turns <= most, `request ${request.id} of ${request.lane} at ${turns}, not ${most}`);
    };
    for (let count = 0; count < 150; count++) {
      // About as many as the sockets serve: queues come and go.
      traffic.after((random() * 150 * 10) / load.sockets, () => {
        const lane = names[Math.floor(random() ** 2 * names.length)] as string;
        const ahead = world.requests.filter((each) => !each.outcome && each.lane === lane).length;
        const before = turns;
        const request = world.acquire(a, { lane });
        const share = sum / (weights.get(lane) as number);
        dueAt.set(request, before + Math.ceil((ahead + 4) * share) + names.length);
      });
    }
    traffic.run();
    assert.equal(turns, 150);
  });
  fc.assert(property, { ...seed, numRuns: 40 });
});

interface Reserved {
  readonly sockets: number;
  readonly lanes: readonly (readonly [reserved: number, most: number, weight: number])[];
  readonly originCount: number;
  readonly seed: number;
}

const reserving: fc.Arbitrary<Reserved> = fc
  .record({
    sockets: fc.integer({ min: 2, max: 6 }),
    lanes: fc.array(
      fc.tuple(fc.nat(3), fc.constantFrom(never, never, 1, 2, 3), fc.integer({ min: 1, max: 9 })),
      { minLength: 2, maxLength: 4 },
    ),
    originCount: fc.integer({ min: 1, max: 3 }),
    seed: fc.nat(),
  })
  .map((drawn) => {
    let left = drawn.sockets - 1; // the lane `default` has none
    const lanes = drawn.lanes.map(([reserved, most, each]) => {
      const kept = Math.min(reserved, most, left);
      left -= kept;
      return [kept, most, each] as const;
    });
    return { ...drawn, lanes };
  });

test("no lane uses more than its cap or what others reserve, and what it reserves it has at once, counted from outside", () => {
  const property = fc.property(reserving, ({ sockets, lanes, originCount, seed }) => {
    const random = seededRandom(seed);
    const options = new Map(
      lanes.map(([reservedSockets, maxSockets, each], index) => [
        `lane${index}`,
        { reservedSockets, maxSockets, weight: each },
      ]),
    );
    // One origin with so many sockets, or several that share so many.
    const services = {
      s: {
        origins: ["a", "b", "c"].slice(0, originCount),
        lanes: Object.fromEntries(options),
        ...(originCount === 1 ? {} : { maxTotalSockets: sockets }),
      },
    };
    const maxSockets = originCount === 1 ? sockets : 16;
    const serviceMsecs = (): number => 1 + 19 * random();
    const traffic = new Traffic({ options: { maxSockets }, services, serviceMsecs });
    const { world } = traffic;
    const heldBy = (lane: string, origin?: string): number =>
      [...traffic.underWay].filter(
        (each) => each.lane === lane && (origin ?? each.origin) === each.origin,
      ).length;
    traffic.onGrant = (request) => {
      const cap = options.get(request.lane)?.maxSockets ?? never;
      assert.ok(heldBy(request.lane, request.origin) <= cap, `${request.lane} exceeds its cap`);
      let committed = heldBy("default");
      for (const [name, { reservedSockets }] of options) {
        committed += Math.max(heldBy(name), reservedSockets);
      }
      assert.ok(committed <= sockets, `${request.lane} has what is reserved for another`);
    };
    const names = ["default", ...options.keys()];
    for (let count = 0; count < 100; count++) {
      traffic.after(random() * 300, () => {
        const lane = names[Math.floor(random() * names.length)] as string;
        const origin = origins[Math.floor(random() * originCount)] as string;
        const isReserved = heldBy(lane) < (options.get(lane)?.reservedSockets ?? 0);
        const request = world.acquire(origin, { lane });
        assert.ok(!isReserved || request.isHolding, `${lane} waits for what it has reserved`);
      });
    }
    traffic.run();
    assert.equal(world.grants.length, 100);
  });
  fc.assert(property, { ...seed, numRuns: 80 });
});

/** Lanes of one service that has so many sockets, each lane with the requests of one origin. */
interface Spread extends Load {
  readonly homes: readonly number[];
  readonly dialMsecs: number;
}

const spreads: fc.Arbitrary<Spread> = fc.record({
  sockets: fc.integer({ min: 1, max: 6 }),
  weights: fc.array(fc.constantFrom(1, 1, 2, 5, 8, 20), { minLength: 2, maxLength: 4 }),
  homes: fc.array(fc.nat(3), { minLength: 4, maxLength: 4 }),
  depth: fc.integer({ min: 1, max: 3 }),
  dialMsecs: fc.constantFrom(0, 0.5, 10),
  seed: fc.nat(),
});

/** All lanes are kept backlogged for so many turns. Returns their shares, and the longest time in which each of them had no turn. */
function acrossOrigins(
  { sockets, weights, homes, depth, dialMsecs, seed }: Spread,
  turns: number,
): { readonly shares: Shares; readonly longestMsecs: readonly number[] } {
  const random = seededRandom(seed);
  const shares = new Shares(named(weights));
  const lanes = lanesOf(shares.weights);
  const names = [...shares.weights.keys()];
  const traffic = new Traffic({
    services: { s: { origins: ["a", "b", "c", "d"], maxTotalSockets: sockets, lanes } },
    serviceMsecs: () => 5 + 15 * random(),
    dialMsecs,
  });
  const { world } = traffic;
  const acquire = (lane: string): void => {
    world.acquire(origins[homes[names.indexOf(lane)] ?? 0], { lane });
  };
  const hadTurnAt = new Map(names.map((lane) => [lane, world.now]));
  const sinceTurn = (lane: string): number => world.now - (hadTurnAt.get(lane) as number);
  const longest = new Map(names.map((lane) => [lane, 0]));
  const look = (lane: string): unknown =>
    longest.set(lane, Math.max(longest.get(lane) as number, sinceTurn(lane)));
  traffic.onGrant = ({ lane }) => {
    shares.count(lane);
    look(lane);
    hadTurnAt.set(lane, world.now);
  };
  traffic.onRelease = ({ lane }) => acquire(lane);
  for (let count = 0; count < depth + sockets; count++) for (const lane of names) acquire(lane);
  traffic.run(() => shares.total >= turns);
  names.forEach(look);
  return { shares, longestMsecs: [...longest.values()] };
}

test("lanes that wait at several origins have their shares of the service's sockets, to one socket", () => {
  const property = fc.property(spreads, (spread) => {
    const { shares } = acrossOrigins(spread, 200);
    const most = shares.total / spread.sockets + spread.sockets + spread.weights.length;
    const off = Math.max(...shares.beyond().map(Math.abs));
    assert.ok(off <= most, `${shares.beyond().join(", ")} requests beyond the shares, not ${most}`);
  });
  fc.assert(property, { ...seed, numRuns: 40 });
});

test("no lane starves behind another origin, however light it is", () => {
  // A lane that has no socket for 100 ms is due before all others, in rounds where there are more such lanes than sockets.
  // Beside other lanes at its own origin it has that origin's turns by its share.
  const property = fc.property(spreads, (spread) => {
    const { longestMsecs } = acrossOrigins(spread, 200);
    const { homes, sockets, weights } = spread;
    const roundMsecs = (Math.ceil(weights.length / sockets) + 1) * (20 + spread.dialMsecs);
    for (const [index, own] of weights.entries()) {
      const atHome = weights.filter((_, other) => homes[other] === homes[index]);
      const sum = atHome.reduce((all, each) => all + each, 0);
      const turns = Math.ceil(sum / own) + atHome.length - 1;
      const most = yieldAfterMsecs + turns * roundMsecs;
      const msecs = longestMsecs[index] as number;
      assert.ok(msecs <= most, `lane${index} had no turn for ${msecs} ms, not ${most}`);
    }
  });
  fc.assert(property, { ...seed, numRuns: 40 });
});

/** A batch of 2,000 requests to one origin, and one request each 30 ms to another; 10 sockets, 20 ms a response, 5 ms a dial. Returns the waits of the latter. */
function besideBatch(interactive: { readonly reservedSockets?: number; readonly weight?: number }) {
  const waits: number[] = [];
  const traffic = new Traffic({
    services: {
      s: { origins: ["a", "b"], maxTotalSockets: 10, lanes: { interactive, batch: {} } },
    },
    serviceMsecs: () => 20,
    dialMsecs: 5,
  });
  const { world } = traffic;
  traffic.onGrant = (request) => {
    if (request.lane === "interactive") waits.push(world.now - request.enqueuedAt);
  };
  world.acquireMany(2_000, a, { lane: "batch" });
  for (let msecs = 7; msecs < 3_600; msecs += 30) {
    traffic.after(msecs, () => world.acquire(b, { lane: "interactive" }));
  }
  traffic.run();
  assert.equal(waits.length, 120);
  return waits;
}

test("behind a batch at another origin a request waits for a response and a dial at most", () => {
  // The lane that has no socket has the next one that comes free, and dials.
  const waits = besideBatch({});
  assert.ok(Math.max(...waits) <= 20 + 5, `${Math.max(...waits)} ms`);
});

test("behind a batch at another origin a request with a reserved socket waits for its first dial only", () => {
  const [first, ...others] = besideBatch({ reservedSockets: 1 });
  assert.equal(first, 5);
  assert.deepEqual(new Set(others), new Set([0]));
});

test("a service that hangs delays no request of another by more than 1 ms while their limits fit into the client's", () => {
  const drawn = fc.record({
    slow: fc.integer({ min: 1, max: 4 }),
    quick: fc.integer({ min: 1, max: 4 }),
    spare: fc.nat(2),
    byOrigin: fc.boolean(),
    seed: fc.nat(),
  });
  const property = fc.property(drawn, ({ slow, quick, spare, byOrigin, seed }) => {
    const random = seededRandom(seed);
    // Both bounds of a service: of one origin, and of all its origins.
    const limit = byOrigin ? { options: { maxSockets: slow } } : { maxTotalSockets: slow };
    const traffic = new Traffic({
      options: { maxTotalSockets: slow + quick + spare },
      services: {
        slow: { origins: byOrigin ? ["a"] : ["a", "b"], ...limit, lanes: { x: { weight: 9 } } },
        quick: { origins: ["c", "d"], maxTotalSockets: quick },
      },
      // Some of its requests end, after long.
      serviceMsecs: ({ origin }) => {
        if (origin === "http://c.test" || origin === "http://d.test") return 1 + 9 * random();
        return random() < 0.2 ? 200 : never;
      },
      dialMsecs: 0.5,
    });
    const { world } = traffic;
    const ofQuick = ({ origin }: ManualRequest): boolean => origin > "http://b.test";
    for (let count = 0; count < 60; count++) {
      traffic.after(random() * 300, () => {
        world.acquire(byOrigin || random() < 0.5 ? a : b, { lane: random() < 0.5 ? "x" : "y" });
      });
      traffic.after(random() * 300, () => {
        // No more at once than its own sockets serve.
        if (world.requests.filter((each) => ofQuick(each) && !isOver(each)).length >= quick) return;
        world.acquire(random() < 0.5 ? "http://c.test" : "http://d.test");
      });
    }
    traffic.run();
    for (const request of world.requests.filter(ofQuick)) {
      const { outcome } = request;
      assert.ok(outcome !== null && outcome.at - request.enqueuedAt <= 1, "it waits for the other");
    }
  });
  fc.assert(property, { ...seed, numRuns: 40 });
});

function isOver(request: ManualRequest): boolean {
  return request.outcome !== null && !request.isHolding;
}
