/**
 * What a recording says of what was around a program, as the defaults of a simulation.
 * Invariant: whatever the simulation itself says wins, also over what the recording says of single origins.
 */
import type { Simulation } from "../simulate.ts";
import type { TraceHead } from "./format.ts";

/** Some of `network` or `servers`. */
interface Around {
  readonly origins?: Readonly<Record<string, object | undefined>> | undefined;
}

/** What a recording says beside its requests. */
type Recorded = Pick<TraceHead, "network" | "servers" | "settings">;

/** `simulation` with what `head` says besides. */
export function withRecorded(simulation: Simulation, head: Recorded | null): Simulation {
  const { network, servers, settings } = head ?? {};
  return {
    ...simulation,
    ...(network === undefined ? {} : { network: around(network, simulation.network) }),
    ...(servers === undefined ? {} : { servers: around(servers, simulation.servers) }),
    ...(settings === undefined ? {} : { settings: merged(settings, simulation.settings) }),
  };
}

function around<A extends Around>(recorded: A, given: A | undefined): A {
  if (given === undefined) return recorded;
  const { origins = {}, ...rest } = recorded;
  const { origins: others = {}, ...own } = given;
  const kept = Object.entries(origins).map(([origin, each]) => {
    const fields = Object.entries(each ?? {}).filter(([name]) => !Object.hasOwn(own, name));
    return [origin, Object.fromEntries(fields)] as const;
  });
  return { ...rest, ...own, origins: { ...Object.fromEntries(kept), ...others } } as A;
}

/** Objects within objects are merged, so that one setting of a lane replaces no other. */
function merged<O extends object>(recorded: O, given: O | undefined): O {
  if (given === undefined) return recorded;
  const all = { ...recorded } as Record<string, unknown>;
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const before = all[name];
    all[name] = isPlain(before) && isPlain(value) ? merged(before, value) : value;
  }
  return all as O;
}

function isPlain(value: unknown): value is object {
  return (
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}
