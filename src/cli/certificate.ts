/**
 * Certificates for servers on this machine, made at run time, self-signed or by another of them: none is
 * checked in, and no program beside Node.js is needed. What is not there: other keys than P-256.
 * Section numbers are those of RFC 5280.
 */
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { isIPv4 } from "node:net";

/** What a certificate is for: all optional. */
export interface CertificateOptions {
  /** DNS names in ASCII, wildcards allowed. */
  readonly names?: readonly string[] | undefined;
  /** IPv4 and IPv6 addresses. */
  readonly ips?: readonly string[] | undefined;
  /** Valid from then on; one hour ago when not given, so that clocks may differ. */
  readonly notBefore?: Date | undefined;
  /** Valid until then; tomorrow when not given. */
  readonly notAfter?: Date | undefined;
  /** One that `makeCertificate` made, which signs this one; itself when not given. */
  readonly issuer?: Certificate | undefined;
}

/** A certificate and its private key, both PEM. */
export interface Certificate {
  /** Also what a client takes as `ca`. */
  readonly cert: string;
  readonly key: string;
}

const hourMsecs = 3_600_000;
const local = { names: ["localhost"], ips: ["127.0.0.1", "::1"] };

/**
 * A new key and a certificate for exactly `names` and `ips`; for this machine when neither is given. Each may
 * sign others: there is no other mark of an authority.
 */
export function makeCertificate(options: CertificateOptions = {}): Certificate {
  const isLocal = options.names === undefined && options.ips === undefined;
  const { names = [], ips = [] } = isLocal ? local : options;
  const notBefore = options.notBefore ?? new Date(Date.now() - hourMsecs);
  const notAfter = options.notAfter ?? new Date(Date.now() + 24 * hourMsecs);

  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey = createPublicKey(privateKey);
  const serial = randomBytes(16);
  // Names differ, so that a client which trusts one of these never takes it for the issuer of another.
  const name = `keepline ${serial.toString("hex", 12)}`;
  const { issuer } = options;
  const signer =
    issuer === undefined
      ? { name, key: privateKey, publicKey }
      : {
          // The only attribute, in the form "CN=…".
          name: new X509Certificate(issuer.cert).subject.slice(3),
          key: issuer.key,
          publicKey: createPublicKey(issuer.key),
        };
  // ecdsa-with-SHA256 (RFC 5758, section 3.2)
  const algorithm = sequence(oid("1.2.840.10045.4.3.2"));

  // TBSCertificate (4.1)
  const body = sequence(
    der(0xa0, integer(Buffer.of(2))), // version 3
    integer(serial),
    algorithm,
    commonName(signer.name), // issuer
    sequence(time(notBefore), time(notAfter)),
    commonName(name), // subject
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, extensions(publicKey, signer.publicKey, names, ips)),
  );
  const signature = sign("sha256", body, signer.key);
  const certificate = sequence(body, algorithm, bitString(signature));
  return {
    cert: pem("CERTIFICATE", certificate),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** Extensions (4.2) of a certificate that is its own authority and that of one server. */
function extensions(
  publicKey: KeyObject,
  issuerKey: KeyObject,
  names: readonly string[],
  ips: readonly string[],
): Buffer {
  const isTrue = der(0x01, Buffer.of(0xff));
  const alternatives = [
    ...names.map((each) => der(0x82, Buffer.from(each, "latin1"))),
    ...ips.map((each) => der(0x87, addressBytes(each))),
  ];
  return sequence(
    extension("2.5.29.14", "optional", octets(keyId(publicKey))), // subject key identifier (4.2.1.2)
    extension("2.5.29.15", "critical", bitString(Buffer.of(0x84), 2)), // digitalSignature, keyCertSign (4.2.1.3)
    extension("2.5.29.17", "optional", sequence(...alternatives)), // subject alternative name (4.2.1.6)
    extension("2.5.29.19", "critical", sequence(isTrue)), // basic constraints: cA (4.2.1.9)
    extension("2.5.29.35", "optional", sequence(der(0x80, keyId(issuerKey)))), // authority key identifier (4.2.1.1)
    extension("2.5.29.37", "optional", sequence(oid("1.3.6.1.5.5.7.3.1"))), // serverAuth (4.2.1.12)
  );
}

/** The SHA-1 of the uncompressed point, as method 1 of 4.2.1.2 has it. */
function keyId(publicKey: KeyObject): Buffer {
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const point = [Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")];
  return createHash("sha1").update(Buffer.concat(point)).digest();
}

function extension(id: string, weight: "critical" | "optional", value: Buffer): Buffer {
  const critical = weight === "critical" ? [der(0x01, Buffer.of(0xff))] : [];
  return sequence(oid(id), ...critical, octets(value));
}

/** A Name of one attribute, the common name, as UTF8String (4.1.2.4). */
function commonName(text: string): Buffer {
  return sequence(der(0x31, sequence(oid("2.5.4.3"), der(0x0c, Buffer.from(text)))));
}

/** UTCTime through the year 2049, GeneralizedTime from then on (4.1.2.5). */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+|\D/g, "");
  return date.getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(`${digits.slice(2)}Z`))
    : der(0x18, Buffer.from(`${digits}Z`));
}

/** Network byte order: 4 or 16 bytes. */
function addressBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split(".").map(Number));
  // URL writes the address in its shortest form, without dots: at most one "::" is left to expand.
  const [head = "", tail] = new URL(`http://[${ip}]`).hostname.slice(1, -1).split("::");
  const groups = (text = "") => text.split(":").filter((group) => group !== "");
  const [before, after] = [groups(head), groups(tail)];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  const hex = [...before, ...zeros, ...after].map((group) => group.padStart(4, "0"));
  return Buffer.from(hex.join(""), "hex");
}

/** Tag, length and contents (X.690, section 8.1). */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const contents = Buffer.concat(parts);
  const { length } = contents;
  const long = Buffer.from(length.toString(16).padStart(length > 0xff ? 4 : 2, "0"), "hex");
  const lengthBytes = length < 0x80 ? [length] : [0x80 | long.length, ...long];
  return Buffer.concat([Buffer.of(tag, ...lengthBytes), contents]);
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(0x30, ...parts);
}

function octets(bytes: Uint8Array): Buffer {
  return der(0x04, bytes);
}

function bitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return der(0x03, Buffer.of(unusedBits), bytes);
}

/** A positive INTEGER in its shortest form: no leading zeros, but one where a leading bit would be a sign. */
function integer(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  const shortest = bytes.subarray(start);
  return (shortest[0] ?? 0) >= 0x80 ? der(0x02, Buffer.of(0), shortest) : der(0x02, shortest);
}

/** The first two numbers share a byte; each further one takes seven bits a byte, the last byte below 128. */
function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const number of rest) {
    const groups = [number & 0x7f];
    for (let left = number >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
