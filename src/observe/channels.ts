/**
 * The diagnostics channels of keepline, one for each event.
 * Invariant: subscribers are called in the order of what happened, and never within a call of the core: who listens may make
 * requests, and may throw.
 */
import { type Channel, channel } from "node:diagnostics_channel";
import type { EventName, KeeplineEvents } from "./messages.ts";

const created = channel("keepline:request:created");
const queued = channel("keepline:request:queued");
const granted = channel("keepline:request:granted");
const sent = channel("keepline:request:sent");
const head = channel("keepline:request:head");
const end = channel("keepline:request:end");
const resend = channel("keepline:request:resend");
const failed = channel("keepline:request:failed");
const leaked = channel("keepline:request:leaked");
const dialing = channel("keepline:connection:dialing");
const open = channel("keepline:connection:open");
const idle = channel("keepline:connection:idle");
const retired = channel("keepline:connection:retired");
const saturated = channel("keepline:lane:saturated");
const relieved = channel("keepline:lane:relieved");
const tuned = channel("keepline:service:tuned");

/** The channels by event. */
export const channels: Readonly<Record<EventName, Channel>> = {
  "request:created": created,
  "request:queued": queued,
  "request:granted": granted,
  "request:sent": sent,
  "request:head": head,
  "request:end": end,
  "request:resend": resend,
  "request:failed": failed,
  "request:leaked": leaked,
  "connection:dialing": dialing,
  "connection:open": open,
  "connection:idle": idle,
  "connection:retired": retired,
  "lane:saturated": saturated,
  "lane:relieved": relieved,
  "service:tuned": tuned,
};

/**
 * Whether any channel has a subscriber. Asked with every request, so not by a loop, which takes 30 ns: this takes 5.
 */
export function isListenedTo(): boolean {
  return (
    created.hasSubscribers ||
    queued.hasSubscribers ||
    granted.hasSubscribers ||
    sent.hasSubscribers ||
    head.hasSubscribers ||
    end.hasSubscribers ||
    resend.hasSubscribers ||
    failed.hasSubscribers ||
    leaked.hasSubscribers ||
    dialing.hasSubscribers ||
    open.hasSubscribers ||
    idle.hasSubscribers ||
    retired.hasSubscribers ||
    saturated.hasSubscribers ||
    relieved.hasSubscribers ||
    tuned.hasSubscribers
  );
}

/** Whether somebody is told of the events of this name. */
export function hasListener(name: EventName): boolean {
  return channels[name].hasSubscribers;
}

/** Names and messages in turn, which are told in the microtask that follows. */
let batch: (EventName | KeeplineEvents[EventName])[] = [];

/** Tells the subscribers of `name`. */
export function publish<N extends EventName>(name: N, message: KeeplineEvents[N]): void {
  if (batch.push(name, message) === 2) queueMicrotask(flush);
}

function flush(): void {
  const told = batch;
  batch = [];
  // Node catches what a subscriber throws, and makes it an uncaught exception later.
  for (let index = 0; index < told.length; index += 2) {
    channels[told[index] as EventName].publish(told[index + 1]);
  }
}
