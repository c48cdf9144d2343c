// What keepline holds itself to: a ratio, and the most that it may be.

import { figure } from "./table.mjs";

/** A target of `what`; `value` is null where it was not measured, and the target is left out then. */
export const target = (what, value, most) => (value === null ? [] : [{ what, value, most }]);

/** The targets as a table. */
export const targetTable = (targets) => ({
  titles: ["ratio", "measured", "at most", ""],
  rows: targets.map(({ what, value, most }) => [
    what,
    figure(value, 2),
    figure(most, 2),
    value <= most ? "held" : "missed",
  ]),
});
