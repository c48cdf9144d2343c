/**
 * The version of this package, from its package.json: one folder up, from src/ and from dist/ alike.
 */
import { readFileSync } from "node:fs";

const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");

/** As in `0.1.0`. */
export const version: string = (JSON.parse(text) as { version: string }).version;
