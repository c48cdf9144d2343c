import { readFileSync } from "node:fs";

/** The version of a peer as it is installed. */
export function versionOf(peer) {
  const file = new URL(`../node_modules/${peer}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")).version;
}
