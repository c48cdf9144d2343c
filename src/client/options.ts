/**
 * All options of a client, and those of a request.
 */
import type { Msecs } from "../core/clock.ts";
import { InvalidOptionError } from "../core/errors.ts";
import { type CoreOptions, checkTogether, coreRules } from "../core/options.ts";
import type { ResendMode } from "../core/resend.ts";
import {
  duration,
  type Given,
  oneOf,
  type Rule,
  type Rules,
  resolveOptions,
  wholeNumber,
} from "../core/rules.ts";
import { mergeTuning } from "../core/tuning-options.ts";
import { type ClientClock, checkClock, systemClock } from "../net/clock.ts";
import { type ConnectOptions, connectRules } from "../net/connect-options.ts";
import type { ServiceOptions } from "./service-options.ts";

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
  /** Whether a request whose connection fails before its response is sent again: where it does no harm, or never. */
  readonly resend: ResendMode;
  /** A response body that nobody reads for so long is reported, once, by a warning `KEEPLINE_LEAK`. `Infinity`: none is. */
  readonly leakTimeoutMsecs: Msecs;
  /** A larger response head, with the interim ones before it, is an error; so are larger trailers. */
  readonly maxHeaderBytes: number;
  /** How transports are opened. */
  readonly connect: ConnectOptions;
  /** Where time comes from. */
  readonly clock: ClientClock;
  /** Services by name, as they were given and changed since: see `ServiceOptions`. */
  readonly services: Readonly<Record<string, ServiceOptions>>;
}

/** Options that `configure` does not change. */
type Lasting = "connect" | "clock" | "services";

const lastingWords: Readonly<Record<Lasting, string>> = {
  connect: "make a new Client instead",
  clock: "make a new Client instead",
  services: "call client.configureService()",
};

/** What `new Client()` takes: all optional. */
export type ClientOptions = Given<Omit<ResolvedOptions, "connect">> & {
  /** How transports are opened. */
  readonly connect?: Given<ConnectOptions> | undefined;
};

/** What `client.configure()` takes: everything but `connect`, `clock` and `services`. */
export type LiveOptions = Given<Omit<ResolvedOptions, Lasting>>;

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

/** The row of `resend`, which a request can override, too. */
export const resendRule = {
  default: "safe",
  check: oneOf("safe", "never"),
  unit: null,
  doc: 'send a request again whose connection failed before the response: `"safe"` where it does no harm, or `"never"`',
} as const satisfies Rule<ResendMode>;

/** The table of everything that can be changed live. */
export const liveRules = {
  ...coreRules,
  ...timeoutRules,
  resend: resendRule,
  leakTimeoutMsecs: {
    default: 60_000,
    check: duration("above 0"),
    unit: "ms",
    doc: "a response body that is left unread for so long is reported, with where the request was made",
  },
  maxHeaderBytes: {
    default: 16_384,
    check: wholeNumber(64, "finite"),
    unit: "bytes",
    doc: "a larger response head is an error",
  },
} as const satisfies Rules<Omit<ResolvedOptions, Lasting>>;

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
  clock: {
    default: systemClock,
    check: checkClock,
    unit: null,
    doc: "where time comes from: the system, or a clock that a test moves",
  } satisfies Rule<ClientClock>,
  services: {
    default: Object.freeze({}),
    // Checked by `resolveServices`, so that a message names the option inside.
    check: () => null,
    unit: null,
    doc: "services by name, each with its origins, its own values of the options above, and its lanes",
  } satisfies Rule<ResolvedOptions["services"]>,
} as const satisfies Rules<ResolvedOptions>;

/**
 * Completes what a user gave.
 *
 * @param where What the options are for, to begin a message with.
 * @throws InvalidOptionError
 */
export function resolveClientOptions(
  given: ClientOptions | undefined,
  where = "new Client()",
): Readonly<ResolvedOptions> {
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
  for (const [option, words] of Object.entries(lastingWords)) {
    if (typeof given !== "object" || given === null || !(option in given)) continue;
    const message = `${where}: ${option} cannot be changed: ${words}`;
    throw new InvalidOptionError(option, "TypeError", message);
  }
  const changed = resolveOptions<Omit<ResolvedOptions, Lasting>>(
    liveRules,
    given,
    where,
    "",
    present,
  );
  const live = { ...changed, tuning: mergeTuning(present.tuning, given.tuning) };
  checkTogether(live, where);
  const { connect, clock, services } = present;
  return Object.freeze({ ...live, connect, clock, services });
}
