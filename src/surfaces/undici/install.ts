/**
 * Puts a client under the global `fetch`, and under all that use undici's global dispatcher, of whatever version.
 */
import type { Client } from "../../client/client.ts";
import type { DispatcherBounds } from "./dispatcher.ts";

/** Where undici 6 and 7 look for the global dispatcher, with `fetch` of Node 20, 22 and 24; and undici 8 with that of Node 26. */
const places = [
  Symbol.for("undici.globalDispatcher.1"),
  Symbol.for("undici.globalDispatcher.2"),
] as const;

/**
 * Makes `client` the global dispatcher: requests of the global `fetch` go through it, and those of undici that name no
 * dispatcher. Returns what puts back what was there; it leaves a place alone in which somebody has put something else
 * since. The client is not closed by it.
 *
 * @throws InvalidOptionError when there is no such service or lane.
 */
export function install(client: Client, bounds: DispatcherBounds = {}): () => void {
  // Makes Node load its undici, which puts a dispatcher of its own there, once: what is put back must be that one.
  void globalThis.Response;
  const dispatcher = client.dispatcher(bounds);
  const undos = places.map((place) => put(place, dispatcher));
  return () => {
    for (const undo of undos) undo();
  };
}

/** undici makes the property one that can be written and not deleted. */
function put(place: symbol, dispatcher: object): () => void {
  const hadOne = Object.hasOwn(globalThis, place);
  const before: unknown = Reflect.get(globalThis, place);
  if (hadOne) Reflect.set(globalThis, place, dispatcher);
  else {
    const property = { value: dispatcher, writable: true, enumerable: false, configurable: true };
    Object.defineProperty(globalThis, place, property);
  }
  return () => {
    if (Reflect.get(globalThis, place) !== dispatcher) return;
    if (hadOne || !Reflect.deleteProperty(globalThis, place))
      Reflect.set(globalThis, place, before);
  };
}
