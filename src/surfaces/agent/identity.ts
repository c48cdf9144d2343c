/**
 * Which requests may share a socket: those to whose options Node's agents give one name. The names themselves hold whole
 * certificates; here what is long is a digest, and what Node leaves out of a name though it decides whom to trust is in it.
 */
import { createHash } from "node:crypto";

/** Options as a program gave them, of a request or an agent. */
export type ConnectionOptions = Readonly<Record<string, unknown>>;

/** Options that decide from where and to what a socket is. */
const placeNames = ["localAddress", "family", "socketPath"] as const;

/** TLS options that decide who talks to whom, and how. */
const tlsNames = [
  "ca",
  "cert",
  "key",
  "pfx",
  "passphrase",
  "servername",
  "rejectUnauthorized",
  "ciphers",
  "minVersion",
  "maxVersion",
  "secureProtocol",
  "secureOptions",
  "crl",
  "dhparam",
  "ecdhCurve",
  "honorCipherOrder",
  "sigalgs",
  "sessionIdContext",
  "clientCertEngine",
  "privateKeyEngine",
  "privateKeyIdentifier",
  "checkServerIdentity",
  "secureContext",
  "ALPNProtocols",
  "pskCallback",
  "allowPartialTrustChain",
] as const;

/** Options that say how to dial, and no more: a socket that was dialed in another way will do. */
const dialNames = [
  "lookup",
  "hints",
  "localPort",
  "autoSelectFamily",
  "autoSelectFamilyAttemptTimeout",
] as const;

const plainIdentity: readonly string[] = placeNames;
const tlsIdentity: readonly string[] = [...placeNames, ...tlsNames];

/** True when `options` say nothing that would give a request a socket of its own. */
export function isPlain(options: ConnectionOptions, isTls: boolean): boolean {
  for (const name of isTls ? tlsIdentity : plainIdentity) {
    if (options[name] !== undefined) return false;
  }
  return true;
}

/** True when `options` say how to dial. */
export function saysHowToDial(options: ConnectionOptions): boolean {
  return dialNames.some((name) => options[name] !== undefined);
}

/** The same text for options that may share a socket to one host and port, empty where nothing sets them apart. `host`: what they are for. */
export function identityOf(options: ConnectionOptions, isTls: boolean, host: string): string {
  let identity = "";
  for (const name of isTls ? tlsIdentity : plainIdentity) {
    const value = options[name];
    if (value === undefined || value === null || value === "" || !counts(name, value, host)) {
      continue;
    }
    identity += `${name}=${textOf(value)};`;
  }
  return identity;
}

function counts(name: string, value: unknown, host: string): boolean {
  if (name === "family") return value === 4 || value === 6;
  return name !== "servername" || value !== host;
}

/** Longer texts are shown by their digest. */
const longestText = 64;
/** Digests of long texts and of what holds bytes: programs give the same ones with each request. */
const digestsOfText = new Map<string, string>();
const mostTexts = 256;
const digestsOfBytes = new WeakMap<object, string>();
/** Numbers of functions and objects, which are equal to themselves alone. */
const numbers = new WeakMap<object, number>();
let lastNumber = 0;

function textOf(value: unknown): string {
  if (typeof value === "string") return value.length <= longestText ? value : digestOfText(value);
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`;
  if (ArrayBuffer.isView(value)) return digestOfBytes(value);
  if ((typeof value !== "object" || value === null) && typeof value !== "function") {
    return String(value);
  }
  // One of several keys, with its passphrase.
  const { pem, buf, passphrase } = value as { pem?: unknown; buf?: unknown; passphrase?: unknown };
  const content = pem ?? buf;
  if (content !== undefined) return `{${textOf(content)},${textOf(passphrase)}}`;
  return `#${numberOf(value)}`;
}

/** A number that `value` has for itself. */
export function numberOf(value: object): number {
  const known = numbers.get(value);
  if (known !== undefined) return known;
  numbers.set(value, ++lastNumber);
  return lastNumber;
}

function digestOfText(text: string): string {
  const known = digestsOfText.get(text);
  if (known !== undefined) return known;
  const digest = digestOf(Buffer.from(text));
  // Forgetting all of them is as good as forgetting the right ones when there are so many.
  if (digestsOfText.size >= mostTexts) digestsOfText.clear();
  digestsOfText.set(text, digest);
  return digest;
}

function digestOfBytes(view: ArrayBufferView): string {
  const known = digestsOfBytes.get(view);
  if (known !== undefined) return known;
  const digest = digestOf(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  digestsOfBytes.set(view, digest);
  return digest;
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64");
}
