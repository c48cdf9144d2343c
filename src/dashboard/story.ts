/**
 * What a request went through, in words and numbers: where it waited and behind how many, how its connection was made,
 * what came back, and why it ended. Pure.
 */
import type { Msecs } from "../core/clock.ts";
import type { ErrorSummary } from "../observe/messages.ts";
import { limits } from "./messages.ts";

/** How a connection was dialed. Null where a step did not happen. */
export interface DialSteps {
  readonly dialMsecs: Msecs;
  readonly dnsMsecs: Msecs | null;
  readonly connectMsecs: Msecs | null;
  readonly tlsMsecs: Msecs | null;
  readonly tlsResumed: boolean;
}

/** The connection that a request had. */
export interface StoryConnection {
  readonly id: number;
  /** Which request of it this was, from 1. */
  readonly requestCount: number;
  /** How long it had been idle before. */
  readonly idleMsecs: Msecs;
  /** Of a connection whose dial was seen. */
  readonly dial: DialSteps | null;
}

/** The phases of one request, as far as it came. Durations in ms. */
export interface StoryFacts {
  readonly lane: string;
  /** Until it had its connection, or until now. */
  readonly waitedMsecs: Msecs;
  /** Requests before it in its queue; 0 when it did not wait. */
  readonly behind: number;
  /** How often it was sent again before this. */
  readonly resends: number;
  readonly connection: StoryConnection | null;
  /** From the last byte sent to the first received; null when none came. */
  readonly firstByteMsecs: Msecs | null;
  /** Since the last thing that is known of it. */
  readonly sinceMsecs: Msecs;
}

/** The steps in order. */
export function storyOf(facts: StoryFacts): string[] {
  const { lane, waitedMsecs, behind, resends, connection, firstByteMsecs } = facts;
  const steps: string[] = [];
  if (resends > 0) steps.push(`sent again ${resends === 1 ? "once" : `${resends} times`} before`);
  const queue = behind > 0 ? ` behind ${behind}` : "";
  if (connection === null) {
    steps.push(`waited ${msecs(waitedMsecs)} in lane ${lane}${queue} and got no connection`);
    return steps;
  }
  const { id, requestCount, idleMsecs, dial } = connection;
  if (behind > 0 || waitedMsecs >= 1) {
    steps.push(`waited ${msecs(waitedMsecs)} in lane ${lane}${queue}`);
  }
  if (requestCount > 1) {
    const rest = idleMsecs > 0 ? `, idle for ${msecs(idleMsecs)} before` : ", handed over at once";
    steps.push(`request ${requestCount} on connection ${id}${rest}`);
  } else {
    steps.push(`first request on connection ${id}`);
    if (dial !== null) steps.push(...dialSteps(dial));
  }
  if (firstByteMsecs === null) steps.push(`no byte of a response in ${msecs(facts.sinceMsecs)}`);
  else steps.push(`first byte after ${msecs(firstByteMsecs)}`);
  return steps;
}

function dialSteps({ dialMsecs, dnsMsecs, connectMsecs, tlsMsecs, tlsResumed }: DialSteps) {
  const steps = [`dialed ${msecs(dialMsecs)}`];
  if (dnsMsecs !== null && dnsMsecs > 0) steps.push(`DNS ${msecs(dnsMsecs)}`);
  if (connectMsecs !== null) steps.push(`TCP ${msecs(connectMsecs)}`);
  if (tlsMsecs !== null) steps.push(`TLS ${msecs(tlsMsecs)}${tlsResumed ? " resumed" : ""}`);
  return steps;
}

/** An error and its causes, one line each, outermost first. */
export function causesOf(error: ErrorSummary | null): string[] {
  const lines: string[] = [];
  for (let each = error; each !== null && lines.length < limits.causes; each = each.cause) {
    const code = each.code === null ? "" : ` ${each.code}`;
    lines.push(cut(`${each.name}${code}: ${each.message}`, limits.messageLength));
  }
  return lines;
}

/** `text` with at most so many characters. */
export function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** 0.42 → 0.42 ms, 22.4 → 22 ms, 2340 → 2.3 s. */
export function msecs(value: Msecs): string {
  if (value >= 1_000) return `${(value / 1_000).toFixed(value < 10_000 ? 1 : 0)} s`;
  if (value >= 10 || value === 0) return `${Math.round(value)} ms`;
  return `${value.toFixed(value < 1 ? 2 : 1)} ms`;
}
