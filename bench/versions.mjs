// Which Node.js this is, and which peers can run on it.

const [major, minor] = process.versions.node.split(".").map(Number);

/** Whether this Node.js is `atLeast` or later, as in [22, 19]. */
const isAtLeast = ([least, leastMinor]) =>
  major > least || (major === least && minor >= leastMinor);

/** undici 8 needs Node.js 22.19, ky 2 needs 22. */
const needs = (key) => (key.includes("undici8") ? [22, 19] : key === "ky" ? [22, 0] : [20, 0]);

/** Those of `keys` that this Node.js can run. */
export const runnable = (keys) => keys.filter((key) => isAtLeast(needs(key)));
