/**
 * All options of a client, and those of a request.
 */
import type { Msecs } from "../core/clock.ts";
import { InvalidOptionError } from "../core/errors.ts";
import { type CoreOptions, checkTogether, coreRules } from "../core/options.ts";
import {
  duration,
  type Given,
  type Rule,
  type Rules,
  resolveOptions,
  wholeNumber,
} from "../core/rules.ts";
import { type ConnectOptions, connectRules } from "../net/connect-options.ts";

/** How long the parts of a request may take, in ms. `Infinity` means no limit. */
export interface RequestTimeouts {
  /** From the request sent to the response head, then `HeadersTimeoutError`. */
  readonly headersTimeoutMsecs: Msecs;
  /** Silence between pieces of the response body, or while the server reads nothing of the request's; then `BodyTimeoutError`. Time in which the program reads nothing does not count. */
  readonly bodyTimeoutMsecs: Msecs;
  /** The whole request, queue and body included, then `RequestTimeoutError`. */
  readonly requestTimeoutMsecs: Msecs;
}

/** Every option of a client, complete. */
export interface ResolvedOptions extends CoreOptions, RequestTimeouts {
  /** A larger response head, with the interim ones before it, is an error; so are larger trailers. */
  readonly maxHeaderBytes: number;
  /** How transports are opened. */
  readonly connect: ConnectOptions;
}

/** What `new Client()` takes: all optional. */
export type ClientOptions = Given<Omit<ResolvedOptions, "connect">> & {
  /** How transports are opened. */
  readonly connect?: Given<ConnectOptions> | undefined;
};

/** What `client.configure()` takes: everything but `connect`. */
export type LiveOptions = Given<Omit<ResolvedOptions, "connect">>;

/** Rows that a request can override. */
export const timeoutRules = {
  headersTimeoutMsecs: {
    default: 300_000,
    check: duration("above 0"),
    unit: "ms",
    doc: "request sent to response head, then `HeadersTimeoutError`",
  },
  bodyTimeoutMsecs: {
    default: 300_000,
    check: duration("above 0"),
    unit: "ms",
    doc: "silence between body chunks, then `BodyTimeoutError`",
  },
  requestTimeoutMsecs: {
    default: Number.POSITIVE_INFINITY,
    check: duration("above 0"),
    unit: "ms",
    doc: "the whole request, queue included, then `RequestTimeoutError`",
  },
} as const satisfies Rules<RequestTimeouts>;

/** The table of everything that can be changed live. */
export const liveRules = {
  ...coreRules,
  ...timeoutRules,
  maxHeaderBytes: {
    default: 16_384,
    check: wholeNumber(64, "finite"),
    unit: "bytes",
    doc: "a larger response head is an error",
  },
} as const satisfies Rules<Omit<ResolvedOptions, "connect">>;

/** The whole table. */
export const clientRules = {
  ...liveRules,
  connect: {
    default: resolveOptions<ConnectOptions>(connectRules, undefined, ""),
    // Checked as a table of its own, so that a message names the option inside.
    check: () => null,
    unit: null,
    doc: `how transports are opened: ${Object.keys(connectRules).join(", ")}`,
  } satisfies Rule<ConnectOptions>,
} as const satisfies Rules<ResolvedOptions>;

/**
 * Completes what a user gave.
 *
 * @throws InvalidOptionError
 */
export function resolveClientOptions(given: ClientOptions | undefined): Readonly<ResolvedOptions> {
  const where = "new Client()";
  const resolved = resolveOptions<ResolvedOptions>(clientRules, given, where);
  const connect =
    given?.connect === undefined
      ? clientRules.connect.default
      : resolveOptions<ConnectOptions>(connectRules, given.connect, where, "connect.");
  checkTogether(resolved, where);
  return Object.freeze({ ...resolved, connect });
}

/**
 * `present` with the changes that a user gave.
 *
 * @throws InvalidOptionError; `present` stays in force then.
 */
export function resolveLiveOptions(
  present: ResolvedOptions,
  given: LiveOptions,
): Readonly<ResolvedOptions> {
  const where = "client.configure()";
  if (typeof given === "object" && given !== null && "connect" in given) {
    const message = `${where}: connect cannot be changed: make a new Client instead`;
    throw new InvalidOptionError("connect", "TypeError", message);
  }
  const live = resolveOptions<Omit<ResolvedOptions, "connect">>(
    liveRules,
    given,
    where,
    "",
    present,
  );
  checkTogether(live, where);
  return Object.freeze({ ...live, connect: present.connect });
}
