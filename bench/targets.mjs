// What keepline holds itself to: a figure, mostly a ratio, and the most that it may be.

import { figure } from "./table.mjs";

/** A target of `what`; `value` is null where it was not measured, and the target is left out then. */
export const target = (what, value, most) => (value === null ? [] : [{ what, value, most }]);

const shown = (number) => figure(number, Number.isInteger(number) && number > 9 ? 0 : 2);
const verdict = ({ value, most }) => (value <= most ? "held" : "missed");

/** The targets as a table. */
export const targetTable = (targets) => ({
  titles: ["figure", "measured", "at most", ""],
  rows: targets.map((each) => [each.what, shown(each.value), shown(each.most), verdict(each)]),
});

/** The same for several versions of Node.js, each `{ node, targets }`. */
export function targetTableOf(versions) {
  const all = new Map(
    versions.flatMap(({ targets }) => targets.map((each) => [each.what, each.most])),
  );
  const cell = (targets, what) => {
    const found = targets.find((each) => each.what === what);
    return found === undefined ? "–" : `${shown(found.value)}, ${verdict(found)}`;
  };
  return {
    titles: ["figure", "at most", ...versions.map(({ node }) => `Node.js ${node}`)],
    rows: [...all].map(([what, most]) => [
      what,
      shown(most),
      ...versions.map(({ targets }) => cell(targets, what)),
    ]),
  };
}
