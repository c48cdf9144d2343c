/**
 * What limits the settings themselves need: lanes that have sockets reserved, and idle connections that are kept ready, must have room.
 */
import { type ClientOptions, resolveClientOptions } from "../../client/options.ts";
import { resolveServices } from "../../client/service-options.ts";
import type { Point } from "./search.ts";

/** `point` with limits that `settings` allow beside all else that they say. */
export type Raise = (point: Point) => Point;

/**
 * How points are to be raised that hold for `service`; undefined: for the client, and all services without limits of their own.
 *
 * @throws InvalidOptionError
 */
export function raiserFor(settings: ClientOptions, service: string | undefined): Raise {
  const where = "advise() settings";
  const options = resolveClientOptions(settings, where);
  let leastSockets = 1;
  let leastFree = 1;
  for (const { name, given, lanes, options: own } of resolveServices(
    options.services,
    options,
    where,
  ).values()) {
    if (service !== undefined && name !== service) continue;
    const reserved = [...lanes.values()].reduce((sum, each) => sum + each.reservedSockets, 0);
    const isHeld = (option: keyof Point): boolean =>
      service === undefined && given[option] !== undefined;
    // One more is for lanes without reservation.
    if (!isHeld("maxSockets")) {
      leastSockets = Math.max(leastSockets, own.minFreeSockets, reserved === 0 ? 1 : reserved + 1);
    }
    if (!isHeld("maxFreeSockets")) leastFree = Math.max(leastFree, own.minFreeSockets);
  }
  return (point) => ({
    ...point,
    maxSockets: Math.max(point.maxSockets, leastSockets),
    maxFreeSockets: Math.max(point.maxFreeSockets, leastFree),
  });
}
