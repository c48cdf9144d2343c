/**
 * Everything that one client tells by its diagnostics channels, in the order in which it tells it.
 */
import type { TestContext } from "node:test";
import {
  type Client,
  type EventListeners,
  type EventName,
  type KeeplineEvents,
  subscribe,
} from "../../src/index.ts";
import { channels } from "../../src/observe/channels.ts";

/** One event. */
export type LoggedEvent = {
  readonly [name in EventName]: { readonly name: name; readonly message: KeeplineEvents[name] };
}[EventName];

/** The events of one client. */
export interface EventLog {
  readonly all: readonly LoggedEvent[];
  /** Messages of one event. */
  of<N extends EventName>(name: N): KeeplineEvents[N][];
  /** Names and what `show` makes of the messages, of one request or connection or of all. */
  names(of?: (message: Partial<Record<string, unknown>>) => boolean): EventName[];
}

/** Logs the events of `client` until the test is over. */
export function eventLog(t: TestContext, client: Client): EventLog {
  const all: LoggedEvent[] = [];
  const listeners = Object.fromEntries(
    Object.keys(channels).map((name) => [
      name,
      (message: unknown) => all.push({ name, message } as LoggedEvent),
    ]),
  ) as EventListeners;
  t.after(subscribe(listeners, client));
  return {
    all,
    of: <N extends EventName>(name: N) =>
      all.filter((each) => each.name === name).map(({ message }) => message as KeeplineEvents[N]),
    names: (of = () => true) =>
      all.filter(({ message }) => of({ ...message })).map(({ name }) => name),
  };
}
