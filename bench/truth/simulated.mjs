// The other side: the requests as they were made and served, in the simulator. A round trip there is one of an idle machine;
// what the way of a request took beyond that counts as service, and dials take what dials took.

import { simulate } from "../../dist/simulate/index.js";
import { median } from "./figures.mjs";

/** Dials are drawn: medians of so many draws, or one late dial that comes twice would decide. */
const draws = 9;

/** What the simulator finds, in the form of what the client counts. */
export async function simulated({ seed, ...given }) {
  const found = [];
  for (let draw = 0; draw < draws; draw++)
    found.push(await simulatedOnce({ ...given, seed: seed * draws + draw }));
  return medianOf(found);
}

/** The median of each number in objects of the same form. */
function medianOf(values) {
  const [first] = values;
  if (typeof first !== "object" || first === null) return median(values);
  return Object.fromEntries(
    Object.keys(first).map((key) => [key, medianOf(values.map((each) => each[key]))]),
  );
}

async function simulatedOnce({ settings, schedule, server, origins, roundTripMsecs, dials, seed }) {
  const { capacity, idleTimeoutMsecs, isTls } = server;
  const dialMsecs = { kind: "empirical", msecs: dials };
  const report = await simulate({
    seed,
    workload: {
      kind: "trace",
      source: schedule.map(({ at, origin = 0, lane, serviceMsecs, wayMsecs }) => ({
        at,
        origin: origins[origin],
        lane,
        serviceMsecs: serviceMsecs + Math.max((wayMsecs ?? 0) - roundTripMsecs, 0),
      })),
    },
    network: {
      roundTripMsecs,
      connectMsecs: isTls ? 0 : dialMsecs,
      ...(isTls ? { tlsMsecs: dialMsecs } : {}),
    },
    servers: {
      ...(capacity === undefined ? {} : { capacity }),
      ...(idleTimeoutMsecs === undefined ? {} : { idleTimeoutMsecs }),
    },
    settings,
  });
  return {
    opened: report.sockets.opened,
    reuseRatio: report.reuseRatio,
    meanIdle: report.sockets.meanIdle,
    failed: report.failed,
    resent: report.resent,
    waits: Object.fromEntries(
      report.lanes.map(({ lane, queueWait }) => [
        lane,
        { p50: queueWait.p50Msecs, p99: queueWait.p99Msecs },
      ]),
    ),
  };
}
