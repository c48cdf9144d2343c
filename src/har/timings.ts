/**
 * From the times of a request and of its dial to those of a HAR entry.
 * Invariant: no part is below 0, and `blocked`, `dns`, `connect`, `send`, `wait` and `receive` together are the whole.
 */
import type { Msecs } from "../core/clock.ts";
import type { DialTimings } from "../net/dial.ts";
import type { HarTimings } from "./format.ts";

/** When what happened; null where it did not. */
export interface Instants {
  readonly createdAt: Msecs;
  readonly grantedAt: Msecs | null;
  readonly sentAt: Msecs | null;
  readonly firstByteAt: Msecs | null;
  readonly endedAt: Msecs;
  /** Nobody tells when it was sent: it counts as sent when it was granted. */
  readonly isSentUnseen: boolean;
  /** The dial of its connection, if it is the first on it. */
  readonly dial: (DialTimings & { readonly openedAt: Msecs }) | null;
}

/** The timings of a HAR entry. A request that is over early has its last part until then. */
export function harTimings(of: Instants): HarTimings {
  const { createdAt, endedAt } = of;
  const grantedAt = of.grantedAt ?? endedAt;
  const firstByteAt = of.firstByteAt ?? endedAt;
  const sentAt = of.sentAt ?? (of.isSentUnseen ? grantedAt : firstByteAt);
  const { dns, tcp, tls } = dialParts(of, grantedAt);
  const inDial = (dns ?? 0) + (tcp ?? 0) + (tls ?? 0);
  return {
    blocked: Math.max(grantedAt - createdAt - inDial, 0),
    dns: dns ?? -1,
    connect: tcp === null ? -1 : tcp + (tls ?? 0),
    ssl: tls ?? -1,
    send: sentAt - grantedAt,
    wait: firstByteAt - sentAt,
    receive: endedAt - firstByteAt,
  };
}

interface DialParts {
  readonly dns: Msecs | null;
  readonly tcp: Msecs | null;
  readonly tls: Msecs | null;
}

/** What of each step of the dial the request waited for: a dial may have begun for another one before. */
function dialParts({ dial, createdAt }: Instants, grantedAt: Msecs): DialParts {
  if (dial === null) return { dns: null, tcp: null, tls: null };
  let end = Math.min(dial.openedAt, grantedAt);
  const waitedFor = (msecs: Msecs): Msecs => {
    const start = end - msecs;
    const part = Math.max(end - Math.max(start, createdAt), 0);
    end = start;
    return part;
  };
  const tls = dial.tls === null ? null : waitedFor(dial.tls);
  const tcp = waitedFor(dial.connect);
  const dns = dial.dns === null ? null : waitedFor(dial.dns);
  return { dns, tcp, tls };
}

/** The whole, of its parts. */
export function totalOf({ blocked, dns, connect, send, wait, receive }: HarTimings): Msecs {
  return blocked + Math.max(dns, 0) + Math.max(connect, 0) + send + wait + receive;
}
