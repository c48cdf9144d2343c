/**
 * TLS sessions by server, for resumption: a reconnect then needs no certificate exchange. They are held
 * strongly, the least recently used go first, and a session that did not lead to a connection is forgotten.
 * A resumed connection shows no certificate: what was verified is kept with the session, and the session
 * is good for no longer than its server's certificate.
 */
import type { DetailedPeerCertificate } from "node:tls";
import type { Msecs } from "../core/clock.ts";

/** Sessions kept; each takes one to four kilobytes. */
const mostSessions = 1_000;

/** Whom the full handshake of a session, or of those it descends from, has shown. */
export interface PeerIdentity {
  /** End of the certificate, in ms since 1970; `Infinity` when it was not verified, so that nothing hangs on it. */
  readonly validUntil: Msecs;
  /** Only where the program checks certificates itself; null otherwise. */
  readonly certificate: DetailedPeerCertificate | null;
}

/** What a server gave to resume with. */
export interface TlsSession {
  readonly ticket: Buffer;
  readonly identity: PeerIdentity;
}

/** Latest session of each server of one client; clients do not share, so TLS identities do not mix. */
export class TlsSessions {
  readonly #byServer = new Map<string, TlsSession>();

  get size(): number {
    return this.#byServer.size;
  }

  /** The session to offer to `server`. One whose certificate has ended by `now`, in ms since 1970, is forgotten. */
  get(server: string, now: Msecs): TlsSession | null {
    const session = this.#byServer.get(server);
    if (session === undefined) return null;
    if (now < session.identity.validUntil) {
      this.set(server, session);
      return session;
    }
    this.forget(server);
    return null;
  }

  set(server: string, session: TlsSession): void {
    this.#byServer.delete(server);
    this.#byServer.set(server, session);
    if (this.#byServer.size <= mostSessions) return;
    const [oldest] = this.#byServer.keys();
    if (oldest !== undefined) this.#byServer.delete(oldest);
  }

  forget(server: string): void {
    this.#byServer.delete(server);
  }
}
