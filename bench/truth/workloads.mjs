// The ten workloads on which the simulator is held against real sockets: what is sent when, what the server takes for it,
// the settings of the client, and how its server is. Everything is drawn from a seed, so that both sides get the same.

/**
 * Each has `doc`, `settings(origins)` for the client, and `schedule(draw)`: requests with `at` and `serviceMsecs` in ms, and
 * `origin` (an index) and `lane` where there are several. `server` is what a server does beside that; `origins` says how many there are.
 */
export const workloads = {
  steady: {
    doc: "at random, 40 a second, 50 ms each, 4 sockets",
    settings: () => ({ maxSockets: 4 }),
    schedule: (draw) => draw.poisson(40, 5_000, () => ({ serviceMsecs: draw.between(20, 80) })),
  },
  bursty: {
    doc: "20 at once every 400 ms, 8 sockets",
    settings: () => ({ maxSockets: 8 }),
    schedule: (draw) =>
      draw.bursts(20, 400, 10, 10, () => ({ serviceMsecs: draw.between(20, 40) })),
  },
  bimodal: {
    doc: "one of ten takes 200 ms, the others 15, 4 sockets",
    settings: () => ({ maxSockets: 4 }),
    schedule: (draw) =>
      draw.poisson(50, 5_000, () => ({ serviceMsecs: draw.share(0.1) ? 200 : 15 })),
  },
  "slow server": {
    doc: "a server that does 2 at a time, 100 ms each, 4 sockets",
    server: { capacity: 2 },
    settings: () => ({ maxSockets: 4 }),
    schedule: (draw) => draw.poisson(16, 7_000, () => ({ serviceMsecs: draw.between(60, 140) })),
  },
  "few free": {
    doc: "16 at once every 300 ms, 4 idle sockets are kept",
    settings: () => ({ maxSockets: 12, maxFreeSockets: 4 }),
    schedule: (draw) =>
      draw.bursts(16, 300, 12, 20, () => ({ serviceMsecs: draw.between(20, 60) })),
  },
  "short timeout": {
    doc: "the server closes after 200 ms and does not say so",
    server: { idleTimeoutMsecs: 200 },
    settings: () => ({ maxSockets: 6 }),
    schedule: (draw) => draw.poisson(16, 7_000, () => ({ serviceMsecs: draw.between(20, 60) })),
  },
  lanes: {
    doc: "two lanes with weights 3 and 1, and one has a cap, 4 sockets",
    settings: (origins) => ({
      services: {
        api: {
          origins,
          maxSockets: 4,
          lanes: { people: { weight: 3 }, batch: { weight: 1, maxSockets: 2 } },
        },
      },
    }),
    schedule: (draw) =>
      draw.merge(
        draw.poisson(25, 5_000, () => ({ lane: "people", serviceMsecs: draw.between(30, 70) })),
        draw.bursts(10, 600, 8, 10, () => ({ lane: "batch", serviceMsecs: draw.between(60, 100) })),
      ),
  },
  TLS: {
    doc: "over TLS, 8 within 80 ms every 400 ms, connections are kept for 200 ms",
    server: { isTls: true },
    settings: () => ({ maxSockets: 4, keepAliveMsecs: 200 }),
    schedule: (draw) =>
      draw.bursts(8, 400, 14, 80, () => ({ serviceMsecs: draw.between(50, 100) })),
  },
  "one budget": {
    doc: "two origins, 6 sockets together, 4 each",
    origins: 2,
    settings: () => ({ maxSockets: 4, maxTotalSockets: 6 }),
    schedule: (draw) =>
      draw.merge(
        draw.bursts(12, 500, 10, 20, () => ({ origin: 0, serviceMsecs: draw.between(30, 70) })),
        draw.poisson(25, 5_000, () => ({ origin: 1, serviceMsecs: draw.between(40, 80) })),
      ),
  },
  overload: {
    doc: "half as much again as 4 sockets carry, and 60 may wait",
    settings: () => ({ maxSockets: 4, maxPending: 60 }),
    schedule: (draw) => draw.poisson(120, 3_500, () => ({ serviceMsecs: draw.between(40, 60) })),
  },
};

/** What schedules are drawn with; it depends on the seed alone. The first request comes at 0. */
export function drawing(seed) {
  const random = randomNumbers(seed);
  const between = (from, to) => Math.round(from + (to - from) * random());
  const fromZero = (requests) => {
    const [first] = requests;
    return requests.map((each) => ({ ...each, at: each.at - first.at }));
  };
  return {
    between,
    share: (part) => random() < part,
    poisson(perSecond, durationMsecs, request) {
      const requests = [];
      let at = 0;
      while (at < durationMsecs) {
        requests.push({ at, ...request() });
        at -= (Math.log(1 - random()) * 1_000) / perSecond;
      }
      return requests;
    },
    bursts(size, everyMsecs, count, spreadMsecs, request) {
      const requests = [];
      for (let burst = 0; burst < count; burst++) {
        for (let index = 0; index < size; index++) {
          requests.push({ at: burst * everyMsecs + random() * spreadMsecs, ...request() });
        }
      }
      return fromZero(requests.sort((a, b) => a.at - b.at));
    },
    merge: (...parts) => fromZero(parts.flat().sort((a, b) => a.at - b.at)),
  };
}

/** mulberry32: numbers from 0 to 1 that depend on the seed alone. */
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
