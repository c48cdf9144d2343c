/**
 * Subscribes to several events of keepline at once, with their types.
 */
import { invalidOption } from "../core/rules.ts";
import { channels } from "./channels.ts";
import type { EventMessage, EventName, KeeplineEvents } from "./messages.ts";

/** What is called for which event. */
export type EventListeners = {
  readonly [name in EventName]?: (message: KeeplineEvents[name]) => void;
};

/**
 * Has `listeners` called for the events that they name, of all clients of this process or of `client` alone. They are
 * called in the order of what happened, in the microtask that follows it. What a listener throws is an uncaught exception.
 * Returns what ends it.
 *
 * @throws InvalidOptionError for an event that there is not.
 */
export function subscribe(
  listeners: EventListeners,
  client: { readonly id: number } | null = null,
): () => void {
  const entries = Object.entries(listeners) as [EventName, (message: EventMessage) => void][];
  const wanted = entries.map(([name, listener]) => {
    const channel = channels[name];
    if (channel === undefined) {
      const allowed = `one of ${Object.keys(channels).join(", ")}`;
      throw invalidOption("event", name, { nature: "TypeError", allowed }, "subscribe()");
    }
    if (typeof listener !== "function") {
      const fault = { nature: "TypeError", allowed: "a function" } as const;
      throw invalidOption(name, listener, fault, "subscribe()");
    }
    const own = (message: unknown): void => {
      const told = message as EventMessage;
      if (client === null || told.clientId === client.id) listener(told);
    };
    return { channel, own };
  });
  for (const { channel, own } of wanted) channel.subscribe(own);
  return () => {
    for (const { channel, own } of wanted) channel.unsubscribe(own);
  };
}
