/**
 * The services of a client: which one has an origin, and what holds for origins that none has.
 */
import { InvalidRequestError } from "./errors.ts";
import { defaultName, plainLane, type ServicePolicy } from "./lane-options.ts";
import type { CoreOptions } from "./options.ts";

/** `services` with `default`, as the first. */
export function completePolicies(
  services: readonly ServicePolicy[],
  options: CoreOptions,
): ServicePolicy[] {
  const isDefault = (each: ServicePolicy): boolean => each.name === defaultName;
  const given = services.find(isDefault) ?? defaultPolicy(options);
  return [given, ...services.filter((each) => !isDefault(each))];
}

/** The service of all origins, for a client that names none. */
function defaultPolicy(options: CoreOptions): ServicePolicy {
  const never = Number.POSITIVE_INFINITY;
  const lane = plainLane({ ...options, requestTimeoutMsecs: never });
  return {
    name: defaultName,
    options,
    maxTotalSockets: never,
    lanes: new Map([[defaultName, lane]]),
    holds: () => false,
  };
}

/**
 * The name of the service that has `origin`.
 *
 * @throws InvalidRequestError when two have it.
 */
export function serviceNameOf(origin: string, policies: readonly ServicePolicy[]): string {
  let found = defaultName;
  for (const { name, holds } of policies) {
    if (name === defaultName || !holds(origin)) continue;
    if (found !== defaultName) {
      const message = `${origin} is an origin of two services, ${found} and ${name}: leave it to one of them`;
      throw new InvalidRequestError(message, { origin });
    }
    found = name;
  }
  return found;
}
