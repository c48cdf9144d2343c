/**
 * What `keepline/register` says on start-up, in one line.
 */
import { version } from "../version.ts";
import type { Settings } from "./settings.ts";

/** What was installed, and by whose options. */
export function tellOf({ file, variables }: Settings): string {
  const sources = [...(file === null ? [] : [file]), ...variables];
  const options = sources.length === 0 ? "default options" : `options of ${sources.join(", ")}`;
  return `keepline ${version}: installed under http.globalAgent, https.globalAgent and fetch, with ${options}`;
}
