/// <reference types="node" preserve="true" />
/**
 * The public API of `keepline/testing`: what tests of a program that talks HTTP need.
 */

export { FaultProxy, type FaultProxyOptions, type FaultProxyTarget } from "./fault-proxy.ts";
export type { End, Fault, Moment } from "./faults.ts";
export { ManualClock } from "./manual-clock.ts";
export type { ProxiedConnection } from "./proxied-connection.ts";
export type { ScriptedConnection, ScriptedRequest } from "./scripted-connection.ts";
export {
  answering,
  ok,
  type Script,
  ScriptedOrigin,
  type ScriptedOriginOptions,
} from "./scripted-origin.ts";
