/**
 * What a load is told to be.
 */
import type { ClientOptions } from "../../client/options.ts";
import type { Msecs } from "../../core/clock.ts";
import type { TlsOptions } from "../../net/connect-options.ts";

/** Who sets the pace: the answers (so many requests under way), or the clock (so many a second). */
export type Pace =
  | { readonly kind: "closed"; readonly concurrency: number }
  | { readonly kind: "open"; readonly perSecond: number };

/** The load. It ends with whichever of `requests` and `durationMsecs` comes first; `Infinity` means no limit. */
export interface LoadPlan {
  /** Asked in turn. */
  readonly urls: readonly string[];
  readonly pace: Pace;
  readonly requests: number;
  readonly durationMsecs: Msecs;
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | null;
  /** A request that takes longer has failed. */
  readonly timeoutMsecs: Msecs;
  readonly tls: TlsOptions;
  /** Options of the client, as they were given. */
  readonly options: ClientOptions;
}
