/**
 * `fetch` over a client: Node's own, with a dispatcher of the client under it.
 */
import type { Dispatcher } from "../surfaces/undici/dispatcher.ts";

/** As it was when keepline was loaded: a program may put `client.fetch` in its place. */
const ownFetch = globalThis.fetch;

/** Fetches through `dispatcher`, in place of any that `init` has. */
export function fetchThrough(
  dispatcher: Dispatcher,
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<Response> {
  const through = { ...init, dispatcher: dispatcher as unknown };
  return ownFetch(input, through as RequestInit);
}
