// The other side: the requests as they were made and served, in the simulator. A round trip there is one of an idle machine;
// what the way of a request took beyond that counts as service, and dials take what dials took.

import { simulate } from "../../dist/simulate/index.js";

/** What the simulator finds, in the form of what the client counts. */
export async function simulated({
  settings,
  schedule,
  server,
  origins,
  roundTripMsecs,
  dials,
  seed,
}) {
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
