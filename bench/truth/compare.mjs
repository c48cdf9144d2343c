// How far the two sides may be apart, and what they are.

const within = (share, least) => (real, simulated) =>
  Math.abs(real - simulated) <= Math.max(share * Math.abs(real), least);

/** By what is compared: its name in the table, digits, and whether two values are near enough. */
const measures = {
  opened: { title: "opened", digits: 0, isNear: within(0.05, 2), bound: "5 % or 2" },
  reuse: { title: "reused %", digits: 1, isNear: within(0, 2), bound: "2 points" },
  idle: { title: "idle", digits: 2, isNear: within(0.1, 0.1), bound: "10 % or 0.1" },
  failed: { title: "failed", digits: 0, isNear: within(0.05, 2), bound: "5 % or 2" },
  wait: { title: "wait", digits: 1, isNear: within(0.15, 3), bound: "15 % or 3 ms" },
};

/** The bounds, in words. */
export const bounds = Object.values(measures)
  .map(({ title, bound }) => `${title} ${bound}`)
  .join(", ");

/** Each thing that is compared of a workload, with both values and whether they are near. */
export function compare(real, simulated) {
  const rows = [
    row("opened", "opened", real.opened, simulated.opened),
    row("reuse", "reused %", 100 * real.reuseRatio, 100 * simulated.reuseRatio),
    row("idle", "idle", real.meanIdle, simulated.meanIdle),
    row("failed", "failed", real.failed, simulated.failed),
  ];
  const lanes = Object.keys(real.waits);
  for (const lane of lanes) {
    for (const share of ["p50", "p99"]) {
      const name = lanes.length > 1 ? `wait ${share} of ${lane}` : `wait ${share}`;
      rows.push(
        row("wait", name, real.waits[lane][share], simulated.waits[lane]?.[share] ?? Number.NaN),
      );
    }
  }
  return rows;
}

function row(kind, name, real, simulated) {
  const { digits, isNear, bound } = measures[kind];
  return { name, digits, bound, real, simulated, isNear: isNear(real, simulated) };
}
