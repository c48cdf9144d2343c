/**
 * What an agent takes: Node's options with Node's meaning, but for `keepAlive` and `keepAliveMsecs`; the options of
 * keepline's pools; and whatever else, which is left to `net.connect` and `tls.connect`.
 */
import type http from "node:http";
import type https from "node:https";
import type { Msecs } from "../../core/clock.ts";
import { type CoreOptions, checkTogether, coreRules } from "../../core/options.ts";
import { duration, type Given, invalidOption, type Rules } from "../../core/rules.ts";

/** Options of keepline's that Node's agents do not have. */
export interface AgentOwnOptions extends PoolingOptions {
  /** Initial delay of TCP keep-alive probes in ms, which Node's agents call `keepAliveMsecs`. */
  readonly tcpKeepAliveMsecs: Msecs;
  /** Taken off what the server says by `Keep-Alive: timeout=N`, in ms. As in Node 22, in all versions. */
  readonly agentKeepAliveTimeoutBuffer: Msecs;
}

/** Options of keepline's pools that an agent takes as they are. */
type PoolingOptions = Omit<CoreOptions, keyof http.AgentOptions>;

/** What `new Agent()` takes: all optional. Unknown names go to `net.connect`. */
export type AgentOptions = http.AgentOptions & Given<AgentOwnOptions>;

/** What `new HttpsAgent()` takes: all optional. Unknown names go to `tls.connect`. */
export type HttpsAgentOptions = https.AgentOptions & Given<AgentOwnOptions>;

/** The options of an agent that it may be told anew. */
interface AgentRules extends CoreOptions {
  readonly tcpKeepAliveMsecs: Msecs;
  readonly timeout: Msecs;
}

const unlimited = Number.POSITIVE_INFINITY;

/** The table: as that of a client, but for the defaults that are Node's. */
export const agentRules = {
  ...coreRules,
  maxSockets: { ...coreRules.maxSockets, default: unlimited },
  connectTimeoutMsecs: { ...coreRules.connectTimeoutMsecs, default: unlimited },
  tcpKeepAliveMsecs: {
    default: 1_000,
    check: duration("from 0"),
    unit: "ms",
    doc: "initial delay of TCP keep-alive probes",
  },
  timeout: {
    default: 0,
    check: duration("from 0"),
    unit: "ms",
    doc: "socket timeout, as `socket.setTimeout`; 0 for none",
  },
} as const satisfies Rules<AgentRules>;

/** What Node takes off a server's hint. */
const defaultBufferMsecs: Msecs = 1_000;

/** What holds for an agent. */
export interface AgentSettings extends CoreOptions {
  readonly tcpKeepAliveMsecs: Msecs;
  readonly agentKeepAliveTimeoutBuffer: Msecs;
}

/**
 * Checks what an agent was given, and completes it.
 *
 * @throws InvalidOptionError when a number or word is not allowed.
 */
export function resolveAgentOptions(
  given: AgentOptions | null | undefined,
  where: string,
): AgentSettings {
  const values = Object(given) as Record<string, unknown>;
  const resolved: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries(agentRules)) {
    // Node takes null for nothing said.
    const value = values[name] ?? undefined;
    if (value !== undefined) checkAgentOption(name as keyof AgentRules, value, where);
    resolved[name] = value ?? rule.default;
  }
  const { timeout: _, ...settings } = resolved as unknown as AgentSettings & { timeout: Msecs };
  checkTogether(settings, where);
  const buffer = values.agentKeepAliveTimeoutBuffer;
  const isBuffer = typeof buffer === "number" && Number.isFinite(buffer) && buffer >= 0;
  return { ...settings, agentKeepAliveTimeoutBuffer: isBuffer ? buffer : defaultBufferMsecs };
}

/**
 * Checks one option of `agentRules`.
 *
 * @throws InvalidOptionError
 */
export function checkAgentOption(
  name: keyof typeof agentRules,
  value: unknown,
  where: string,
): void {
  const fault = agentRules[name].check(value);
  if (fault !== null) throw invalidOption(name, value, fault, where);
}

/** What the core is told for `settings`: a pool that keeps nothing closes what nobody waits for. */
export function coreOptionsOf(settings: AgentSettings): CoreOptions {
  const { tcpKeepAliveMsecs: _, agentKeepAliveTimeoutBuffer: __, ...core } = settings;
  // `keepAlive: false` of the core ends a connection after each request; Node's hands it on to those who wait.
  if (core.keepAlive) return core;
  return { ...core, keepAlive: true, keepAliveMsecs: 0, minFreeSockets: 0, tuning: "off" };
}
