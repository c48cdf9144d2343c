// What all scenarios print with: aligned columns, and the figures in them.

import { table as columnsOf } from "../dist/cli/text.js";

const plain = { width: 120, paint: (_, text) => text };

/** Lines of a table: the first column to the left, figures to the right, two spaces between them. */
export const table = (titles, rows) =>
  columnsOf(
    titles.map((title, index) => ({ title, align: index === 0 ? "left" : "right" })),
    rows,
    plain,
  );

/** A table in a report, whose other parts are strings, each a paragraph. */
export const block = (titles, rows) => ({ titles, rows });

/** A report as lines of text. */
export const textOf = (blocks) =>
  blocks
    .flatMap((each) =>
      typeof each === "string" ? [each] : ["", ...table(each.titles, each.rows), ""],
    )
    .filter((line, index, lines) => line !== "" || (index > 0 && lines[index - 1] !== ""));

/** Two columns of text, indented. */
export const pairs = (rows) => {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
};

/** A figure as it stands in a cell; "–" for one that there is not. */
export const figure = (number, digits = 1) =>
  number === null || number === undefined ? "–" : number.toFixed(digits);

/** Least and most. */
export const range = (spread, digits = 1) =>
  spread === null ? "–" : `${figure(spread.min, digits)}–${figure(spread.max, digits)}`;

/** 20000 → 20,000 */
export { count } from "../dist/cli/text.js";
