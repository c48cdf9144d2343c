/**
 * The part of a client that an agent is for.
 */
import { findLane } from "../../client/service-options.ts";
import type { World } from "../../client/world.ts";
import { InvalidOptionError } from "../../core/errors.ts";
import { defaultName } from "../../core/lane-options.ts";
import { show } from "../../core/rules.ts";
import type { SharedPart } from "./pooling.ts";

/** The part of a client that an agent is for. */
export interface AgentPart {
  /** Name of a service: requests to origins of others are refused. Absent: the service that has the origin, for each request. */
  readonly service?: string | undefined;
  /** Name of the lane of all its requests. Absent: what `laneFor` of the service says, or `default`. Without `service`, a lane of the service `default`. */
  readonly lane?: string | undefined;
}

/**
 * Checks what a program gave.
 *
 * @throws InvalidOptionError when an option is unknown, or there is no such service or lane.
 */
export function sharedPartOf(world: World, given: AgentPart, where: string): SharedPart {
  for (const name of Object.keys(Object(given))) {
    if (name === "service" || name === "lane") continue;
    const message = `${where}: there is no option ${name}; known are service, lane`;
    throw new InvalidOptionError(name, "TypeError", message);
  }
  const { service = null, lane = null } = given;
  if (service !== null && !world.services.has(service)) {
    const names = [...world.services.keys()].map((each) => show(each)).join(", ");
    const message = `${where}: service must be one of ${names}, not ${show(service)}`;
    const nature = typeof service === "string" ? "RangeError" : "TypeError";
    throw new InvalidOptionError("service", nature, message);
  }
  if (lane !== null) {
    const resolved = world.services.get(service ?? defaultName);
    if (resolved !== undefined) findLane(resolved, lane, where);
  }
  return { world, service, lane };
}
