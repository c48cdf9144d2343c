/**
 * Opens one transport: DNS, TCP, and TLS for https. Incoming bytes go straight from the kernel into one
 * buffer that all sockets share, without the Readable machinery: an idle socket owns no buffer.
 */
import { isIP, type NetConnectOpts, connect as netConnect, Socket } from "node:net";
import {
  type ConnectionOptions,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
  connect as tlsConnect,
} from "node:tls";
import type { Clock, Msecs } from "../core/clock.ts";
import type { ConnectOptions, TlsOptions } from "./connect-options.ts";
import { type PeerIdentity, type TlsSession, TlsSessions } from "./tls-sessions.ts";

/** Where to dial. */
export interface Address {
  readonly isTls: boolean;
  /** Name or IP address, without the brackets of an IPv6 literal. */
  readonly host: string;
  readonly port: number;
}

/** How long each step took in ms; null where it did not happen. */
export interface DialTimings {
  readonly dns: Msecs | null;
  readonly connect: Msecs;
  readonly tls: Msecs | null;
}

/** Options of `net.connect` beside those that a client knows. */
export type ExtraOptions = Readonly<Record<string, unknown>>;

/** Told what becomes of a dial. Exactly one of `opened` and `failed` is called, and later. */
export interface DialListener {
  opened(timings: DialTimings, isResumed: boolean): void;
  failed(cause: Error): void;
  /** Bytes arrived in `buffer` from 0 to `length`, a view that is valid during the call. False stops reading. */
  read(length: number, buffer: Buffer): boolean;
}

/** Told what becomes of a dial by a route. */
export interface RouteListener extends DialListener {
  /** The socket, which somebody else has made: what arrives comes by its own `data` events. Called before `opened`, if at all. */
  provided(socket: Socket): void;
}

/** How to dial where an origin and the `connect` options of a client do not say it all: the route of a pool. */
export interface Route {
  /** As `Dialer.dial`. Where somebody else makes the socket, another one is returned, which stands for it until it is `provided`. */
  dial(listener: RouteListener): Socket;
}

/**
 * Each read callback runs to its end before the next read begins, so one buffer serves all sockets of a
 * thread. 64 KiB is the most that libuv reads at once.
 */
const sharedBuffer = Buffer.allocUnsafeSlow(65_536);

const alpnProtocols = ["http/1.1"];
const noExtras: ExtraOptions = Object.freeze({});

/** Dials with the `connect` options of one client. */
export class Dialer {
  readonly sessions = new TlsSessions();
  readonly #options: ConnectOptions;
  /** A copy: sessions are good for the settings they were made under, so these must not change. */
  readonly #tls: TlsOptions;
  readonly #clock: Clock;
  /** Made once: parsing certificates anew costs milliseconds a dial. */
  #secureContext: SecureContext | null = null;

  constructor(options: ConnectOptions, clock: Clock) {
    this.#options = options;
    this.#tls = { ...options.tls };
    this.#clock = clock;
  }

  /**
   * Begins to dial. The caller may destroy the socket at any time; a listener is not called after that.
   * `extra` goes before the options of the client, but not before its TLS settings.
   */
  dial(address: Address, listener: DialListener, extra: ExtraOptions = noExtras): Socket {
    const startedAt = this.#clock();
    let lookedUpAt: Msecs | null = null;
    let connectedAt = startedAt;
    const server = `${address.host}:${address.port}`;
    const offered = address.isTls ? this.sessions.get(server, Date.now()) : null;
    const socket = this.#connect(address, offered, listener, extra);
    const onError = (error: Error): void => {
      if (address.isTls) this.sessions.forget(server);
      listener.failed(error);
    };
    const onOpen = (): void => {
      if (isTls(socket) && offered !== null && socket.isSessionReused()) {
        const fault = this.#identityFault(address, offered.identity);
        if (fault !== null) {
          socket.destroy(fault);
          return;
        }
      }
      socket.off("error", onError);
      socket.off("lookup", onLookup);
      const now = this.#clock();
      const isResumed = isTls(socket) && socket.isSessionReused();
      const timings = {
        dns: lookedUpAt === null ? null : lookedUpAt - startedAt,
        connect: connectedAt - (lookedUpAt ?? startedAt),
        tls: address.isTls ? now - connectedAt : null,
      };
      listener.opened(timings, isResumed);
    };
    const onLookup = (): void => {
      lookedUpAt ??= this.#clock();
    };
    socket.on("lookup", onLookup);
    socket.once("connect", () => {
      connectedAt = this.#clock();
      if (!address.isTls) onOpen();
    });
    if (isTls(socket)) {
      socket.once("secureConnect", onOpen);
      this.#keepSessions(socket, server, offered?.identity ?? null);
    }
    socket.on("error", onError);
    return socket;
  }

  /** Keeps the sessions that `socket` is given. Not in `dial`: the listener stays, and would keep all else of it. */
  #keepSessions(socket: TLSSocket, server: string, offered: PeerIdentity | null): void {
    let identity: PeerIdentity | null = null;
    // Node holds it back until the certificate was verified.
    socket.on("session", (ticket: Buffer) => {
      if (socket.destroyed) return;
      identity ??= (socket.isSessionReused() ? offered : null) ?? this.#identityOf(socket);
      this.sessions.set(server, { ticket, identity });
    });
  }

  #connect(
    address: Address,
    offered: TlsSession | null,
    listener: DialListener,
    extra: ExtraOptions,
  ): Socket {
    try {
      return address.isTls
        ? tlsConnect(this.#tlsOptions(address, offered, listener, extra))
        : netConnect(this.#transportOptions(address, listener, extra));
    } catch (error) {
      // A certificate that is none, a lookup that throws: a dial that fails like any other.
      return new Socket().destroy(error as Error);
    }
  }

  #transportOptions(address: Address, listener: DialListener, extra: ExtraOptions): NetConnectOpts {
    const { socketPath, localAddress, lookup, family } = this.#options;
    const where =
      socketPath === null
        ? {
            host: address.host,
            port: address.port,
            family,
            autoSelectFamily: this.#options.autoSelectFamily && family === 0,
            autoSelectFamilyAttemptTimeout: this.#options.autoSelectFamilyAttemptTimeoutMsecs,
            ...(localAddress === null ? {} : { localAddress }),
            ...(lookup === null ? {} : { lookup }),
          }
        : { path: socketPath };
    return {
      ...where,
      noDelay: true,
      ...extra,
      onread: {
        buffer: sharedBuffer,
        callback: (length: number, buffer: Uint8Array) => listener.read(length, buffer as Buffer),
      },
    };
  }

  #tlsOptions(
    address: Address,
    offered: TlsSession | null,
    listener: DialListener,
    extra: ExtraOptions,
  ): ConnectionOptions {
    const tls = this.#tls;
    this.#secureContext ??= tls.secureContext ?? createSecureContext(tls);
    return {
      ...tls,
      ...this.#transportOptions(address, listener, extra),
      // What the certificate must be for, also where `socketPath` says whom to dial.
      host: address.host,
      secureContext: this.#secureContext,
      // Server names are DNS names (RFC 6066, section 3): an IP address is verified but not sent.
      servername: tls.servername ?? (isIP(address.host) === 0 ? address.host : ""),
      ALPNProtocols: alpnProtocols,
      ...(extra.ALPNProtocols === undefined
        ? {}
        : { ALPNProtocols: extra.ALPNProtocols as string[] }),
      ...(offered === null ? {} : { session: offered.ticket }),
    };
  }

  #identityOf(socket: TLSSocket): PeerIdentity {
    // Who takes any certificate has no use for its end either.
    if (!socket.authorized) return { validUntil: Number.POSITIVE_INFINITY, certificate: null };
    const isChecked = this.#tls.checkServerIdentity !== undefined;
    return {
      validUntil: Date.parse(socket.getPeerCertificate().valid_to),
      certificate: isChecked ? socket.getPeerCertificate(true) : null,
    };
  }

  /**
   * Why the program refuses the server of a resumed session; null when it does not. Node asks
   * `checkServerIdentity` in full handshakes only, but its answer may be another one by now.
   */
  #identityFault(address: Address, { certificate }: PeerIdentity): Error | null {
    if (certificate === null) return null;
    try {
      const name = this.#tls.servername || address.host;
      return this.#tls.checkServerIdentity?.(name, certificate) ?? null;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

function isTls(socket: Socket): socket is TLSSocket {
  return "encrypted" in socket;
}
