/**
 * TLS sessions by server, for resumption: a reconnect then needs no certificate exchange. They are held
 * strongly, the least recently used go first, and a session that did not lead to a connection is forgotten.
 */

/** Sessions kept; each takes one to four kilobytes. */
const mostSessions = 1_000;

/** Latest session of each server of one client; clients do not share, so TLS identities do not mix. */
export class TlsSessions {
  readonly #byServer = new Map<string, Buffer>();

  get size(): number {
    return this.#byServer.size;
  }

  get(server: string): Buffer | undefined {
    const session = this.#byServer.get(server);
    if (session !== undefined) this.set(server, session);
    return session;
  }

  set(server: string, session: Buffer): void {
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
