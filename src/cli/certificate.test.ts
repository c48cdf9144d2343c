import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect, createServer } from "node:tls";
import { makeCertificate } from "./certificate.ts";

test("a certificate is signed by its own key, and the key belongs to it", () => {
  const { cert, key } = makeCertificate();
  const parsed = new X509Certificate(cert);
  assert.equal(parsed.verify(parsed.publicKey), true);
  assert.equal(parsed.checkIssued(parsed), true);
  assert.equal(parsed.ca, true);
  assert.equal(parsed.checkPrivateKey(createPrivateKey(key)), true);
});

test("a certificate is for this machine when nothing else is said", () => {
  const parsed = new X509Certificate(makeCertificate().cert);
  assert.equal(parsed.checkIP("127.0.0.1"), "127.0.0.1");
  assert.equal(parsed.checkIP("::1"), "::1");
  assert.equal(parsed.checkHost("localhost"), "localhost");
  assert.ok(Date.parse(parsed.validFrom) < Date.now() && Date.parse(parsed.validTo) > Date.now());
});

test("a certificate is for exactly the names and addresses given", () => {
  const names = ["api.example.com", "*.internal.example"];
  const ips = ["192.0.2.255", "2001:db8::ff00:42:8329", "fe80::", "::ffff:192.0.2.1"];
  const parsed = new X509Certificate(makeCertificate({ names, ips }).cert);
  assert.equal(parsed.checkHost("api.example.com"), "api.example.com");
  assert.equal(parsed.checkHost("a.internal.example"), "*.internal.example");
  for (const ip of ips) assert.equal(parsed.checkIP(ip), ip);
  assert.equal(parsed.checkHost("localhost"), undefined);
  assert.equal(parsed.checkIP("127.0.0.1"), undefined);
  // Enough names for lengths of two bytes.
  const many = Array.from({ length: 100 }, (_, index) => `host-${index}.example.com`);
  const large = new X509Certificate(makeCertificate({ names: many }).cert);
  assert.equal(large.checkHost("host-99.example.com"), "host-99.example.com");
});

test("dates are kept to the second, on both sides of the year 2050", () => {
  const years = [1999, 2049, 2050, 2100].map((year) => new Date(Date.UTC(year, 1, 3, 4, 5, 6)));
  const [past, near, far, end] = years;
  for (const [notBefore, notAfter] of [
    [past, near],
    [near, far],
    [far, end],
  ]) {
    const parsed = new X509Certificate(makeCertificate({ notBefore, notAfter }).cert);
    assert.equal(Date.parse(parsed.validFrom), notBefore?.getTime());
    assert.equal(Date.parse(parsed.validTo), notAfter?.getTime());
  }
});

test("a client that trusts the certificate completes a verified handshake, by name and by address", async () => {
  const { cert, key } = makeCertificate();
  assert.equal(await handshake({ cert, key }, cert, "127.0.0.1"), "authorized");
  assert.equal(await handshake({ cert, key }, cert, "localhost"), "authorized");
});

test("a client refuses the certificate when it is expired, not trusted, or another host's", async () => {
  const expired = makeCertificate({ notAfter: new Date(Date.now() - 1_000) });
  assert.equal(await handshake(expired, expired.cert, "127.0.0.1"), "CERT_HAS_EXPIRED");
  const early = makeCertificate({ notBefore: new Date(Date.now() + 3_600_000) });
  assert.equal(await handshake(early, early.cert, "127.0.0.1"), "CERT_NOT_YET_VALID");
  const other = makeCertificate({ names: ["other.example"] });
  assert.equal(await handshake(other, other.cert, "localhost"), "ERR_TLS_CERT_ALTNAME_INVALID");
  const trusted = makeCertificate().cert;
  assert.equal(
    await handshake(makeCertificate(), trusted, "localhost"),
    "DEPTH_ZERO_SELF_SIGNED_CERT",
  );
});

test("a certificate of an issuer is trusted through it, and only with the whole chain", async () => {
  const root = makeCertificate({ names: ["root.test"] });
  const between = makeCertificate({ names: ["between.test"], issuer: root });
  const leaf = makeCertificate({ issuer: between });
  const [parsed, parent] = [new X509Certificate(leaf.cert), new X509Certificate(between.cert)];
  assert.equal(parsed.verify(parent.publicKey), true);
  assert.equal(parsed.checkIssued(parent), true);
  assert.equal(parent.checkIssued(new X509Certificate(root.cert)), true);
  assert.equal(parsed.checkIssued(new X509Certificate(root.cert)), false);
  const chain = { key: leaf.key, cert: leaf.cert + between.cert };
  assert.equal(await handshake(chain, root.cert, "localhost"), "authorized");
  assert.equal(await handshake(leaf, root.cert, "localhost"), "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
});

/** "authorized", or the code for which the client refused. */
async function handshake(
  server: { readonly cert: string; readonly key: string },
  ca: string,
  host: string,
): Promise<string> {
  const listener = createServer(server, (socket) => socket.on("error", () => {}).end());
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const socket = connect(port, host, { ca });
  try {
    await once(socket, "secureConnect");
    return socket.authorized ? "authorized" : "not authorized";
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  } finally {
    socket.destroy();
    listener.close();
  }
}
