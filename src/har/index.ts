/**
 * `keepline/har`: records requests as an HTTP Archive, which the developer tools of browsers open.
 */
import { writeFile } from "node:fs/promises";
import { type Client, worldOf } from "../client/client.ts";
import { InvalidOptionError } from "../core/errors.ts";
import { invalidOption, wholeNumber } from "../core/rules.ts";
import { version } from "../version.ts";
import { HarWatcher } from "./entries.ts";
import type { Har } from "./format.ts";
import { Secrets } from "./secrets.ts";

export type { Har, HarEntry, HarField, HarTimings } from "./format.ts";

/** What is recorded. */
export interface HarOptions {
  /** Requests that are kept; beyond them the oldest are left out. Default 1,000. */
  readonly maxEntries?: number;
  /**
   * Further header fields and parameters of URLs whose values are left out, in any case. Always left out are `authorization`,
   * `proxy-authorization`, `cookie`, `set-cookie`, `x-api-key` and the usual names of tokens, passwords and signatures in URLs.
   */
  readonly leaveOut?: readonly string[];
}

/** Records one client. Bodies are not recorded, only their sizes. */
export class HarRecorder {
  readonly #watcher: HarWatcher;
  readonly #stop: () => void;

  /** Made by `recordHar`. */
  constructor(watcher: HarWatcher, stop: () => void) {
    this.#watcher = watcher;
    this.#stop = stop;
  }

  /** What was recorded so far: requests that are over, in the order in which they began. Also what `JSON.stringify` takes. */
  toJSON(): Har {
    const { entries, leftOutCount } = this.#watcher;
    const inOrder = entries.toSorted((a, b) => a._requestId - b._requestId);
    const comment = leftOutCount === 0 ? {} : { comment: `${leftOutCount} older entries left out` };
    return {
      log: { version: "1.2", creator: { name: "keepline", version }, entries: inOrder, ...comment },
    };
  }

  /** Writes what was recorded so far, for its owner alone to read. */
  async save(path: string): Promise<void> {
    await writeFile(path, `${JSON.stringify(this, null, 2)}\n`, { mode: 0o600 });
  }

  /** Records no more. What was recorded stays. */
  stop(): void {
    this.#stop();
  }
}

/**
 * Records the requests that `client` makes from now on, whichever way: `client.request`, `fetch`, dispatchers, agents.
 *
 * @throws InvalidOptionError for what is no client or no option.
 */
export function recordHar(client: Client, options: HarOptions = {}): HarRecorder {
  const where = "recordHar()";
  const { maxEntries = 1_000, leaveOut = [], ...unknown } = options;
  const world = worldOf(client, where);
  const [first] = Object.keys(unknown);
  if (first !== undefined) {
    throw new InvalidOptionError(first, "TypeError", `${where}: ${first}: there is no such option`);
  }
  const fault = wholeNumber(1, "finite")(maxEntries);
  if (fault !== null) throw invalidOption("maxEntries", maxEntries, fault, where);
  if (!Array.isArray(leaveOut) || leaveOut.some((name) => typeof name !== "string")) {
    const allowed = "an array of names";
    throw invalidOption("leaveOut", leaveOut, { nature: "TypeError", allowed }, where);
  }
  const watcher = new HarWatcher(world.clock, new Secrets(leaveOut), maxEntries);
  return new HarRecorder(watcher, world.observing.add(watcher));
}
